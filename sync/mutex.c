// SPDX-License-Identifier: BSD-2-Clause
// Sleeping lock with an owner. The unlocker hands the mutex to the first waiter before he wakes
// him: nobody overtakes, and a waiter that finds himself the owner is done, whatever woke him.
//
// A waiter lives on the waiting thread's stack, queued from mutex_lock() until it owns the mutex or
// gives up; both are decided under m->lock. The unlocker unparks while he still holds m->lock, so
// the waiter, who can't leave before he could take that lock or see his grant, exists.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/mutex.h>
#include <sync/port.h>

struct mutex_waiter {
    struct list_node node;
    struct thread *thread;
};

void mutex_init(struct mutex *m)
{
    spin_init(&m->lock);
    m->owner = NULL;
    list_init(&m->waiters);
}

// Queued and asleep until granted. The grant is `owner`, written under m->lock.
static int mutex_wait(struct mutex *m, struct mutex_waiter *w, enum park_mode mode)
{
    for (;;) {
        int err = port_park(mode, TIME_NEVER);
        spin_lock(&m->lock);
        bool granted = m->owner == w->thread;
        if (!granted && err != 0)
            list_remove(&w->node);
        spin_unlock(&m->lock);
        if (granted)
            return 0;
        if (err != 0)
            return err;
    }
}

static int mutex_lock_mode(struct mutex *m, enum park_mode mode)
{
    struct thread *self = port_thread_self();
    spin_lock(&m->lock);
    if (likely(m->owner == NULL)) {
        atomic_store(&m->owner, self);
        spin_unlock(&m->lock);
        return 0;
    }
    ASSERT(m->owner != self);
    struct mutex_waiter w = {.thread = self};
    list_add_tail(&m->waiters, &w.node);
    spin_unlock(&m->lock);
    return mutex_wait(m, &w, mode);
}

void mutex_lock(struct mutex *m)
{
    int err = mutex_lock_mode(m, PARK_UNINTERRUPTIBLE);
    ASSERT(err == 0);
}

int mutex_lock_killable(struct mutex *m)
{
    return mutex_lock_mode(m, PARK_KILLABLE);
}

bool mutex_trylock(struct mutex *m)
{
    spin_lock(&m->lock);
    bool taken = m->owner == NULL;
    if (taken)
        atomic_store(&m->owner, port_thread_self());
    spin_unlock(&m->lock);
    return taken;
}

void mutex_unlock(struct mutex *m)
{
    ASSERT(mutex_is_held(m));
    spin_lock(&m->lock);
    if (likely(list_is_empty(&m->waiters))) {
        atomic_store(&m->owner, (struct thread *)NULL);
    } else {
        struct mutex_waiter *w = list_first_entry(&m->waiters, struct mutex_waiter, node);
        list_remove(&w->node);
        atomic_store(&m->owner, w->thread);
        port_unpark(w->thread);
    }
    spin_unlock(&m->lock);
}

// Racy by design: another thread's write can't make it equal to us.
bool mutex_is_held(const struct mutex *m)
{
    return atomic_load(&m->owner) == port_thread_self();
}

void mutex_assert_held(const struct mutex *m)
{
    ASSERT(mutex_is_held(m));
}
