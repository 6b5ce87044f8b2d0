// SPDX-License-Identifier: BSD-2-Clause
// What lies under asid.c and tlb.c. asid_* is the allocator; tlb_hw_* are the only operations that
// touch the hart, a model of harts replaces them in the host tests (test/unit/arch/).
#pragma once

#include <arch/tlb.h>

#define ASID_BITS_MAX 16
#define ASID_MASK     0xffffUL

// Set up for `bits` wide ASIDs on nr_cpus harts. Too few to keep one for every hart and one to give
// away: none are used, as with 0 bits.
void asid_setup(unsigned int bits, cpu_t nr_cpus);
// True if spaces have ASIDs of their own; false: all run with ASID 0.
bool asid_is_used(void);
// Make ctx->asid one of this generation; what was reserved for this hart is given up for it.
// *flush_all: this hart's TLB may hold entries of an older generation under any ASID and must be
// flushed before satp is written. Interrupts off.
void asid_take(struct mmu_context *ctx, cpu_t cpu, bool *flush_all);
uint64_t asid_rollovers(void);

cpu_t tlb_hw_cpu(void);
uint64_t tlb_hw_online(void); // bit per cpu that may hold translations
unsigned int tlb_hw_probe_asid_bits(void);
// Order all earlier loads and stores, those of page-table entries too, before all later ones.
void tlb_hw_fence(void);
void tlb_hw_flush_all(void);
void tlb_hw_flush_asid(asid_t asid);             // not global entries
void tlb_hw_flush_page(vaddr_t va, asid_t asid); // not global entries
void tlb_hw_flush_kernel_page(vaddr_t va);       // global ones too
void tlb_hw_fence_i(void);
// Write satp: ctx NULL is the kernel's own root. tlb_hw_current() is what was written last.
void tlb_hw_load(struct mmu_context *ctx, asid_t asid);
struct mmu_context *tlb_hw_current(void);
// On every hart of the mask; size 0: everything. Panic on failure: there's no going on without.
void tlb_hw_remote_flush(uint64_t cpus, vaddr_t start, size_t size_bytes, asid_t asid);
void tlb_hw_remote_flush_kernel(uint64_t cpus, vaddr_t start, size_t size_bytes);
void tlb_hw_remote_fence_i(uint64_t cpus);
// Interrupts off around the allocator's lock; a lock that never sleeps.
unsigned long tlb_hw_lock(void);
void tlb_hw_unlock(unsigned long flags);
