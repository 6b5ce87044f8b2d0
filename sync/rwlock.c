// SPDX-License-Identifier: BSD-2-Clause
// Sleeping reader-writer lock, first in, first out. Whoever lets go grants the lock to the head of
// the queue: one writer, or all readers up to the next writer. So a queued writer stops new readers
// and nobody starves.
//
// A waiter lives on the waiting thread's stack until `granted` is set or it gives up, both under
// l->lock. The granter unparks under l->lock: the waiter takes that lock before he leaves, so he
// exists.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/port.h>
#include <sync/rwlock.h>

struct rwlock_waiter {
    struct list_node node;
    struct thread *thread;
    bool write, granted;
};

void rwlock_init(struct rwlock *l)
{
    spin_init(&l->lock);
    l->nr_readers = 0;
    l->writer = NULL;
    list_init(&l->waiters);
}

// Give a lock that has room to those at the head of the queue.
static void rwlock_grant_locked(struct rwlock *l)
{
    spin_assert_held(&l->lock);
    while (!list_is_empty(&l->waiters) && l->writer == NULL) {
        struct rwlock_waiter *w = list_first_entry(&l->waiters, struct rwlock_waiter, node);
        if (w->write) {
            if (l->nr_readers > 0)
                return;
            atomic_store(&l->writer, w->thread);
        } else {
            l->nr_readers++;
        }
        list_remove(&w->node);
        w->granted = true;
        port_unpark(w->thread);
    }
}

static int rwlock_wait(struct rwlock *l, bool write, enum park_mode mode)
{
    struct rwlock_waiter w = {.thread = port_thread_self(), .write = write};
    list_add_tail(&l->waiters, &w.node);
    for (;;) {
        spin_unlock(&l->lock);
        int err = port_park(mode, TIME_NEVER);
        spin_lock(&l->lock);
        if (!w.granted && err == 0)
            continue;
        if (!w.granted) {
            list_remove(&w.node);
            rwlock_grant_locked(l); // readers who queued behind us alone
        } else {
            err = 0;
        }
        spin_unlock(&l->lock);
        return err;
    }
}

void rwlock_read_lock(struct rwlock *l)
{
    spin_lock(&l->lock);
    if (likely(l->writer == NULL && list_is_empty(&l->waiters))) {
        l->nr_readers++;
        spin_unlock(&l->lock);
        return;
    }
    ASSERT(l->writer != port_thread_self());
    int err = rwlock_wait(l, false, PARK_UNINTERRUPTIBLE);
    ASSERT(err == 0);
}

void rwlock_read_unlock(struct rwlock *l)
{
    spin_lock(&l->lock);
    ASSERT(l->nr_readers > 0);
    if (--l->nr_readers == 0)
        rwlock_grant_locked(l);
    spin_unlock(&l->lock);
}

static int rwlock_write_lock_mode(struct rwlock *l, enum park_mode mode)
{
    struct thread *self = port_thread_self();
    spin_lock(&l->lock);
    if (likely(l->writer == NULL && l->nr_readers == 0 && list_is_empty(&l->waiters))) {
        atomic_store(&l->writer, self);
        spin_unlock(&l->lock);
        return 0;
    }
    ASSERT(l->writer != self);
    return rwlock_wait(l, true, mode);
}

void rwlock_write_lock(struct rwlock *l)
{
    int err = rwlock_write_lock_mode(l, PARK_UNINTERRUPTIBLE);
    ASSERT(err == 0);
}

int rwlock_write_lock_killable(struct rwlock *l)
{
    return rwlock_write_lock_mode(l, PARK_KILLABLE);
}

void rwlock_write_unlock(struct rwlock *l)
{
    rwlock_assert_write_held(l);
    spin_lock(&l->lock);
    atomic_store(&l->writer, (struct thread *)NULL);
    rwlock_grant_locked(l);
    spin_unlock(&l->lock);
}

void rwlock_downgrade(struct rwlock *l)
{
    rwlock_assert_write_held(l);
    spin_lock(&l->lock);
    atomic_store(&l->writer, (struct thread *)NULL);
    l->nr_readers = 1;
    rwlock_grant_locked(l); // readers at the head; a writer there waits for us
    spin_unlock(&l->lock);
}

void rwlock_assert_held(const struct rwlock *l)
{
    ASSERT(atomic_load(&l->writer) == port_thread_self() || atomic_load(&l->nr_readers) > 0);
}

void rwlock_assert_write_held(const struct rwlock *l)
{
    ASSERT(atomic_load(&l->writer) == port_thread_self());
}
