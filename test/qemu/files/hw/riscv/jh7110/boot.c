/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in memory when the harts leave reset. Three ways:
 *
 *   -bios fw_dynamic.bin -kernel Image -dtb FILE [-initrd FILE] [-append WORDS]
 *       OpenSBI at the start of memory, then the kernel 2 MiB higher, as U-Boot's booti leaves it.
 *   -bios fw_dynamic.bin -kernel u-boot.bin -dtb U-BOOT'S
 *       the same with U-Boot in the kernel's place.
 *   -drive if=sd,index=1,file=sd.img,format=raw
 *       without -bios: as the board with its switches at "SD card", the SPL in on-chip memory
 * (spl.c).
 *
 * All harts start in a small ROM at the place of the board's, which hands over a0 = hart, a1 =
 * device tree, a2 = OpenSBI's fw_dynamic_info. Into the tree go the size of the memory and the
 * place of the initrd, as U-Boot does it on the board; the words of -append; and a seed for random
 * numbers, as QEMU gives it on its other boards and Debian's U-Boot does not: from a card there is
 * none.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/guest-random.h"
#include "qemu/units.h"
#include "hw/loader.h"
#include "hw/riscv/boot.h"
#include "hw/riscv/boot_opensbi.h"
#include "system/device_tree.h"
#include <libfdt.h>
#include "jh7110.h"

#define FDT_ADDRESS    0x46000000ULL /* U-Boot's fdt_addr_r and ramdisk_addr_r */
#define INITRD_ADDRESS 0x46100000ULL

static void load_tree(MachineState *m)
{
    uint8_t seed[32];
    int size;

    if (!m->dtb) {
        return;
    }
    m->fdt = load_device_tree(m->dtb, &size);
    if (!m->fdt) {
        error_report("cannot load device tree %s", m->dtb);
        exit(1);
    }
    qemu_fdt_setprop_sized_cells(m->fdt, "/memory@40000000", "reg", 2, JH7110_DRAM, 2,
                                 (uint64_t)m->ram_size);
    qemu_guest_getrandom_nofail(seed, sizeof(seed));
    qemu_fdt_setprop(m->fdt, "/chosen", "rng-seed", seed, sizeof(seed));
}

static void load_initrd(MachineState *m)
{
    ssize_t size;

    if (!m->initrd_filename || !m->fdt) {
        return;
    }
    size = load_image_targphys(m->initrd_filename, INITRD_ADDRESS, m->ram_size / 2);
    if (size < 0) {
        error_report("cannot load initrd %s", m->initrd_filename);
        exit(1);
    }
    qemu_fdt_setprop_u64(m->fdt, "/chosen", "linux,initrd-start", INITRD_ADDRESS);
    qemu_fdt_setprop_u64(m->fdt, "/chosen", "linux,initrd-end", INITRD_ADDRESS + size);
}

static void load_rom(uint64_t start, uint64_t fdt, uint64_t next, uint32_t boot_hart)
{
    uint32_t rom[] = {
        0x00000297, /* auipc t0, 0 */
        0x02828613, /* addi  a2, t0, 40 */
        0xf1402573, /* csrr  a0, mhartid */
        0x0202b583, /* ld    a1, 32(t0) */
        0x0182b283, /* ld    t0, 24(t0) */
        0x00028067, /* jr    t0 */
        start,      start >> 32, fdt, fdt >> 32,
    };
    struct fw_dynamic_info info = {
        .magic = cpu_to_le64(FW_DYNAMIC_INFO_MAGIC_VALUE),
        .version = cpu_to_le64(FW_DYNAMIC_INFO_VERSION),
        .next_mode = cpu_to_le64(FW_DYNAMIC_INFO_NEXT_MODE_S),
        .next_addr = cpu_to_le64(next),
        .boot_hart = cpu_to_le64(boot_hart),
    };

    for (int i = 0; i < ARRAY_SIZE(rom); i++) {
        rom[i] = cpu_to_le32(rom[i]);
    }
    rom_add_blob_fixed("jh7110.bootrom", rom, sizeof(rom), JH7110_BOOTROM);
    rom_add_blob_fixed("jh7110.info", &info, sizeof(info), JH7110_BOOTROM + sizeof(rom));
}

void jh7110_boot_prepare(const struct Jh7110Boot *boot)
{
    MachineState *m = boot->machine;
    hwaddr start = JH7110_DRAM, end;
    uint64_t next = JH7110_DRAM + 2 * MiB;
    RISCVBootInfo info;

    if (!m->firmware) {
        jh7110_spl_load(boot->card);
        load_rom(JH7110_LIM, 0, 0, boot->boot_hart);
        return;
    }
    load_tree(m);
    end = riscv_find_and_load_firmware(m, RISCV64_BIOS_BIN, &start, NULL);
    riscv_boot_info_init(&info, boot->harts);
    if (m->kernel_filename) {
        riscv_load_kernel(m, &info, riscv_calc_kernel_start_addr(&info, end), false, NULL);
        next = info.image_low_addr;
    }
    load_initrd(m);
    if (m->fdt) {
        fdt_pack(m->fdt);
        riscv_load_fdt(FDT_ADDRESS, m->fdt);
    }
    load_rom(start, m->fdt ? FDT_ADDRESS : 0, next, boot->boot_hart);
}
