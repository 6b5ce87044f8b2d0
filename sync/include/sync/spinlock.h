// SPDX-License-Identifier: BSD-2-Clause
// Spinlock: never sleeps. Not fair: whichever waiter looks first gets it, so that a waiter whose
// virtual hart isn't running just then holds up nobody behind it (sync/README.md). While held the
// thread may not sleep (arch_thread.spin_depth counts). A lock that interrupt handlers take as well
// must be taken with the _irqsave form everywhere. Lock order: sync/README.md.
#pragma once

#include <arch/irq.h>
#include <arch/thread.h>
#include <lib/atomic.h>
#include <lib/types.h>

struct spinlock {
    uint32_t held;
    const void *owner; // the arch_thread that holds it, for assertions
};

#define SPINLOCK_INIT                                                                              \
    {                                                                                              \
        0, NULL                                                                                    \
    }

// Out of line: the wait for a lock that somebody holds, a broken invariant, and what is rare.
void spin_wait(struct spinlock *l);
__noreturn void spin_not_held(void);
void spin_init(struct spinlock *l);
bool spin_trylock(struct spinlock *l);

static inline bool spin_is_held(const struct spinlock *l) // by the calling thread
{
    return atomic_load(&l->owner) == arch_thread_self();
}

static inline void spin_assert_held(const struct spinlock *l)
{
    if (unlikely(!spin_is_held(l)))
        spin_not_held();
}

static inline bool spin_try(struct spinlock *l)
{
    return __atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE) == 0; // pairs with spin_unlock
}

static inline void spin_entered(struct spinlock *l)
{
    struct arch_thread *self = arch_thread_self();
    atomic_store(&l->owner, (const void *)self);
    self->spin_depth++;
}

static inline void spin_lock(struct spinlock *l)
{
    if (unlikely(!spin_try(l)))
        spin_wait(l);
    spin_entered(l);
}

static inline void spin_unlock(struct spinlock *l)
{
    spin_assert_held(l);
    atomic_store(&l->owner, (const void *)NULL);
    arch_thread_self()->spin_depth--;
    atomic_store_release(&l->held, 0); // pairs with spin_try
}

static inline irq_flags_t spin_lock_irqsave(struct spinlock *l)
{
    irq_flags_t flags = irq_save();
    spin_lock(l);
    return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *l, irq_flags_t flags)
{
    spin_unlock(l);
    irq_restore(flags);
}

// The scheduler's: a lock that `from` took is let go by `to` after the switch between them.
struct arch_thread;
void spin_hand_over(struct spinlock *l, struct arch_thread *from, struct arch_thread *to);
