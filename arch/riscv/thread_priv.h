// SPDX-License-Identifier: BSD-2-Clause
// entry.S, seen from C.
#pragma once

#include <arch/thread.h>

struct arch_thread *thread_switch(struct arch_thread *prev, struct arch_thread *next);
void thread_entry(void);
void trap_entry(void);
