// SPDX-License-Identifier: BSD-2-Clause
// Panic with the registers and the backtrace of the code that trapped.
#pragma once

#include <arch/trap.h>

__noreturn void panic_trap(const struct trap_frame *frame, const char *fmt, ...) __printf(2, 3);
