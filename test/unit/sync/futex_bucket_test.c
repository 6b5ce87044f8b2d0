// SPDX-License-Identifier: BSD-2-Clause
// Buckets from the inside: rings keep order whatever comes and goes, waking one of very many looks
// at few, and the hash spreads what programs have.
#include "futex_host.h"

#include <stdlib.h>
#include <string.h>

#include "../../../sync/futex_priv.h"

#define NR      400
#define NR_KEYS 5
#define MANY    10000

static struct futex_bucket bucket;
static struct futex_waiter waiters[MANY];
static bool queued[MANY];
static uint64_t arrival[MANY], clock_now;

static void add(unsigned int i, unsigned int key, int priority)
{
    waiters[i].key = key_of(&words[key]);
    waiters[i].priority = priority;
    arrival[i] = clock_now++;
    queued[i] = true;
    futex_ring_add(&bucket, &waiters[i]);
}

static void take(unsigned int i)
{
    queued[i] = false;
    futex_ring_remove(&bucket, &waiters[i]);
}

// The first `nr` of one ring go to another, as a requeue has it: later than all that are there.
static void move(unsigned int from, unsigned int to, unsigned int nr)
{
    struct futex_key k = key_of(&words[from]), other = key_of(&words[to]);
    struct futex_waiter *first = futex_ring_find(&bucket, &k), *w = first;
    if (!first || from == to)
        return;
    for (unsigned int i = 0; i < nr && w; i++) {
        futex_rekey(w, &other);
        arrival[w - waiters] = clock_now++;
        w = futex_ring_next(w);
        if (w == first)
            w = NULL;
    }
    futex_ring_cut(&bucket, first, w);
    futex_ring_add_all(&bucket, first);
}

static unsigned int index_of(const struct futex_waiter *w)
{
    return (unsigned int)(w - waiters);
}

// Each key's ring holds its waiters, all of them, by priority and then by arrival.
static void check_rings(unsigned int nr)
{
    unsigned int seen = 0, expected = 0;
    for (unsigned int key = 0; key < NR_KEYS; key++) {
        struct futex_key k = key_of(&words[key]);
        struct futex_waiter *leader = futex_ring_find(&bucket, &k), *w = leader;
        if (!leader)
            continue;
        assert_true(leader->leads);
        do {
            struct futex_waiter *next = futex_ring_next(w);
            assert_true(queued[index_of(w)] && futex_key_equal(&w->key, &k));
            assert_true(w == leader || !w->leads);
            if (next != leader) {
                assert_true(w->priority >= next->priority);
                if (w->priority == next->priority)
                    assert_true(arrival[index_of(w)] < arrival[index_of(next)]);
            }
            seen++;
            w = next;
        } while (w != leader);
    }
    for (unsigned int i = 0; i < nr; i++)
        expected += queued[i];
    assert_int_equal(seen, expected);
}

static void *random_order(void *arg)
{
    srand(3);
    spin_lock(&bucket.lock);
    for (int round = 0; round < 20000; round++) {
        unsigned int i = (unsigned int)rand() % NR;
        if (queued[i])
            take(i);
        else
            add(i, (unsigned int)rand() % NR_KEYS, rand() % 3 ? 0 : rand() % 4);
        if (round % 20 == 0)
            move((unsigned int)rand() % NR_KEYS, (unsigned int)rand() % NR_KEYS,
                 1 + (unsigned int)rand() % 100);
        if (round % 50 == 0)
            check_rings(NR);
    }
    for (unsigned int i = 0; i < NR; i++)
        if (queued[i])
            take(i);
    assert_null(bucket.keys.node);
    spin_unlock(&bucket.lock);
    return NULL;
}

static void rings_keep_their_order(void **state)
{
    host_run_threads(1, random_order);
}

static unsigned int depth_of(const struct rb_node *n)
{
    if (!n)
        return 0;
    unsigned int left = depth_of(n->left), right = depth_of(n->right);
    return 1 + (left > right ? left : right);
}

// Ten thousand for one word: they are one node in the tree, and each that is woken is the leader.
// Ten thousand for words of their own: the tree is low.
static void *very_many(void *arg)
{
    spin_lock(&bucket.lock);
    for (unsigned int i = 0; i < MANY; i++)
        add(i, 0, 0);
    assert_int_equal(depth_of(bucket.keys.node), 1);
    struct futex_key k = key_of(&words[0]);
    for (unsigned int i = 0; i < MANY; i++) {
        struct futex_waiter *w = futex_ring_find(&bucket, &k);
        assert_int_equal(index_of(w), i);
        take(i);
    }
    for (unsigned int i = 0; i < MANY; i++) {
        waiters[i].key = (struct futex_key){.owner = words, .index = i, .offset = 0};
        waiters[i].priority = 0;
        futex_ring_add(&bucket, &waiters[i]);
    }
    assert_in_range(depth_of(bucket.keys.node), 14, 28); // 2 log2
    for (unsigned int i = 0; i < MANY; i++)
        futex_ring_remove(&bucket, &waiters[i]);
    assert_null(bucket.keys.node);
    spin_unlock(&bucket.lock);
    return NULL;
}

static void very_many_waiters(void **state)
{
    host_run_threads(1, very_many);
}

// Words side by side, words a cache line or a page apart, the same word in many address spaces: in
// each case no bucket gets much more than its share.
static void assert_spread(unsigned int space, unsigned int page, unsigned int offset)
{
    static struct {
        const struct futex_bucket *bucket;
        unsigned int nr;
    } seen[4096];
    memset(seen, 0, sizeof(seen));
    unsigned int most = 0, used = 0;
    for (uint64_t i = 0; i < 2048; i++) {
        struct futex_key key = {.owner = (char *)0x1000 + i * space,
                                .index = 77 + i * page + i * offset / PAGE_SIZE,
                                .offset = (uint32_t)(i * offset % PAGE_SIZE)};
        const struct futex_bucket *b = futex_bucket_of(&key);
        unsigned int slot = (unsigned int)((uintptr_t)b / sizeof(*b)) % 4096;
        while (seen[slot].bucket && seen[slot].bucket != b)
            slot = (slot + 1) % 4096;
        used += seen[slot].bucket == NULL;
        seen[slot].bucket = b;
        most = MAX(most, ++seen[slot].nr);
    }
    assert_true(most <= 8);
    assert_true(used >= 1000);
}

static void the_hash_spreads(void **state)
{
    assert_spread(0, 0, 4);
    assert_spread(0, 0, 40); // a pthread_mutex_t
    assert_spread(0, 0, 64);
    assert_spread(0, 1, 0);
    assert_spread(0, 512, 0); // stacks of 2 MiB
    assert_spread(512, 0, 0); // vm_maps from a slab
    assert_spread(4096, 0, 16);
}

static int setup(void **state)
{
    memset(&bucket, 0, sizeof(bucket));
    spin_init(&bucket.lock);
    return futex_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rings_keep_their_order, setup),
        cmocka_unit_test_setup(very_many_waiters, setup),
        cmocka_unit_test_setup(the_hash_spreads, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
