// SPDX-License-Identifier: BSD-2-Clause
// Spinlock: never sleeps. Not fair: whichever waiter looks first gets it, so that a waiter whose
// virtual hart isn't running just then holds up nobody behind it (sync/README.md). While held the
// thread may not sleep (arch_thread.spin_depth counts). A lock that interrupt handlers take as well
// must be taken with the _irqsave form everywhere. Lock order: sync/README.md.
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

// The scheduler's: a lock that `from` took is let go by `to` after the switch between them.
struct arch_thread;
void spin_hand_over(struct spinlock *l, struct arch_thread *from, struct arch_thread *to);
