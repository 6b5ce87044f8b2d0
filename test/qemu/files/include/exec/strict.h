/*
 * The strict machine: what QEMU's TCG core tells it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * All of it is in target/riscv/strict_watch.c; with the options off these are a test of a bool each.
 */
#ifndef EXEC_STRICT_H
#define EXEC_STRICT_H

#include "exec/cpu-common.h"

/* Some hart was made with x-strict-tlb, with x-strict-icache. */
extern bool strict_tlb_on, strict_icache_on;

/*
 * A slow-path write is about to happen. True: keep this page on the slow path, its next write is
 * of interest, too.
 */
bool strict_note_write(CPUState *cpu, ram_addr_t addr, unsigned size,
                       uintptr_t retaddr);

/* A page that nobody has written yet since the last fence.i of any hart: tell its next write. */
bool strict_page_closed(ram_addr_t addr);

/* A device or the debugger wrote. */
void strict_note_dma(ram_addr_t addr, uint64_t length);

/* This hart is about to execute code at pc, for the first time since it was made or translated. */
void strict_note_fetch(CPUState *cpu, vaddr pc, ram_addr_t addr);

/*
 * In cputlb.c: forget all of this hart's own soft TLB, in the middle of an access, too: unlike
 * tlb_flush() it frees nothing that the access may still look at.
 */
void tlb_drop_in_access(CPUState *cpu);

#endif
