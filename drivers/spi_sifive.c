// SPDX-License-Identifier: BSD-2-Clause
// SiFive SPI controllers (FU540-C000 manual, chapter 18), for SD cards. Polled: at card speed the
// FIFO of 8 bytes would bring an interrupt each 3 us.
//
// The divider is worked out for the fastest bus clock that the chip allows, so a board that runs
// slower has a slower card, never one beyond its limit.

#include "spi_priv.h"

#include <arch/clock.h>
#include <arch/log.h>
#include <arch/mmio.h>
#include <core/driver.h>
#include <errno.h>
#include <lib/dt.h>
#include <libfdt.h>
#include <mm/slab.h>
#include <mm/vmap.h>

#define SPI_SCKDIV  0x00
#define SPI_SCKMODE 0x04
#define SPI_CSID    0x10
#define SPI_CSDEF   0x14
#define SPI_CSMODE  0x18
#define SPI_FMT     0x40
#define SPI_TXDATA  0x48
#define SPI_RXDATA  0x4c
#define SPI_FCTRL   0x60
#define SPI_IE      0x70
#define SPI_SIZE    0x78

#define SCKDIV_MAX   0xfffU
#define CSMODE_HOLD  2U
#define CSMODE_OFF   3U
#define FMT_8_BITS   (8U << 16) // one lane, most significant bit first, both directions
#define DATA_FULL    BIT(31)    // of TXDATA
#define DATA_EMPTY   BIT(31)    // of RXDATA
#define FIFO_SIZE    8U
#define BUS_HZ_MAX   750000000U // tlclk: half of at most 1.5 GHz (FU540-C000 manual, 7.1)
#define BYTE_WAIT_NS (10 * NS_PER_MS)

struct spi_sifive {
    struct spi_bus bus;
    volatile uint8_t *regs;
    bool is_dead; // a byte didn't come back
};

static struct spi_sifive *to_sifive(struct spi_bus *bus)
{
    return container_of(bus, struct spi_sifive, bus);
}

static void spi_set_speed(struct spi_bus *bus, uint32_t hz)
{
    uint32_t divider = DIV_ROUND_UP(BUS_HZ_MAX, 2 * hz) - 1;

    mmio_write32(to_sifive(bus)->regs + SPI_SCKDIV, MIN(divider, SCKDIV_MAX));
}

static void spi_select(struct spi_bus *bus, bool on)
{
    mmio_write32(to_sifive(bus)->regs + SPI_CSMODE, on ? CSMODE_HOLD : CSMODE_OFF);
}

// -1: it never came, which means that the controller has no clock.
static int spi_receive(struct spi_sifive *s)
{
    uint32_t data = mmio_read32(s->regs + SPI_RXDATA);

    if (!(data & DATA_EMPTY))
        return (int)(data & 0xff);
    uint64_t deadline = clock_monotonic_ns() + BYTE_WAIT_NS;
    while ((data = mmio_read32(s->regs + SPI_RXDATA)) & DATA_EMPTY)
        if (clock_monotonic_ns() > deadline)
            return -1;
    return (int)(data & 0xff);
}

static void spi_exchange(struct spi_bus *bus, const uint8_t *out, uint8_t *in, size_t n)
{
    struct spi_sifive *s = to_sifive(bus);

    for (size_t done = 0; done < n;) {
        size_t part = MIN(n - done, (size_t)FIFO_SIZE);
        for (size_t i = 0; i < part && !s->is_dead; i++)
            mmio_write32(s->regs + SPI_TXDATA, out ? out[done + i] : 0xff);
        for (size_t i = 0; i < part; i++) {
            int byte = s->is_dead ? -1 : spi_receive(s);
            if (byte < 0 && !s->is_dead) {
                s->is_dead = true;
                log_err("spi-sifive: no byte comes back: the controller stands still");
            }
            if (in)
                in[done + i] = (uint8_t)byte; // 0xff: nobody answers
        }
        done += part;
    }
}

static void spi_init(struct spi_sifive *s, uint32_t chip_select)
{
    mmio_write32(s->regs + SPI_FCTRL, 0); // not the window of a flash chip
    mmio_write32(s->regs + SPI_IE, 0);
    mmio_write32(s->regs + SPI_CSDEF, UINT32_MAX); // inactive is high
    mmio_write32(s->regs + SPI_CSID, chip_select);
    mmio_write32(s->regs + SPI_CSMODE, CSMODE_OFF);
    mmio_write32(s->regs + SPI_SCKMODE, 0);
    mmio_write32(s->regs + SPI_FMT, FMT_8_BITS);
    while (!(mmio_read32(s->regs + SPI_RXDATA) & DATA_EMPTY))
        ; // what the firmware left: 8 at most
}

// The slot of a card on this bus; -1: it carries something else.
static int spi_card_slot(const void *fdt, int node)
{
    int child;

    fdt_for_each_subnode (child, fdt, node)
        if (dt_is_compatible(fdt, child, "mmc-spi-slot") && dt_is_enabled(fdt, child))
            return child;
    return -1;
}

static int spi_probe(const void *fdt, int node)
{
    int slot = spi_card_slot(fdt, node);
    paddr_t base;
    uint64_t size;

    if (slot < 0)
        return 0;
    if (dt_reg(fdt, node, 0, &base, &size) != 0 || size < SPI_SIZE) {
        log_err("spi-sifive: no usable reg");
        return -EINVAL;
    }
    struct spi_sifive *s = kzalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->bus = (struct spi_bus){spi_set_speed, spi_select, spi_exchange};
    s->regs = vmap_device(base, size);
    if (!s->regs) {
        kfree(s);
        return -ENOMEM;
    }
    spi_init(s, dt_u32(fdt, slot, "reg", 0));
    int err = mmc_spi_probe(&s->bus, fdt, slot);
    if (err)
        kfree(s);
    return err == -ENODEV ? 0 : err; // an empty slot is no fault
}

static const char *const spi_compatible[] = {"sifive,spi0", "sifive,fu540-c000-spi", NULL};

DRIVER(spi_sifive_driver) = {
    .name = "spi-sifive",
    .compatible = spi_compatible,
    .phase = DRIVER_DEVICE,
    .probe = spi_probe,
};
