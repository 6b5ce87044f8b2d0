/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The twin of VisionFive 2: what its files share. visionfive2.c puts the board together and boot.c
 * starts it; each other file is one device that QEMU has not. Register numbers come from the
 * board's device tree (Debian's linux-image), from the register use of Linux's, U-Boot's and
 * OpenSBI's public drivers and from Synopsys's and SiFive's manuals; each file says which. No board
 * was compared: what passes here "passes on the twin".
 */
#ifndef HW_RISCV_JH7110_H
#define HW_RISCV_JH7110_H

#include "hw/boards.h"
#include "exec/address-spaces.h"
#include "hw/i2c/i2c.h"
#include "hw/riscv/riscv_hart.h"
#include "hw/sysbus.h"
#include "target/riscv/cpu.h"

/* Device types; what their lines and properties mean is said at the head of their files. */
#define TYPE_JH7110_U74        RISCV_CPU_TYPE_NAME("sifive-u74")
#define TYPE_JH7110_S7         RISCV_CPU_TYPE_NAME("sifive-s7")
#define TYPE_JH7110_CRG        "jh7110-crg"
#define TYPE_JH7110_GATE       "jh7110-gate"
#define TYPE_JH7110_PINCTRL    "jh7110-pinctrl"
#define TYPE_JH7110_PMU        "jh7110-pmu"
#define TYPE_JH7110_STORAGE    "jh7110-storage"
#define TYPE_JH7110_UNMODELLED "jh7110-unmodelled"
#define TYPE_DW_APB_UART       "dw-apb-uart"
#define TYPE_DW_I2C            "designware-i2c"
#define TYPE_DW_MSHC           "dw-mshc"
#define TYPE_DWMAC             "dwmac-5.20"
#define TYPE_AXP15060          "axp15060"

/* A clock or reset of one of the controllers: number there, plus which controller it is. */
enum {
    CRG_SYS = 0x000,
    CRG_STG = 0x100,
    CRG_AON = 0x200,
    CRG_NONE = 0xffff,
};

/* cpu.c */
void jh7110_cpu_set_csrs(void);
void jh7110_cpu_add_bitmanip(RISCVCPU *cpu);

/*
 * gate.c: @target answers at @base and interrupts by @irq only while every line of "clock" is high
 * and none of "reset" is; 4 of each, those never connected don't count.
 */
DeviceState *jh7110_gate_create(const char *name, DeviceState *target, hwaddr base, qemu_irq irq);
qemu_irq jh7110_gate_clock(DeviceState *gate);
qemu_irq jh7110_gate_reset(DeviceState *gate);

/* eeprom.c */
#define JH7110_EEPROM_SIZE 256
void jh7110_eeprom_fill(uint8_t rom[JH7110_EEPROM_SIZE], uint64_t ram_size, bool has_emmc);

/* boot.c */
struct Jh7110Boot {
    MachineState *machine;
    RISCVHartArrayState *harts; /* those with an MMU */
    BlockBackend *card;         /* that the boot ROM reads, or NULL */
    uint32_t boot_hart;
};
void jh7110_boot_prepare(const struct Jh7110Boot *boot);

/* spl.c */
void jh7110_spl_load(BlockBackend *card);

#define JH7110_DRAM    0x40000000ULL
#define JH7110_LIM     0x08000000ULL /* on-chip memory: where the boot ROM puts the SPL */
#define JH7110_BOOTROM 0x2a000000ULL

#endif
