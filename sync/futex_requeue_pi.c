// SPDX-License-Identifier: BSD-2-Clause
// Waiters of a condition that are to have a lock when they return: FUTEX_CMP_REQUEUE_PI moves them
// to the lock, or gives it to the first, and FUTEX_WAIT_REQUEUE_PI is what they sleep in. Such a
// waiter names the lock from the start (`pi_key`), and nobody may wake it or move it elsewhere.
//
// Locks: both buckets in order of their addresses, then futex_pi's.
#include "futex_priv.h"

#include <arch/uaccess.h>
#include <errno.h>
#include <linux/futex.h>

// FUTEX_CMP_REQUEUE_PI as it goes on under the locks.
struct requeue_pi {
    const struct futex_key *from_key, *to_key;
    struct futex_bucket *from;
    vaddr_t addr;
    uint32_t compare;
    vaddr_t lock_addr;
    uint32_t seen;        // the lock's word before any lock was taken...
    struct thread *owner; // ... and the thread that it names
    int nr_requeue;
};

// Why nothing was done and it has to be tried anew.
#define REQUEUE_DONE        0
#define REQUEUE_AGAIN       1 // the lock's word changed
#define REQUEUE_FAULT_LOCK  2 // ... or isn't there
#define REQUEUE_FAULT_FIRST 3 // the first word isn't there

// The lock's word from what was seen to `value`.
static int requeue_pi_write(const struct requeue_pi *r, uint32_t value)
{
    uint32_t old;
    int err = user_cmpxchg_u32_nofault(r->lock_addr, r->seen, value, &old);
    return err == 0 ? 0 : err > 0 ? REQUEUE_AGAIN : REQUEUE_FAULT_LOCK;
}

// Who has the lock, or *free: nobody, and the first waiter gets it. The word says that somebody
// will wait.
static int requeue_pi_owner(const struct requeue_pi *r, struct futex_waiter *first,
                            struct thread **owner, bool *free)
{
    struct futex_waiter *leader = pi_leader(r->to_key);
    pid_t tid = port_thread_tid(first->thread);
    *free = false;
    // He who was seen may have let go and ended since: then nothing below would be true.
    int changed = futex_check_word(r->lock_addr, r->seen);
    if (changed != 0)
        return changed == -EFAULT ? REQUEUE_FAULT_LOCK : REQUEUE_AGAIN;
    if ((r->seen & FUTEX_TID_MASK) == (uint32_t)tid)
        return -EDEADLK;
    if (leader) {
        *owner = leader->owner;
        if (*owner && !pi_is_owner_in_word(*owner, r->seen))
            return -EINVAL;
    } else if ((r->seen & FUTEX_TID_MASK) == 0) {
        bool more = list_is_linked(&first->peers) && r->nr_requeue > 0;
        *free = true;
        *owner = first->thread;
        return requeue_pi_write(r, (uint32_t)tid | (r->seen & FUTEX_OWNER_DIED) |
                                       (more ? FUTEX_WAITERS : 0));
    } else {
        int err = pi_check_owner(r->owner);
        if (err != 0)
            return err;
        *owner = r->owner;
    }
    return requeue_pi_write(r, r->seen | FUTEX_WAITERS);
}

static int requeue_pi_move(const struct requeue_pi *r, struct futex_waiter *w, struct thread *owner)
{
    if (pi_would_deadlock(w->thread, owner))
        return -EDEADLK;
    futex_ring_remove(r->from, w);
    futex_count_out(r->from);
    futex_rekey(w, r->to_key);
    pi_enqueue(w, owner);
    futex_pi.requeues++;
    return 0;
}

// All locks are held and the first word is what it should be. How many, or an error; REQUEUE_*
// in *retry.
static int requeue_pi_ring(const struct requeue_pi *r, struct list_node *wake, int *retry)
{
    struct futex_waiter *w = futex_ring_find(r->from, r->from_key), *next;
    struct thread *owner = NULL;
    bool free, more = true;
    if (!w)
        return 0;
    if (!w->pi_key || !futex_key_equal(w->pi_key, r->to_key))
        return -EINVAL;
    const struct futex_waiter *last = futex_ring_last(w);
    int err = requeue_pi_owner(r, w, &owner, &free), done = 0;
    if (err > 0) {
        *retry = err;
        return 0;
    }
    if (err < 0)
        return err;
    if (free) {
        next = futex_ring_next(w);
        more = w != last;
        futex_take(r->from, w, wake);
        done = 1;
        w = next;
    }
    for (; more && done - 1 < r->nr_requeue && err == 0; w = next) {
        next = futex_ring_next(w);
        more = w != last;
        if (!w->pi_key || !futex_key_equal(w->pi_key, r->to_key))
            err = -EINVAL;
        else
            err = requeue_pi_move(r, w, owner);
        done += err == 0;
    }
    if (owner)
        pi_refresh(owner);
    return err != 0 ? err : done;
}

// One try: all locks taken and let go. As requeue_pi_ring().
static int requeue_pi_try(struct requeue_pi *r, int *retry)
{
    struct futex_bucket *to = futex_bucket_of(r->to_key);
    struct list_node wake = LIST_INIT(wake);
    futex_lock_two(r->from, to);
    int result = futex_check_word(r->addr, r->compare);
    if (result == 0) {
        spin_lock(&futex_pi.lock);
        result = requeue_pi_ring(r, &wake, retry);
        spin_unlock(&futex_pi.lock);
    } else if (result == -EFAULT) {
        *retry = REQUEUE_FAULT_FIRST;
        result = 0;
    }
    futex_unlock_two(r->from, to);
    futex_wake_taken(&wake);
    if (result == -EBUSY) {
        *retry = REQUEUE_AGAIN;
        result = pi_await_exit(r->owner);
    }
    return result;
}

int futex_requeue_pi(const struct futex_key *from, const struct futex_key *to, int nr_requeue,
                     vaddr_t addr, uint32_t compare, vaddr_t lock_addr)
{
    struct requeue_pi r = {.from_key = from,
                           .to_key = to,
                           .from = futex_bucket_of(from),
                           .addr = addr,
                           .compare = compare,
                           .lock_addr = lock_addr,
                           .nr_requeue = nr_requeue};
    int result, retry;
    if (nr_requeue < 0 || futex_key_equal(from, to))
        return -EINVAL;
    do {
        retry = REQUEUE_DONE;
        result = user_load_u32_nofault(lock_addr, &r.seen);
        if (result == -EFAULT) {
            retry = REQUEUE_FAULT_LOCK;
            result = 0;
        } else if (result == 0) {
            r.owner = pi_find_owner(r.seen);
            result = requeue_pi_try(&r, &retry);
            if (r.owner)
                port_thread_put(r.owner);
        }
        if (retry == REQUEUE_FAULT_LOCK)
            result = port_user_fault_in(lock_addr, true);
        else if (retry == REQUEUE_FAULT_FIRST)
            result = port_user_fault_in(addr, false);
    } while (retry != REQUEUE_DONE && result == 0);
    return result;
}

int futex_wait_requeue_pi(const struct futex_key *key, vaddr_t addr, uint32_t expected,
                          const struct futex_key *lock, vaddr_t lock_addr,
                          struct futex_deadline deadline)
{
    if (futex_key_equal(key, lock))
        return -EINVAL;
    struct futex_waiter w;
    futex_waiter_init(&w, ~0U);
    w.pi_key = lock;
    int err = futex_enqueue(&w, key, addr, expected);
    if (err != 0)
        return err;
    bool moved;
    err = pi_wait(&w, lock_addr, deadline, &moved);
    futex_key_put(&w.key);
    // It can't start over once it was moved: the value has changed.
    return err == -EINTR && moved ? -EAGAIN : err;
}
