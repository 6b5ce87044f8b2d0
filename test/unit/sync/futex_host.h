// SPDX-License-Identifier: BSD-2-Clause
// Words of the host as futexes: a word's key is its address, owned by `words`. Shared keys count
// the references on their owner.
#pragma once

#include "sync_host.h"

#include <arch/thread.h>
#include <sync/futex.h>

static uint32_t words[8];
static int key_refs; // atomic

static void key_get(const void *owner)
{
    atomic_add_fetch(&key_refs, 1);
}

static void key_put(const void *owner)
{
    assert_true(atomic_sub_fetch(&key_refs, 1) >= 0);
}

static const struct futex_key_ops key_ops = {.get = key_get, .put = key_put};

static inline struct futex_key key_of(const uint32_t *word)
{
    return (struct futex_key){.owner = words,
                              .index = (uintptr_t)word / PAGE_SIZE,
                              .offset = (uintptr_t)word % PAGE_SIZE,
                              .ops = &key_ops};
}

static inline struct futex_deadline in_ms(unsigned int ms)
{
    return (struct futex_deadline){.ns = host_now_ns() + ms * NS_PER_MS};
}

static const struct futex_deadline never = {.ns = TIME_NEVER};

static inline int wait_word(uint32_t *word, uint32_t expected, struct futex_deadline deadline)
{
    struct futex_key key = key_of(word);
    return futex_wait(&key, (vaddr_t)word, expected, ~0U, deadline);
}

static inline int wake_word(uint32_t *word, int nr)
{
    struct futex_key key = key_of(word);
    return futex_wake(&key, nr, ~0U);
}

static inline uint64_t nr_waits(void)
{
    struct futex_stats stats;
    futex_stats(&stats);
    return stats.waits;
}

// So many waits were begun since futex_init(): those threads are queued.
static inline void await_waits(uint64_t nr)
{
    while (nr_waits() < nr)
        hart_relax();
}

static int futex_setup(void **state)
{
    futex_init();
    for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
        words[i] = 0;
    key_refs = 0;
    host_fault_one_in(0);
    host_set_realtime(0);
    return 0;
}
