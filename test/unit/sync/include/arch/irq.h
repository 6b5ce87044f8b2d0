// SPDX-License-Identifier: BSD-2-Clause
// Host tests of sync: threads of the host, no interrupts.
#pragma once

#include <lib/types.h>

typedef unsigned long irq_flags_t;

static inline irq_flags_t irq_save(void)
{
    return 0;
}

static inline void irq_restore(irq_flags_t flags)
{
}
