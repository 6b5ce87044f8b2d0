// SPDX-License-Identifier: BSD-2-Clause
// Goldfish real-time clock, QEMU virt's wall clock: nanoseconds since 1970 in two registers (QEMU
// hw/rtc/goldfish_rtc, Android "goldfish virtual hardware" document).

#include <arch/log.h>
#include <arch/mmio.h>
#include <core/driver.h>
#include <core/time.h>
#include <errno.h>
#include <lib/dt.h>
#include <mm/vmap.h>

#define RTC_TIME_LOW  0x00 // reading it latches the high half
#define RTC_TIME_HIGH 0x04

static int rtc_probe(const void *fdt, int node)
{
    paddr_t base;
    uint64_t size;

    if (dt_reg(fdt, node, 0, &base, &size) != 0)
        return -EINVAL;
    volatile uint8_t *regs = vmap_device(base, size);
    if (!regs)
        return -ENOMEM;
    uint64_t ns = mmio_read32(regs + RTC_TIME_LOW);
    ns |= (uint64_t)mmio_read32(regs + RTC_TIME_HIGH) << 32;
    time_set_from_rtc(ns);
    log_info("rtc: %lu seconds since 1970", (unsigned long)(ns / NS_PER_SEC));
    return 0;
}

static const char *const rtc_compatible[] = {"google,goldfish-rtc", NULL};

DRIVER(rtc_driver) = {
    .name = "goldfish-rtc",
    .compatible = rtc_compatible,
    .phase = DRIVER_DEVICE,
    .probe = rtc_probe,
};
