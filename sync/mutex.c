// SPDX-License-Identifier: BSD-2-Clause
// Sleeping lock with an owner. Nobody there: one compare-and-swap takes it, one lets it go. Else
// the unlocker lets it go and wakes the first waiter. Until that one runs others may take the
// mutex: harts that pass it to and fro would sleep each time otherwise. Who has been overtaken once
// gets it handed by the next unlocker, so nobody starves.
//
// `owner` is a thread or none and, in bit 0, whether anybody is queued. While the bit is set,
// `owner` changes under m->lock only. The bit is taken away with the last waiter, so an unlocker
// that finds it finds a waiter or tries again. While anybody is queued every unlocker needs
// m->lock: so nobody can be done with the mutex, and free it, before the unlocker before him let go
// m->lock.
//
// A waiter lives on the waiting thread's stack, queued from mutex_lock() until it owns the mutex or
// gives up; both are decided under m->lock. The unlocker unparks while he still holds m->lock, so
// the waiter, who can't leave before he could take that lock, exists.
#include <arch/thread.h>
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/mutex.h>
#include <sync/port.h>

#include "look_priv.h"

#define QUEUED 1UL

struct mutex_waiter {
    struct list_node node;
    struct thread *thread;
    bool overtaken; // it was awake, and somebody else had the mutex
};

// core's threads begin with their arch_thread (arch/thread.h).
static inline struct thread *mutex_self(void)
{
    return (struct thread *)(void *)arch_thread_self();
}

static inline struct thread *owner_with(struct thread *owner, bool queued)
{
    return (struct thread *)((uintptr_t)owner | (queued ? QUEUED : 0));
}

static inline struct thread *owner_thread(struct thread *owner)
{
    return (struct thread *)((uintptr_t)owner & ~QUEUED);
}

static inline bool owner_is_queued(struct thread *owner)
{
    return (uintptr_t)owner & QUEUED;
}

// Acquire pairs with the release of whoever let go or handed over.
static inline bool owner_change(struct mutex *m, struct thread *from, struct thread *to)
{
    return __atomic_compare_exchange_n(&m->owner, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

void mutex_init(struct mutex *m)
{
    spin_init(&m->lock);
    m->owner = NULL;
    list_init(&m->waiters);
}

// Locked: a waiter gives up.
static void mutex_leave(struct mutex *m, struct mutex_waiter *w)
{
    list_remove(&w->node);
    if (list_is_empty(&m->waiters))
        atomic_store(&m->owner, owner_thread(atomic_load(&m->owner)));
}

// Until nobody has it, or `self`, to whom it was handed; or it takes too long.
static void mutex_look(const struct mutex *m, const struct thread *self)
{
    if (!port_others_run())
        return;
    for (unsigned int i = 0; i < LOOKS_MAX; i++) {
        const struct thread *owner = owner_thread(atomic_load(&m->owner));
        if (owner == NULL || owner == self)
            return;
        hart_relax();
    }
}

// Locked: the mutex is the waiter's if it was handed to him or is free.
static bool mutex_take_queued(struct mutex *m, struct mutex_waiter *w)
{
    struct thread *owner = owner_thread(atomic_load_acquire(&m->owner));
    if (owner == NULL) {
        list_remove(&w->node);
        atomic_store(&m->owner, owner_with(w->thread, !list_is_empty(&m->waiters)));
    }
    return owner == NULL || owner == w->thread;
}

static int mutex_wait(struct mutex *m, struct mutex_waiter *w, enum park_mode mode)
{
    for (;;) {
        int err = port_park(mode, TIME_NEVER);
        mutex_look(m, w->thread);
        spin_lock(&m->lock);
        bool taken = mutex_take_queued(m, w);
        w->overtaken = true;
        if (!taken && err != 0)
            mutex_leave(m, w);
        spin_unlock(&m->lock);
        if (taken)
            return 0;
        if (err != 0)
            return err;
    }
}

static __attribute__((noinline)) int mutex_lock_slow(struct mutex *m, enum park_mode mode)
{
    struct thread *self = mutex_self();
    struct mutex_waiter w = {.thread = self};
    mutex_look(m, self);
    spin_lock(&m->lock);
    for (;;) {
        struct thread *owner = atomic_load(&m->owner);
        bool queued = owner_is_queued(owner);
        if (owner_thread(owner) == NULL) {
            if (!owner_change(m, owner, owner_with(self, queued)))
                continue;
            spin_unlock(&m->lock);
            return 0;
        }
        ASSERT(owner_thread(owner) != self);
        if (queued || owner_change(m, owner, owner_with(owner, true)))
            break;
    }
    list_add_tail(&m->waiters, &w.node);
    spin_unlock(&m->lock);
    return mutex_wait(m, &w, mode);
}

void mutex_lock(struct mutex *m)
{
    if (likely(owner_change(m, NULL, mutex_self())))
        return;
    int err = mutex_lock_slow(m, PARK_UNINTERRUPTIBLE);
    ASSERT(err == 0);
}

int mutex_lock_killable(struct mutex *m)
{
    return owner_change(m, NULL, mutex_self()) ? 0 : mutex_lock_slow(m, PARK_KILLABLE);
}

bool mutex_trylock(struct mutex *m)
{
    return owner_change(m, NULL, mutex_self());
}

// True: let go, or handed over. False: the last waiter has just given up.
static bool mutex_unlock_queued(struct mutex *m)
{
    spin_lock(&m->lock);
    bool queued = !list_is_empty(&m->waiters);
    if (queued) {
        struct mutex_waiter *w = list_first_entry(&m->waiters, struct mutex_waiter, node);
        if (w->overtaken) {
            list_remove(&w->node);
            bool more = !list_is_empty(&m->waiters);
            atomic_store_release(&m->owner, owner_with(w->thread, more));
        } else {
            atomic_store_release(&m->owner, owner_with(NULL, true));
        }
        port_unpark(w->thread);
    }
    spin_unlock(&m->lock);
    return queued;
}

void mutex_unlock(struct mutex *m)
{
    ASSERT(mutex_is_held(m));
    while (unlikely(!owner_change(m, mutex_self(), NULL)))
        if (mutex_unlock_queued(m))
            return;
}

// Racy by design: another thread's write can't make it equal to us.
bool mutex_is_held(const struct mutex *m)
{
    return owner_thread(atomic_load(&m->owner)) == mutex_self();
}

void mutex_assert_held(const struct mutex *m)
{
    ASSERT(mutex_is_held(m));
}
