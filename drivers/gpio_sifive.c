// SPDX-License-Identifier: BSD-2-Clause
// SiFive GPIO controller (SiFive FU540-C000 manual, chapter "GPIO"; binding sifive,gpio0): up to 32
// pins, a bit each in every register, with a pull-up resistor and an interrupt of its own each.
//
// Locking: chip.lock guards the registers.

#include "gpio_priv.h"

#include <arch/log.h>
#include <arch/mmio.h>
#include <core/driver.h>
#include <core/irq.h>
#include <errno.h>
#include <lib/dt.h>
#include <mm/slab.h>
#include <mm/vmap.h>

#define GPIO_VALUE      0x00
#define GPIO_INPUT      0x04
#define GPIO_OUTPUT     0x08
#define GPIO_PORT       0x0c
#define GPIO_PULL_UP    0x10
#define GPIO_RISE       0x18 // interrupts: enabled ...
#define GPIO_RISE_CAME  0x1c // ... and pending, cleared by a 1
#define GPIO_FALL       0x20
#define GPIO_FALL_CAME  0x24
#define GPIO_HIGH       0x28
#define GPIO_LOW        0x30
#define GPIO_SIZE       0x44
#define LINES_DEFAULT   16U
#define LINES_SUPPORTED 32U

struct sifive_gpio {
    struct gpio_chip chip;
    volatile uint8_t *regs;
    struct sifive_line { // what an interrupt is for
        struct sifive_gpio *gpio;
        unsigned int number;
    } lines[LINES_SUPPORTED];
};

static struct sifive_gpio *to_sifive(struct gpio_chip *c)
{
    return container_of(c, struct sifive_gpio, chip);
}

static bool get_bit(struct gpio_chip *c, unsigned int reg, unsigned int line)
{
    return mmio_read32(to_sifive(c)->regs + reg) >> line & 1;
}

static void set_bit(struct gpio_chip *c, unsigned int reg, unsigned int line, bool on)
{
    volatile uint8_t *at = to_sifive(c)->regs + reg;
    uint32_t v = mmio_read32(at) & ~(1U << line);

    mmio_write32(at, on ? v | 1U << line : v);
}

static bool sifive_is_output(struct gpio_chip *c, unsigned int line)
{
    return get_bit(c, GPIO_OUTPUT, line);
}

static bool sifive_level(struct gpio_chip *c, unsigned int line)
{
    return get_bit(c, get_bit(c, GPIO_OUTPUT, line) ? GPIO_PORT : GPIO_VALUE, line);
}

static void sifive_set_input(struct gpio_chip *c, unsigned int line)
{
    set_bit(c, GPIO_INPUT, line, true);
    set_bit(c, GPIO_OUTPUT, line, false);
}

static void sifive_set_output(struct gpio_chip *c, unsigned int line, bool level)
{
    set_bit(c, GPIO_PORT, line, level);
    set_bit(c, GPIO_OUTPUT, line, true);
}

static void sifive_set_bias(struct gpio_chip *c, unsigned int line, enum gpio_bias bias)
{
    set_bit(c, GPIO_PULL_UP, line, bias == GPIO_BIAS_UP);
}

static void forget_edges(struct gpio_chip *c, unsigned int line)
{
    mmio_write32(to_sifive(c)->regs + GPIO_RISE_CAME, 1U << line);
    mmio_write32(to_sifive(c)->regs + GPIO_FALL_CAME, 1U << line);
}

static void sifive_set_edges(struct gpio_chip *c, unsigned int line, bool rising, bool falling)
{
    set_bit(c, GPIO_RISE, line, false);
    set_bit(c, GPIO_FALL, line, false);
    forget_edges(c, line);
    set_bit(c, GPIO_RISE, line, rising);
    set_bit(c, GPIO_FALL, line, falling);
}

static void sifive_interrupt(void *arg)
{
    const struct sifive_line *l = arg;
    struct gpio_chip *c = &l->gpio->chip;
    irq_flags_t flags = spin_lock_irqsave(&c->lock);

    // The interrupt may come again for an edge that was told already.
    if ((get_bit(c, GPIO_RISE, l->number) && get_bit(c, GPIO_RISE_CAME, l->number)) ||
        (get_bit(c, GPIO_FALL, l->number) && get_bit(c, GPIO_FALL_CAME, l->number))) {
        forget_edges(c, l->number);
        gpio_edge(c, l->number);
    }
    spin_unlock_irqrestore(&c->lock, flags);
}

static const struct gpio_ops sifive_ops = {
    .is_output = sifive_is_output,
    .level = sifive_level,
    .set_input = sifive_set_input,
    .set_output = sifive_set_output,
    .set_bias = sifive_set_bias,
    .set_edges = sifive_set_edges,
};

// A line whose interrupt isn't ours to have does without edges.
static void attach_interrupts(struct sifive_gpio *g, const void *fdt, int node)
{
    static const uint8_t off[] = {GPIO_RISE, GPIO_FALL, GPIO_HIGH, GPIO_LOW};
    uint32_t irq;

    for (size_t i = 0; i < ARRAY_SIZE(off); i++)
        mmio_write32(g->regs + off[i], 0);
    for (unsigned int line = 0; line < g->chip.nr_lines; line++) {
        g->lines[line] = (struct sifive_line){.gpio = g, .number = line};
        if (irq_from_dt(fdt, node, line, &irq) == 0 &&
            irq_attach(irq, sifive_interrupt, &g->lines[line], "gpio") == 0)
            g->chip.edges |= BIT(line);
    }
}

static int sifive_probe(const void *fdt, int node)
{
    uint32_t nr_lines = dt_u32(fdt, node, "ngpios", LINES_DEFAULT);
    paddr_t base;
    uint64_t size;

    if (dt_reg(fdt, node, 0, &base, &size) != 0 || size < GPIO_SIZE) {
        log_err("gpio-sifive: no usable reg");
        return -EINVAL;
    }
    if (nr_lines == 0 || nr_lines > LINES_SUPPORTED) {
        log_err("gpio-sifive: %u lines?", nr_lines);
        return -EINVAL;
    }
    struct sifive_gpio *g = kzalloc(sizeof(*g));
    if (!g)
        return -ENOMEM;
    g->regs = vmap_device(base, size);
    if (!g->regs) {
        kfree(g);
        return -ENOMEM;
    }
    g->chip.ops = &sifive_ops;
    g->chip.nr_lines = nr_lines;
    gpio_chip_init(&g->chip, fdt, node);
    attach_interrupts(g, fdt, node);
    return gpio_chip_register(&g->chip);
}

static const char *const sifive_compatible[] = {"sifive,gpio0", NULL};

DRIVER(sifive_driver) = {
    .name = "gpio-sifive",
    .compatible = sifive_compatible,
    .phase = DRIVER_DEVICE,
    .probe = sifive_probe,
};
