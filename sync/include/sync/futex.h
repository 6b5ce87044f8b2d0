// SPDX-License-Identifier: BSD-2-Clause
// Futexes: futex(2), futex_waitv(2), shared/abi/futex.md. Keys are opaque here: mm builds them
// (mm/vm_futex.h), core decodes the calls (core/sys_futex.c) and walks robust lists. A fault on
// the user word is resolved in here, by port_user_fault_in(), with no lock held.
//
// All of these are called by user threads with no spinlock held. Deadlines are absolute. Errors
// common to all: -EFAULT (the word can't be accessed), -EINVAL (bitset 0, counts below 0).
#pragma once

#include <lib/list.h>
#include <lib/rbtree.h>
#include <lib/types.h>

struct thread;
struct futex_bucket;

// What a key's owner is kept in memory by.
struct futex_key_ops {
    void (*get)(const void *owner);
    void (*put)(const void *owner); // never the last one under a lock; may sleep when it is
};

struct futex_key {
    const void *owner; // the vm_map (private) or vm_object (shared)
    uint64_t index;    // address of the page (private), or its index in the object
    uint32_t offset;   // in the page; the lowest bits tell kinds of keys apart
    bool held;         // this copy holds a reference on the owner
    const struct futex_key_ops *ops;
};

static inline void futex_key_put(struct futex_key *key)
{
    if (key->held)
        key->ops->put(key->owner);
    key->held = false;
}

struct futex_deadline {
    uint64_t ns;   // TIME_NEVER: none
    bool realtime; // of the wall clock, which may be set; else monotonic
};

// One wait for one word, on the waiting thread's stack (see sync/futex_priv.h for its life). To
// callers it is opaque.
struct futex_waiter {
    struct rb_node node;            // among the keys of its bucket, if it leads its key's ring
    struct list_node peers;         // the ring of waiters with the same key, in order of service
    struct thread *thread;          // constant, like all down to pi_key
    const struct futex_key *pi_key; // of the lock to be moved to (WAIT_REQUEUE_PI), else NULL
    uint32_t bitset;
    struct futex_key key;        // changed by a requeue under both buckets' locks
    struct futex_bucket *bucket; // likewise; NULL: a waker took it. Read without, checked under it
    int priority;                // real-time, 0 for normal; of a lock's waiter: with inheritance
    bool leads;
    bool woken; // the waker's last access
    // Of the leader of a lock's ring: who has the lock (NULL: he died), in that one's pi_thread.
    struct thread *owner;
    struct list_node owned;
};

void futex_init(void);

// Sleep while the u32 at user address `addr`, named by `key`, equals `expected`. 0 woken;
// -EAGAIN the value differs; -ETIMEDOUT; -EINTR.
int futex_wait(const struct futex_key *key, vaddr_t addr, uint32_t expected, uint32_t bitset,
               struct futex_deadline deadline);

// Sleep while every word has its value. waiters: nr of them, uninitialised memory. The index of one
// that was woken, or an error as above.
struct futex_wait_word {
    struct futex_key key;
    vaddr_t addr;
    uint32_t expected;
};
int futex_wait_any(const struct futex_wait_word *words, struct futex_waiter *waiters,
                   unsigned int nr, struct futex_deadline deadline);

// Wake up to nr waiters (at least one, as Linux does) whose bitset meets `bitset`: by real-time
// priority, then first in, first out. How many; -EINVAL also if one of them waits for a lock.
int futex_wake(const struct futex_key *key, int nr, uint32_t bitset);

// FUTEX_WAKE_OP: change the word at addr2 as `op` says, wake nr at `key`, and nr2 at key2 if the
// old value compares. How many; -ENOSYS: no such operation, nothing was done.
int futex_wake_op(const struct futex_key *key, int nr, const struct futex_key *key2, vaddr_t addr2,
                  int nr2, uint32_t op);

// Wake nr_wake, move nr_requeue to `to`. With `compare`, -EAGAIN if the word at addr isn't
// *compare. How many were woken plus moved.
int futex_requeue(const struct futex_key *from, const struct futex_key *to, int nr_wake,
                  int nr_requeue, vaddr_t addr, const uint32_t *compare);

// Locks with priority inheritance. 0: the word holds the caller's TID. -EDEADLK: it did already, or
// a chain of owners leads back; -ESRCH no such owner; -EPERM a kernel thread; -EINVAL the word and
// its waiters disagree; -EINTR: start over after the signal; -EAGAIN: taken (try alone).
int futex_lock_pi(const struct futex_key *key, vaddr_t addr, struct futex_deadline deadline,
                  bool try);
// To the first in line, if there is one. -EPERM: not the caller's.
int futex_unlock_pi(const struct futex_key *key, vaddr_t addr);
// Wait at `key` to be moved to the lock at `lock`, then for the lock. 0: the lock is the caller's.
// -EINTR: interrupted before it was moved; -EAGAIN: the value differs, or interrupted afterwards.
int futex_wait_requeue_pi(const struct futex_key *key, vaddr_t addr, uint32_t expected,
                          const struct futex_key *lock, vaddr_t lock_addr,
                          struct futex_deadline deadline);
// Give the lock at `to` to the first waiter at `from`, if it is free, and move up to nr_requeue
// more to it (one more if it isn't). How many. Errors as of futex_lock_pi() and futex_requeue().
int futex_requeue_pi(const struct futex_key *from, const struct futex_key *to, int nr_requeue,
                     vaddr_t addr, uint32_t compare, vaddr_t lock_addr);

// Counted since boot. Who waited was woken (or got the lock), or gave up, for a timeout or a
// signal; waits is their sum and those who wait now. collisions: a waiter met another key in its
// bucket.
struct futex_stats {
    uint64_t waits, wakes, gave_up, requeues, collisions, pi_boosts;
};
void futex_stats(struct futex_stats *stats);
