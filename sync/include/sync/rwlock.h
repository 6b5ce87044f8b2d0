// SPDX-License-Identifier: BSD-2-Clause
// Sleeping reader-writer lock. Fair: a waiting writer stops new readers; waiters are served first
// in, first out, adjacent readers together. While a writer is on its way to the free lock another
// may take it, once. Not recursive for readers. Who comes to write looks for some microseconds
// before he sleeps.
#pragma once

#include <lib/list.h>
#include <sync/spinlock.h>

struct thread;

struct rwlock {
    struct spinlock lock; // guards the rest
    uint32_t nr_readers;  // atomic, as is writer: others look without the lock
    struct thread *writer;
    struct list_node waiters;
};

#define RWLOCK_INIT(name)                                                                          \
    {                                                                                              \
        SPINLOCK_INIT, 0, NULL, LIST_INIT((name).waiters)                                          \
    }

void rwlock_init(struct rwlock *l);
void rwlock_read_lock(struct rwlock *l);
void rwlock_read_unlock(struct rwlock *l);
void rwlock_write_lock(struct rwlock *l);
int rwlock_write_lock_killable(struct rwlock *l); // 0 or -EINTR
void rwlock_write_unlock(struct rwlock *l);
void rwlock_assert_held(const struct rwlock *l);       // by anybody
void rwlock_assert_write_held(const struct rwlock *l); // by the calling thread
