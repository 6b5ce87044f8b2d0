// SPDX-License-Identifier: BSD-2-Clause
// ASIDs and exact TLB invalidation (house.md "ASIDs and lazy shootdown"; privileged spec 12.2.1,
// 12.1.11). A mmu_context is the hardware side of one user address space: its root, its ASID of
// this generation, how often it was invalidated and which harts run it now.
#pragma once

#include <lib/types.h>

struct mmu_context {
    paddr_t root;
    uint64_t asid;    // generation << 16 | ASID; 0: none yet. Guarded by the allocator's lock
    uint64_t tlb_gen; // invalidations so far; atomic
    uint64_t running; // bit per cpu whose satp holds this context now; atomic
    uint64_t
        icache_stale; // bit per cpu that must fence.i before it runs this context again; atomic
    uint64_t seen[NR_CPUS_MAX]; // tlb_gen that hart's TLB has followed; written by that hart
};

struct tlb_stats {                              // of one hart
    uint64_t flush_all, flush_asid, flush_page; // local fences executed
    uint64_t remote_sent;                       // RFENCE calls issued by this hart
    uint64_t remote_avoided; // harts not disturbed because they did not run the space
    uint64_t deferred;       // catch-up flushes at switch-in
    uint64_t rollovers, fence_i;
};

// Width of the ASID field as probed, 0 to 16.
unsigned int asid_bits(void);
void asid_init(void); // boot hart, once, before the first switch
// More pages than this are flushed as a whole ASID. Boot only; the board knows what pays.
void tlb_set_flush_pages(unsigned int nr_pages);

void mmu_context_init(struct mmu_context *ctx, paddr_t root);
// No hart runs it any more. Its ASID isn't reused before the next generation.
void mmu_context_destroy(struct mmu_context *ctx);

// Make `ctx` (NULL: the kernel's own root) what this hart runs. Interrupts off. Flushes if needed.
void mmu_context_switch(struct mmu_context *ctx);

// After PTEs of [start, end) were changed from valid: no hart can use the old translations once
// this returns. Page-aligned. Interrupts on or off; takes no lock. Where a page table was taken out
// the range must be [0, USER_END): only a fence without an address reaches upper levels.
void mmu_context_flush(struct mmu_context *ctx, vaddr_t start, vaddr_t end);
// After a fault found the PTE valid already: drop a stale (possibly invalid) entry on this hart.
void mmu_context_flush_local(struct mmu_context *ctx, vaddr_t addr);
// New code was written to pages mapped executable in `ctx`: every hart fences before it runs it.
void mmu_context_flush_icache(struct mmu_context *ctx);
// A kernel mapping changed: every online hart, without an ASID operand.
void tlb_flush_kernel(vaddr_t start, vaddr_t end);

const struct tlb_stats *tlb_stats_of_cpu(cpu_t cpu);
