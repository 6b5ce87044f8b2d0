/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -M visionfive2: the board, put together. Addresses, interrupts, clocks and resets are those of
 * jh7110-starfive-visionfive-2-v1.3b.dtb of Debian's linux-image 6.12; boot.c says how it starts.
 *
 * Options (-M visionfive2,NAME=VALUE):
 *   boot-hart=1..4  the hart that OpenSBI is told to prefer; as on the board, another may win
 *   rdtime=on       `time` does not trap
 * -drive if=sd,index=0 is the eMMC, index=1 the card; -nic the two Ethernet ports, in order.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/units.h"
#include "exec/translation-block.h"
#include "hw/char/serial.h"
#include "hw/clock.h"
#include "hw/cpu/cluster.h"
#include "hw/intc/riscv_aclint.h"
#include "hw/intc/sifive_plic.h"
#include "hw/irq.h"
#include "hw/nvram/eeprom_at24c.h"
#include "hw/qdev-clock.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "hw/sd/sd.h"
#include "hw/watchdog/cmsdk-apb-watchdog.h"
#include "net/net.h"
#include "system/blockdev.h"
#include "system/runstate.h"
#include "system/system.h"
#include "jh7110.h"

#define TYPE_VISIONFIVE2 MACHINE_TYPE_NAME("visionfive2")
OBJECT_DECLARE_SIMPLE_TYPE(VisionFive2, VISIONFIVE2)

enum { SYS, STG, AON, NR_CRGS };

struct VisionFive2 {
    MachineState parent_obj;
    CPUClusterState s7_cluster, u74_cluster;
    RISCVHartArrayState s7, u74;
    DeviceState *plic, *pinctrl, *crg[NR_CRGS];
    Clock *watchdog_clock;
    uint32_t boot_hart;
    bool rdtime;
};

#define NR_PLIC_SOURCES 137 /* 136, and number 0 */
#define TIMEBASE_HZ     4000000
#define OSCILLATOR_HZ   24000000
#define PIN_RESTART     35 /* gpio-restart of the device tree: high restarts the board */
#define PIN_CARD_DETECT 41 /* low: a card is in */
#define I2C_PMIC        5
#define PMIC_ADDRESS    0x36
#define EEPROM_ADDRESS  0x50

/*
 * What stands behind a gate. Clocks and resets are those that the device tree names for the device,
 * and the gates of the buses above it; not those that only set a rate.
 */
struct gated {
    const char *name;
    hwaddr base;
    uint8_t irq;                   /* 0: the device tree names none */
    uint16_t clocks[4], resets[4]; /* end with CRG_NONE or are all used */
};

static const struct gated uarts[] = {
    {"uart0", 0x10000000, 32, {12, 145, 146, CRG_NONE}, {83, 84, CRG_NONE}},
    {"uart1", 0x10010000, 33, {12, 147, 148, CRG_NONE}, {85, 86, CRG_NONE}},
    {"uart2", 0x10020000, 34, {12, 149, 150, CRG_NONE}, {87, 88, CRG_NONE}},
    {"uart3", 0x12000000, 45, {12, 151, 152, CRG_NONE}, {89, 90, CRG_NONE}},
    {"uart4", 0x12010000, 46, {12, 153, 154, CRG_NONE}, {91, 92, CRG_NONE}},
    {"uart5", 0x12020000, 47, {12, 155, 156, CRG_NONE}, {93, 94, CRG_NONE}},
};

static const struct gated i2cs[] = {
    {"i2c0", 0x10030000, 35, {12, 138, CRG_NONE}, {76, CRG_NONE}},
    {"i2c1", 0x10040000, 36, {12, 139, CRG_NONE}, {77, CRG_NONE}},
    {"i2c2", 0x10050000, 37, {12, 140, CRG_NONE}, {78, CRG_NONE}},
    {"i2c3", 0x12030000, 48, {141, CRG_NONE}, {79, CRG_NONE}},
    {"i2c4", 0x12040000, 49, {142, CRG_NONE}, {80, CRG_NONE}},
    {"i2c5", 0x12050000, 50, {143, CRG_NONE}, {81, CRG_NONE}},
    {"i2c6", 0x12060000, 51, {144, CRG_NONE}, {82, CRG_NONE}},
};

/* The card's own clock, 93 and 94, goes into the device. */
static const struct gated mshcs[] = {
    {"mmc0 (emmc)", 0x16010000, 74, {9, 91, CRG_NONE}, {64, CRG_NONE}},
    {"mmc1 (sd)", 0x16020000, 75, {9, 92, CRG_NONE}, {65, CRG_NONE}},
};
static const uint8_t mshc_card_clock[] = {93, 94};

static const struct gated watchdog = {
    "watchdog", 0x13070000, 0, {122, 123, CRG_NONE}, {109, 110, CRG_NONE}};

static const struct gated pinctrl = {"sys pinctrl", 0x13040000, 86, {112, CRG_NONE}, {2, CRG_NONE}};

static const struct gated macs[] = {
    {"gmac0",
     0x16030000,
     7,
     {CRG_AON | 2, CRG_AON | 3, CRG_AON | 5, 111},
     {CRG_AON | 0, CRG_AON | 1, CRG_NONE}},
    {"gmac1", 0x16040000, 78, {97, 98, 105, 107}, {66, 67, CRG_NONE}},
};

static const struct {
    const char *name;
    hwaddr base;
    uint32_t size;
} storages[] = {
    {"ccache", 0x02010000, 0x4000},     {"l2-prefetch", 0x02030000, 0xa000},
    {"stg-syscon", 0x10240000, 0x1000}, {"ddr-phy", 0x13000000, 0x10000},
    {"sys-syscon", 0x13030000, 0x1000}, {"ddr-controller", 0x15700000, 0x10000},
    {"aon-syscon", 0x17010000, 0x1000}, {"aon-pinctrl", 0x17020000, 0x10000},
};

/* One line of a controller can feed many inputs: each further one goes before those that are there.
 */
struct fork {
    qemu_irq first, rest;
};

static void fork_changed(void *opaque, int n, int level)
{
    struct fork *fork = opaque;

    qemu_set_irq(fork->first, level);
    qemu_set_irq(fork->rest, level);
}

static void wire(VisionFive2 *s, uint16_t which, const char *kind, qemu_irq to)
{
    struct fork *fork = g_new0(struct fork, 1);

    fork->first = to;
    fork->rest = qdev_intercept_gpio_out(
        s->crg[which >> 8], qemu_allocate_irq(fork_changed, fork, 0), kind, which & 0xff);
}

static DeviceState *attach(VisionFive2 *s, const struct gated *g, DeviceState *dev)
{
    DeviceState *gate;

    sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
    gate = jh7110_gate_create(g->name, dev, g->base,
                              g->irq ? qdev_get_gpio_in(s->plic, g->irq) : NULL);
    for (int i = 0; i < ARRAY_SIZE(g->clocks) && g->clocks[i] != CRG_NONE; i++) {
        wire(s, g->clocks[i], "clock", jh7110_gate_clock(gate));
    }
    for (int i = 0; i < ARRAY_SIZE(g->resets) && g->resets[i] != CRG_NONE; i++) {
        wire(s, g->resets[i], "reset", jh7110_gate_reset(gate));
    }
    return gate;
}

static DeviceState *create_crg(const char *name, hwaddr base, bool after_firmware)
{
    DeviceState *dev = qdev_new(TYPE_JH7110_CRG);

    qdev_prop_set_string(dev, "name", name);
    qdev_prop_set_bit(dev, "after-firmware", after_firmware);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
    sysbus_mmio_map(SYS_BUS_DEVICE(dev), 0, base);
    return dev;
}

static void create_harts(VisionFive2 *s, CPUClusterState *cluster, RISCVHartArrayState *harts,
                         const char *type, uint32_t first, uint32_t count)
{
    object_initialize_child(OBJECT(s), first ? "u74-cluster" : "s7-cluster", cluster,
                            TYPE_CPU_CLUSTER);
    qdev_prop_set_uint32(DEVICE(cluster), "cluster-id", first ? 1 : 0);
    object_initialize_child(OBJECT(cluster), "harts", harts, TYPE_RISCV_HART_ARRAY);
    qdev_prop_set_uint32(DEVICE(harts), "num-harts", count);
    qdev_prop_set_uint32(DEVICE(harts), "hartid-base", first);
    qdev_prop_set_string(DEVICE(harts), "cpu-type", type);
    qdev_prop_set_uint64(DEVICE(harts), "resetvec", JH7110_BOOTROM);
    sysbus_realize(SYS_BUS_DEVICE(harts), &error_fatal);
    qdev_realize(DEVICE(cluster), NULL, &error_fatal);
    for (uint32_t i = 0; i < count; i++) {
        CPUState *cpu = CPU(&harts->harts[i]);

        jh7110_cpu_add_bitmanip(&harts->harts[i]);
        /*
         * QEMU reads the cluster when it makes the hart, which is before the cluster knows it.
         * Without this a U74 would run what was translated for the S7, which has no floating point.
         */
        cpu->tcg_cflags = (cpu->tcg_cflags & ~CF_CLUSTER_MASK) | cpu->cluster_index
                                                                     << CF_CLUSTER_SHIFT;
    }
}

static void create_memory(MachineState *m)
{
    MemoryRegion *system = get_system_memory();
    MemoryRegion *rom = g_new(MemoryRegion, 1), *lim = g_new(MemoryRegion, 1);

    memory_region_add_subregion(system, JH7110_DRAM, m->ram);
    memory_region_init_rom(rom, NULL, "jh7110.bootrom", 32 * KiB, &error_fatal);
    memory_region_add_subregion(system, JH7110_BOOTROM, rom);
    memory_region_init_ram(lim, NULL, "jh7110.lim", 2 * MiB, &error_fatal);
    memory_region_add_subregion(system, JH7110_LIM, lim);
}

/* Hart 0 has one context, the others two; the CLINT is as on any SiFive core. */
static void create_interrupts(VisionFive2 *s)
{
    uint32_t harts = MACHINE(s)->smp.cpus;
    GString *contexts = g_string_new("M");

    for (uint32_t i = 1; i < harts; i++) {
        g_string_append(contexts, ",MS");
    }
    s->plic =
        sifive_plic_create(0x0c000000, g_string_free(contexts, false), harts, 0, NR_PLIC_SOURCES, 7,
                           0x0, 0x1000, 0x2000, 0x80, 0x200000, 0x1000, 0x4000000);
    riscv_aclint_swi_create(0x02000000, 0, harts, false);
    riscv_aclint_mtimer_create(0x02004000, RISCV_ACLINT_DEFAULT_MTIMER_SIZE, 0, harts,
                               RISCV_ACLINT_DEFAULT_MTIMECMP, RISCV_ACLINT_DEFAULT_MTIME,
                               TIMEBASE_HZ, s->rdtime);
}

static void create_unmodelled(hwaddr base, uint64_t size)
{
    DeviceState *dev = qdev_new(TYPE_JH7110_UNMODELLED);

    qdev_prop_set_uint64(dev, "base", base);
    qdev_prop_set_uint64(dev, "size", size);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
    sysbus_mmio_map_overlap(SYS_BUS_DEVICE(dev), 0, base, -1000);
}

static void create_system_controllers(VisionFive2 *s)
{
    s->crg[SYS] = create_crg("sys", 0x13020000, MACHINE(s)->firmware != NULL);
    s->crg[STG] = create_crg("stg", 0x10230000, false);
    s->crg[AON] = create_crg("aon", 0x17000000, false);
    create_crg("isp", 0x19810000, false);
    create_crg("vout", 0x295c0000, false);
    sysbus_create_simple(TYPE_JH7110_PMU, 0x17030000, NULL);
    for (int i = 0; i < ARRAY_SIZE(storages); i++) {
        DeviceState *dev = qdev_new(TYPE_JH7110_STORAGE);

        qdev_prop_set_string(dev, "name", storages[i].name);
        qdev_prop_set_uint32(dev, "size", storages[i].size);
        sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
        sysbus_mmio_map(SYS_BUS_DEVICE(dev), 0, storages[i].base);
    }
}

static void restart_pin(void *opaque, int n, int level)
{
    if (level) {
        qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

static void create_pinctrl(VisionFive2 *s)
{
    s->pinctrl = qdev_new(TYPE_JH7110_PINCTRL);
    attach(s, &pinctrl, s->pinctrl);
    qdev_connect_gpio_out_named(s->pinctrl, "pin", PIN_RESTART,
                                qemu_allocate_irq(restart_pin, s, 0));
}

static void create_uarts(VisionFive2 *s)
{
    for (int i = 0; i < ARRAY_SIZE(uarts); i++) {
        DeviceState *dev = qdev_new(TYPE_DW_APB_UART);

        qdev_prop_set_chr(dev, "chardev", serial_hd(i));
        qdev_prop_set_uint32(dev, "baudbase", OSCILLATOR_HZ / 16);
        attach(s, &uarts[i], dev);
    }
}

static void create_i2c(VisionFive2 *s)
{
    uint8_t *rom = g_malloc(JH7110_EEPROM_SIZE);
    I2CBus *bus = NULL;

    for (int i = 0; i < ARRAY_SIZE(i2cs); i++) {
        DeviceState *dev = qdev_new(TYPE_DW_I2C);

        attach(s, &i2cs[i], dev);
        if (i == I2C_PMIC) {
            bus = I2C_BUS(qdev_get_child_bus(dev, "i2c"));
        }
    }
    jh7110_eeprom_fill(rom, MACHINE(s)->ram_size, drive_get(IF_SD, 0, 0) != NULL);
    at24c_eeprom_init_rom(bus, EEPROM_ADDRESS, JH7110_EEPROM_SIZE, rom, JH7110_EEPROM_SIZE);
    i2c_slave_create_simple(bus, TYPE_AXP15060, PMIC_ADDRESS);
}

static void create_storage_hosts(VisionFive2 *s)
{
    static const char *const card_types[] = {TYPE_EMMC, TYPE_SD_CARD};

    for (int i = 0; i < ARRAY_SIZE(mshcs); i++) {
        DriveInfo *drive = drive_get(IF_SD, 0, i);
        DeviceState *host = qdev_new(TYPE_DW_MSHC), *card;

        attach(s, &mshcs[i], host);
        wire(s, mshc_card_clock[i], "clock", qdev_get_gpio_in_named(host, "ciu", 0));
        if (i == 1) {
            qdev_connect_gpio_out_named(
                host, "inserted", 0,
                qemu_irq_invert(qdev_get_gpio_in_named(s->pinctrl, "level", PIN_CARD_DETECT)));
        }
        if (drive) {
            card = qdev_new(card_types[i]);
            qdev_prop_set_drive_err(card, "drive", blk_by_legacy_dinfo(drive), &error_fatal);
            qdev_realize_and_unref(card, qdev_get_child_bus(host, "sd-bus"), &error_fatal);
        }
    }
}

static void watchdog_running(void *opaque, int n, int level)
{
    VisionFive2 *s = opaque;

    clock_update_hz(s->watchdog_clock, level ? OSCILLATOR_HZ : 0);
}

/*
 * Arm's watchdog, which QEMU has. Where its clock stops, QEMU's counter stops and must be started
 * again; the board's would go on.
 */
static void create_watchdog(VisionFive2 *s)
{
    DeviceState *dev = qdev_new(TYPE_CMSDK_APB_WATCHDOG);

    s->watchdog_clock = clock_new(OBJECT(s), "watchdog");
    qdev_connect_clock_in(dev, "WDOGCLK", s->watchdog_clock);
    qdev_connect_gpio_out_named(attach(s, &watchdog, dev), "running", 0,
                                qemu_allocate_irq(watchdog_running, s, 0));
}

static void create_ethernet(VisionFive2 *s)
{
    for (int i = 0; i < ARRAY_SIZE(macs); i++) {
        DeviceState *dev = qdev_new(TYPE_DWMAC);

        qemu_configure_nic_device(dev, true, NULL);
        attach(s, &macs[i], dev);
    }
}

static void visionfive2_init(MachineState *m)
{
    VisionFive2 *s = VISIONFIVE2(m);
    DriveInfo *card = drive_get(IF_SD, 0, 1);
    struct Jh7110Boot boot = {m, &s->u74, card ? blk_by_legacy_dinfo(card) : NULL, s->boot_hart};

    jh7110_cpu_set_csrs();
    create_harts(s, &s->s7_cluster, &s->s7, TYPE_JH7110_S7, 0, 1);
    create_harts(s, &s->u74_cluster, &s->u74, TYPE_JH7110_U74, 1, m->smp.cpus - 1);
    create_memory(m);
    create_unmodelled(0, JH7110_DRAM);
    create_unmodelled(0x900000000, 0x100000000);
    create_interrupts(s);
    create_system_controllers(s);
    create_pinctrl(s);
    create_uarts(s);
    create_i2c(s);
    create_storage_hosts(s);
    create_watchdog(s);
    create_ethernet(s);
    jh7110_boot_prepare(&boot);
}

static bool get_rdtime(Object *obj, Error **errp)
{
    return VISIONFIVE2(obj)->rdtime;
}

static void set_rdtime(Object *obj, bool value, Error **errp)
{
    VISIONFIVE2(obj)->rdtime = value;
}

static void visionfive2_instance_init(Object *obj)
{
    VisionFive2 *s = VISIONFIVE2(obj);

    s->boot_hart = 1;
    object_property_add_uint32_ptr(obj, "boot-hart", &s->boot_hart, OBJ_PROP_FLAG_READWRITE);
    object_property_add_bool(obj, "rdtime", get_rdtime, set_rdtime);
}

static void visionfive2_class_init(ObjectClass *class, void *data)
{
    MachineClass *mc = MACHINE_CLASS(class);

    mc->desc = "StarFive VisionFive 2 v1.3B (JH7110), twin";
    mc->init = visionfive2_init;
    mc->min_cpus = 2;
    mc->max_cpus = mc->default_cpus = 5;
    mc->default_ram_size = 4 * GiB;
    mc->default_ram_id = "visionfive2.ram";
    mc->default_cpu_type = TYPE_JH7110_U74;
    mc->block_default_type = IF_SD;
}

static const TypeInfo visionfive2_types[] = {
    {.name = TYPE_VISIONFIVE2,
     .parent = TYPE_MACHINE,
     .instance_size = sizeof(VisionFive2),
     .instance_init = visionfive2_instance_init,
     .class_init = visionfive2_class_init},
};
DEFINE_TYPES(visionfive2_types)
