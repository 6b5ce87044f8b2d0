// SPDX-License-Identifier: BSD-2-Clause
// Conditions whose waiters come back with a lock (FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI),
// under ThreadSanitizer.
#include "pi_host.h"

#include "../../../sync/futex_priv.h"

#define THREADS 6
#define ROUNDS  1500

static uint64_t plain;

// A condition variable: waiters come back with the lock. words[0] counts signals, words[1] is the
// lock.
static int requeue_pi(int nr, uint32_t compare)
{
    struct futex_key a = key_of(&words[0]), b = key_of(&words[1]);
    return futex_requeue_pi(&a, &b, nr, (vaddr_t)&words[0], compare, (vaddr_t)&words[1]);
}

static int wait_requeue_pi(uint32_t seen, struct futex_deadline deadline)
{
    struct futex_key a = key_of(&words[0]), b = key_of(&words[1]);
    return futex_wait_requeue_pi(&a, (vaddr_t)&words[0], seen, &b, (vaddr_t)&words[1], deadline);
}

static bool with_lock;

static void *broadcast(void *arg)
{
    if (arg != NULL) {
        assert_int_equal(wait_requeue_pi(0, never), 0);
        assert_int_equal(atomic_load(&words[1]) & FUTEX_TID_MASK, tid_self());
        plain++;
        assert_int_equal(unlock(&words[1]), 0);
        return NULL;
    }
    await_waits(THREADS - 1);
    assert_int_equal(requeue_pi(THREADS, 1), -EAGAIN);
    assert_int_equal(requeue_pi(-1, 0), -EINVAL);
    if (with_lock)
        assert_int_equal(lock(&words[1]), 0);
    assert_int_equal(wake_word(&words[0], 1), -EINVAL); // they are to be moved
    atomic_store(&words[0], 1);
    assert_int_equal(requeue_pi(1, 1), 2);
    assert_int_equal(requeue_pi(THREADS, 1), THREADS - 3);
    assert_int_equal(requeue_pi(THREADS, 1), 0);
    if (with_lock)
        assert_int_equal(unlock(&words[1]), 0);
    return NULL;
}

static void waiters_come_back_with_the_lock(void **state)
{
    for (int i = 0; i < 60; i++) {
        setup(NULL);
        plain = 0;
        with_lock = i & 1;
        host_fault_one_in(i & 2 ? 3 : 0);
        host_run_threads(THREADS, broadcast);
        assert_int_equal(plain, THREADS - 1);
        assert_int_equal(words[1], 0);
    }
}

// Who is given the lock while others are moved to it has to unlock by the kernel.
static void *told_of_waiters(void *arg)
{
    if (arg != NULL) {
        assert_int_equal(wait_requeue_pi(0, never), 0);
        await_step(1);
        assert_int_equal(unlock(&words[1]), 0);
        return NULL;
    }
    await_waits(2);
    assert_int_equal(requeue_pi(1, 0), 2);
    assert_int_equal(atomic_load(&words[1]) & FUTEX_WAITERS, FUTEX_WAITERS);
    next_step();
    return NULL;
}

static void an_owner_is_told_of_waiters(void **state)
{
    host_run_threads(3, told_of_waiters);
    assert_int_equal(words[1], 0);
}

static void *requeue_errors(void *arg)
{
    struct futex_key a = key_of(&words[0]), c = key_of(&words[2]);
    if (arg != NULL) {
        assert_int_equal(wait_requeue_pi(5, never), -EAGAIN);
        assert_int_equal(wait_requeue_pi(0, in_ms(1)), -ETIMEDOUT);
        host_interrupt(port_thread_self(), true);
        assert_int_equal(wait_requeue_pi(0, never), -EINTR); // not moved: starts over
        host_interrupt(port_thread_self(), false);
        next_step();
        assert_int_equal(wait_requeue_pi(0, never), -EAGAIN); // moved, then interrupted
        host_interrupt(port_thread_self(), false);
        next_step();
        assert_int_equal(wait_requeue_pi(0, in_ms(100)), -ETIMEDOUT);
        next_step();
        assert_int_equal(wait_word(&words[0], 0, never), 0);
        return NULL;
    }
    assert_int_equal(lock(&words[1]), 0);
    await_step(1);
    uint64_t waits = nr_waits();
    int moved;
    // A lock that isn't theirs.
    while ((moved = futex_requeue_pi(&a, &c, 1, (vaddr_t)&words[0], 0, (vaddr_t)&words[2])) == 0)
        hart_relax();
    assert_int_equal(moved, -EINVAL);
    assert_int_equal(requeue_pi(1, 0), 1);
    host_interrupt(host_thread(1), true);
    await_step(2);
    while (requeue_pi(1, 0) == 0)
        hart_relax();
    await_step(3);
    assert_int_equal(unlock(&words[1]), 0);
    assert_true(nr_waits() > waits);
    while ((moved = requeue_pi(1, 0)) == 0) // who waits for the word can't be moved to a lock
        hart_relax();
    assert_int_equal(moved, -EINVAL);
    assert_int_equal(wake_word(&words[0], 1), 1);
    return NULL;
}

static void requeue_errors_are_linux_s(void **state)
{
    host_run_threads(2, requeue_errors);
    assert_int_equal(words[1], 0);
}

// Who is moved to a lock lends its owner his priority at once; and isn't moved where he would wait
// for himself: he has words[2], for which the lock's owner waits.
static void *requeue_inherits(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    if (id == 1) {
        host_set_priority(port_thread_self(), 8);
        assert_int_equal(lock(&words[2]), 0);
        assert_int_equal(wait_requeue_pi(0, never), 0);
        assert_int_equal(unlock(&words[1]), 0);
        next_step();
        assert_int_equal(wait_requeue_pi(0, in_ms(200)), -ETIMEDOUT);
        assert_int_equal(unlock(&words[2]), 0);
    } else if (id == 2) { // moves him while the owner waits
        await_step(2);
        await_waits(3); // one was moved, one is to be, the owner's
        assert_int_equal(requeue_pi(1, 0), -EDEADLK);
    } else {
        assert_int_equal(lock(&words[1]), 0);
        await_waits(1);
        assert_int_equal(requeue_pi(1, 0), 1);
        assert_int_equal(host_boost_of(port_thread_self()), 8);
        assert_int_equal(unlock(&words[1]), 0);
        assert_int_equal(host_boost_of(port_thread_self()), 0);
        await_step(1);
        await_waits(2);
        assert_int_equal(lock(&words[1]), 0);
        next_step();
        assert_int_equal(lock(&words[2]), 0);
        assert_int_equal(unlock(&words[2]), 0);
        assert_int_equal(unlock(&words[1]), 0);
    }
    return NULL;
}

static void moved_waiters_inherit_and_close_no_circle(void **state)
{
    host_run_threads(3, requeue_inherits);
}

// Conditions with timeouts and interruptions that meet the move at every point: whoever comes back
// with 0 has the lock, and nobody else.
static uint64_t nr_with_lock, nr_without;
static uint32_t running;

static void *condition_rounds(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    unsigned int seed = (unsigned int)id;
    if (id == 0) {
        while (atomic_load(&running) > 0) {
            int moved = requeue_pi(rand_r(&seed) % 3, 0);
            assert_true(moved >= 0);
            host_interrupt(host_thread(1 + (unsigned int)rand_r(&seed) % (THREADS - 1)),
                           rand_r(&seed) & 1);
        }
        return NULL;
    }
    for (unsigned int i = 0; i < ROUNDS; i++) {
        struct futex_deadline d = {.ns = host_now_ns() + (uint64_t)(rand_r(&seed) % 60000)};
        int err = wait_requeue_pi(0, d);
        if (err == 0) {
            assert_int_equal(atomic_load(&words[1]) & FUTEX_TID_MASK, tid_self());
            plain++;
            atomic_add_fetch(&nr_with_lock, 1);
            assert_int_equal(unlock(&words[1]), 0);
        } else {
            assert_true(err == -ETIMEDOUT || err == -EINTR || err == -EAGAIN);
            atomic_add_fetch(&nr_without, 1);
        }
    }
    atomic_sub_fetch(&running, 1);
    return NULL;
}

static void a_storm_of_conditions(void **state)
{
    host_fault_one_in(7);
    running = THREADS - 1;
    plain = nr_with_lock = nr_without = 0;
    host_run_threads(THREADS, condition_rounds);
    assert_int_equal(plain, nr_with_lock);
    assert_int_equal(nr_with_lock + nr_without, (THREADS - 1) * ROUNDS);
    assert_true(nr_with_lock > 0 && nr_without > 0);
    assert_int_equal(words[1], 0);
    for (unsigned int i = 0; i < FUTEX_BUCKETS; i++)
        assert_true(futex_is_idle(&futex_buckets[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(waiters_come_back_with_the_lock, setup),
        cmocka_unit_test_setup(an_owner_is_told_of_waiters, setup),
        cmocka_unit_test_setup(requeue_errors_are_linux_s, setup),
        cmocka_unit_test_setup(moved_waiters_inherit_and_close_no_circle, setup),
        cmocka_unit_test_setup(a_storm_of_conditions, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
