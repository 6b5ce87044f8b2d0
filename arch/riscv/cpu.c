// SPDX-License-Identifier: BSD-2-Clause
// Harts and their features. Written by cpu_init() on the boot hart, constant afterwards.
#include <arch/cpu.h>
#include <arch/csr.h>
#include <arch/log.h>
#include <errno.h>
#include <lib/dt.h>
#include <stdio.h>
#include <string.h>

#include "boot_priv.h"
#include "extable_priv.h"
#include "fpu_priv.h"
#include "hart_mask_priv.h"
#include "hart_priv.h"

struct hart harts[NR_CPUS_MAX];
cpu_t hart_count = 1;

static struct cpu_features features;
static char isa_strings[NR_CPUS_MAX][256];

const struct cpu_features *cpu_features(void)
{
    return &features;
}

cpu_t cpu_count(void)
{
    return hart_count;
}

struct hart *hart_of_cpu(cpu_t cpu)
{
    return &harts[cpu];
}

hartid_t hart_id_of_cpu(cpu_t cpu)
{
    return harts[cpu].id;
}

hartid_t cpu_boot_hart(void)
{
    return boot_hart_id;
}

const char *cpu_isa_string(cpu_t cpu)
{
    return isa_strings[cpu];
}

static bool cpu_all_have(const void *fdt, const char *ext)
{
    for (cpu_t cpu = 0; cpu < hart_count; cpu++)
        if (!dt_hart_has_extension(fdt, harts[cpu].dt_node, ext))
            return false;
    return true;
}

// Firmware may forbid what the tree announces: the access traps then, and we don't use it.
static bool cpu_probe_stimecmp(void)
{
    unsigned long ok;
    __asm__ volatile("li %0, 0\n"
                     "1: csrr zero, 0x14d\n"
                     "li %0, 1\n"
                     "2:\n" EXTABLE_ASM_NOFAULT
                     : "=&r"(ok));
    return ok != 0;
}

#define CBO_ZERO(address) ".insn i 0x0f, 2, x0, " address ", 4\n"

// Firmware must have allowed it, too.
static bool cpu_probe_zicboz(uint32_t block)
{
    static char memory[512] __attribute__((aligned(512)));
    unsigned long ok;
    if (block == 0 || block > sizeof(memory) || (block & (block - 1)))
        return false;
    memory[block - 1] = 1;
    __asm__ volatile("li %0, 0\n"
                     "1: " CBO_ZERO("%1") "li %0, 1\n"
                                          "2:\n" EXTABLE_ASM_NOFAULT
                     : "=&r"(ok)
                     : "r"(memory)
                     : "memory");
    return ok != 0 && memory[block - 1] == 0;
}

void cpu_zero_page(void *page)
{
    const uint32_t block = features.zicboz_block;
    for (char *at = page, *end = at + PAGE_SIZE; at < end; at += 4UL * block) {
        __asm__ volatile(CBO_ZERO("%0")::"r"(at) : "memory");
        __asm__ volatile(CBO_ZERO("%0")::"r"(at + block) : "memory");
        __asm__ volatile(CBO_ZERO("%0")::"r"(at + 2UL * block) : "memory");
        __asm__ volatile(CBO_ZERO("%0")::"r"(at + 3UL * block) : "memory");
    }
}

static uint32_t cpu_probe_vlenb(void)
{
    csr_set(sstatus, SSTATUS_VS);
    uint32_t vlenb = (csr_read(sstatus) & SSTATUS_VS) ? (uint32_t)vector_vlenb() : 0;
    csr_clear(sstatus, SSTATUS_VS);
    return vlenb;
}

static void cpu_find_features(const void *fdt)
{
    static const char letters[] = "imafdc";
    for (const char *letter = letters; *letter; letter++) {
        const char ext[2] = {*letter, '\0'};
        if (cpu_all_have(fdt, ext))
            features.hwcap |= BIT(*letter - 'a');
    }
    features.sstc = cpu_all_have(fdt, "sstc") && cpu_probe_stimecmp();
    features.svinval = cpu_all_have(fdt, "svinval");
    features.svnapot = cpu_all_have(fdt, "svnapot");
    features.svpbmt = cpu_all_have(fdt, "svpbmt");
    features.svadu = cpu_all_have(fdt, "svadu");
    if (cpu_all_have(fdt, "v"))
        features.vlenb = cpu_probe_vlenb();
    features.v = features.vlenb != 0;
    if (features.v)
        features.hwcap |= BIT('v' - 'a');
    features.zicboz_block = dt_u32(fdt, harts[0].dt_node, "riscv,cboz-block-size", 0);
    features.zicboz = cpu_all_have(fdt, "zicboz") && cpu_probe_zicboz(features.zicboz_block);
    hart_setup_self(); // again, now that this hart knows what it has
}

// The old property, or the same text made from the new ones.
static void cpu_make_isa_string(const void *fdt, cpu_t cpu)
{
    char *out = isa_strings[cpu];
    size_t size = sizeof(isa_strings[cpu]);
    const char *isa = dt_string(fdt, harts[cpu].dt_node, "riscv,isa");
    if (isa) {
        strlcpy(out, isa, size);
        return;
    }
    static const char letters[] = "imafdqcbvh";
    const char *base = dt_string(fdt, harts[cpu].dt_node, "riscv,isa-base");
    size_t n = strlcpy(out, base ? base : "rv64i", size);
    for (const char *letter = letters + 1; *letter && n + 2 < size; letter++) {
        const char ext[2] = {*letter, '\0'};
        if (dt_hart_has_extension(fdt, harts[cpu].dt_node, ext))
            n += (size_t)snprintf(out + n, size - n, "%s", ext);
    }
}

int cpu_init(const void *fdt, hartid_t boot_hart, unsigned int maxcpus)
{
    static struct dt_hart found[DT_HARTS_MAX];
    int nr = dt_harts(fdt, found, DT_HARTS_MAX);
    if (nr < 0) {
        log_err("cpu: the device tree's /cpus can't be read");
        return -EINVAL;
    }
    nr = MIN(nr, DT_HARTS_MAX);
    unsigned int limit = MIN(MAX(maxcpus, 1U), NR_CPUS_MAX);
    bool boot_found = false;
    cpu_t next = 1;
    for (int i = 0; i < nr; i++) {
        if (found[i].id == boot_hart) {
            boot_found = true;
            harts[0].dt_node = found[i].node;
        } else if (next < limit) {
            harts[next].cpu = next;
            harts[next].id = found[i].id;
            harts[next].dt_node = found[i].node;
            next++;
        }
    }
    if (!boot_found) {
        log_err("cpu: the boot hart, %lu, isn't among the %d harts with an MMU of the device tree",
                boot_hart, nr);
        return -EINVAL;
    }
    hart_count = next;
    for (cpu_t cpu = 0; cpu < hart_count; cpu++)
        cpu_make_isa_string(fdt, cpu);
    cpu_find_features(fdt);
    log_info("cpu: %u of %d harts, boot hart %lu, %s%s%s", hart_count, nr, boot_hart,
             cpu_isa_string(0), features.sstc ? ", Sstc timer" : ", SBI timer",
             features.v ? ", vectors" : "");
    return 0;
}
