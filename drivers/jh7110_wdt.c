// SPDX-License-Identifier: BSD-2-Clause
// The watchdog of StarFive's JH7110 (binding starfive,jh7110-wdt; registers as in Linux's
// starfive-wdt.c, which are those of ARM's SP805). It counts down twice: the first time only raises
// its interrupt, the second restarts the chip. So each count is half of what is asked for.
//
// Locking: watchdog.c's.

#include "clk_priv.h"
#include "watchdog_priv.h"

#include <arch/log.h>
#include <arch/mmio.h>
#include <core/driver.h>
#include <errno.h>
#include <lib/dt.h>
#include <mm/slab.h>
#include <mm/vmap.h>

#define WDT_LOAD      0x000
#define WDT_VALUE     0x004
#define WDT_CONTROL   0x008
#define WDT_CLEAR     0x00c // any write also reloads the counter
#define WDT_RAISED    0x010
#define WDT_LOCK      0xc00
#define WDT_SIZE      0xc04
#define CONTROL_COUNT 1U
#define CONTROL_RESET 2U
#define UNLOCK        0x1acce551U

struct wdt {
    struct watchdog_device device;
    volatile uint8_t *regs;
    uint64_t hz;
};

static void wdt_start(struct watchdog_device *w, unsigned int seconds)
{
    struct wdt *t = container_of(w, struct wdt, device);

    mmio_write32(t->regs + WDT_LOCK, UNLOCK);
    mmio_write32(t->regs + WDT_LOAD, (uint32_t)(seconds * t->hz / 2));
    mmio_write32(t->regs + WDT_CLEAR, 1);
    mmio_write32(t->regs + WDT_CONTROL, CONTROL_COUNT | CONTROL_RESET);
    mmio_write32(t->regs + WDT_LOCK, 0);
}

static void wdt_stop(struct watchdog_device *w)
{
    struct wdt *t = container_of(w, struct wdt, device);

    mmio_write32(t->regs + WDT_LOCK, UNLOCK);
    mmio_write32(t->regs + WDT_CONTROL, 0);
    mmio_write32(t->regs + WDT_LOCK, 0);
}

static unsigned int wdt_left(struct watchdog_device *w)
{
    struct wdt *t = container_of(w, struct wdt, device);
    uint64_t ticks = mmio_read32(t->regs + WDT_VALUE);

    if (!(mmio_read32(t->regs + WDT_RAISED) & 1))
        ticks += mmio_read32(t->regs + WDT_LOAD);
    return (unsigned int)(ticks / t->hz);
}

static int wdt_probe(const void *fdt, int node)
{
    paddr_t base;
    uint64_t size;

    if (dt_reg(fdt, node, 0, &base, &size) != 0 || size < WDT_SIZE) {
        log_err("jh7110-wdt: no usable reg");
        return -EINVAL;
    }
    int err = clk_open_device(fdt, node);
    uint64_t hz = clk_rate(fdt, node, "core");
    if (err || hz == 0) {
        log_err("jh7110-wdt: no clock or reset for it (%d)", err);
        return err ? err : -ENODEV;
    }
    struct wdt *t = kzalloc(sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->hz = hz;
    t->device =
        (struct watchdog_device){.name = "jh7110-wdt",
                                 .max_seconds = (unsigned int)(2 * (uint64_t)UINT32_MAX / hz),
                                 .start = wdt_start,
                                 .stop = wdt_stop,
                                 .left = wdt_left};
    t->regs = vmap_device(base, size);
    err = t->regs ? watchdog_register(&t->device) : -ENOMEM;
    if (err == -EBUSY || !t->regs)
        kfree(t);
    return err;
}

static const char *const wdt_compatible[] = {"starfive,jh7110-wdt", NULL};

DRIVER(wdt_driver) = {
    .name = "jh7110-wdt",
    .compatible = wdt_compatible,
    .phase = DRIVER_DEVICE,
    .probe = wdt_probe,
};
