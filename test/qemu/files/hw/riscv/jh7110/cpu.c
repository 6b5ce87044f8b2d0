/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The harts: an S7 (rv64imac_zba_zbb, M and U only, no MMU) and four U74 (rv64imafdc_zba_zbb,
 * Sv39). From QEMU's E51 and U54, which are their elders, by what differs:
 *
 * - privileged specification 1.11, so menvcfg and senvcfg don't exist; no Sstc; `time` traps as the
 *   machine gives no clock to the hart (rdtime off);
 * - a page's A and D bits are never set by hardware (Svade);
 * - no bits of satp.ASID hold (two boards' logs; -global riscv-cpu.x-asid-bits=N to try more);
 * - 8 PMP entries of 4 KiB grain and 34 address bits, 2 event counters (OpenSBI's own report on a
 *   board, in public boot logs; mvendorid, marchid and mimpid as in /proc/cpuinfo there);
 * - a misaligned load or store traps, and OpenSBI emulates it (x_misaligned_traps, a patch of
 * ours);
 * - the chicken-bit registers 0x7c0 and 0x7c1 of SiFive's cores, which SPL and OpenSBI write.
 *
 * QEMU's table of CSR operations is one for the whole process: right while one machine is in it.
 */
#include "qemu/osdep.h"
#include "jh7110.h"

#define PMPADDR_BITS        34
#define PMPADDR_GRAIN_NAPOT 0x1ffULL /* read as ones: grain 2^(10+2) */
#define PMPADDR_GRAIN_TOR   0x3ffULL /* read as zeros */
#define NR_EVENT_COUNTERS   2

static riscv_csr_operations pmpaddr_plain;

static void set_common(RISCVCPU *cpu)
{
    cpu->env.priv_ver = PRIV_VERSION_1_11_0;
    cpu->cfg.mvendorid = 0x489;
    cpu->cfg.marchid = 0x8000000000000007ULL;
    cpu->cfg.mimpid = 0x4210427;
    cpu->cfg.pmu_mask = MAKE_64BIT_MASK(3, NR_EVENT_COUNTERS);
    cpu->cfg.x_misaligned_traps = true;
}

static void u74_init(Object *obj)
{
    set_common(RISCV_CPU(obj));
    RISCV_CPU(obj)->cfg.ext_svade = true;
    RISCV_CPU(obj)->cfg.asid_bits = 0;
}

static void s7_init(Object *obj)
{
    set_common(RISCV_CPU(obj));
}

/* QEMU's realize refuses these two below privileged 1.12; to the translator they are only flags. */
void jh7110_cpu_add_bitmanip(RISCVCPU *cpu)
{
    cpu->cfg.ext_zba = true;
    cpu->cfg.ext_zbb = true;
}

static RISCVException write_pmpaddr(CPURISCVState *env, int csrno, target_ulong value)
{
    return pmpaddr_plain.write(env, csrno, value & MAKE_64BIT_MASK(0, PMPADDR_BITS));
}

static RISCVException read_pmpaddr(CPURISCVState *env, int csrno, target_ulong *value)
{
    RISCVException result = pmpaddr_plain.read(env, csrno, value);
    uint8_t config = env->pmp_state.pmp[csrno - CSR_PMPADDR0].cfg_reg;

    if (extract32(config, 3, 2) >= PMP_AMATCH_NA4) {
        *value |= PMPADDR_GRAIN_NAPOT;
    } else {
        *value &= ~PMPADDR_GRAIN_TOR;
    }
    return result;
}

static RISCVException always(CPURISCVState *env, int csrno)
{
    return RISCV_EXCP_NONE; /* the number's own bits already ask for M-mode */
}

static RISCVException read_zero(CPURISCVState *env, int csrno, target_ulong *value)
{
    *value = 0;
    return RISCV_EXCP_NONE;
}

static RISCVException write_nothing(CPURISCVState *env, int csrno, target_ulong value)
{
    return RISCV_EXCP_NONE;
}

void jh7110_cpu_set_csrs(void)
{
    riscv_csr_operations zero = {
        .name = "zero", .predicate = always, .read = read_zero, .write = write_nothing};
    riscv_csr_operations changed;

    riscv_get_csr_ops(CSR_PMPADDR0, &pmpaddr_plain);
    changed = pmpaddr_plain;
    changed.read = read_pmpaddr;
    changed.write = write_pmpaddr;
    for (int csr = CSR_PMPADDR0; csr <= CSR_PMPADDR7; csr++) {
        riscv_set_csr_ops(csr, &changed);
    }
    for (int csr = CSR_PMPADDR8; csr <= CSR_PMPADDR15; csr++) {
        riscv_set_csr_ops(csr, &zero);
    }
    riscv_set_csr_ops(CSR_PMPCFG2, &zero);
    riscv_set_csr_ops(0x7c0, &zero);
    riscv_set_csr_ops(0x7c1, &zero);
}

static const TypeInfo cpu_types[] = {
    {.name = TYPE_JH7110_U74, .parent = TYPE_RISCV_CPU_SIFIVE_U54, .instance_init = u74_init},
    {.name = TYPE_JH7110_S7, .parent = TYPE_RISCV_CPU_SIFIVE_E51, .instance_init = s7_init},
};
DEFINE_TYPES(cpu_types)
