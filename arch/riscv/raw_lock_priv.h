// SPDX-License-Identifier: BSD-2-Clause
// The lock for arch's own few critical sections, which may not use sync (a layer above). Held with
// interrupts off, for a few dozen instructions, never nested.
#pragma once

#include <arch/irq.h>
#include <lib/atomic.h>

struct raw_lock {
    uint32_t taken;
};

static inline bool raw_lock_try(struct raw_lock *l)
{
    // Acquire: partner is the release in raw_unlock().
    return __atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline irq_flags_t raw_lock(struct raw_lock *l)
{
    irq_flags_t flags = irq_save();
    while (!raw_lock_try(l))
        while (atomic_load(&l->taken))
            continue;
    return flags;
}

static inline void raw_unlock(struct raw_lock *l, irq_flags_t flags)
{
    atomic_store_release(&l->taken, 0);
    irq_restore(flags);
}
