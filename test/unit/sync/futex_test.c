// SPDX-License-Identifier: BSD-2-Clause
// Futexes under ThreadSanitizer: a mutex and a condition built on them as libc does, and a storm of
// wakes, requeues, timeouts and interruptions after which every wait is accounted for.
#include "sync_host.h"

#include <arch/uaccess.h>
#include <errno.h>
#include <stdlib.h>
#include <sync/futex.h>

#define THREADS 6
#define ROUNDS  2000

static uint32_t words[2];
static uint64_t plain;

static struct futex_key key_of(uint32_t *word)
{
    return (struct futex_key){.owner = words,
                              .index = (uintptr_t)word / PAGE_SIZE,
                              .offset = (uintptr_t)word % PAGE_SIZE};
}

static int wait_word(uint32_t *word, uint32_t expected, uint64_t deadline_ns)
{
    struct futex_key key = key_of(word);
    return futex_wait(&key, (vaddr_t)word, expected, ~0U, deadline_ns);
}

static int wake_word(uint32_t *word, int nr)
{
    struct futex_key key = key_of(word);
    return futex_wake(&key, nr, ~0U);
}

static void *mutex_rounds(void *arg)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint32_t was = 0;
        if (!atomic_compare_exchange(&words[0], &was, 1)) // 0 free, 1 held, 2 held and waited for
            while (atomic_exchange(&words[0], 2) != 0)
                wait_word(&words[0], 2, TIME_NEVER);
        plain++;
        if (atomic_exchange(&words[0], 0) == 2)
            wake_word(&words[0], 1);
    }
    return NULL;
}

static void a_mutex_over_it_excludes(void **state)
{
    futex_init();
    plain = 0;
    words[0] = 0;
    host_run_threads(THREADS, mutex_rounds);
    assert_int_equal(plain, THREADS * ROUNDS);
}

static void *errors(void *arg)
{
    struct futex_key a = key_of(&words[0]), b = key_of(&words[1]);
    uint32_t other = 5;
    words[0] = 7;
    assert_int_equal(wait_word(&words[0], 8, TIME_NEVER), -EAGAIN);
    assert_int_equal(futex_wait(&a, 1, 0, ~0U, TIME_NEVER), -EFAULT);
    assert_int_equal(futex_wait(&a, (vaddr_t)&words[0], 7, 0, TIME_NEVER), -EINVAL);
    assert_int_equal(futex_wake(&a, 1, 0), -EINVAL);
    assert_int_equal(futex_wake(&a, 1, ~0U), 0);
    assert_int_equal(wait_word(&words[0], 7, host_now_ns() + NS_PER_MS), -ETIMEDOUT);
    assert_int_equal(futex_requeue(&a, &b, -1, 0, 0, NULL), -EINVAL);
    assert_int_equal(futex_requeue(&a, &b, 0, -1, 0, NULL), -EINVAL);
    assert_int_equal(futex_requeue(&a, &b, 1, 1, (vaddr_t)&words[0], &other), -EAGAIN);
    assert_int_equal(futex_requeue(&a, &b, 1, 1, 1, &other), -EFAULT);
    return NULL;
}

static void errors_are_linux_s(void **state)
{
    futex_init();
    host_run_threads(1, errors);
}

// Thread 0 wakes one and requeues the rest, then finds them all at the other word, bitsets
// honoured.
static uint32_t waiting;

static void *requeue_rounds(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    struct futex_key a = key_of(&words[0]), b = key_of(&words[1]);
    if (id != 0) {
        atomic_add_fetch(&waiting, 1);
        assert_int_equal(futex_wait(&a, (vaddr_t)&words[0], 0, 1U << id, TIME_NEVER), 0);
        atomic_sub_fetch(&waiting, 1);
        return NULL;
    }
    const uint32_t expected = 0;
    int done = 0;
    while (done < THREADS - 1) // a waiter counts itself before it is queued
        done += futex_requeue(&a, &b, done == 0, THREADS, (vaddr_t)&words[0], &expected);
    assert_int_equal(done, THREADS - 1);
    assert_int_equal(futex_wake(&a, THREADS, ~0U), 0);
    int left = THREADS - 2;
    for (unsigned int bit = 1; bit < THREADS; bit++)
        left -= futex_wake(&b, THREADS, 1U << bit);
    assert_int_equal(left, 0);
    return NULL;
}

static void requeue_moves_waiters(void **state)
{
    futex_init();
    words[0] = words[1] = 0;
    for (int i = 0; i < 50; i++) {
        waiting = 0;
        host_run_threads(THREADS, requeue_rounds);
        assert_int_equal(waiting, 0);
    }
}

// Nothing is lost: each wait ends woken, timed out or interrupted, and what wakers counted is what
// waiters saw.
static uint64_t count_woken, count_timeout, count_intr, count_again, count_wakes;
static uint32_t running;

static void *storm_rounds(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    struct futex_key a = key_of(&words[0]), b = key_of(&words[1]);
    unsigned int seed = (unsigned int)id;
    if (id >= 2) {
        for (unsigned int i = 0; i < ROUNDS; i++) {
            int err =
                wait_word(&words[i & 1], 0, host_now_ns() + (uint64_t)(rand_r(&seed) % 200000));
            atomic_add_fetch(err == 0            ? &count_woken
                             : err == -ETIMEDOUT ? &count_timeout
                             : err == -EINTR     ? &count_intr
                                                 : &count_again,
                             1);
        }
        atomic_sub_fetch(&running, 1);
        return NULL;
    }
    while (atomic_load(&running) > 0) {
        switch (rand_r(&seed) % 4) {
        case 0:
            atomic_add_fetch(&count_wakes, (uint64_t)futex_wake(&a, 2, ~0U));
            break;
        case 1:
            atomic_add_fetch(&count_wakes, (uint64_t)futex_wake(&b, 1, ~0U));
            break;
        case 2:
            futex_requeue(id ? &a : &b, id ? &b : &a, 0, 2, 0, NULL);
            break;
        default:
            host_interrupt(host_thread(2 + (unsigned int)rand_r(&seed) % (THREADS - 2)),
                           rand_r(&seed) & 1);
        }
    }
    return NULL;
}

static void nothing_is_lost_in_a_storm(void **state)
{
    futex_init();
    words[0] = words[1] = 0;
    running = THREADS - 2;
    host_run_threads(THREADS, storm_rounds);
    assert_int_equal(count_again, 0);
    assert_int_equal(count_woken, count_wakes);
    assert_int_equal(count_woken + count_timeout + count_intr, (THREADS - 2) * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mutex_over_it_excludes),
        cmocka_unit_test(errors_are_linux_s),
        cmocka_unit_test(requeue_moves_waiters),
        cmocka_unit_test(nothing_is_lost_in_a_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
