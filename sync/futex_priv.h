// SPDX-License-Identifier: BSD-2-Clause
// What the parts of the futex code share: buckets, rings of waiters, lists of those to be woken.
//
// The life of a waiter: it lives on its thread's stack and is queued in a bucket (`bucket`) until
// either its own thread takes it out, or a waker does, under the bucket's lock, and sets `bucket`
// to NULL. A waker then owes it `woken`, his last access (release), and its thread waits for that
// before it returns. So a wake is never eaten: who was taken returns as woken, whatever else
// happened. The model of it is test/model/futex.pml.
//
// Order: in a bucket there is one ring of waiters for each key, sorted by priority and then by
// age. Its first waiter leads it and stands for it in the bucket's tree of keys. So waking one of
// many is O(1) after the descent to the key.
//
// A waker who finds nobody counted in the bucket (`nr`) doesn't take its lock. So a waiter is
// counted before he looks at the word, with a fence between, as there is one between the waker's
// change of the word and his look at the count: one of the two sees the other.
//
// Lock order: buckets by address, then futex_pi's; below them run queues and the tid table.
#pragma once

#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/futex.h>
#include <sync/port.h>
#include <sync/spinlock.h>

struct futex_bucket {
    struct spinlock lock; // guards the rest
    struct rb_root keys;  // leaders
    uint32_t nr;          // queued, or about to be; read without the lock by futex_is_idle()
    uint32_t nr_pi;       // waiters for locks whose words hash to here; atomic, under futex_pi's
    uint64_t waits, wakes, gave_up, requeues, collisions;
};

#ifndef FUTEX_BUCKETS
#define FUTEX_BUCKETS (256 * NR_CPUS_MAX)
#endif
extern struct futex_bucket futex_buckets[FUTEX_BUCKETS];

static inline struct futex_bucket *futex_bucket_of(const struct futex_key *key)
{
    // Multiplying by an odd number near 2^64/phi spreads nearby words; the top bits are the best.
    uint64_t h = (uint64_t)key->owner / 16 + key->index * PAGE_SIZE + key->offset / 4;
    return &futex_buckets[(h * 0x9e3779b97f4a7c15ULL) >> 32 & (FUTEX_BUCKETS - 1)];
}

// Every waiter for a lock is here, whatever its word hashes to: chains of owners cross buckets, and
// under one lock a chain can be walked. Its `keys` are the locks that somebody waits for.
extern struct futex_bucket futex_pi;
extern uint64_t pi_nr_boosts; // under the same lock

static inline void futex_lock_one(struct futex_bucket *b)
{
    ASSERT(!spin_is_held(&futex_pi.lock)); // the order
    spin_lock(&b->lock);
}
bool futex_key_equal(const struct futex_key *a, const struct futex_key *b);
void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b);

// One more is counted, who then looks at a word or has been moved here. Under the bucket's lock.
static inline void futex_count_in(struct futex_bucket *b)
{
    atomic_store(&b->nr, b->nr + 1);
    atomic_fence(); // partner: the fence in futex_is_idle()
}

static inline void futex_count_out(struct futex_bucket *b)
{
    atomic_store(&b->nr, b->nr - 1);
}

// nr of them go from one to the other, under both locks. In this order: who finds nobody counted at
// the one has to find them at the other.
static inline void futex_count_move(struct futex_bucket *from, struct futex_bucket *to,
                                    unsigned int nr)
{
    atomic_store(&to->nr, to->nr + nr);
    atomic_fence(); // partner: the fence in futex_is_idle()
    atomic_store(&from->nr, from->nr - nr);
}

// Nobody waits for a word or a lock of this bucket, as far as the caller owes him a wake.
static inline bool futex_is_idle(const struct futex_bucket *b)
{
    atomic_fence(); // partner: the fence in futex_count_in()
    return (atomic_load(&b->nr) | atomic_load(&b->nr_pi)) == 0;
}

// The ring of a key: its leader, or NULL.
struct futex_waiter *futex_ring_find(const struct futex_bucket *b, const struct futex_key *key);
void futex_ring_add(struct futex_bucket *b, struct futex_waiter *w);
void futex_ring_remove(struct futex_bucket *b, struct futex_waiter *w);
// Take `leader` and all before `rest` out: a ring outside the tree. `rest` leads those who stay;
// NULL: nobody stays.
void futex_ring_cut(struct futex_bucket *b, struct futex_waiter *leader, struct futex_waiter *rest);
// Add such a ring, which begins with `first`; all of it has one key.
void futex_ring_add_all(struct futex_bucket *b, struct futex_waiter *first);
static inline struct futex_waiter *futex_ring_next(const struct futex_waiter *w)
{
    return list_first_entry(&w->peers, struct futex_waiter, peers);
}
// NULL: he is alone.
static inline struct futex_waiter *futex_ring_second(const struct futex_waiter *leader)
{
    return list_is_linked(&leader->peers) ? futex_ring_next(leader) : NULL;
}
static inline struct futex_waiter *futex_ring_last(const struct futex_waiter *leader)
{
    return list_last_entry(&leader->peers, struct futex_waiter, peers);
}

// Take `w` out for waking; it goes to the end of `wake`, for futex_wake_taken() once no lock is
// held any more.
void futex_take(struct futex_bucket *b, struct futex_waiter *w, struct list_node *wake);
void futex_wake_taken(struct list_node *wake);
// Another key, with a reference. The caller holds one on the old key's owner.
void futex_rekey(struct futex_waiter *w, const struct futex_key *key);

// The word at `addr` is `expected` and `w` is queued; or -EAGAIN, -EFAULT.
void futex_waiter_init(struct futex_waiter *w, uint32_t bitset);
int futex_enqueue(struct futex_waiter *w, const struct futex_key *key, vaddr_t addr,
                  uint32_t expected);
// Take the own waiter, which no lock is waited for with, out of its bucket. False: a waker was
// first, and it is woken.
bool futex_leave(struct futex_waiter *w);
// ... out of bucket `b`. False: it isn't there any more.
bool futex_leave_bucket(struct futex_waiter *w, struct futex_bucket *b);
int futex_park(struct futex_deadline deadline); // as port_park(), interruptible
// A waker took `w`: until he lets go of it.
void futex_await_woken(struct futex_waiter *w);
// The word at addr under a lock: 0 if it is `expected`, -EAGAIN if not, -EFAULT if it isn't there.
int futex_check_word(vaddr_t addr, uint32_t expected);

// Under the lock of futex_pi.
int pi_priority(struct thread *t);                             // set or inherited
void pi_enqueue(struct futex_waiter *w, struct thread *owner); // owner: if it is the first
struct thread *pi_dequeue(struct futex_waiter *w);             // the owner
// `next`, the first in line, has the lock; the others wait for him now.
void pi_hand_over(struct futex_waiter *next, struct list_node *wake);
void pi_refresh(struct thread *t); // its boost, and all that follows from it
// Would `t`, waiting for `owner`, wait for itself? Also if the chain is too long to tell.
bool pi_would_deadlock(const struct thread *t, struct thread *owner);
// Who has the lock of this key: the leader's owner.
static inline struct futex_waiter *pi_leader(const struct futex_key *key)
{
    return futex_ring_find(&futex_pi, key);
}

// Is `owner`, found by the TID in a lock's word, one to wait for? 0, -ESRCH, -EPERM, -EBUSY (it is
// exiting: pi_await_exit()). NULL: there is none. Under the lock of futex_pi.
int pi_check_owner(struct thread *owner);
// Is `owner`, of the ring, who the lock's word says? Once his robust list was walked it says
// nobody, and pi_thread_end_exit() has yet to tell the ring (test/model/futex_pi.pml).
bool pi_is_owner_in_word(struct thread *owner, uint32_t word);
// Until it has given up its locks; or -EINTR.
int pi_await_exit(struct thread *owner);
// The owner that a word names, with a reference, or NULL.
struct thread *pi_find_owner(uint32_t word);

// Wait for the lock at addr, which `w` is queued for, is about to be moved to, or was given
// already. 0, -ETIMEDOUT, -EINTR, -EFAULT. *moved: it waited for the lock when it gave up.
int pi_wait(struct futex_waiter *w, vaddr_t addr, struct futex_deadline deadline, bool *moved);
