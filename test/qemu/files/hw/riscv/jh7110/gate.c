/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a device live only while it has clocks and is not in reset.
 *
 * A gate stands between a device and the board. Lines in: up to 4 "clock" (high: it runs) and up to
 * 4 "reset" (high: asserted) from the clock and reset generators, and "device-irq" from the device.
 * Lines out: "irq" to the interrupt controller, "running" for a device that must know. Without a
 * clock, or in reset, a region over the device's registers answers instead: reads give 0, writes
 * are lost, the first access says so on stderr, and its interrupt is low. Asserting a reset resets
 * the device. On the board such an access may hang the bus; here the driver goes on, and fails.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qapi/error.h"
#include "hw/irq.h"
#include "jh7110.h"

#define LINES_MAX 4

OBJECT_DECLARE_SIMPLE_TYPE(Jh7110Gate, JH7110_GATE)

struct Jh7110Gate {
    DeviceState parent_obj;
    MemoryRegion dead;
    const char *name;
    DeviceState *target;
    qemu_irq irq_out, running_out;
    uint32_t nr_clocks, nr_resets;
    uint32_t clocks, resets; /* levels, one bit a line */
    bool irq_level;
    bool complained; /* of this time without clock */
};

static bool gate_running(const Jh7110Gate *s)
{
    return s->clocks == MAKE_64BIT_MASK(0, s->nr_clocks) && s->resets == 0;
}

static void gate_update(Jh7110Gate *s)
{
    bool running = gate_running(s);

    if (running) {
        s->complained = false;
    }
    memory_region_set_enabled(&s->dead, !running);
    qemu_set_irq(s->irq_out, running && s->irq_level);
    qemu_set_irq(s->running_out, running);
}

static void clock_changed(void *opaque, int n, int level)
{
    Jh7110Gate *s = opaque;

    s->clocks = deposit32(s->clocks, n, 1, level != 0);
    gate_update(s);
}

static void reset_changed(void *opaque, int n, int level)
{
    Jh7110Gate *s = opaque;
    bool was = s->resets != 0;

    s->resets = deposit32(s->resets, n, 1, level != 0);
    if (!was && s->resets) {
        device_cold_reset(s->target);
    }
    gate_update(s);
}

static void irq_changed(void *opaque, int n, int level)
{
    Jh7110Gate *s = opaque;

    s->irq_level = level;
    gate_update(s);
}

static void complain(Jh7110Gate *s, const char *what, hwaddr offset)
{
    if (!s->complained) {
        s->complained = true;
        warn_report("visionfive2: %s: %s at +0x%" HWADDR_PRIx " while %s (clocks %x, resets %x)",
                    s->name, what, offset,
                    s->resets ? "it is held in reset" : "a clock of it is off", s->clocks,
                    s->resets);
    }
}

static uint64_t dead_read(void *opaque, hwaddr offset, unsigned size)
{
    complain(opaque, "read", offset);
    return 0;
}

static void dead_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    complain(opaque, "write", offset);
}

static const MemoryRegionOps dead_ops = {
    .read = dead_read,
    .write = dead_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 1, .max_access_size = 8},
};

DeviceState *jh7110_gate_create(const char *name, DeviceState *target, hwaddr base, qemu_irq irq)
{
    DeviceState *dev = qdev_new(TYPE_JH7110_GATE);
    Jh7110Gate *s = JH7110_GATE(dev);
    SysBusDevice *bus_device = SYS_BUS_DEVICE(target);
    MemoryRegion *live = sysbus_mmio_get_region(bus_device, 0);
    g_autofree char *dead_name = g_strdup_printf("%s.dead", name);

    s->name = name;
    s->target = target;
    qdev_realize_and_unref(dev, NULL, &error_fatal);
    sysbus_mmio_map(bus_device, 0, base);
    memory_region_init_io(&s->dead, OBJECT(dev), &dead_ops, s, dead_name, memory_region_size(live));
    memory_region_add_subregion_overlap(get_system_memory(), base, &s->dead, 1);
    if (irq) {
        qdev_connect_gpio_out_named(dev, "irq", 0, irq);
        sysbus_connect_irq(bus_device, 0, qdev_get_gpio_in_named(dev, "device-irq", 0));
    }
    return dev;
}

qemu_irq jh7110_gate_clock(DeviceState *dev)
{
    return qdev_get_gpio_in_named(dev, "clock", JH7110_GATE(dev)->nr_clocks++);
}

qemu_irq jh7110_gate_reset(DeviceState *dev)
{
    return qdev_get_gpio_in_named(dev, "reset", JH7110_GATE(dev)->nr_resets++);
}

static void gate_init(Object *obj)
{
    DeviceState *dev = DEVICE(obj);
    Jh7110Gate *s = JH7110_GATE(obj);

    qdev_init_gpio_in_named(dev, clock_changed, "clock", LINES_MAX);
    qdev_init_gpio_in_named(dev, reset_changed, "reset", LINES_MAX);
    qdev_init_gpio_in_named(dev, irq_changed, "device-irq", 1);
    qdev_init_gpio_out_named(dev, &s->irq_out, "irq", 1);
    qdev_init_gpio_out_named(dev, &s->running_out, "running", 1);
}

static const TypeInfo gate_types[] = {
    {.name = TYPE_JH7110_GATE,
     .parent = TYPE_DEVICE,
     .instance_size = sizeof(Jh7110Gate),
     .instance_init = gate_init},
};
DEFINE_TYPES(gate_types)
