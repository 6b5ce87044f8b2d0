// SPDX-License-Identifier: BSD-2-Clause
// Interrupt enable of the calling hart (sstatus.SIE). Any context.
#pragma once

#include <arch/csr.h>
#include <lib/types.h>

typedef unsigned long irq_flags_t;

// Disable; the result is for irq_restore and nests.
static inline irq_flags_t irq_save(void)
{
    return csr_read_clear(sstatus, SSTATUS_SIE) & SSTATUS_SIE;
}

static inline void irq_restore(irq_flags_t flags)
{
    csr_set(sstatus, flags);
}

static inline void irq_enable(void)
{
    csr_set(sstatus, SSTATUS_SIE);
}

static inline void irq_disable(void)
{
    csr_clear(sstatus, SSTATUS_SIE);
}

static inline bool irq_is_enabled(void)
{
    return csr_read(sstatus) & SSTATUS_SIE;
}
