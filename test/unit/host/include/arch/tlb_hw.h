// SPDX-License-Identifier: BSD-2-Clause
// Host tests: the hart under asid.c and tlb.c is a model (test/unit/arch/hart_model.c).
#pragma once

#include <arch/tlb.h>

unsigned int tlb_hw_probe_asid_bits(void);
uint64_t tlb_hw_online(void);
void tlb_hw_remote_flush(uint64_t cpus, vaddr_t start, size_t size_bytes, asid_t asid);
void tlb_hw_remote_flush_kernel(uint64_t cpus, vaddr_t start, size_t size_bytes);
void tlb_hw_remote_fence_i(uint64_t cpus);
unsigned long tlb_hw_lock(void);
void tlb_hw_unlock(unsigned long flags);
cpu_t tlb_hw_cpu(void);
void tlb_hw_fence(void);
void tlb_hw_flush_all(void);
void tlb_hw_flush_asid(asid_t asid);
void tlb_hw_flush_page(vaddr_t va, asid_t asid);
void tlb_hw_flush_kernel_page(vaddr_t va);
static inline void tlb_hw_flush_pages(vaddr_t start, vaddr_t end, asid_t asid)
{
    for (vaddr_t va = start; va < end; va += PAGE_SIZE)
        tlb_hw_flush_page(va, asid);
}
void tlb_hw_fence_i(void);
void tlb_hw_load(struct mmu_context *ctx, asid_t asid);
struct mmu_context *tlb_hw_current(void);
