/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power management unit: the power domains SYSTOP, CPU, GPUA, VDEC, VOUT, ISP, VENC, one bit each
 * (StarFive's JH7110 manual, "PMU"; OpenSBI's jh7110.c and Linux's jh71xx-pmu.c).
 *
 * A mask goes into 0x0c (turn on) or 0x10 (turn off), then the sequence ff 05 50 or ff 0a a0 into
 * 0x44; 0x80 tells what is on. SYSTOP and CPU are on from reset. It takes no time, powers nothing
 * that is modelled, and never interrupts.
 */
#include "qemu/osdep.h"
#include "jh7110.h"

enum {
    TURN_ON = 0x0c,
    TURN_OFF = 0x10,
    ENCOURAGE = 0x44,
    CURRENT = 0x80,
    EVENTS = 0x88,
    INTERRUPTS = 0x8c,
    SIZE = 0x90,
};

#define SYSTOP_AND_CPU    3
#define ENCOURAGE_BEGIN   0xff
#define ENCOURAGE_ON_LOW  0x05
#define ENCOURAGE_ON      0x50
#define ENCOURAGE_OFF_LOW 0x0a
#define ENCOURAGE_OFF     0xa0

OBJECT_DECLARE_SIMPLE_TYPE(Jh7110Pmu, JH7110_PMU)

struct Jh7110Pmu {
    SysBusDevice parent_obj;
    MemoryRegion mmio;
    uint32_t reg[SIZE / 4];
    uint32_t sequence; /* of the last bytes that went into ENCOURAGE */
};

static void encourage(Jh7110Pmu *s, uint8_t value)
{
    s->sequence = (s->sequence << 8 | value) & 0xffffff;
    if (s->sequence == (ENCOURAGE_BEGIN << 16 | ENCOURAGE_ON_LOW << 8 | ENCOURAGE_ON)) {
        s->reg[CURRENT / 4] |= s->reg[TURN_ON / 4];
    } else if (s->sequence == (ENCOURAGE_BEGIN << 16 | ENCOURAGE_OFF_LOW << 8 | ENCOURAGE_OFF)) {
        s->reg[CURRENT / 4] &= ~s->reg[TURN_OFF / 4];
    }
}

static uint64_t pmu_read(void *opaque, hwaddr offset, unsigned size)
{
    Jh7110Pmu *s = opaque;

    return offset < SIZE ? s->reg[offset / 4] : 0;
}

static void pmu_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Jh7110Pmu *s = opaque;

    if (offset == ENCOURAGE) {
        encourage(s, value);
    } else if (offset < CURRENT) {
        s->reg[offset / 4] = value;
    }
}

static const MemoryRegionOps pmu_ops = {
    .read = pmu_read,
    .write = pmu_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 4, .max_access_size = 4},
};

static void pmu_reset(DeviceState *dev)
{
    Jh7110Pmu *s = JH7110_PMU(dev);

    memset(s->reg, 0, sizeof(s->reg));
    s->reg[TURN_ON / 4] = SYSTOP_AND_CPU;
    s->reg[CURRENT / 4] = SYSTOP_AND_CPU;
    s->sequence = 0;
}

static void pmu_realize(DeviceState *dev, Error **errp)
{
    Jh7110Pmu *s = JH7110_PMU(dev);

    memory_region_init_io(&s->mmio, OBJECT(dev), &pmu_ops, s, TYPE_JH7110_PMU, 0x10000);
    sysbus_init_mmio(SYS_BUS_DEVICE(dev), &s->mmio);
}

static void pmu_class_init(ObjectClass *class, void *data)
{
    DEVICE_CLASS(class)->realize = pmu_realize;
    device_class_set_legacy_reset(DEVICE_CLASS(class), pmu_reset);
}

static const TypeInfo pmu_types[] = {
    {.name = TYPE_JH7110_PMU,
     .parent = TYPE_SYS_BUS_DEVICE,
     .instance_size = sizeof(Jh7110Pmu),
     .class_init = pmu_class_init},
};
DEFINE_TYPES(pmu_types)
