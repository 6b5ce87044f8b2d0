// SPDX-License-Identifier: BSD-2-Clause
// Spinlocks, mutexes, rwlocks and wait queues under ThreadSanitizer: plain variables are changed
// inside the locks, so a lock that lets two in, or whose release and acquire don't pair, is a race
// that TSan reports or a count that comes out wrong; a lost wake-up is a test that never ends.
#include "sync_host.h"

#include <arch/thread.h>
#include <errno.h>
#include <sync/mutex.h>
#include <sync/rwlock.h>
#include <sync/wait_queue.h>

#define THREADS 6
#define ROUNDS  3000

static struct spinlock spin = SPINLOCK_INIT;
static struct mutex mutex = MUTEX_INIT(mutex);
static struct rwlock rw = RWLOCK_INIT(rw);
static uint64_t plain_a, plain_b; // no atomics: TSan watches

static void *spin_rounds(void *arg)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        if (i % 7 == 0) {
            if (!spin_trylock(&spin)) {
                spin_lock(&spin);
            }
        } else {
            spin_lock(&spin);
        }
        assert_true(spin_is_held(&spin));
        plain_a++;
        spin_unlock(&spin);
        assert_false(spin_is_held(&spin));
    }
    return NULL;
}

static void spinlock_excludes(void **state)
{
    plain_a = 0;
    host_run_threads(THREADS, spin_rounds);
    assert_int_equal(plain_a, THREADS * ROUNDS);
}

static uint64_t mutex_refused;

static void *mutex_rounds(void *arg)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        if (i % 5 == 0) {
            if (!mutex_trylock(&mutex)) {
                atomic_add_fetch(&mutex_refused, 1);
                continue;
            }
        } else if (i % 5 == 1) {
            assert_int_equal(mutex_lock_killable(&mutex), 0);
        } else {
            mutex_lock(&mutex);
        }
        mutex_assert_held(&mutex);
        plain_a++;
        if (i % 8 == 0) // others run into it
            hart_relax();
        plain_b = plain_a;
        assert_int_equal(plain_a, plain_b);
        mutex_unlock(&mutex);
    }
    return NULL;
}

static void mutex_excludes(void **state)
{
    plain_a = mutex_refused = 0;
    host_run_threads(THREADS, mutex_rounds);
    assert_int_equal(plain_a + mutex_refused, THREADS * ROUNDS);
    assert_null(mutex.owner);
    assert_true(list_is_empty(&mutex.waiters));
}

static uint32_t readers_inside;

static void *rwlock_rounds(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    for (unsigned int i = 0; i < ROUNDS; i++) {
        if ((i + id) % 4 == 0) {
            rwlock_write_lock(&rw);
            rwlock_assert_write_held(&rw);
            assert_int_equal(atomic_load(&readers_inside), 0);
            plain_a++;
            if (i % 16 == 0)
                hart_relax();
            plain_b++;
            rwlock_write_unlock(&rw);
        } else {
            rwlock_read_lock(&rw);
            atomic_add_fetch(&readers_inside, 1);
            if (i % 8 == 0)
                hart_relax();
            assert_int_equal(plain_a, plain_b);
            atomic_sub_fetch(&readers_inside, 1);
            rwlock_read_unlock(&rw);
        }
    }
    return NULL;
}

static void rwlock_excludes_writers(void **state)
{
    plain_a = plain_b = 0;
    host_run_threads(THREADS, rwlock_rounds);
    assert_int_equal(plain_a, THREADS * ROUNDS / 4);
    assert_int_equal(rw.nr_readers, 0);
    assert_null(rw.writer);
    assert_true(list_is_empty(&rw.waiters));
}

// A bounded buffer between producers and consumers: each item arrives exactly once.
static struct wait_queue not_empty = WAIT_QUEUE_INIT(not_empty),
                         not_full = WAIT_QUEUE_INIT(not_full);
static uint32_t fill; // atomic
static uint64_t taken;

static bool buffer_move(uint32_t from, int step)
{
    uint32_t now = atomic_load(&fill);
    while (step > 0 ? now < from : now > from)
        if (atomic_compare_exchange(&fill, &now, now + (uint32_t)step))
            return true;
    return false;
}

static void *buffer_rounds(void *arg)
{
    bool produces = (uintptr_t)arg % 2 == 0;
    for (unsigned int i = 0; i < ROUNDS; i++) {
        if (produces) {
            assert_int_equal(
                wait_event(&not_full, buffer_move(3, 1), PARK_UNINTERRUPTIBLE, TIME_NEVER), 0);
            wait_queue_wake_one(&not_empty);
        } else {
            assert_int_equal(
                wait_event(&not_empty, buffer_move(0, -1), PARK_UNINTERRUPTIBLE, TIME_NEVER), 0);
            atomic_add_fetch(&taken, 1);
            wait_queue_wake_one(&not_full);
        }
    }
    return NULL;
}

static void wait_queue_loses_no_wake(void **state)
{
    fill = 0;
    taken = 0;
    host_run_threads(THREADS, buffer_rounds);
    assert_int_equal(fill, 0);
    assert_int_equal(taken, THREADS / 2 * ROUNDS);
    assert_true(wait_queue_is_empty(&not_empty) && wait_queue_is_empty(&not_full));
}

static void *timeout_and_interrupt(void *arg)
{
    uint64_t begin = host_now_ns();
    int err = wait_event(&not_empty, false, PARK_INTERRUPTIBLE, begin + 5 * NS_PER_MS);
    assert_int_equal(err, -ETIMEDOUT);
    assert_true(host_now_ns() >= begin + 5 * NS_PER_MS);
    host_interrupt(port_thread_self(), true);
    assert_int_equal(wait_event(&not_empty, false, PARK_INTERRUPTIBLE, TIME_NEVER), -EINTR);
    // Whatever interrupts: a condition that came true is success.
    bool second = false;
    assert_int_equal(
        wait_event(&not_empty, second || (second = true, false), PARK_INTERRUPTIBLE, TIME_NEVER),
        0);
    host_interrupt(port_thread_self(), false);
    return NULL;
}

static void waits_end_by_time_and_signal(void **state)
{
    host_run_threads(1, timeout_and_interrupt);
    assert_true(wait_queue_is_empty(&not_empty));
}

// Exclusive waiters: wake_one wakes one of them and everybody else, in turn. They stay queued until
// the end: who was woken stands behind who wasn't.
static uint32_t woken[4], arrived, finished;

static void *exclusive_waiter(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    struct waiter w;
    if (id == 3) {
        while (atomic_load(&arrived) != 3)
            hart_relax();
        for (unsigned int i = 0; i < 2; i++) {
            wait_queue_wake_one(&not_full); // one of 0 and 1, and 2
            while (atomic_load(&woken[0]) + atomic_load(&woken[1]) != i + 1 ||
                   atomic_load(&woken[2]) != i + 1)
                hart_relax();
        }
        atomic_store(&finished, 1);
        return NULL;
    }
    waiter_init(&w, id < 2);
    wait_queue_add(&not_full, &w);
    atomic_add_fetch(&arrived, 1);
    for (unsigned int i = 0; i < (id == 2 ? 2 : 1); i++) {
        assert_int_equal(port_park(PARK_UNINTERRUPTIBLE, TIME_NEVER), 0);
        atomic_add_fetch(&woken[id], 1);
    }
    while (!atomic_load(&finished))
        hart_relax();
    wait_queue_remove(&not_full, &w);
    return NULL;
}

static void exclusive_waiters_take_turns(void **state)
{
    host_run_threads(4, exclusive_waiter);
    assert_int_equal(woken[0], 1);
    assert_int_equal(woken[1], 1);
    assert_int_equal(woken[2], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spinlock_excludes),
        cmocka_unit_test(mutex_excludes),
        cmocka_unit_test(rwlock_excludes_writers),
        cmocka_unit_test(wait_queue_loses_no_wake),
        cmocka_unit_test(waits_end_by_time_and_signal),
        cmocka_unit_test(exclusive_waiters_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
