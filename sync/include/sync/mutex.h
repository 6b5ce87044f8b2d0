// SPDX-License-Identifier: BSD-2-Clause
// Sleeping lock with an owner. First in, first out, but for those who come while the first in the
// queue is on its way to a free mutex; it is overtaken once at most. Whoever finds it held looks
// for some microseconds before he sleeps.
#pragma once

#include <lib/list.h>
#include <sync/spinlock.h>

struct thread;

struct mutex {
    struct thread *owner; // atomic; bit 0: somebody is queued
    struct spinlock lock; // guards the rest
    struct list_node waiters;
};

#define MUTEX_INIT(name)                                                                           \
    {                                                                                              \
        NULL, SPINLOCK_INIT, LIST_INIT((name).waiters)                                             \
    }

void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
int mutex_lock_killable(struct mutex *m); // 0 or -EINTR
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_is_held(const struct mutex *m); // by the calling thread
void mutex_assert_held(const struct mutex *m);
