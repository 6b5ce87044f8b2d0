// SPDX-License-Identifier: BSD-2-Clause
// Between asid.c and tlb.c: the ASID allocator.
#pragma once

#include <arch/tlb.h>
#include <arch/tlb_hw.h>

#define ASID_BITS_MAX 16
#define ASID_MASK     0xffffUL

// Set up for `bits` wide ASIDs on nr_cpus harts. Too few to keep one for every hart and one to give
// away: none are used, as with 0 bits.
void asid_setup(unsigned int bits, cpu_t nr_cpus);
// True if spaces have ASIDs of their own; false: all run with ASID 0.
bool asid_is_used(void);
// Make ctx->asid one of this generation; what was reserved for this hart is given up for it. True:
// this hart's TLB may hold entries of an older generation under any ASID and must be flushed before
// satp is written. Interrupts off.
bool asid_take(struct mmu_context *ctx, cpu_t cpu);
uint64_t asid_rollovers(void);
