// SPDX-License-Identifier: BSD-2-Clause
// Harts inside arch/riscv: the table that cpu.c fills and hart.c runs.
#pragma once

#include <arch/thread.h>

extern struct hart harts[NR_CPUS_MAX];
extern cpu_t hart_count;
extern struct arch_thread boot_thread;

// Bit per cpu that is online, read by whoever must reach all of them; atomic.
uint64_t hart_online_mask(void);
// This hart's CSRs: which interrupts and what user mode may read.
void hart_setup_self(void);
void hart_set_online(void);
// A software interrupt came.
void hart_handle_ipi(void);
// Ask every other hart to stop for ever; doesn't wait.
void hart_stop_others(void);
__noreturn void hart_park(void);
