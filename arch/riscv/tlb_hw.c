// SPDX-License-Identifier: BSD-2-Clause
// The slow operations of <arch/tlb_hw.h>: probing, and other harts by SBI.
#include <arch/cpu.h>
#include <arch/csr.h>
#include <arch/mmu.h>
#include <arch/sbi.h>
#include <arch/tlb_hw.h>
#include <lib/assert.h>

#include "hart_priv.h"
#include "raw_lock_priv.h"

static struct raw_lock asid_lock;
bool tlb_hw_flush_needs_all, tlb_hw_has_svinval;

// The FU740 has the errata; mimpid tells it from later harts with the same marchid.
static bool tlb_hw_has_errata(void)
{
    const struct sbi_info *info = sbi_info();
    return info->mvendorid == 0x489 && info->marchid == 0x8000000000000007 &&
           info->mimpid >= 0x20181004 && info->mimpid <= 0x20220101;
}

unsigned int tlb_hw_probe_asid_bits(void)
{
    tlb_hw_flush_needs_all = tlb_hw_has_errata();
    tlb_hw_has_svinval = cpu_features()->svinval && !tlb_hw_flush_needs_all;
    irq_flags_t flags = irq_save();
    uint64_t before = csr_read(satp);
    csr_write(satp, before | SATP_ASID_MASK << SATP_ASID_SHIFT);
    uint64_t bits = csr_read(satp) >> SATP_ASID_SHIFT & SATP_ASID_MASK;
    csr_write(satp, before);
    tlb_hw_flush_all();
    irq_restore(flags);
    return (unsigned int)__builtin_ctzl(~bits);
}

uint64_t tlb_hw_online(void)
{
    return hart_online_mask();
}

static void check_remote(int err, const char *what)
{
    if (err != 0)
        panic("SBI %s failed: %d. The firmware must reach every hart it started", what, err);
}

// SBI says "everything" by start 0 and size -1.
void tlb_hw_remote_flush(uint64_t cpus, vaddr_t start, size_t size_bytes, asid_t asid)
{
    size_t size = size_bytes != 0 ? size_bytes : ~0UL;
    check_remote(sbi_remote_sfence_asid(cpus, size_bytes != 0 ? start : 0, size, asid),
                 "remote_sfence_vma_asid");
}

void tlb_hw_remote_flush_kernel(uint64_t cpus, vaddr_t start, size_t size_bytes)
{
    size_t size = size_bytes != 0 ? size_bytes : ~0UL;
    check_remote(sbi_remote_sfence(cpus, size_bytes != 0 ? start : 0, size), "remote_sfence_vma");
}

void tlb_hw_remote_fence_i(uint64_t cpus)
{
    check_remote(sbi_remote_fence_i(cpus), "remote_fence_i");
}

unsigned long tlb_hw_lock(void)
{
    return raw_lock(&asid_lock);
}

void tlb_hw_unlock(unsigned long flags)
{
    raw_unlock(&asid_lock, flags);
}
