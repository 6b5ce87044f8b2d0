// SPDX-License-Identifier: BSD-2-Clause
// Clock and reset generators of StarFive's JH7110 (bindings starfive,jh7110-*crg; register layout
// as in Linux's clk-starfive-jh71x0.c and reset-starfive-jh71x0.c). A word for each clock: bit 31
// opens its gate, bits 29:24 choose the parent, bits 23:0 divide. Then a bit for each reset, set
// while it is asserted, and as many words that say which are released.
//
// Only what drivers ask for is touched. The gates of the buses above a device are open from reset
// on; rates are worked out for the card hosts and the watchdog.

#include "clk_priv.h"

#include <arch/clock.h>
#include <arch/log.h>
#include <arch/mmio.h>
#include <core/driver.h>
#include <errno.h>
#include <lib/dt.h>
#include <libfdt.h>
#include <mm/slab.h>
#include <mm/vmap.h>

#define CLOCK_GATE       BIT(31)
#define CLOCK_PARENT(v)  ((v) >> 24 & 0x3f)
#define CLOCK_DIVIDER(v) ((v)&0xffffff)
#define RELEASE_WAIT_US  1000U

// Numbers of the binding, dt-bindings/clock/starfive,jh7110-crg.h.
#define SYS_BUS_ROOT     5U
#define SYS_AXI_CFG0     7U
#define SYS_SDIO0_SDCARD 93U
#define SYS_SDIO1_SDCARD 94U
#define SYS_WDT_CORE     123U

#define OSCILLATOR_HZ 24000000U
#define PLL2_HZ       1188000000U // as the boot ROM and all firmware set it

struct crg_model {
    const char *compatible;
    uint32_t nr_clocks, nr_resets;
    bool is_sys;
};

static const struct crg_model models[] = {
    {"starfive,jh7110-syscrg", 190, 126, true},
    {"starfive,jh7110-stgcrg", 29, 23, false},
    {"starfive,jh7110-aoncrg", 14, 8, false},
};

struct crg {
    struct clk_controller controller;
    volatile uint8_t *regs;
    const struct crg_model *model;
};

static struct crg *to_crg(struct clk_controller *c)
{
    return container_of(c, struct crg, controller);
}

static volatile uint8_t *clock_register(struct crg *g, uint32_t clock)
{
    return g->regs + 4UL * clock;
}

static int crg_clock_enable(struct clk_controller *c, uint32_t clock)
{
    struct crg *g = to_crg(c);

    if (clock >= g->model->nr_clocks)
        return -EINVAL;
    uint32_t v = mmio_read32(clock_register(g, clock));
    mmio_write32(clock_register(g, clock), v | (uint32_t)CLOCK_GATE);
    return 0;
}

static uint64_t divided(struct crg *g, uint32_t clock, uint64_t hz)
{
    uint32_t divider = CLOCK_DIVIDER(mmio_read32(clock_register(g, clock)));

    return divider > 1 ? hz / divider : hz;
}

static uint64_t crg_clock_rate(struct clk_controller *c, uint32_t clock)
{
    struct crg *g = to_crg(c);

    if (!g->model->is_sys)
        return 0;
    if (clock == SYS_WDT_CORE)
        return OSCILLATOR_HZ;
    if (clock != SYS_SDIO0_SDCARD && clock != SYS_SDIO1_SDCARD)
        return 0;
    bool from_pll = CLOCK_PARENT(mmio_read32(clock_register(g, SYS_BUS_ROOT))) != 0;
    uint64_t axi = divided(g, SYS_AXI_CFG0, from_pll ? PLL2_HZ : OSCILLATOR_HZ);
    return divided(g, clock, axi);
}

static int crg_reset_release(struct clk_controller *c, uint32_t reset)
{
    struct crg *g = to_crg(c);
    uint32_t nr_words = DIV_ROUND_UP(g->model->nr_resets, 32U), bit = 1U << reset % 32;

    if (reset >= g->model->nr_resets)
        return -EINVAL;
    volatile uint8_t *asserted = clock_register(g, g->model->nr_clocks + reset / 32);
    volatile uint8_t *released = asserted + 4UL * nr_words;
    mmio_write32(asserted, mmio_read32(asserted) & ~bit);
    for (unsigned int us = 0; us < RELEASE_WAIT_US; us++) {
        if (mmio_read32(released) & bit)
            return 0;
        clock_delay_us(1);
    }
    return -ETIMEDOUT;
}

static const struct crg_model *model_of(const void *fdt, int node)
{
    for (size_t i = 0; i < ARRAY_SIZE(models); i++)
        if (dt_is_compatible(fdt, node, models[i].compatible))
            return &models[i];
    return NULL;
}

static int crg_probe(const void *fdt, int node)
{
    const struct crg_model *model = model_of(fdt, node);
    paddr_t base;
    uint64_t size;

    if (dt_reg(fdt, node, 0, &base, &size) != 0 ||
        size < 4UL * (model->nr_clocks + 2 * DIV_ROUND_UP(model->nr_resets, 32U))) {
        log_err("jh7110-crg: no usable reg");
        return -EINVAL;
    }
    struct crg *g = kzalloc(sizeof(*g));
    if (!g)
        return -ENOMEM;
    g->model = model;
    g->regs = vmap_device(base, size);
    if (!g->regs) {
        kfree(g);
        return -ENOMEM;
    }
    g->controller.phandle = fdt_get_phandle(fdt, node);
    g->controller.clock_enable = crg_clock_enable;
    g->controller.clock_rate = crg_clock_rate;
    g->controller.reset_release = crg_reset_release;
    clk_register(&g->controller);
    return 0;
}

static const char *const crg_compatible[] = {"starfive,jh7110-syscrg", "starfive,jh7110-stgcrg",
                                             "starfive,jh7110-aoncrg", NULL};

DRIVER(crg_driver) = {
    .name = "jh7110-crg",
    .compatible = crg_compatible,
    .phase = DRIVER_CLOCK,
    .probe = crg_probe,
};
