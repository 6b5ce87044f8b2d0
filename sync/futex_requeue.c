// SPDX-License-Identifier: BSD-2-Clause
// Moving waiters from one word to another. Both buckets are locked, in order of their addresses. A
// moved waiter's own thread sleeps on and finds its new place, should it want to leave, by
// `bucket`.
#include "futex_priv.h"

#include <errno.h>

static void futex_move(struct futex_bucket *from, struct futex_bucket *to, struct futex_waiter *w,
                       const struct futex_key *key)
{
    futex_ring_remove(from, w);
    futex_count_out(from);
    futex_rekey(w, key);
    futex_count_in(to);
    futex_ring_add(to, w);
    to->requeues++;
    atomic_store(&w->bucket, to);
}

// Wake nr_wake of the ring and move nr_requeue. How many in all; -EINVAL: one waits to be moved to
// a lock.
static int futex_requeue_ring(struct futex_bucket *from, struct futex_bucket *to,
                              const struct futex_key *from_key, const struct futex_key *to_key,
                              int nr_wake, int nr_requeue, struct list_node *wake)
{
    struct futex_waiter *w = futex_ring_find(from, from_key), *next;
    bool same = futex_key_equal(from_key, to_key);
    int done = 0;
    if (!w)
        return 0;
    const struct futex_waiter *last = futex_ring_last(w);
    for (bool more = true; more && done - nr_wake < nr_requeue; w = next) {
        next = futex_ring_next(w);
        more = w != last;
        if (unlikely(w->pi_key))
            return -EINVAL;
        if (done < nr_wake)
            futex_take(from, w, wake);
        else if (!same)
            futex_move(from, to, w, to_key);
        done++;
    }
    return done;
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
