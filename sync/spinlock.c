// SPDX-License-Identifier: BSD-2-Clause
// Ticket spinlock: `next` is the ticket drawn by the next comer, `serving` the one that may enter.
//
// Only the holder writes `serving` and `owner`, so unlocking is a plain store with release; its
// partner is the acquiring load of whoever waits for that ticket. `owner` exists for assertions: a
// thread that reads itself there did take the lock, whatever else it reads is only "not me".
#include <arch/thread.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/spinlock.h>

void spin_init(struct spinlock *l)
{
    l->next = l->serving = 0;
    l->owner = NULL;
}

static void spin_entered(struct spinlock *l, struct arch_thread *self)
{
    atomic_store(&l->owner, (const void *)self);
    self->spin_depth++;
}

// Out of line: the wait of a lock that somebody holds.
static __attribute__((noinline)) void spin_wait(struct spinlock *l, uint32_t ticket)
{
    ASSERT(!spin_is_held(l));
    while (atomic_load_acquire(&l->serving) != ticket)
        hart_relax();
}

void spin_lock(struct spinlock *l)
{
    uint32_t ticket = atomic_add_relaxed(&l->next, 1);
    if (unlikely(atomic_load_acquire(&l->serving) != ticket)) // pairs with spin_unlock
        spin_wait(l, ticket);
    spin_entered(l, arch_thread_self());
}

bool spin_trylock(struct spinlock *l)
{
    uint32_t ticket = atomic_load_acquire(&l->serving); // pairs with spin_unlock
    uint32_t expected = ticket;
    // Nobody waits if the next ticket is the one being served.
    if (!atomic_compare_exchange(&l->next, &expected, ticket + 1))
        return false;
    spin_entered(l, arch_thread_self());
    return true;
}

void spin_unlock(struct spinlock *l)
{
    ASSERT(spin_is_held(l));
    atomic_store(&l->owner, (const void *)NULL);
    arch_thread_self()->spin_depth--;
    atomic_store_release(&l->serving, l->serving + 1); // pairs with spin_lock
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
