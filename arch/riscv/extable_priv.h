// SPDX-License-Identifier: BSD-2-Clause
// The exception table: kernel instructions that may fault and where to go on when they do. Each
// line holds offsets relative to itself, so the table is the same wherever the image lies.
// Constant; read at any kernel fault.
#pragma once

#define EXTABLE_FAULT   0 // a user access: port_uaccess_fault() first, the fixup if it fails
#define EXTABLE_NOFAULT 1 // the fixup at once, whatever the exception

#ifdef __ASSEMBLER__
// clang-format off
.macro extable_line fixup, kind
    .pushsection .extable, "a"
    .balign 4
    .word 9999f - ., \fixup - ., \kind
    .popsection
9999:
.endm
// The next instruction may fault.
.macro extable_fault fixup
    extable_line \fixup, EXTABLE_FAULT
.endm
.macro extable_nofault fixup
    extable_line \fixup, EXTABLE_NOFAULT
.endm
// clang-format on
#else
#include <lib/types.h>

struct extable_line {
    int32_t insn, fixup; // relative to the field itself
    uint32_t kind;
};

// The line of the instruction at `pc`, or NULL.
const struct extable_line *extable_find(uintptr_t pc);
uintptr_t extable_fixup(const struct extable_line *line);

// A line for inline assembly: label 1 may fault, label 2 is where to go on.
#define EXTABLE_ASM_NOFAULT                                                                        \
    ".pushsection .extable, \"a\"\n"                                                               \
    ".balign 4\n"                                                                                  \
    ".word 1b - ., 2b - ., 1\n"                                                                    \
    ".popsection\n"
#endif
