// SPDX-License-Identifier: BSD-2-Clause
// float.S, vector.S and what thread.c needs of fpu.c.
#pragma once

#include <arch/csr.h>
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

// Save what `t` made dirty; load what it uses. Interrupts off.
void fpu_save_dirty(struct arch_thread *t);
void fpu_load_used(struct arch_thread *t);

// A switch asks for both, and mostly there is nothing to do.
static inline void fpu_switch(struct arch_thread *prev, struct arch_thread *next)
{
    uint64_t old = ((struct trap_frame *)prev->kernel_sp - 1)->status;
    uint64_t new = ((struct trap_frame *)next->kernel_sp - 1)->status;
    if (unlikely((old & SSTATUS_FS) == SSTATUS_FS || (old & SSTATUS_VS) == SSTATUS_VS))
        fpu_save_dirty(prev);
    if (new &(SSTATUS_FS | SSTATUS_VS))
        fpu_load_used(next);
}
