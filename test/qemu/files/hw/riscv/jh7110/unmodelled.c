/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All of the address space below the memory, and the PCIe windows above it, where no device of the
 * twin is: reads give 0, writes are lost, and the first access to each block is told on stderr, one
 * line. A block is 64 KiB, or one of the list: what the JH7110 has there and the twin has not.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/units.h"
#include "exec/exec-all.h"
#include "hw/core/cpu.h"
#include "hw/qdev-properties.h"
#include "jh7110.h"

static const struct block {
    const char *name;
    hwaddr base, size;
} blocks[] = {
    {"pwm", 0x120d0000, 0x10000},
    {"temperature sensor", 0x120e0000, 0x10000},
    {"spi0", 0x10060000, 0x10000},
    {"spi1", 0x10070000, 0x10000},
    {"spi2", 0x10080000, 0x10000},
    {"tdm", 0x10090000, 0x10000},
    {"pwmdac", 0x100b0000, 0x10000},
    {"usb", 0x10100000, 0x100000},
    {"usb phy", 0x10200000, 0x10000},
    {"pcie0 phy", 0x10210000, 0x10000},
    {"pcie1 phy", 0x10220000, 0x10000},
    {"qspi", 0x13010000, 0x10000},
    {"timers", 0x13050000, 0x10000},
    {"crypto", 0x16000000, 0x8000},
    {"sdma", 0x16008000, 0x4000},
    {"trng", 0x1600c000, 0x4000},
    {"axi dma", 0x16050000, 0x10000},
    {"rtc", 0x17040000, 0x10000},
    {"otp", 0x17050000, 0x10000},
    {"gpu", 0x18000000, 0x100000},
    {"isp", 0x19800000, 0x800000},
    {"qspi window", 0x21000000, 0x400000},
    {"vout", 0x29400000, 0x200000},
    {"pcie0", 0x2b000000, 0x1000000},
    {"pcie1", 0x2c000000, 0x1000000},
    {"pcie0 configuration", 0x940000000, 0x10000000},
    {"pcie1 configuration", 0x9c0000000, 0x10000000},
};

#define BLOCK_SIZE (64 * KiB)

OBJECT_DECLARE_SIMPLE_TYPE(Jh7110Unmodelled, JH7110_UNMODELLED)

struct Jh7110Unmodelled {
    SysBusDevice parent_obj;
    MemoryRegion mmio;
    uint64_t base, size;
    GHashTable *seen; /* first addresses of blocks */
};

/* Of the load or store that is being done; 0 when it isn't a hart's. */
static uint64_t guest_pc(void)
{
    if (!current_cpu || !current_cpu->mem_io_pc ||
        !cpu_restore_state(current_cpu, current_cpu->mem_io_pc)) {
        return 0;
    }
    return cpu_env(current_cpu)->pc;
}

static void tell_first(Jh7110Unmodelled *s, const char *what, hwaddr address, unsigned size)
{
    struct block block = {"unknown", QEMU_ALIGN_DOWN(address, BLOCK_SIZE), BLOCK_SIZE};

    for (int i = 0; i < ARRAY_SIZE(blocks); i++) {
        if (address - blocks[i].base < blocks[i].size) {
            block = blocks[i];
        }
    }
    if (g_hash_table_add(s->seen, (gpointer)(uintptr_t)block.base)) {
        warn_report("visionfive2: %s is not modelled: first access, %s of %u at 0x%" HWADDR_PRIx
                    " by pc 0x%" PRIx64,
                    block.name, what, size, address, guest_pc());
    }
}

static uint64_t unmodelled_read(void *opaque, hwaddr offset, unsigned size)
{
    Jh7110Unmodelled *s = opaque;

    tell_first(s, "read", s->base + offset, size);
    return 0;
}

static void unmodelled_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Jh7110Unmodelled *s = opaque;

    tell_first(s, "write", s->base + offset, size);
}

static const MemoryRegionOps unmodelled_ops = {
    .read = unmodelled_read,
    .write = unmodelled_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 1, .max_access_size = 8},
    .impl = {.min_access_size = 1, .max_access_size = 8},
};

static void unmodelled_realize(DeviceState *dev, Error **errp)
{
    Jh7110Unmodelled *s = JH7110_UNMODELLED(dev);

    s->seen = g_hash_table_new(NULL, NULL);
    memory_region_init_io(&s->mmio, OBJECT(dev), &unmodelled_ops, s, TYPE_JH7110_UNMODELLED,
                          s->size);
    sysbus_init_mmio(SYS_BUS_DEVICE(dev), &s->mmio);
}

static const Property unmodelled_properties[] = {
    DEFINE_PROP_UINT64("base", Jh7110Unmodelled, base, 0),
    DEFINE_PROP_UINT64("size", Jh7110Unmodelled, size, 0),
};

static void unmodelled_class_init(ObjectClass *class, void *data)
{
    DEVICE_CLASS(class)->realize = unmodelled_realize;
    device_class_set_props(DEVICE_CLASS(class), unmodelled_properties);
}

static const TypeInfo unmodelled_types[] = {
    {.name = TYPE_JH7110_UNMODELLED,
     .parent = TYPE_SYS_BUS_DEVICE,
     .instance_size = sizeof(Jh7110Unmodelled),
     .class_init = unmodelled_class_init},
};
DEFINE_TYPES(unmodelled_types)
