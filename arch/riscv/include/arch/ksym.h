// SPDX-License-Identifier: BSD-2-Clause
// The kernel's own symbol table, for backtraces. flash/ksym.py makes it from the linked kernel and
// the kernel is linked again with it (flash/kernel.mk). Constant, so it may be read anywhere, in a
// panic too.
#pragma once

#include <lib/types.h>

struct ksym {
    uint32_t offset; // of the function from _start
    uint32_t name;   // its name's offset in ksym_names
};

// Sorted by offset. Empty while the kernel is linked for the first time.
extern const struct ksym ksym_table[];
extern const uint64_t ksym_count;
extern const char ksym_names[];
