/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers that keep what is written and do nothing, for blocks where drivers only set fields or
 * read what the silicon presets: system controllers, second-level cache, memory controller.
 *
 * Property "name" picks the presets. The PLLs run in integer mode from 24 MHz (fields as Linux's
 * clk-starfive-jh7110-pll.c uses them): PLL0 24 * 125 / 3, PLL1 24 * 89 / 2 and PLL2 24 * 99 / 2
 * MHz. The cache reports 8 banks of 16 ways and 256 sets of 64 bytes: the 2 MiB of the device tree.
 * AON pin controller, 0x2c: the boot-mode switches, here at "SD card".
 * The memory is trained and ready whatever the SPL's training writes.
 */
#include "qemu/osdep.h"
#include "hw/qdev-properties.h"
#include "jh7110.h"

struct preset {
    const char *name;
    uint32_t offset, value;
};

static const struct preset presets[] = {
    {"sys-syscon", 0x18, 3u << 24},               /* PLL0: integer mode */
    {"sys-syscon", 0x1c, 125},                    /* PLL0: feedback */
    {"sys-syscon", 0x24, 3 | 3 << 15 | 89 << 17}, /* PLL0: divider; PLL1: integer mode, feedback */
    {"sys-syscon", 0x2c, 2 | 3 << 15 | 99 << 17}, /* PLL1: divider; PLL2: integer mode, feedback */
    {"sys-syscon", 0x34, 2},                      /* PLL2: divider */
    {"ccache", 0x000, 8 | 16 << 8 | 8 << 16 | 6 << 24}, /* banks, ways, log2 of sets and of bytes */
    {"ccache", 0x008, 15},                              /* largest way enabled */
    {"aon-pinctrl", 0x2c, 1},                           /* boot from SD card */
};

OBJECT_DECLARE_SIMPLE_TYPE(Jh7110Storage, JH7110_STORAGE)

struct Jh7110Storage {
    SysBusDevice parent_obj;
    MemoryRegion mmio;
    char *name;
    uint32_t size;
    uint32_t *reg;
};

static uint64_t storage_read(void *opaque, hwaddr offset, unsigned size)
{
    Jh7110Storage *s = opaque;

    return s->reg[offset / 4];
}

static void storage_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Jh7110Storage *s = opaque;

    s->reg[offset / 4] = value;
}

static const MemoryRegionOps storage_ops = {
    .read = storage_read,
    .write = storage_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 1, .max_access_size = 8}, /* FLUSH64 of the cache is one of 8 */
    .impl = {.min_access_size = 4, .max_access_size = 4},
};

static void storage_reset(DeviceState *dev)
{
    Jh7110Storage *s = JH7110_STORAGE(dev);

    memset(s->reg, 0, s->size);
    for (int i = 0; i < ARRAY_SIZE(presets); i++) {
        if (!g_strcmp0(s->name, presets[i].name)) {
            s->reg[presets[i].offset / 4] = presets[i].value;
        }
    }
}

static void storage_realize(DeviceState *dev, Error **errp)
{
    Jh7110Storage *s = JH7110_STORAGE(dev);

    s->reg = g_malloc0(s->size);
    memory_region_init_io(&s->mmio, OBJECT(dev), &storage_ops, s, s->name, s->size);
    sysbus_init_mmio(SYS_BUS_DEVICE(dev), &s->mmio);
}

static const Property storage_properties[] = {
    DEFINE_PROP_STRING("name", Jh7110Storage, name),
    DEFINE_PROP_UINT32("size", Jh7110Storage, size, 0x10000),
};

static void storage_class_init(ObjectClass *class, void *data)
{
    DEVICE_CLASS(class)->realize = storage_realize;
    device_class_set_legacy_reset(DEVICE_CLASS(class), storage_reset);
    device_class_set_props(DEVICE_CLASS(class), storage_properties);
}

static const TypeInfo storage_types[] = {
    {.name = TYPE_JH7110_STORAGE,
     .parent = TYPE_SYS_BUS_DEVICE,
     .instance_size = sizeof(Jh7110Storage),
     .class_init = storage_class_init},
};
DEFINE_TYPES(storage_types)
