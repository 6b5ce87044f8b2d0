// SPDX-License-Identifier: BSD-2-Clause
// Futexes (futex(2), shared/abi/futex.md): hashed buckets of waiters.
//
// A waiter lives on the waiting thread's stack: waiting allocates nothing. It is queued from the
// comparison in futex_wait() until a waker takes it off and then sets `woken` (release), or until
// its own thread takes it off. `woken` is the waker's last access to the waiter: from then on its
// stack may be gone, so the waker holds a reference of the thread until it was unparked.
//
// Comparing the word and queueing happen under the bucket's lock, wakes look under the same lock: a
// waker who changed the word before he looked is seen by the comparison, or sees the waiter.
// Lock order: two buckets by address; port_unpark (run queues) is called with no bucket locked.
#include <arch/uaccess.h>
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/futex.h>
#include <sync/port.h>
#include <sync/spinlock.h>

#define NR_BUCKETS (256 * NR_CPUS_MAX)
#define WAKE_BATCH 16

struct futex_bucket {
    struct spinlock lock;
    struct list_node waiters;
};

struct futex_waiter {
    struct list_node node;
    struct thread *thread;
    struct futex_key key;        // changed by a requeue, under both buckets' locks
    struct futex_bucket *bucket; // likewise; read without a lock, then checked under it
    uint32_t bitset;
    bool woken;
};

// Threads that were taken off a bucket, to be unparked once it is unlocked.
struct wake_list {
    unsigned int nr;
    struct thread *threads[WAKE_BATCH];
};

static struct futex_bucket futex_buckets[NR_BUCKETS];

void futex_init(void)
{
    for (size_t i = 0; i < NR_BUCKETS; i++) {
        spin_init(&futex_buckets[i].lock);
        list_init(&futex_buckets[i].waiters);
    }
}

static struct futex_bucket *futex_bucket_of(const struct futex_key *key)
{
    // Multiplying by an odd number near 2^64/phi spreads nearby words; the top bits are the best.
    uint64_t h = (uint64_t)key->owner / 16 + key->index * PAGE_SIZE + key->offset / 4;
    return &futex_buckets[(h * 0x9e3779b97f4a7c15ULL) >> 32 & (NR_BUCKETS - 1)];
}

static bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
    return a->owner == b->owner && a->index == b->index && a->offset == b->offset;
}

// By real-time priority, then first in, first out. Normal threads pay nothing for the order.
static void futex_queue_locked(struct futex_bucket *b, struct futex_waiter *w)
{
    spin_assert_held(&b->lock);
    int priority = port_thread_rt_priority(w->thread);
    struct list_node *pos = &b->waiters;
    if (unlikely(priority > 0)) {
        struct futex_waiter *other;
        list_for_each_entry (other, &b->waiters, node)
            if (port_thread_rt_priority(other->thread) < priority) {
                pos = &other->node;
                break;
            }
    }
    list_insert_before(pos, &w->node);
    atomic_store(&w->bucket, b);
}

static void futex_take_locked(struct futex_waiter *w, struct wake_list *wake)
{
    struct thread *t = w->thread;
    port_thread_get(t);
    list_remove(&w->node);
    wake->threads[wake->nr++] = t;
    atomic_store_release(&w->woken, true); // pairs with futex_wait
}

static void futex_wake_list(struct wake_list *wake)
{
    for (unsigned int i = 0; i < wake->nr; i++) {
        port_unpark(wake->threads[i]);
        port_thread_put(wake->threads[i]);
    }
    wake->nr = 0;
}

// Leave the queue after a timeout or signal. False: a waker was first.
static bool futex_cancel(struct futex_waiter *w)
{
    for (;;) {
        struct futex_bucket *b = atomic_load(&w->bucket);
        spin_lock(&b->lock);
        if (unlikely(b != w->bucket)) { // requeued meanwhile
            spin_unlock(&b->lock);
            continue;
        }
        bool queued = !w->woken;
        if (queued)
            list_remove(&w->node);
        spin_unlock(&b->lock);
        return queued;
    }
}

int futex_wait(const struct futex_key *key, vaddr_t addr, uint32_t expected, uint32_t bitset,
               uint64_t deadline_ns)
{
    if (bitset == 0)
        return -EINVAL;
    struct futex_waiter w = {.thread = port_thread_self(), .key = *key, .bitset = bitset};
    struct futex_bucket *b = futex_bucket_of(key);
    uint32_t value;

    spin_lock(&b->lock);
    int err = user_load_u32_nofault(addr, &value);
    if (err == 0 && value != expected)
        err = -EAGAIN;
    if (err != 0) {
        spin_unlock(&b->lock);
        return err;
    }
    futex_queue_locked(b, &w);
    spin_unlock(&b->lock);

    while (!atomic_load_acquire(&w.woken)) { // pairs with futex_take_locked
        err = port_park(PARK_INTERRUPTIBLE, deadline_ns);
        if (err != 0)
            return futex_cancel(&w) ? err : 0;
    }
    return 0;
}

int futex_wake(const struct futex_key *key, int nr, uint32_t bitset)
{
    if (bitset == 0)
        return -EINVAL;
    if (nr < 1)
        nr = 1; // as Linux does
    struct futex_bucket *b = futex_bucket_of(key);
    struct wake_list wake = {.nr = 0};
    int woken = 0;
    bool more;
    do {
        more = false;
        struct futex_waiter *w, *next;
        spin_lock(&b->lock);
        list_for_each_entry_safe (w, next, &b->waiters, node) {
            if (!futex_key_equal(&w->key, key) || (w->bitset & bitset) == 0)
                continue;
            if (wake.nr == WAKE_BATCH) {
                more = true;
                break;
            }
            futex_take_locked(w, &wake);
            if (++woken == nr)
                break;
        }
        spin_unlock(&b->lock);
        futex_wake_list(&wake);
    } while (more);
    return woken;
}

static void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
    if (a > b) {
        struct futex_bucket *t = a;
        a = b;
        b = t;
    }
    spin_lock(&a->lock);
    if (a != b)
        spin_lock(&b->lock);
}

static void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
    if (a != b)
        spin_unlock(&b->lock);
    spin_unlock(&a->lock);
}

// One pass under both locks: wake until the batch is full, then move the rest. False: the batch
// filled up before nr_wake was reached, and more may wait.
static bool futex_requeue_pass(struct futex_bucket *from, struct futex_bucket *to,
                               const struct futex_key *from_key, const struct futex_key *to_key,
                               int *nr_wake, int *nr_requeue, struct wake_list *wake)
{
    struct list_node moved = LIST_INIT(moved);
    struct futex_waiter *w, *next;
    bool done = true;
    list_for_each_entry_safe (w, next, &from->waiters, node) {
        if (!futex_key_equal(&w->key, from_key))
            continue;
        if (*nr_wake > 0) {
            if (wake->nr == WAKE_BATCH) {
                done = false;
                break;
            }
            futex_take_locked(w, wake);
            (*nr_wake)--;
        } else if (*nr_requeue > 0) {
            list_remove(&w->node);
            list_add_tail(&moved, &w->node);
            (*nr_requeue)--;
        } else {
            break;
        }
    }
    // Collected first: with one bucket for both keys the walk must not meet what it moved.
    list_for_each_entry_safe (w, next, &moved, node) {
        list_remove(&w->node);
        w->key = *to_key;
        futex_queue_locked(to, w);
    }
    return done;
}

int futex_requeue(const struct futex_key *from, const struct futex_key *to, int nr_wake,
                  int nr_requeue, vaddr_t addr, const uint32_t *compare)
{
    if (nr_wake < 0 || nr_requeue < 0)
        return -EINVAL;
    struct futex_bucket *a = futex_bucket_of(from), *b = futex_bucket_of(to);
    struct wake_list wake = {.nr = 0};
    int wake_left = nr_wake, requeue_left = nr_requeue;
    bool first = true, done;
    do {
        futex_lock_two(a, b);
        if (compare && first) {
            uint32_t value;
            int err = user_load_u32_nofault(addr, &value);
            if (err == 0 && value != *compare)
                err = -EAGAIN;
            if (err != 0) {
                futex_unlock_two(a, b);
                return err;
            }
        }
        first = false;
        done = futex_requeue_pass(a, b, from, to, &wake_left, &requeue_left, &wake);
        futex_unlock_two(a, b);
        futex_wake_list(&wake);
    } while (!done);
    return (nr_wake - wake_left) + (nr_requeue - requeue_left);
}
