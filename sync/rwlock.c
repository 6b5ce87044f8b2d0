// SPDX-License-Identifier: BSD-2-Clause
// Sleeping reader-writer lock, first in, first out. Whoever lets go grants the lock to readers at
// the head of the queue, all up to the next writer. A writer there is woken, and granted the lock
// if he was awake before and found it taken: until he runs other writers may have it, who would
// sleep each time if harts passed it to and fro. A queued writer stops new readers. So nobody
// starves.
//
// A waiter lives on the waiting thread's stack until he has the lock or gives up, both under
// l->lock. The granter unparks under l->lock: the waiter takes that lock before he leaves, so he
// exists.
#include <arch/thread.h>
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/port.h>
#include <sync/rwlock.h>

#include "look_priv.h"

struct rwlock_waiter {
    struct list_node node;
    struct thread *thread;
    bool write, granted;
    bool overtaken; // it was awake, and somebody else had the lock
};

void rwlock_init(struct rwlock *l)
{
    spin_init(&l->lock);
    l->nr_readers = 0;
    l->writer = NULL;
    list_init(&l->waiters);
}

static inline bool rwlock_is_free(const struct rwlock *l)
{
    return l->writer == NULL && l->nr_readers == 0;
}

static inline void rwlock_set_readers(struct rwlock *l, unsigned int nr)
{
    atomic_store(&l->nr_readers, nr);
}

// Until it seems to be free, or it takes too long.
static void rwlock_look(const struct rwlock *l)
{
    if (!port_others_run())
        return;
    for (unsigned int i = 0; i < LOOKS_MAX; i++) {
        if (atomic_load(&l->writer) == NULL && atomic_load(&l->nr_readers) == 0)
            return;
        hart_relax();
    }
}

// Give a lock that has room to those at the head of the queue, or tell them of it.
static void rwlock_grant_locked(struct rwlock *l)
{
    spin_assert_held(&l->lock);
    while (!list_is_empty(&l->waiters) && l->writer == NULL) {
        struct rwlock_waiter *w = list_first_entry(&l->waiters, struct rwlock_waiter, node);
        if (w->write && l->nr_readers > 0)
            return;
        if (w->write && !w->overtaken) {
            port_unpark(w->thread);
            return;
        }
        if (w->write)
            atomic_store(&l->writer, w->thread);
        else
            rwlock_set_readers(l, l->nr_readers + 1);
        list_remove(&w->node);
        w->granted = true;
        port_unpark(w->thread);
    }
}

// A writer at the head, awake, finds it free.
static bool rwlock_take_locked(struct rwlock *l, struct rwlock_waiter *w)
{
    if (w->granted || !w->write || !rwlock_is_free(l) || l->waiters.next != &w->node)
        return w->granted;
    atomic_store(&l->writer, w->thread);
    list_remove(&w->node);
    return true;
}

static int rwlock_wait(struct rwlock *l, bool write, enum park_mode mode)
{
    struct rwlock_waiter w = {.thread = port_thread_self(), .write = write};
    list_add_tail(&l->waiters, &w.node);
    for (;;) {
        spin_unlock(&l->lock);
        int err = port_park(mode, TIME_NEVER);
        spin_lock(&l->lock);
        bool taken = rwlock_take_locked(l, &w);
        w.overtaken = true;
        if (!taken && err == 0)
            continue;
        if (!taken) {
            list_remove(&w.node);
            rwlock_grant_locked(l); // who queued behind us
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
        rwlock_set_readers(l, l->nr_readers + 1);
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
    rwlock_set_readers(l, l->nr_readers - 1);
    if (l->nr_readers == 0)
        rwlock_grant_locked(l);
    spin_unlock(&l->lock);
}

// Free, and nobody has a claim to it: readers in the queue are granted the lock, not left behind.
static bool rwlock_may_write(const struct rwlock *l)
{
    if (!rwlock_is_free(l))
        return false;
    if (likely(list_is_empty(&l->waiters)))
        return true;
    const struct rwlock_waiter *first = list_first_entry(&l->waiters, struct rwlock_waiter, node);
    return first->write && !first->overtaken;
}

static int rwlock_write_lock_mode(struct rwlock *l, enum park_mode mode)
{
    struct thread *self = port_thread_self();
    if (unlikely(atomic_load(&l->writer) != NULL))
        rwlock_look(l);
    spin_lock(&l->lock);
    if (likely(rwlock_may_write(l))) {
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

void rwlock_assert_held(const struct rwlock *l)
{
    ASSERT(atomic_load(&l->writer) == port_thread_self() || atomic_load(&l->nr_readers) > 0);
}

void rwlock_assert_write_held(const struct rwlock *l)
{
    ASSERT(atomic_load(&l->writer) == port_thread_self());
}
