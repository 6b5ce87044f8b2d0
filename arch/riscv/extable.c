// SPDX-License-Identifier: BSD-2-Clause
// Lookup in the exception table. A few dozen lines, searched only when the kernel faults.
#include "extable_priv.h"

extern const struct extable_line __extable_start[], __extable_end[];

const struct extable_line *extable_find(uintptr_t pc)
{
    for (const struct extable_line *line = __extable_start; line < __extable_end; line++)
        if ((uintptr_t)&line->insn + (uintptr_t)line->insn == pc)
            return line;
    return NULL;
}

uintptr_t extable_fixup(const struct extable_line *line)
{
    return (uintptr_t)&line->fixup + (uintptr_t)line->fixup;
}
