/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clock and reset generators (SYSCRG, STGCRG, AONCRG, ISPCRG, VOUTCRG).
 *
 * Register n is clock n: bit 31 opens its gate, bits 29:24 choose the parent, bits 23:0 divide.
 * After the clocks come words with a bit for each reset, 1 while it is asserted, and after these as
 * many read-only words that say which resets are released (Linux's clk-starfive-jh71x0.c and
 * reset-starfive-jh71x0.c; the numbers of clocks and resets are those of the device tree bindings).
 * Nothing here takes time: the status follows at once.
 *
 * Lines out: "clock" n is high while the gate of clock n is open, "reset" n while reset n is
 * asserted. gate.c makes devices depend on them. Parents and dividers are only kept, for drivers to
 * read back.
 *
 * What is open when the harts start: the buses, the harts, UART0 and what Debian's SPL and U-Boot
 * use without opening it. All else is closed and held in reset, so that a driver must open what it
 * needs; stricter than the board may be, and no manual was at hand that lists its values. On top of
 * that comes what ran before. The boot ROM has left the hosts of eMMC and card out of reset, as SPL
 * and U-Boot never release them. Property "after-firmware", for a kernel that starts without SPL
 * and U-Boot: these two are in reset, so that a driver has to release them, the roots of the clocks
 * are at the PLLs, the clock of I2C5 is on and its reset asserted. The last is how U-Boot leaves it
 * (its driver asserts it when it hands over; seen here). OpenSBI, which switches the board off
 * through I2C5, doesn't release it: only a kernel that does can power off.
 */
#include "qemu/osdep.h"
#include "hw/irq.h"
#include "hw/qdev-properties.h"
#include "jh7110.h"

#define GATE       (1u << 31)
#define PARENT(n)  ((uint32_t)(n) << 24)
#define CLOCKS_MAX 190
#define RESETS_MAX 128

struct crg_value {
    uint8_t clock;
    uint32_t value;
};

struct crg_model {
    const char *name;
    uint32_t nr_clocks, nr_resets;
    uint32_t asserted[RESETS_MAX / 32];
    const struct crg_value *values; /* of clocks that don't start as 0; ends with value 0 */
    const struct crg_value *firmware_values; /* the same, as U-Boot leaves them */
    uint8_t rom_released[2];                 /* resets that the boot ROM released; 0 is none */
};

/* 24 MHz in; PLL0 1000, PLL1 1068, PLL2 1188 MHz as storage.c presets them. */
static const struct crg_value sys_values[] = {
    {1, 1},           /* cpu_core; its root is the oscillator */
    {2, 2},           /* cpu_bus */
    {4, 2},           /* perh_root */
    {6, 3},           /* nocstg_bus */
    {7, 3},           /* axi_cfg0: 396 MHz */
    {8, 2},           /* stg_axiahb: 198 MHz */
    {9, GATE},        /* ahb0 */
    {10, GATE},       /* ahb1 */
    {11, 4},          /* apb_bus: 49.5 MHz */
    {12, GATE},       /* apb0 */
    {13, 2},          /* pll0_div2 */
    {14, 2},          /* pll1_div2 */
    {15, 2},          /* pll2_div2 */
    {20, 2},          /* isp_2x */
    {21, 2},          /* isp_axi */
    {25, GATE},       /* hart 0 */
    {26, GATE},       /* hart 1 */
    {27, GATE},       /* hart 2 */
    {28, GATE},       /* hart 3 */
    {29, GATE},       /* hart 4 */
    {31, 6},          /* rtc_toggle: the 4 MHz of the timer */
    {38, GATE},       /* noc_bus_cpu_axi */
    {39, GATE},       /* noc_bus_axicfg0_axi */
    {40, 2},          /* osc_div2 */
    {41, 2},          /* pll1_div4 */
    {42, 2},          /* pll1_div8 */
    {43, PARENT(1)},  /* ddr_bus */
    {44, GATE},       /* ddr_axi */
    {53, GATE},       /* noc_bus_isp_axi */
    {56, GATE},       /* axi_cfg1_main */
    {57, GATE},       /* axi_cfg1_ahb */
    {83, GATE},       /* axi_cfg0_main_div */
    {84, GATE},       /* axi_cfg0_main */
    {85, GATE},       /* axi_cfg0_hifi4 */
    {89, 10},         /* qspi_ref_src */
    {93, 2},          /* sdio0_sdcard */
    {94, 2},          /* sdio1_sdcard */
    {95, 8},          /* usb_125m */
    {96, GATE},       /* noc_bus_stg_axi */
    {99, 2},          /* gmac_src */
    {100, 8},         /* gmac1_gtxclk: 125 MHz */
    {101, 2},         /* gmac1_rmii_rtx */
    {102, 10},        /* gmac1_ptp */
    {108, 8},         /* gmac0_gtxclk */
    {109, 10},        /* gmac0_ptp */
    {110, 31},        /* gmac_phy */
    {112, GATE},      /* iomux_apb, which SPL doesn't open */
    {130, 24},        /* temp_core */
    {145, GATE},      /* uart0_apb */
    {146, GATE},      /* uart0_core */
    {0, 0},
};

/* As the device tree inside Debian's U-Boot assigns them. */
static const struct crg_value sys_values_of_firmware[] = {
    {0, PARENT(1)},     /* cpu_root: PLL0 */
    {4, PARENT(1) | 2}, /* perh_root: PLL2 / 2 */
    {5, PARENT(1)},     /* bus_root: PLL2 */
    {143, GATE},        /* i2c5 */
    {0, 0},
};

#define SDIO0_RESET 64
#define SDIO1_RESET 65

static const struct crg_value aon_values[] = {
    {1, GATE}, /* apb */
    {4, 2},    /* gmac0_rmii_rtx */
    {0, 0},
};

static const struct crg_value none[] = {{0, 0}};

/* Resets held: from QSPI (61) on, which are peripherals, but for UART0 (83, 84). */
static const struct crg_model models[] = {
    {"sys",
     190,
     126,
     {0, 0xe0000000, 0xffffffff & ~(3u << 19), 0x3fffffff},
     sys_values,
     sys_values_of_firmware,
     {SDIO0_RESET, SDIO1_RESET}},
    {"stg", 29, 23, {0x7fffff}, none, none},
    {"aon", 14, 8, {0x03}, aon_values, none},
    {"isp", 14, 12, {0xfff}, none, none},
    {"vout", 18, 12, {0xfff}, none, none},
};

OBJECT_DECLARE_SIMPLE_TYPE(Jh7110Crg, JH7110_CRG)

struct Jh7110Crg {
    SysBusDevice parent_obj;
    MemoryRegion mmio;
    char *name;
    bool after_firmware;
    const struct crg_model *model;
    uint32_t clock[CLOCKS_MAX];
    uint32_t asserted[RESETS_MAX / 32];
    qemu_irq clock_line[CLOCKS_MAX];
    qemu_irq reset_line[RESETS_MAX];
};

static uint32_t reset_words(const Jh7110Crg *s)
{
    return DIV_ROUND_UP(s->model->nr_resets, 32);
}

static void set_asserted(Jh7110Crg *s, uint32_t word, uint32_t value)
{
    s->asserted[word] = value;
    for (int bit = 0; bit < 32; bit++) {
        qemu_set_irq(s->reset_line[32 * word + bit], value >> bit & 1);
    }
}

static void set_clock(Jh7110Crg *s, uint32_t n, uint32_t value)
{
    s->clock[n] = value;
    qemu_set_irq(s->clock_line[n], !!(value & GATE));
}

static uint64_t crg_read(void *opaque, hwaddr offset, unsigned size)
{
    Jh7110Crg *s = opaque;
    uint32_t n = offset / 4, words = reset_words(s);

    if (n < s->model->nr_clocks) {
        return s->clock[n];
    }
    n -= s->model->nr_clocks;
    if (n < words) {
        return s->asserted[n];
    }
    return n < 2 * words ? (uint32_t)~s->asserted[n - words] : 0;
}

static void crg_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Jh7110Crg *s = opaque;
    uint32_t n = offset / 4;

    if (n < s->model->nr_clocks) {
        set_clock(s, n, value);
    } else if (n - s->model->nr_clocks < reset_words(s)) {
        set_asserted(s, n - s->model->nr_clocks, value);
    }
}

static const MemoryRegionOps crg_ops = {
    .read = crg_read,
    .write = crg_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {.min_access_size = 4, .max_access_size = 4},
};

static void crg_reset(DeviceState *dev)
{
    Jh7110Crg *s = JH7110_CRG(dev);
    const struct crg_model *m = s->model;
    uint32_t value[CLOCKS_MAX] = {0};

    for (const struct crg_value *v = m->values; v->value; v++) {
        value[v->clock] = v->value;
    }
    for (const struct crg_value *v = m->firmware_values; s->after_firmware && v->value; v++) {
        value[v->clock] = v->value;
    }
    for (uint32_t n = 0; n < m->nr_clocks; n++) {
        set_clock(s, n, value[n]);
    }
    for (uint32_t n = 0; n < reset_words(s); n++) {
        uint32_t asserted = m->asserted[n];

        for (int i = 0; i < ARRAY_SIZE(m->rom_released) && !s->after_firmware; i++) {
            uint32_t released = m->rom_released[i];

            if (released && released / 32 == n) {
                asserted &= ~(1u << released % 32);
            }
        }
        set_asserted(s, n, asserted);
    }
}

static void crg_realize(DeviceState *dev, Error **errp)
{
    Jh7110Crg *s = JH7110_CRG(dev);

    for (int i = 0; i < ARRAY_SIZE(models); i++) {
        if (!g_strcmp0(s->name, models[i].name)) {
            s->model = &models[i];
        }
    }
    assert(s->model);
    qdev_init_gpio_out_named(dev, s->clock_line, "clock", CLOCKS_MAX);
    qdev_init_gpio_out_named(dev, s->reset_line, "reset", RESETS_MAX);
    memory_region_init_io(&s->mmio, OBJECT(dev), &crg_ops, s, TYPE_JH7110_CRG, 0x10000);
    sysbus_init_mmio(SYS_BUS_DEVICE(dev), &s->mmio);
}

static const Property crg_properties[] = {
    DEFINE_PROP_STRING("name", Jh7110Crg, name),
    DEFINE_PROP_BOOL("after-firmware", Jh7110Crg, after_firmware, false),
};

static void crg_class_init(ObjectClass *class, void *data)
{
    DEVICE_CLASS(class)->realize = crg_realize;
    device_class_set_legacy_reset(DEVICE_CLASS(class), crg_reset);
    device_class_set_props(DEVICE_CLASS(class), crg_properties);
}

static const TypeInfo crg_types[] = {
    {.name = TYPE_JH7110_CRG,
     .parent = TYPE_SYS_BUS_DEVICE,
     .instance_size = sizeof(Jh7110Crg),
     .class_init = crg_class_init},
};
DEFINE_TYPES(crg_types)
