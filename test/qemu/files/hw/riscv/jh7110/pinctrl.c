/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYS pin controller with its 64 GPIOs (register use of Linux's pinctrl-starfive-jh7110-sys.c).
 *
 *   0x000  output enable, a byte a pin: 0 drives the pin, 1 doesn't; others: signals of devices
 *   0x040  output, a byte a pin: 0 low, 1 high; others: signals of devices
 *   0x080  which pin feeds which device input
 *   0x0dc  bit 0: interrupts on
 *   0x0e0  two words each: edge (1) or level, clear (a 0 clears an edge), both edges, polarity
 *          (1: rising or high), enable; then read-only: raw, masked, and at 0x118 the pins
 *   0x120  pads: pull, strength, input enable; kept, without effect
 *
 * Lines in: "level" n, of each pin. Lines out: "pin" n as driven, and the interrupt. The
 * multiplexer moves no signals of devices: a card works whatever its pins are set to.
 */
#include "qemu/osdep.h"
#include "hw/irq.h"
#include "jh7110.h"

#define NR_PINS 64

enum {
    ENABLE_OUT = 0x000,
    OUT = 0x040,
    IRQ_ON = 0x0dc,
    EDGE = 0x0e0,
    CLEAR = 0x0e8,
    BOTH = 0x0f0,
    POLARITY = 0x0f8,
    ENABLE = 0x100,
    RAW = 0x108,
    MASKED = 0x110,
    PINS = 0x118,
    PADS = 0x120,
    SIZE = 0x1000,
};

OBJECT_DECLARE_SIMPLE_TYPE(Jh7110Pinctrl, JH7110_PINCTRL)

struct Jh7110Pinctrl {
    SysBusDevice parent_obj;
    MemoryRegion mmio;
    qemu_irq irq;
    qemu_irq pin_out[NR_PINS];
    uint32_t reg[SIZE / 4];
    uint64_t pins;  /* levels from outside */
    uint64_t edges; /* seen and not cleared */
};

static uint64_t pair(const Jh7110Pinctrl *s, uint32_t offset)
{
    return s->reg[offset / 4] | (uint64_t)s->reg[offset / 4 + 1] << 32;
}

static uint64_t raw_status(const Jh7110Pinctrl *s)
{
    uint64_t edge = pair(s, EDGE);

    return (edge & s->edges) | (~edge & ~(s->pins ^ pair(s, POLARITY)));
}

static void update_irq(Jh7110Pinctrl *s)
{
    qemu_set_irq(s->irq, (s->reg[IRQ_ON / 4] & 1) && (raw_status(s) & pair(s, ENABLE)));
}

static void pin_changed(void *opaque, int n, int level)
{
    Jh7110Pinctrl *s = opaque;
    uint64_t bit = 1ULL << n;

    if (!!level == !!(s->pins & bit)) {
        return;
    }
    s->pins ^= bit;
    if ((pair(s, BOTH) & bit) || !!(pair(s, POLARITY) & bit) == !!level) {
        s->edges |= bit;
    }
    update_irq(s);
}

static uint8_t pin_byte(const Jh7110Pinctrl *s, uint32_t offset, int pin)
{
    return extract32(s->reg[(offset + pin) / 4], pin % 4 * 8, 8);
}

static uint64_t pinctrl_read(void *opaque, hwaddr offset, unsigned size)
{
    Jh7110Pinctrl *s = opaque;
    uint64_t both;

    switch (offset) {
    case RAW:
    case RAW + 4:
        both = raw_status(s);
        break;
    case MASKED:
    case MASKED + 4:
        both = raw_status(s) & pair(s, ENABLE);
        break;
    case PINS:
    case PINS + 4:
        both = s->pins;
        break;
    default:
        return offset < SIZE ? s->reg[offset / 4] : 0;
    }
    return offset & 4 ? both >> 32 : (uint32_t)both;
}

static void pinctrl_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Jh7110Pinctrl *s = opaque;

    if (offset >= SIZE || (offset >= RAW && offset < PADS)) {
        return;
    }
    s->reg[offset / 4] = value;
    if (offset == CLEAR || offset == CLEAR + 4) {
        s->edges &= pair(s, CLEAR);
    }
    if (offset < OUT + NR_PINS) {
        int first = offset % NR_PINS;

        for (int pin = first; pin < first + 4; pin++) {
            qemu_set_irq(s->pin_out[pin],
                         pin_byte(s, ENABLE_OUT, pin) == 0 && pin_byte(s, OUT, pin) == 1);
        }
    }
    update_irq(s);
}

static const MemoryRegionOps pinctrl_ops = {
    .read = pinctrl_read,
    .write = pinctrl_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 1, .max_access_size = 4},
    .impl = {.min_access_size = 4, .max_access_size = 4},
};

static void pinctrl_reset(DeviceState *dev)
{
    Jh7110Pinctrl *s = JH7110_PINCTRL(dev);

    memset(s->reg, 0, sizeof(s->reg));
    memset(s->reg + ENABLE_OUT / 4, 1, NR_PINS); /* nothing driven */
    s->edges = 0;
    for (int pin = 0; pin < NR_PINS; pin++) {
        qemu_set_irq(s->pin_out[pin], 0);
    }
    update_irq(s);
}

static void pinctrl_realize(DeviceState *dev, Error **errp)
{
    Jh7110Pinctrl *s = JH7110_PINCTRL(dev);

    qdev_init_gpio_in_named(dev, pin_changed, "level", NR_PINS);
    qdev_init_gpio_out_named(dev, s->pin_out, "pin", NR_PINS);
    memory_region_init_io(&s->mmio, OBJECT(dev), &pinctrl_ops, s, TYPE_JH7110_PINCTRL, 0x10000);
    sysbus_init_mmio(SYS_BUS_DEVICE(dev), &s->mmio);
    sysbus_init_irq(SYS_BUS_DEVICE(dev), &s->irq);
}

static void pinctrl_class_init(ObjectClass *class, void *data)
{
    DEVICE_CLASS(class)->realize = pinctrl_realize;
    device_class_set_legacy_reset(DEVICE_CLASS(class), pinctrl_reset);
}

static const TypeInfo pinctrl_types[] = {
    {.name = TYPE_JH7110_PINCTRL,
     .parent = TYPE_SYS_BUS_DEVICE,
     .instance_size = sizeof(Jh7110Pinctrl),
     .class_init = pinctrl_class_init},
};
DEFINE_TYPES(pinctrl_types)
