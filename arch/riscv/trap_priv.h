// SPDX-License-Identifier: BSD-2-Clause
// Called by entry.S.
#pragma once

#include <arch/trap.h>

void trap_user(struct trap_frame *frame);      // not a system call; interrupts off, may return on
void trap_user_work(struct trap_frame *frame); // interrupts off at entry and exit
void trap_kernel(struct trap_frame *frame);
__noreturn void trap_stack_overflow(struct trap_frame *frame, vaddr_t stack_base);
