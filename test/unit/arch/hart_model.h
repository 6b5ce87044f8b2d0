// SPDX-License-Identifier: BSD-2-Clause
// Harts for the tests of arch/riscv/asid.c and tlb.c. A modelled hart's TLB keeps every entry it
// may and at every step fills in all that it could have walked to: a set of (space, ASID, page,
// frame) from which only a fence takes anything away. Harts run as coroutines that can be
// interrupted at every atomic operation and every hardware operation, so that schedules can be
// random or enumerated.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../arch/riscv/tlb_priv.h"

#define MODEL_SPACES 24
#define MODEL_PAGES  4
#define MODEL_BASE   0x10000UL // user address of page 0 of each space

struct model_space {
    bool alive;
    struct mmu_context context;
    unsigned int frame[MODEL_PAGES]; // 0: not mapped. A frame is never used twice
    uint64_t code, code_synced;      // version written, version of the last finished icache flush
    unsigned int nr_flushing;        // flushes in progress: stale entries are no error yet
    unsigned int nr_syncing;         // the same of the icache
};
extern struct model_space model_spaces[MODEL_SPACES];

// Everything anew: nr_cpus harts that run the kernel's root, ASIDs of `bits`.
void model_start(unsigned int bits, cpu_t nr_cpus);
void model_space_create(unsigned int space);
// What hart `model_cpu` does. Space -1 is the kernel's root. map: a new frame where nothing was.
void model_switch(int space);
void model_map(unsigned int space, unsigned int page);
void model_unmap(unsigned int space, unsigned int first, unsigned int nr);
void model_map_kernel(void); // another frame for the kernel page
void model_write_code(unsigned int space);
// No hart may use a translation or code that it may not: else say what and abort.
void model_check(void);
// The hart that runs now, and what it runs (-1: the kernel's root).
extern cpu_t model_cpu;
int model_space_of(cpu_t cpu);

// Leave out one kind of operation, to see that the model notices.
enum model_fault { MODEL_SOUND, MODEL_NO_REMOTE, MODEL_NO_LOCAL, MODEL_NO_FENCE_I, MODEL_FAULTS };
extern enum model_fault model_fault;
extern bool model_expect_error, model_error_seen;

// Run job(cpu) on each of nr harts at once. At every yield, choose(n) picks which of the n harts
// that are not done goes on, in order of their numbers, 0 being the one that ran.
void model_run(unsigned int nr, void (*job)(cpu_t cpu), unsigned int (*choose)(unsigned int n));
void model_yield(void);
// The same, until the allocator's lock is free.
void model_yield_blocked(void);
void model_reset_tlb(void); // tlb_model.c: the statics of tlb.c
