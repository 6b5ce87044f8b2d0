// SPDX-License-Identifier: BSD-2-Clause
// drivers/gpio_jh7110.c over a model of both pin controllers, which knows pads, pulls, output
// enables and edge interrupts as the JH7110's manual tells of them. A wrong offset, a neighbour's
// byte that is changed, an edge that is lost or never cleared would show here.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka after those
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../../drivers/gpio_jh7110.c" // for its driver, which the linker would have to collect

#define IRQ 86U

struct model {
    const char *compatible;
    unsigned int nr;
    unsigned int doen, dout, gpen, is, ic, ibe, iev, ie, ris, mis, in, pads;
};
static const struct model sys = {"starfive,jh7110-sys-pinctrl",
                                 64,
                                 0,
                                 0x40,
                                 0xdc,
                                 0xe0,
                                 0xe8,
                                 0xf0,
                                 0xf8,
                                 0x100,
                                 0x108,
                                 0x110,
                                 0x118,
                                 0x120};
static const struct model aon = {"starfive,jh7110-aon-pinctrl",
                                 4,
                                 0,
                                 4,
                                 0xc,
                                 0x10,
                                 0x14,
                                 0x18,
                                 0x1c,
                                 0x20,
                                 0x24,
                                 0x28,
                                 0x2c,
                                 0x34};

static const struct model *model;
static uint8_t regs[0x10000] __attribute__((aligned(8)));
static uint64_t wire_high, wire_low; // pins that something outside drives
static uint64_t edges_seen, pins_before;
static struct gpio_chip *chip;
static irq_handler_fn handler;
static void *handler_arg;
static uint64_t told; // lines of gpio_edge since the last look
static int clk_error, irq_error;

static uint32_t *word(unsigned int offset)
{
    return (uint32_t *)(regs + offset);
}

static uint64_t pair(unsigned int offset)
{
    return model->nr > 32 ? *word(offset) | (uint64_t)*word(offset + 4) << 32
                          : *word(offset) & ((1U << model->nr) - 1);
}

// Levels at the pads: driven from outside, driven by the chip, or pulled.
static uint64_t pads_now(void)
{
    uint64_t pins = 0;

    for (unsigned int n = 0; n < model->nr; n++) {
        uint32_t pad = *word(model->pads + 4 * n);
        bool high;
        if ((wire_high | wire_low) >> n & 1)
            high = wire_high >> n & 1;
        else if (regs[model->doen + n] == 0)
            high = regs[model->dout + n] == 1;
        else
            high = (pad & 8) && !(pad & 16);
        pins |= (uint64_t)(high && (pad & 1)) << n; // the input of the pad may be off
    }
    return pins;
}

static void follow(void)
{
    uint64_t pins = pads_now(), rose = pins & ~pins_before, fell = pins_before & ~pins;

    edges_seen |= (rose & (pair(model->iev) | pair(model->ibe))) |
                  (fell & (~pair(model->iev) | pair(model->ibe)));
    edges_seen &= pair(model->ic); // held at 0: none is kept
    pins_before = pins;
}

static uint64_t masked(void)
{
    return edges_seen & pair(model->is) & pair(model->ie);
}

static bool irq_is_up(void)
{
    return (*word(model->gpen) & 1) && masked();
}

static uint32_t half(uint64_t v, unsigned int offset, unsigned int base)
{
    return (uint32_t)(offset == base ? v : v >> 32);
}

uint32_t mmio_read32(const volatile void *p)
{
    unsigned int offset = (unsigned int)((const volatile uint8_t *)p - regs);

    assert_true(offset < sizeof(regs) && offset % 4 == 0);
    follow();
    if (offset == model->mis || (model->nr > 32 && offset == model->mis + 4))
        return half(masked(), offset, model->mis);
    if (offset == model->in || (model->nr > 32 && offset == model->in + 4))
        return half(pins_before, offset, model->in);
    return *word(offset);
}

void mmio_write32(volatile void *p, uint32_t v)
{
    unsigned int offset = (unsigned int)((volatile uint8_t *)p - regs);

    assert_true(offset < sizeof(regs) && offset % 4 == 0);
    assert_false(offset >= model->ris && offset < model->pads); // these are read-only
    *word(offset) = v;
    follow();
}

// What the driver stands on.

int dt_reg(const void *fdt, int node, unsigned int index, paddr_t *base, uint64_t *size)
{
    *base = 0x13040000;
    *size = sizeof(regs);
    return 0;
}

bool dt_is_compatible(const void *fdt, int node, const char *compatible)
{
    return strcmp(compatible, model->compatible) == 0;
}

volatile void *vmap_device(paddr_t base, size_t size)
{
    return regs;
}

int clk_open_device(const void *fdt, int node)
{
    return clk_error;
}

int irq_from_dt(const void *fdt, int node, unsigned int index, uint32_t *irq)
{
    *irq = IRQ;
    return irq_error;
}

void spin_init(struct spinlock *l)
{
    l->held = 0;
}

irq_flags_t spin_lock_irqsave(struct spinlock *l)
{
    assert_int_equal(l->held++, 0);
    return 0;
}

void spin_unlock_irqrestore(struct spinlock *l, irq_flags_t flags)
{
    l->held--;
}

int irq_attach(uint32_t irq, irq_handler_fn fn, void *arg, const char *name)
{
    assert_int_equal(irq, IRQ);
    handler = fn;
    handler_arg = arg;
    return 0;
}

void log_write(enum log_level level, const char *fmt, ...)
{
}

void *kzalloc(size_t n)
{
    return calloc(1, n);
}

void kfree(void *p)
{
    free(p);
}

void gpio_chip_init(struct gpio_chip *c, const void *fdt, int node)
{
    spin_init(&c->lock);
}

int gpio_chip_register(struct gpio_chip *c)
{
    chip = c;
    return 0;
}

void gpio_edge(struct gpio_chip *c, unsigned int line)
{
    told |= 1ULL << line;
}

static int probe(const struct model *m)
{
    model = m;
    memset(regs, 0, sizeof(regs));
    // As after reset: nothing driven, pads' inputs off; interrupts in disorder.
    memset(regs + m->doen, 1, m->nr);
    *word(m->ie) = UINT32_MAX;
    wire_high = wire_low = edges_seen = pins_before = told = 0;
    chip = NULL;
    return jh7110_driver.probe(NULL, 0);
}

// The interrupt, if it is up: which lines were told. It has to be down then.
static uint64_t interrupt(void)
{
    told = 0;
    follow();
    if (irq_is_up())
        handler(handler_arg);
    assert_false(irq_is_up());
    return told;
}

static void wire(unsigned int line, bool high)
{
    uint64_t bit = 1ULL << line;

    wire_high = high ? wire_high | bit : wire_high & ~bit;
    wire_low = high ? wire_low & ~bit : wire_low | bit;
    follow();
}

static const struct model *const both_models[] = {&sys, &aon};

static void probe_leaves_pins_alone_and_masks_interrupts(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(probe(both_models[i]), 0);
        assert_int_equal(chip->nr_lines, model->nr);
        assert_int_equal(pair(model->ie), 0);
        assert_int_equal(*word(model->gpen), 1);
        for (unsigned int n = 0; n < model->nr; n++) {
            assert_int_equal(regs[model->doen + n], 1);
            assert_int_equal(*word(model->pads + 4 * n), 0);
            assert_false(chip->ops->is_output(chip, n));
        }
        free(chip);
    }
    clk_error = -ENODEV;
    assert_int_equal(probe(&sys), -ENODEV);
    assert_null(chip);
    clk_error = 0;
    irq_error = -ENOENT;
    assert_int_equal(probe(&sys), 0);
    assert_int_equal(chip->edges, 0);
    irq_error = 0;
    free(chip);
}

static void outputs_change_their_own_byte_only(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        probe(both_models[i]);
        for (unsigned int n = 0; n < model->nr; n++) {
            uint8_t before[0x80];
            memcpy(before, regs, sizeof(before));
            chip->ops->set_output(chip, n, true);
            before[model->doen + n] = 0;
            before[model->dout + n] = 1;
            assert_memory_equal(regs, before, sizeof(before));
            assert_true(chip->ops->is_output(chip, n) && chip->ops->level(chip, n));
            chip->ops->set_output(chip, n, false);
            assert_false(chip->ops->level(chip, n));
            chip->ops->set_input(chip, n);
            assert_false(chip->ops->is_output(chip, n));
        }
        free(chip);
    }
}

static void inputs_read_their_pads(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        probe(both_models[i]);
        for (unsigned int n = 0; n < model->nr; n++) {
            wire(n, true);
            assert_false(chip->ops->level(chip, n)); // its pad is off
            chip->ops->set_input(chip, n);
            assert_true(chip->ops->level(chip, n));
            wire(n, false);
            assert_false(chip->ops->level(chip, n));
        }
        free(chip);
    }
}

// A pin that a device's signal drives tells what is at the pad.
static void signals_of_devices(void **state)
{
    probe(&sys);
    chip->ops->set_input(chip, 5);
    regs[model->dout + 5] = 20;
    regs[model->doen + 5] = 0;
    wire(5, true);
    assert_true(chip->ops->level(chip, 5));
    wire(5, false);
    assert_false(chip->ops->level(chip, 5));
    free(chip);
}

static void resistors(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        probe(both_models[i]);
        for (unsigned int n = 0; n < model->nr; n++) {
            *word(model->pads + 4 * n) = 0x26; // slew and strength aren't ours
            chip->ops->set_input(chip, n);
            chip->ops->set_bias(chip, n, GPIO_BIAS_UP);
            assert_true(chip->ops->level(chip, n));
            assert_int_equal(*word(model->pads + 4 * n), 0x26 | 1 | 8 | 64);
            chip->ops->set_bias(chip, n, GPIO_BIAS_DOWN);
            assert_false(chip->ops->level(chip, n));
            assert_int_equal(*word(model->pads + 4 * n), 0x26 | 1 | 16 | 64);
            chip->ops->set_bias(chip, n, GPIO_BIAS_NONE);
            assert_int_equal(*word(model->pads + 4 * n), 0x26 | 1 | 64);
        }
        free(chip);
    }
}

static void edges_come_once_and_on_their_line(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        probe(both_models[i]);
        for (unsigned int n = 0; n < model->nr; n++) {
            uint64_t bit = 1ULL << n;
            wire(n, false);
            chip->ops->set_input(chip, n);
            wire(n, true);
            chip->ops->set_edges(chip, n, true, false);
            assert_int_equal(interrupt(), 0); // that of before is forgotten
            wire(n, false);
            assert_int_equal(interrupt(), 0);
            wire(n, true);
            assert_int_equal(interrupt(), bit);
            assert_int_equal(interrupt(), 0);
            chip->ops->set_edges(chip, n, false, true);
            wire(n, false);
            assert_int_equal(interrupt(), bit);
            wire(n, true);
            assert_int_equal(interrupt(), 0);
            chip->ops->set_edges(chip, n, true, true);
            wire(n, false);
            assert_int_equal(interrupt(), bit);
            wire(n, true);
            assert_int_equal(interrupt(), bit);
            chip->ops->set_edges(chip, n, false, false);
            wire(n, false);
            assert_int_equal(interrupt(), 0);
        }
        free(chip);
    }
}

static void edges_of_several_lines(void **state)
{
    const unsigned int lines[] = {0, 31, 32, 63};
    uint64_t all = 0;

    probe(&sys);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        wire(lines[i], false);
        chip->ops->set_input(chip, lines[i]);
        chip->ops->set_edges(chip, lines[i], true, true);
        all |= 1ULL << lines[i];
    }
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        wire(lines[i], true);
    assert_int_equal(interrupt(), all);
    chip->ops->set_edges(chip, 31, false, false);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        wire(lines[i], false);
    assert_int_equal(interrupt(), all & ~(1ULL << 31));
    free(chip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe_leaves_pins_alone_and_masks_interrupts),
        cmocka_unit_test(outputs_change_their_own_byte_only),
        cmocka_unit_test(inputs_read_their_pads),
        cmocka_unit_test(signals_of_devices),
        cmocka_unit_test(resistors),
        cmocka_unit_test(edges_come_once_and_on_their_line),
        cmocka_unit_test(edges_of_several_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
