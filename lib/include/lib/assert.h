// SPDX-License-Identifier: BSD-2-Clause
// Broken invariants. User input or lack of memory never ends here.
// panic() is defined by arch/riscv in the kernel and by the harness in host tests.
#pragma once

#include <lib/types.h>

// Print the message and a symbolised backtrace, stop every hart. Any context.
__noreturn void panic(const char *fmt, ...) __printf(1, 2);

#define ASSERT(cond)                                                                               \
    do {                                                                                           \
        if (unlikely(!(cond)))                                                                     \
            panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #cond);                       \
    } while (0)
