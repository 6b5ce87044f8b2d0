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

void spin_wait(struct spinlock *l)
{
    ASSERT(!spin_is_held(l));
    do {
        while (atomic_load(&l->held) != 0)
            hart_relax();
    } while (!spin_try(l));
}

void spin_not_held(void)
{
    panic("a spinlock that this thread doesn't hold");
}

bool spin_trylock(struct spinlock *l)
{
    if (atomic_load(&l->held) != 0 || !spin_try(l))
        return false;
    spin_entered(l);
    return true;
}

void spin_hand_over(struct spinlock *l, struct arch_thread *from, struct arch_thread *to)
{
    ASSERT(atomic_load(&l->owner) == from);
    atomic_store(&l->owner, (const void *)to);
    from->spin_depth--;
    to->spin_depth++;
}
