// SPDX-License-Identifier: BSD-2-Clause
// Moving waiters from one word to another. Both buckets are locked, in order of their addresses. A
// moved waiter's own thread sleeps on and finds its new place, should it want to leave, by
// `bucket`.
#include "futex_priv.h"

#include <errno.h>

// Move the first of the ring that `leader` leads, up to nr of them. Each gets the new key, but they
// leave and join as one ring. How many; -EINVAL: one waits to be moved to a lock.
static int futex_move(struct futex_bucket *from, struct futex_bucket *to,
                      struct futex_waiter *leader, const struct futex_key *key, int nr)
{
    struct futex_waiter *w = leader;
    int moved = 0;
    while (moved < nr && w && !w->pi_key) {
        futex_rekey(w, key);
        atomic_store(&w->bucket, to);
        moved++;
        w = futex_ring_next(w);
        if (w == leader)
            w = NULL;
    }
    if (likely(moved > 0)) {
        futex_count_move(from, to, (unsigned int)moved);
        futex_ring_cut(from, leader, w);
        futex_ring_add_all(to, leader);
        to->requeues += (unsigned int)moved;
    }
    return unlikely(moved < nr && w) ? -EINVAL : moved;
}

// The same to where they are already.
static int futex_count(const struct futex_waiter *leader, int nr)
{
    const struct futex_waiter *w = leader;
    int counted = 0;
    do {
        if (unlikely(w->pi_key))
            return -EINVAL;
        counted++;
        w = futex_ring_next(w);
    } while (counted < nr && w != leader);
    return counted;
}

// Wake nr_wake of the ring and move nr_requeue. How many in all, or -EINVAL.
static int futex_requeue_ring(struct futex_bucket *from, struct futex_bucket *to,
                              const struct futex_key *from_key, const struct futex_key *to_key,
                              int nr_wake, int nr_requeue, struct list_node *wake)
{
    struct futex_waiter *w = futex_ring_find(from, from_key), *next;
    int done = 0;
    for (; w && done < nr_wake; w = next) {
        next = futex_ring_second(w);
        if (unlikely(w->pi_key))
            return -EINVAL;
        futex_take(from, w, wake);
        done++;
    }
    if (!w || nr_requeue == 0)
        return done;
    int moved = unlikely(futex_key_equal(from_key, to_key))
                    ? futex_count(w, nr_requeue)
                    : futex_move(from, to, w, to_key, nr_requeue);
    return moved < 0 ? moved : done + moved;
}

int futex_requeue(const struct futex_key *from, const struct futex_key *to, int nr_wake,
                  int nr_requeue, vaddr_t addr, const uint32_t *compare)
{
    if (nr_wake < 0 || nr_requeue < 0)
        return -EINVAL;
    struct futex_bucket *a = futex_bucket_of(from), *b = futex_bucket_of(to);
    struct list_node wake = LIST_INIT(wake);
    int result = compare ? futex_check_word(addr, *compare) : 0;
    if (result == -EAGAIN || (result == 0 && futex_is_idle(a)))
        return result;
    do {
        futex_lock_two(a, b);
        result = compare ? futex_check_word(addr, *compare) : 0;
        if (likely(result == 0))
            result = futex_requeue_ring(a, b, from, to, nr_wake, nr_requeue, &wake);
        futex_unlock_two(a, b);
    } while (unlikely(result == -EFAULT) && (result = port_user_fault_in(addr, false)) == 0);
    futex_wake_taken(&wake);
    return result;
}
