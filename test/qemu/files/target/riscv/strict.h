/*
 * The strict machine: harts that keep what the architecture lets them keep.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * See strict_tlb.c, strict_watch.c and Vireo's test/qemu/README.md.
 */
#ifndef RISCV_STRICT_H
#define RISCV_STRICT_H

#include "cpu.h"

typedef struct StrictHart StrictHart;

/* Make the hart's part if its options ask for it. */
void strict_realize(CPURISCVState *env);

/* satp as written, with the ASID bits that this hart has. */
target_ulong strict_legalize_satp(CPURISCVState *env, target_ulong val);

/*
 * The page-table walk. strict_tlb_find: is there an entry for this address? Then its PTE, the shift of
 * its page beyond 4 KiB, and the address it came from. strict_walk_start, then strict_walk_note before
 * each PTE is read, strict_walk_pte after it (it may give an older value from the page-walk cache),
 * strict_tlb_insert with the PTE where the walk ended, leaf or invalid.
 * All do nothing unless the walk is between strict_begin and strict_end.
 */
bool strict_tlb_find(CPURISCVState *env, vaddr addr, target_ulong *pte, int *ptshift, hwaddr *slot);
void strict_walk_start(CPURISCVState *env, vaddr addr);
void strict_walk_note(CPURISCVState *env, hwaddr slot);
void strict_walk_pte(CPURISCVState *env, int ptshift, hwaddr slot, target_ulong *pte);
void strict_tlb_insert(CPURISCVState *env, int ptshift);

/* One try of a translation: through the TLB, then, if it used any entry, by memory alone. */
typedef struct StrictTry {
    int ret, prot;
    hwaddr pa;
} StrictTry;

/* False: this access is none of ours (M-mode, two-stage, a debugger's). */
bool strict_begin(CPURISCVState *env, bool memory);
void strict_end(CPURISCVState *env);
/* Did the try use an entry, so that memory may say something else? */
bool strict_used_entry(CPURISCVState *env);
/* What holds: reports a stale use, or returns the try with what may be kept in the soft TLB. */
void strict_judge(CPURISCVState *env, vaddr addr, int access_type, uintptr_t retaddr, StrictTry *tlb,
                  const StrictTry *memory);
/* This translation may not stay in the soft TLB. */
bool strict_one_shot(CPURISCVState *env);

/* Fences, with env->pc up to date. Bit 0 of forms: rs1 is not x0; bit 1: rs2 is not x0. */
enum { STRICT_BY_ADDRESS = 1, STRICT_BY_ASID = 2 };
void strict_sfence(CPURISCVState *env, uint32_t forms, target_ulong rs1, target_ulong rs2);
void strict_sinval(CPURISCVState *env, uint32_t forms, target_ulong rs1, target_ulong rs2);
void strict_sinval_end(CPURISCVState *env);
void strict_fence_i(CPURISCVState *env);

/* The hart goes to user mode: what this thread of the kernel was at is done. */
void strict_note_leave(CPURISCVState *env);

#endif
