// SPDX-License-Identifier: BSD-2-Clause
// Test-and-set spinlock. Waiters read until the word is free before they try again, so that they
// share its cache line.
//
// Taking is an exchange with acquire, letting go a store with release: partners. `owner` exists for
// assertions: a thread that reads itself there did take the lock, whatever else it reads is only
// "not me".
#include <arch/thread.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/spinlock.h>

void spin_init(struct spinlock *l)
{
    l->held = 0;
    l->owner = NULL;
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

// Out of line: the wait for a lock that somebody holds.
static __attribute__((noinline)) void spin_wait(struct spinlock *l)
{
    ASSERT(!spin_is_held(l));
    do {
        while (atomic_load(&l->held) != 0)
            hart_relax();
    } while (!spin_try(l));
}

void spin_lock(struct spinlock *l)
{
    if (unlikely(!spin_try(l)))
        spin_wait(l);
    spin_entered(l);
}

bool spin_trylock(struct spinlock *l)
{
    if (atomic_load(&l->held) != 0 || !spin_try(l))
        return false;
    spin_entered(l);
    return true;
}

void spin_unlock(struct spinlock *l)
{
    ASSERT(spin_is_held(l));
    atomic_store(&l->owner, (const void *)NULL);
    arch_thread_self()->spin_depth--;
    atomic_store_release(&l->held, 0); // pairs with spin_try
}

irq_flags_t spin_lock_irqsave(struct spinlock *l)
{
    irq_flags_t flags = irq_save();
    spin_lock(l);
    return flags;
}

void spin_unlock_irqrestore(struct spinlock *l, irq_flags_t flags)
{
    spin_unlock(l);
    irq_restore(flags);
}

bool spin_is_held(const struct spinlock *l)
{
    return atomic_load(&l->owner) == arch_thread_self();
}

void spin_assert_held(const struct spinlock *l)
{
    ASSERT(spin_is_held(l));
}

void spin_hand_over(struct spinlock *l, struct arch_thread *from, struct arch_thread *to)
{
    ASSERT(atomic_load(&l->owner) == from);
    atomic_store(&l->owner, (const void *)to);
    from->spin_depth--;
    to->spin_depth++;
}
