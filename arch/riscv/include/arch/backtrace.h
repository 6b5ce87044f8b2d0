// SPDX-License-Identifier: BSD-2-Clause
// Symbolised backtraces over frame pointers.
#pragma once

#include <lib/types.h>

void backtrace_print(uintptr_t pc, uintptr_t fp);
// Name of the function that holds `pc` and the offset into it; NULL when unknown.
const char *backtrace_symbol(uintptr_t pc, size_t *offset);
