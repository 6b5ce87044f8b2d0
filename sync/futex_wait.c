// SPDX-License-Identifier: BSD-2-Clause
// Waiting for a word, or for one of several.
//
// Comparing the word and queueing happen under the bucket's lock, and wakers look under the same
// lock: a waker who changed the word before he looked is seen by the comparison, or sees the
// waiter. The word is read by the no-fault accessor; if it isn't there the lock is dropped, the
// page brought in, and all begins anew.
#include "futex_priv.h"

#include <arch/uaccess.h>
#include <errno.h>

void futex_waiter_init(struct futex_waiter *w, uint32_t bitset)
{
    w->thread = port_thread_self();
    w->pi_key = NULL;
    w->bitset = bitset;
    w->bucket = NULL;
    w->woken = false;
    w->owner = NULL;
    w->key.held = false;
    list_init(&w->owned);
}

int futex_check_word(vaddr_t addr, uint32_t expected)
{
    uint32_t value;
    int err = user_load_u32_nofault(addr, &value);
    if (unlikely(err != 0))
        return err;
    return value == expected ? 0 : -EAGAIN;
}

static void futex_queue(struct futex_bucket *b, struct futex_waiter *w, const struct futex_key *key)
{
    w->key = *key;
    if (key->held)
        key->ops->get(key->owner);
    w->priority = port_thread_rt_priority(w->thread);
    futex_ring_add(b, w);
    b->waits++;
    atomic_store(&w->bucket, b);
}

int futex_enqueue(struct futex_waiter *w, const struct futex_key *key, vaddr_t addr,
                  uint32_t expected)
{
    struct futex_bucket *b = futex_bucket_of(key);
    int err;
    do {
        futex_lock_one(b);
        futex_count_in(b);
        err = futex_check_word(addr, expected);
        if (likely(err == 0))
            futex_queue(b, w, key);
        else
            futex_count_out(b);
        spin_unlock(&b->lock);
    } while (unlikely(err == -EFAULT) && (err = port_user_fault_in(addr, false)) == 0);
    return err;
}

int futex_park(struct futex_deadline deadline)
{
    if (deadline.realtime && deadline.ns != TIME_NEVER)
        return port_park_realtime(PARK_INTERRUPTIBLE, deadline.ns);
    return port_park(PARK_INTERRUPTIBLE, deadline.ns);
}

void futex_await_woken(struct futex_waiter *w)
{
    while (!atomic_load_acquire(&w->woken)) // pairs with futex_wake_taken
        (void)port_park(PARK_UNINTERRUPTIBLE, TIME_NEVER);
}

bool futex_leave_bucket(struct futex_waiter *w, struct futex_bucket *b)
{
    futex_lock_one(b);
    bool here = atomic_load(&w->bucket) == b;
    if (likely(here)) {
        futex_ring_remove(b, w);
        futex_count_out(b);
        b->gave_up++;
        atomic_store(&w->bucket, (struct futex_bucket *)NULL);
    }
    spin_unlock(&b->lock);
    return here;
}

bool futex_leave(struct futex_waiter *w)
{
    struct futex_bucket *b;
    while ((b = atomic_load(&w->bucket)) != NULL)
        if (likely(futex_leave_bucket(w, b)))
            return true;
    futex_await_woken(w);
    return false;
}

int futex_wait(const struct futex_key *key, vaddr_t addr, uint32_t expected, uint32_t bitset,
               struct futex_deadline deadline)
{
    if (bitset == 0)
        return -EINVAL;
    // If it differs there is nothing to queue for, and no lock to take.
    int err = futex_check_word(addr, expected);
    if (err == -EAGAIN)
        return err;
    struct futex_waiter w;
    futex_waiter_init(&w, bitset);
    err = futex_enqueue(&w, key, addr, expected);
    if (err != 0)
        return err;
    while (!atomic_load_acquire(&w.woken)) { // pairs with futex_wake_taken
        err = futex_park(deadline);
        if (err != 0) {
            if (!futex_leave(&w))
                err = 0;
            break;
        }
    }
    futex_key_put(&w.key);
    return err;
}

// The first that was woken, or -1.
static int futex_find_woken(const struct futex_waiter *waiters, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++)
        if (atomic_load_acquire(&waiters[i].woken)) // pairs with futex_wake_taken
            return (int)i;
    return -1;
}

// Take out what is still queued. The index of one that was woken, or -1.
static int futex_leave_all(struct futex_waiter *waiters, unsigned int nr)
{
    int index = -1;
    for (unsigned int i = 0; i < nr; i++) {
        if (!futex_leave(&waiters[i]) && index < 0)
            index = (int)i;
        futex_key_put(&waiters[i].key);
    }
    return index;
}

int futex_wait_any(const struct futex_wait_word *words, struct futex_waiter *waiters,
                   unsigned int nr, struct futex_deadline deadline)
{
    unsigned int queued = 0;
    int err = 0;
    while (queued < nr && err == 0) {
        struct futex_waiter *w = &waiters[queued];
        futex_waiter_init(w, ~0U);
        err = futex_enqueue(w, &words[queued].key, words[queued].addr, words[queued].expected);
        if (err == 0)
            queued++;
    }
    while (err == 0 && futex_find_woken(waiters, nr) < 0)
        err = futex_park(deadline);
    int index = futex_leave_all(waiters, queued);
    return index >= 0 ? index : err;
}
