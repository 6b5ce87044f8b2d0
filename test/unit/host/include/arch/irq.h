// SPDX-License-Identifier: BSD-2-Clause
// Host tests: there are no interrupts; the calls only have to nest.
#pragma once

#include <lib/types.h>

typedef unsigned long irq_flags_t;

extern bool host_irqs_off;

static inline irq_flags_t irq_save(void)
{
    irq_flags_t before = host_irqs_off;
    host_irqs_off = true;
    return before;
}

static inline void irq_restore(irq_flags_t flags)
{
    host_irqs_off = flags;
}

static inline void irq_enable(void)
{
    host_irqs_off = false;
}

static inline void irq_disable(void)
{
    host_irqs_off = true;
}

static inline bool irq_is_enabled(void)
{
    return !host_irqs_off;
}
