// SPDX-License-Identifier: BSD-2-Clause
// Locks for single-threaded host tests: nothing ever waits, so whatever would have to wait is a
// deadlock and panics, and so does sleeping with a spinlock held.
#include <lib/assert.h>
#include <sync/mutex.h>
#include <sync/rwlock.h>
#include <sync/spinlock.h>
#include <sync/wait_queue.h>

#include "host.h"

int host_locks_held;
static int spinlocks_held;
static char self;

#define SELF ((struct thread *)&self)

void spin_init(struct spinlock *l)
{
    *l = (struct spinlock)SPINLOCK_INIT;
}

void spin_lock(struct spinlock *l)
{
    ASSERT(!l->owner);
    l->owner = &self;
    spinlocks_held++;
    host_locks_held++;
}

bool spin_trylock(struct spinlock *l)
{
    if (l->owner)
        return false;
    spin_lock(l);
    return true;
}

void spin_unlock(struct spinlock *l)
{
    ASSERT(l->owner);
    l->owner = NULL;
    spinlocks_held--;
    host_locks_held--;
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
    return l->owner != NULL;
}

void spin_assert_held(const struct spinlock *l)
{
    ASSERT(l->owner);
}

static void assert_may_sleep(void)
{
    ASSERT(spinlocks_held == 0 && !host_irqs_off);
}

void mutex_init(struct mutex *m)
{
    spin_init(&m->lock);
    m->owner = NULL;
    list_init(&m->waiters);
}

void mutex_lock(struct mutex *m)
{
    assert_may_sleep();
    ASSERT(!m->owner);
    m->owner = SELF;
    host_locks_held++;
}

void mutex_unlock(struct mutex *m)
{
    ASSERT(m->owner);
    m->owner = NULL;
    host_locks_held--;
}

bool mutex_trylock(struct mutex *m)
{
    if (m->owner)
        return false;
    mutex_lock(m);
    return true;
}

bool mutex_is_held(const struct mutex *m)
{
    return m->owner != NULL;
}

void mutex_assert_held(const struct mutex *m)
{
    ASSERT(m->owner);
}

// Nobody holds a page table when another cursor wants it: there is one thread.
// Weak: the tests of fs bring their own.
__attribute__((weak)) int port_park(enum park_mode mode, uint64_t deadline_ns)
{
    (void)mode;
    (void)deadline_ns;
    panic("a table is locked already");
}

__attribute__((weak)) void wait_queue_init(struct wait_queue *q)
{
    spin_init(&q->lock);
    list_init(&q->waiters);
}

__attribute__((weak)) void waiter_init(struct waiter *w, bool exclusive)
{
    (void)w;
    (void)exclusive;
}

__attribute__((weak)) void wait_queue_add(struct wait_queue *q, struct waiter *w)
{
    (void)q;
    (void)w;
}

__attribute__((weak)) void wait_queue_remove(struct wait_queue *q, struct waiter *w)
{
    (void)q;
    (void)w;
}

__attribute__((weak)) void wait_queue_wake_all(struct wait_queue *q)
{
    (void)q;
}

void rwlock_init(struct rwlock *l)
{
    spin_init(&l->lock);
    l->nr_readers = 0;
    l->writer = NULL;
    list_init(&l->waiters);
}

void rwlock_read_lock(struct rwlock *l)
{
    assert_may_sleep();
    // Not recursive: a writer that queues between two read locks of a thread is a deadlock.
    ASSERT(!l->writer && l->nr_readers == 0);
    l->nr_readers++;
    host_locks_held++;
}

void rwlock_read_unlock(struct rwlock *l)
{
    ASSERT(l->nr_readers > 0);
    l->nr_readers--;
    host_locks_held--;
}

void rwlock_write_lock(struct rwlock *l)
{
    assert_may_sleep();
    ASSERT(!l->writer && l->nr_readers == 0);
    l->writer = SELF;
    host_locks_held++;
}

void rwlock_write_unlock(struct rwlock *l)
{
    ASSERT(l->writer);
    l->writer = NULL;
    host_locks_held--;
}

void rwlock_assert_held(const struct rwlock *l)
{
    ASSERT(l->writer || l->nr_readers > 0);
}

void rwlock_assert_write_held(const struct rwlock *l)
{
    ASSERT(l->writer);
}

uint64_t host_memlock = UINT64_MAX;

uint64_t port_memlock_limit(void)
{
    return host_memlock;
}

int port_relax(enum park_mode mode)
{
    (void)mode;
    return 0;
}
