// SPDX-License-Identifier: BSD-2-Clause
// Host tests: the kernel's spinlock has its short ways inline (sync/spinlock.h); these are the
// harness's.
#pragma once

#include <arch/irq.h>
#include <lib/types.h>

struct spinlock {
    uint32_t held;
    const void *owner; // the arch_thread that holds it, for assertions
};

#define SPINLOCK_INIT                                                                              \
    {                                                                                              \
        0, NULL                                                                                    \
    }

void spin_init(struct spinlock *l);
void spin_lock(struct spinlock *l);
bool spin_trylock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
irq_flags_t spin_lock_irqsave(struct spinlock *l);
void spin_unlock_irqrestore(struct spinlock *l, irq_flags_t flags);
bool spin_is_held(const struct spinlock *l); // by the calling thread
void spin_assert_held(const struct spinlock *l);
