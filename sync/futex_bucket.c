// SPDX-License-Identifier: BSD-2-Clause
// Buckets and rings of waiters: see futex_priv.h. Which key goes to which bucket is a hash; how
// many buckets there are is the board's choice (FUTEX_BUCKETS, board.mk).
#include "futex_priv.h"

_Static_assert((FUTEX_BUCKETS & (FUTEX_BUCKETS - 1)) == 0, "the hash is cut by a mask");

struct futex_bucket futex_buckets[FUTEX_BUCKETS];
struct futex_bucket futex_pi;

static void futex_bucket_init(struct futex_bucket *b)
{
    spin_init(&b->lock);
    b->keys.node = NULL;
    b->nr = b->nr_pi = 0;
    b->waits = b->wakes = b->gave_up = b->requeues = b->collisions = 0;
}

void futex_init(void)
{
    for (size_t i = 0; i < FUTEX_BUCKETS; i++)
        futex_bucket_init(&futex_buckets[i]);
    futex_bucket_init(&futex_pi);
}

static inline int futex_key_compare(const struct futex_key *a, const struct futex_key *b)
{
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->owner != b->owner)
        return (uintptr_t)a->owner < (uintptr_t)b->owner ? -1 : 1;
    return 0;
}

bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
    return futex_key_compare(a, b) == 0;
}

void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
    if (a > b) {
        struct futex_bucket *t = a;
        a = b;
        b = t;
    }
    futex_lock_one(a);
    if (a != b)
        futex_lock_one(b);
}

void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
    if (a != b)
        spin_unlock(&b->lock);
    spin_unlock(&a->lock);
}

struct futex_waiter *futex_ring_find(const struct futex_bucket *b, const struct futex_key *key)
{
    spin_assert_held(&b->lock);
    struct rb_node *n = b->keys.node;
    while (n) {
        struct futex_waiter *leader = rb_entry(n, struct futex_waiter, node);
        int order = futex_key_compare(key, &leader->key);
        if (order == 0)
            return leader;
        n = order < 0 ? n->left : n->right;
    }
    return NULL;
}

// Put one waiter behind those of the same priority. Where nobody at the end is of lower priority,
// as usual, that is the end. Who leads now.
static struct futex_waiter *futex_ring_insert(struct futex_bucket *b, struct futex_waiter *leader,
                                              struct futex_waiter *w)
{
    struct futex_waiter *pos = leader;
    if (unlikely(futex_ring_last(leader)->priority < w->priority)) {
        while (pos->priority >= w->priority)
            pos = futex_ring_next(pos);
        if (pos == leader) {
            leader->leads = false;
            w->leads = true;
            rb_replace(&b->keys, &leader->node, &w->node);
            leader = w;
        }
    }
    list_insert_before(&pos->peers, &w->peers);
    return leader;
}

// `w` leads a ring that isn't in the tree: all of it joins the one that is.
static void futex_ring_join(struct futex_bucket *b, struct futex_waiter *leader,
                            struct futex_waiter *w)
{
    if (likely(futex_ring_last(leader)->priority >= w->priority)) {
        list_exchange_ends(&leader->peers, &w->peers);
        return;
    }
    for (bool more = true; more;) {
        struct futex_waiter *next = futex_ring_next(w);
        more = next != w;
        list_remove(&w->peers);
        leader = futex_ring_insert(b, leader, w);
        w = next;
    }
}

void futex_ring_add_all(struct futex_bucket *b, struct futex_waiter *first)
{
    spin_assert_held(&b->lock);
    struct rb_node **link = &b->keys.node, *parent = NULL;
    first->leads = false;
    while (*link) {
        parent = *link;
        struct futex_waiter *leader = rb_entry(parent, struct futex_waiter, node);
        int order = futex_key_compare(&first->key, &leader->key);
        if (order == 0) {
            futex_ring_join(b, leader, first);
            return;
        }
        link = order < 0 ? &parent->left : &parent->right;
    }
    if (unlikely(parent))
        b->collisions++;
    first->leads = true;
    rb_insert(&b->keys, parent, link, &first->node, NULL);
}

void futex_ring_add(struct futex_bucket *b, struct futex_waiter *w)
{
    list_init(&w->peers);
    futex_ring_add_all(b, w);
}

void futex_ring_cut(struct futex_bucket *b, struct futex_waiter *leader, struct futex_waiter *rest)
{
    spin_assert_held(&b->lock);
    leader->leads = false;
    if (!rest) {
        rb_erase(&b->keys, &leader->node, NULL);
        return;
    }
    rest->leads = true;
    rb_replace(&b->keys, &leader->node, &rest->node);
    list_exchange_ends(&leader->peers, &rest->peers);
}

void futex_ring_remove(struct futex_bucket *b, struct futex_waiter *w)
{
    spin_assert_held(&b->lock);
    if (w->leads)
        futex_ring_cut(b, w, futex_ring_second(w));
    else
        list_remove(&w->peers);
}

void futex_take(struct futex_bucket *b, struct futex_waiter *w, struct list_node *wake)
{
    futex_ring_remove(b, w);
    futex_count_out(b);
    b->wakes++;
    atomic_store(&w->bucket, (struct futex_bucket *)NULL);
    list_add_tail(wake, &w->peers);
}

void futex_wake_taken(struct list_node *wake)
{
    struct futex_waiter *w, *next;
    list_for_each_entry_safe (w, next, wake, peers) {
        struct thread *t = w->thread;
        port_thread_get(t); // for when it has seen `woken`
        atomic_store_release(&w->woken,
                             true); // pairs with the loads in futex_wait.c and futex_pi.c
        port_unpark(t);
        port_thread_put(t);
    }
}

void futex_rekey(struct futex_waiter *w, const struct futex_key *key)
{
    if (likely(w->key.owner == key->owner)) {
        w->key.index = key->index;
        w->key.offset = key->offset;
        return;
    }
    key->ops->get(key->owner);
    futex_key_put(&w->key); // not the last one: the caller has the old owner, too
    w->key = *key;
    w->key.held = true;
}

void futex_stats(struct futex_stats *stats)
{
    *stats = (struct futex_stats){0};
    for (size_t i = 0; i < FUTEX_BUCKETS; i++) {
        struct futex_bucket *b = &futex_buckets[i];
        futex_lock_one(b);
        stats->waits += b->waits;
        stats->wakes += b->wakes;
        stats->gave_up += b->gave_up;
        stats->requeues += b->requeues;
        stats->collisions += b->collisions;
        spin_unlock(&b->lock);
    }
    spin_lock(&futex_pi.lock);
    stats->waits += futex_pi.waits;
    stats->wakes += futex_pi.wakes;
    stats->gave_up += futex_pi.gave_up;
    stats->requeues += futex_pi.requeues;
    stats->pi_boosts = pi_nr_boosts;
    spin_unlock(&futex_pi.lock);
}
