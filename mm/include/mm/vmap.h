// SPDX-License-Identifier: BSD-2-Clause
// The kernel's vmap area: kernel stacks with a guard page below and device registers. May sleep.
#pragma once

#include <lib/types.h>

void vmap_init(void);
// KERNEL_STACK_SIZE bytes with an unmapped page below; returns the lowest usable address, 0 when
// out of memory. Stacks are cached for reuse: freeing doesn't flush.
vaddr_t vmap_stack_alloc(void);
void vmap_stack_free(vaddr_t stack);
// The part that never sleeps: keep it for reuse. False: enough are kept, vmap_stack_free() it.
bool vmap_stack_recycle(vaddr_t stack);
// Unmaps and frees the kept stacks. May sleep.
void vmap_reclaim(void);
// Pages: of stacks, in use or kept for the next thread; of the tables that lead to them and the
// notes of where they are, which stay. May sleep.
struct vmap_stats {
    uint64_t stacks, tables;
};
void vmap_stats(struct vmap_stats *stats);
// True if addr lies in a guard page of a stack (for the overflow message).
bool vmap_is_guard(vaddr_t addr);
// Registers [pa, pa + size), RW, not executable. NULL on failure. Stays for ever.
volatile void *vmap_device(paddr_t pa, size_t size_bytes);
