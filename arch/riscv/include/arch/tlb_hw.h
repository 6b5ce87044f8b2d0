// SPDX-License-Identifier: BSD-2-Clause
// The hart under asid.c and tlb.c: the only operations of theirs that touch it, inline, as switches
// are hot. Nobody else includes this; host tests put a model of harts in its place
// (test/unit/host/include/arch/tlb_hw.h).
#pragma once

#include <arch/csr.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <arch/tlb.h>

// SiFive errata CIP-453 and CIP-1200: on these harts an sfence.vma with operands does too little.
extern bool tlb_hw_flush_needs_all;
extern bool tlb_hw_has_svinval; // every hart

unsigned int tlb_hw_probe_asid_bits(void); // boot hart
uint64_t tlb_hw_online(void);              // bit per cpu that may hold translations

// On every hart of the mask; size 0: everything. Panic on failure: there's no going on without.
void tlb_hw_remote_flush(uint64_t cpus, vaddr_t start, size_t size_bytes, asid_t asid);
void tlb_hw_remote_flush_kernel(uint64_t cpus, vaddr_t start, size_t size_bytes);
void tlb_hw_remote_fence_i(uint64_t cpus);

// The ASID allocator's lock, with interrupts off.
unsigned long tlb_hw_lock(void);
void tlb_hw_unlock(unsigned long flags);

static inline cpu_t tlb_hw_cpu(void)
{
    return hart_self()->cpu;
}

// Order all earlier loads and stores, those of page-table entries too, before all later ones.
static inline void tlb_hw_fence(void)
{
    __asm__ volatile("fence rw, rw" ::: "memory");
}

static inline void tlb_hw_flush_all(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

// Not global entries.
static inline void tlb_hw_flush_asid(asid_t asid)
{
    if (unlikely(tlb_hw_flush_needs_all))
        tlb_hw_flush_all();
    else
        __asm__ volatile("sfence.vma zero, %0" ::"r"((unsigned long)asid) : "memory");
}

// Not global entries, and leaves only.
static inline void tlb_hw_flush_page(vaddr_t va, asid_t asid)
{
    if (unlikely(tlb_hw_flush_needs_all))
        tlb_hw_flush_all();
    else
        __asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"((unsigned long)asid) : "memory");
}

// A few pages. With Svinval the hart waits once, not for each (privileged spec 12.5: the first
// fence orders stores before the invalidations, the last these before what follows).
static inline void tlb_hw_flush_pages(vaddr_t start, vaddr_t end, asid_t asid)
{
    if (!tlb_hw_has_svinval || end - start <= PAGE_SIZE) {
        for (vaddr_t va = start; va < end; va += PAGE_SIZE)
            tlb_hw_flush_page(va, asid);
        return;
    }
    __asm__ volatile(".word 0x18000073" ::: "memory"); // sfence.w.inval
    for (vaddr_t va = start; va < end; va += PAGE_SIZE)
        __asm__ volatile(".insn r 0x73, 0, 0x0b, x0, %0, %1" // sinval.vma
                         ::"r"(va),
                         "r"((unsigned long)asid)
                         : "memory");
    __asm__ volatile(".word 0x18100073" ::: "memory"); // sfence.inval.ir
}

// Global entries too, leaves only.
static inline void tlb_hw_flush_kernel_page(vaddr_t va)
{
    if (unlikely(tlb_hw_flush_needs_all))
        tlb_hw_flush_all();
    else
        __asm__ volatile("sfence.vma %0" ::"r"(va) : "memory");
}

static inline void tlb_hw_fence_i(void)
{
    __asm__ volatile("fence.i" ::: "memory");
}

// Write satp: ctx NULL is the kernel's own root. tlb_hw_current() is what was written last.
static inline void tlb_hw_load(struct mmu_context *ctx, asid_t asid)
{
    paddr_t root = ctx ? ctx->root : kernel_root();
    hart_self()->mmu = ctx;
    csr_write(satp, SATP_MODE_SV39 | (uint64_t)asid << SATP_ASID_SHIFT | root >> PAGE_SHIFT);
}

static inline struct mmu_context *tlb_hw_current(void)
{
    return hart_self()->mmu;
}
