// SPDX-License-Identifier: BSD-2-Clause
// float.S, vector.S and what thread.c needs of fpu.c.
#pragma once

#include <arch/thread.h>

// The block that vector.S saves: 32 registers of vlenb bytes follow.
struct vector_state {
    uint64_t vstart, vl, vtype, vcsr;
    uint8_t registers[];
};

void float_save(struct arch_fpu *fpu);
void float_load(const struct arch_fpu *fpu);
void vector_save(struct vector_state *state);
void vector_load(const struct vector_state *state);
unsigned long vector_vlenb(void);

// Save what prev made dirty, load what next uses. Interrupts off.
void fpu_switch(struct arch_thread *prev, struct arch_thread *next);
// The calling thread's memory copies become current; its registers stay.
void fpu_sync_self(void);
