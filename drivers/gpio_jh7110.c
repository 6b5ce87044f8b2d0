// SPDX-License-Identifier: BSD-2-Clause
// Pins of StarFive's JH7110 as GPIO lines: the SYS controller's 64, the AON controller's 4
// (bindings starfive,jh7110-sys-pinctrl and -aon-pinctrl; JH7110 technical reference manual,
// "System IOMUX" and "AON IOMUX"). A byte for each pin says which signal drives it and which one
// enables that; constants come first: 0 low or driving, 1 high or not. Interrupts have a bit a pin
// in one or two words, pads a word a pin. Which device a pin serves is left as the firmware chose
// it until a program asks for the line.
//
// Locking: chip.lock guards the registers.

#include "clk_priv.h"
#include "gpio_priv.h"

#include <arch/log.h>
#include <arch/mmio.h>
#include <core/driver.h>
#include <core/irq.h>
#include <errno.h>
#include <lib/dt.h>
#include <mm/slab.h>
#include <mm/vmap.h>

#define DRIVE       0U // signals of the output enable
#define DRIVE_NOT   1U
#define PAD_INPUT   BIT(0)
#define PAD_UP      BIT(3)
#define PAD_DOWN    BIT(4)
#define PAD_SCHMITT BIT(6)

// Offsets of registers.
struct jh7110_model {
    const char *compatible;
    unsigned int nr_lines;
    uint16_t enable_out, out; // a byte a pin; bits above what the masks say are others'
    uint8_t enable_out_mask, out_mask;
    uint16_t irq_on;
    uint16_t edge, clear, both, polarity, enable; // 1: an edge; 0 clears; ...; 1: rising
    uint16_t masked, pins;
    uint16_t pads; // of line 0
};

static const struct jh7110_model jh7110_models[] = {
    {"starfive,jh7110-sys-pinctrl", 64, 0x00, 0x40, 0x3f, 0x7f, 0xdc, 0xe0, 0xe8, 0xf0, 0xf8, 0x100,
     0x110, 0x118, 0x120},
    // Its pads begin with one that is no GPIO, TESTEN.
    {"starfive,jh7110-aon-pinctrl", 4, 0x00, 0x04, 0x07, 0x0f, 0x0c, 0x10, 0x14, 0x18, 0x1c, 0x20,
     0x28, 0x2c, 0x34},
};

struct jh7110_gpio {
    struct gpio_chip chip;
    volatile uint8_t *regs;
    const struct jh7110_model *model;
};

static struct jh7110_gpio *to_jh7110(struct gpio_chip *c)
{
    return container_of(c, struct jh7110_gpio, chip);
}

static void change(volatile uint8_t *reg, uint32_t mask, uint32_t value)
{
    mmio_write32(reg, (mmio_read32(reg) & ~mask) | value);
}

// Of registers with a byte a pin.

static uint8_t get_signal(const struct jh7110_gpio *g, uint16_t reg, uint8_t mask,
                          unsigned int line)
{
    return mmio_read32(g->regs + reg + line / 4 * 4) >> line % 4 * 8 & mask;
}

static void set_signal(const struct jh7110_gpio *g, uint16_t reg, uint8_t mask, unsigned int line,
                       uint32_t signal)
{
    unsigned int shift = line % 4 * 8;

    change(g->regs + reg + line / 4 * 4, (uint32_t)mask << shift, signal << shift);
}

// Of registers with a bit a pin.

static bool get_bit(const struct jh7110_gpio *g, uint16_t reg, unsigned int line)
{
    return mmio_read32(g->regs + reg + line / 32 * 4) >> line % 32 & 1;
}

static void set_bit(const struct jh7110_gpio *g, uint16_t reg, unsigned int line, bool on)
{
    uint32_t bit = 1U << line % 32;

    change(g->regs + reg + line / 32 * 4, bit, on ? bit : 0);
}

static bool jh7110_is_output(struct gpio_chip *c, unsigned int line)
{
    const struct jh7110_gpio *g = to_jh7110(c);

    return get_signal(g, g->model->enable_out, g->model->enable_out_mask, line) == DRIVE;
}

// The input of a pad is off while nobody asked for it, so an output tells what it drives.
static bool jh7110_level(struct gpio_chip *c, unsigned int line)
{
    const struct jh7110_gpio *g = to_jh7110(c);

    if (!jh7110_is_output(c, line))
        return get_bit(g, g->model->pins, line);
    uint8_t signal = get_signal(g, g->model->out, g->model->out_mask, line);
    return signal > 1 ? get_bit(g, g->model->pins, line) : signal;
}

static void jh7110_set_input(struct gpio_chip *c, unsigned int line)
{
    const struct jh7110_gpio *g = to_jh7110(c);
    uint32_t on = PAD_INPUT | PAD_SCHMITT;

    change(g->regs + g->model->pads + 4 * line, on, on);
    set_signal(g, g->model->enable_out, g->model->enable_out_mask, line, DRIVE_NOT);
}

static void jh7110_set_output(struct gpio_chip *c, unsigned int line, bool level)
{
    const struct jh7110_gpio *g = to_jh7110(c);

    set_signal(g, g->model->out, g->model->out_mask, line, level);
    set_signal(g, g->model->enable_out, g->model->enable_out_mask, line, DRIVE);
}

static void jh7110_set_bias(struct gpio_chip *c, unsigned int line, enum gpio_bias bias)
{
    const struct jh7110_gpio *g = to_jh7110(c);
    uint32_t pull = bias == GPIO_BIAS_UP ? PAD_UP : bias == GPIO_BIAS_DOWN ? PAD_DOWN : 0;

    change(g->regs + g->model->pads + 4 * line, PAD_UP | PAD_DOWN, pull);
}

static void forget_edge(const struct jh7110_gpio *g, unsigned int line)
{
    set_bit(g, g->model->clear, line, false);
    set_bit(g, g->model->clear, line, true);
}

static void jh7110_set_edges(struct gpio_chip *c, unsigned int line, bool rising, bool falling)
{
    const struct jh7110_gpio *g = to_jh7110(c);

    set_bit(g, g->model->enable, line, false);
    set_bit(g, g->model->edge, line, true);
    set_bit(g, g->model->both, line, rising && falling);
    set_bit(g, g->model->polarity, line, rising);
    forget_edge(g, line);
    set_bit(g, g->model->enable, line, rising || falling);
}

static void jh7110_interrupt(void *arg)
{
    struct jh7110_gpio *g = arg;
    irq_flags_t flags = spin_lock_irqsave(&g->chip.lock);

    for (unsigned int line = 0; line < g->model->nr_lines; line++) {
        if (!get_bit(g, g->model->masked, line))
            continue;
        forget_edge(g, line);
        gpio_edge(&g->chip, line);
    }
    spin_unlock_irqrestore(&g->chip.lock, flags);
}

static const struct gpio_ops jh7110_ops = {
    .is_output = jh7110_is_output,
    .level = jh7110_level,
    .set_input = jh7110_set_input,
    .set_output = jh7110_set_output,
    .set_bias = jh7110_set_bias,
    .set_edges = jh7110_set_edges,
};

static void attach_interrupt(struct jh7110_gpio *g, const void *fdt, int node)
{
    uint32_t irq;

    for (unsigned int line = 0; line < g->model->nr_lines; line += 32)
        mmio_write32(g->regs + g->model->enable + line / 32 * 4, 0);
    if (irq_from_dt(fdt, node, 0, &irq) == 0 &&
        irq_attach(irq, jh7110_interrupt, g, "jh7110-gpio") == 0)
        g->chip.edges = UINT64_MAX;
    mmio_write32(g->regs + g->model->irq_on, 1);
}

static const struct jh7110_model *model_of(const void *fdt, int node)
{
    bool is_aon = dt_is_compatible(fdt, node, jh7110_models[1].compatible);

    return &jh7110_models[is_aon];
}

static int jh7110_probe(const void *fdt, int node)
{
    const struct jh7110_model *model = model_of(fdt, node);
    paddr_t base;
    uint64_t size;

    if (dt_reg(fdt, node, 0, &base, &size) != 0 || size < model->pads + 4UL * model->nr_lines) {
        log_err("jh7110-gpio: no usable reg");
        return -EINVAL;
    }
    int err = clk_open_device(fdt, node);
    if (err) {
        log_err("jh7110-gpio: no clock or reset for it (%d)", err);
        return err;
    }
    struct jh7110_gpio *g = kzalloc(sizeof(*g));
    if (!g)
        return -ENOMEM;
    g->model = model;
    g->regs = vmap_device(base, size);
    if (!g->regs) {
        kfree(g);
        return -ENOMEM;
    }
    g->chip.ops = &jh7110_ops;
    g->chip.nr_lines = model->nr_lines;
    gpio_chip_init(&g->chip, fdt, node);
    attach_interrupt(g, fdt, node);
    return gpio_chip_register(&g->chip);
}

static const char *const jh7110_compatible[] = {"starfive,jh7110-sys-pinctrl",
                                                "starfive,jh7110-aon-pinctrl", NULL};

DRIVER(jh7110_driver) = {
    .name = "jh7110-gpio",
    .compatible = jh7110_compatible,
    .phase = DRIVER_DEVICE,
    .probe = jh7110_probe,
};
