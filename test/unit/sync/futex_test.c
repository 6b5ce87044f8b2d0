// SPDX-License-Identifier: BSD-2-Clause
// Futexes under ThreadSanitizer: a mutex built on them as libc does, every operation's errors,
// order and effect, and a storm of wakes, requeues, timeouts and interruptions after which every
// wait is accounted for.
#include "futex_host.h"

#include <arch/thread.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>

#include "../../../sync/futex_priv.h"

#define THREADS 6
#define ROUNDS  2000

static uint64_t plain;

static void *mutex_rounds(void *arg)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint32_t was = 0;
        if (!atomic_compare_exchange(&words[0], &was, 1)) // 0 free, 1 held, 2 held and waited for
            while (atomic_exchange(&words[0], 2) != 0)
                wait_word(&words[0], 2, never);
        plain++;
        if (atomic_exchange(&words[0], 0) == 2)
            wake_word(&words[0], 1);
    }
    return NULL;
}

static void a_mutex_over_it_excludes(void **state)
{
    plain = 0;
    host_fault_one_in(5);
    host_run_threads(THREADS, mutex_rounds);
    assert_int_equal(plain, THREADS * ROUNDS);
}

static void *errors(void *arg)
{
    struct futex_key a = key_of(&words[0]), b = key_of(&words[1]);
    uint32_t other = 5;
    words[0] = 7;
    assert_int_equal(wait_word(&words[0], 8, never), -EAGAIN);
    assert_int_equal(futex_wait(&a, HOST_NO_WORD, 0, ~0U, never), -EFAULT);
    assert_int_equal(futex_wait(&a, (vaddr_t)&words[0], 7, 0, never), -EINVAL);
    assert_int_equal(futex_wake(&a, 1, 0), -EINVAL);
    assert_int_equal(futex_wake(&a, 1, ~0U), 0);
    assert_int_equal(wait_word(&words[0], 7, in_ms(1)), -ETIMEDOUT);
    assert_int_equal(futex_requeue(&a, &b, -1, 0, 0, NULL), -EINVAL);
    assert_int_equal(futex_requeue(&a, &b, 0, -1, 0, NULL), -EINVAL);
    assert_int_equal(futex_requeue(&a, &b, 1, 1, (vaddr_t)&words[0], &other), -EAGAIN);
    assert_int_equal(futex_requeue(&a, &b, 1, 1, HOST_NO_WORD, &other), -EFAULT);
    assert_int_equal(futex_wake_op(&a, 1, &b, HOST_NO_WORD, 1, 0), -EFAULT);
    host_interrupt(port_thread_self(), true);
    assert_int_equal(wait_word(&words[0], 7, never), -EINTR);
    host_interrupt(port_thread_self(), false);
    return NULL;
}

static void errors_are_linux_s(void **state)
{
    host_run_threads(1, errors);
}

// Thread 0 wakes one and requeues the rest, then finds them all at the other word, bitsets
// honoured. The keys are shared ones: each queued waiter holds the owner, also when the other word
// has another.
static uint32_t waiting;
static bool other_owner;
static uint64_t nr_moved;

static void *requeue_rounds(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    struct futex_key a = key_of(&words[0]), b = key_of(&words[1]);
    a.held = b.held = true; // by futex_host.h, for all
    if (other_owner)
        b.owner = &words[7];
    if (id != 0) {
        atomic_add_fetch(&waiting, 1);
        assert_int_equal(futex_wait(&a, (vaddr_t)&words[0], 0, 1U << id, never), 0);
        atomic_sub_fetch(&waiting, 1);
        return NULL;
    }
    const uint32_t expected = 0;
    int done = 0;
    while (done < THREADS - 1) // a waiter counts itself before it is queued
        done += futex_requeue(&a, &b, done == 0, THREADS, (vaddr_t)&words[0], &expected);
    assert_int_equal(done, THREADS - 1);
    assert_true(atomic_load(&key_refs) >= THREADS - 2);
    struct futex_stats stats;
    futex_stats(&stats);
    nr_moved += THREADS - 2;
    assert_int_equal(stats.requeues, nr_moved);
    assert_int_equal(futex_wake(&a, THREADS, ~0U), 0);
    int left = THREADS - 2;
    for (unsigned int bit = 1; bit < THREADS; bit++) {
        int woken = futex_wake(&b, THREADS, 1U << bit);
        assert_in_range(woken, 0, 1);
        left -= woken;
    }
    assert_int_equal(left, 0);
    return NULL;
}

static void requeue_moves_waiters(void **state)
{
    host_fault_one_in(3);
    nr_moved = 0;
    for (int i = 0; i < 50; i++) {
        waiting = 0;
        other_owner = i % 2;
        host_run_threads(THREADS, requeue_rounds);
        assert_int_equal(waiting, 0);
        assert_int_equal(key_refs, 0);
    }
}

// Who gives up after he was moved leaves the place that he was moved to.
static void *moved_gives_up(void *arg)
{
    struct futex_key a = key_of(&words[0]), b = key_of(&words[1]);
    if (arg) {
        assert_int_equal(wait_word(&words[0], 0, in_ms(50)), -ETIMEDOUT);
        atomic_store_release(&waiting, 0);
        return NULL;
    }
    await_waits(1);
    int moved = futex_requeue(&a, &b, 0, 1, 0, NULL);
    while (atomic_load_acquire(&waiting) != 0)
        hart_relax();
    assert_int_equal(futex_wake(&a, 1, ~0U) + futex_wake(&b, 1, ~0U), 0);
    nr_moved += (uint64_t)moved;
    return NULL;
}

static void the_moved_can_give_up(void **state)
{
    nr_moved = 0;
    for (int i = 0; i < 20 && nr_moved == 0; i++) { // on a slow host he may have left before
        futex_setup(NULL);
        waiting = 1;
        host_run_threads(2, moved_gives_up);
    }
    assert_int_equal(nr_moved, 1);
}

// Priorities 0, 5, 0, 9, 5 in order of arrival. Breaks when age counts before priority, or equals
// change places; also for those who were moved.
static uintptr_t order[THREADS];
static uint32_t nr_woken;
static bool moves;

static void *ordered(void *arg)
{
    static const int priorities[] = {0, 0, 5, 0, 9, 5};
    uintptr_t id = (uintptr_t)arg;
    if (id != 0) {
        host_set_priority(port_thread_self(), priorities[id]);
        await_waits(id - 1);
        assert_int_equal(wait_word(&words[0], 0, never), 0);
        order[atomic_fetch_add(&nr_woken, 1)] = id;
        return NULL;
    }
    struct futex_key a = key_of(&words[0]), b = key_of(&words[1]);
    await_waits(THREADS - 1);
    if (moves)
        assert_int_equal(futex_requeue(&a, &b, 0, THREADS, 0, NULL), THREADS - 1);
    for (uint32_t i = 1; i < THREADS; i++) {
        assert_int_equal(futex_wake(moves ? &b : &a, 1, ~0U), 1);
        while (atomic_load_acquire(&nr_woken) != i)
            hart_relax();
    }
    return NULL;
}

static void the_urgent_come_first(void **state)
{
    static const uintptr_t expected[] = {4, 2, 5, 1, 3};
    for (int round = 0; round < 2; round++) {
        moves = round == 1;
        nr_woken = 0;
        futex_setup(NULL);
        host_run_threads(THREADS, ordered);
        assert_memory_equal(order, expected, sizeof(expected));
    }
}

// Requeueing to the very word that they wait for wakes and counts, and leaves them where they are.
static void *requeue_self(void *arg)
{
    struct futex_key a = key_of(&words[0]);
    uintptr_t id = (uintptr_t)arg;
    if (id != 0) {
        await_waits(id - 1);
        assert_int_equal(wait_word(&words[0], 0, never), 0);
        order[atomic_fetch_add(&nr_woken, 1)] = id;
        return NULL;
    }
    await_waits(THREADS - 1);
    assert_int_equal(futex_requeue(&a, &a, 2, 2, 0, NULL), 4);
    for (uint32_t i = 2; i < THREADS - 1; i++) {
        while (atomic_load_acquire(&nr_woken) != i)
            hart_relax();
        assert_int_equal(futex_wake(&a, 1, ~0U), 1);
    }
    return NULL;
}

static void requeue_to_the_same_word(void **state)
{
    nr_woken = 0;
    host_run_threads(THREADS, requeue_self);
    assert_int_equal(order[0] + order[1], 1 + 2);
    for (uintptr_t i = 2; i < THREADS - 1; i++)
        assert_int_equal(order[i], i + 1);
}

// futex(2), FUTEX_WAKE_OP: what it stores, and whether the second word's waiter is woken.
static const struct {
    uint32_t op, old, stored;
    bool wakes;
} wake_ops[] = {
    {FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 3), 3, 7, true},
    {FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 3), 4, 7, false},
    {FUTEX_OP(FUTEX_OP_ADD, 0xfff, FUTEX_OP_CMP_NE, 0), 10, 9, true}, // -1
    {FUTEX_OP(FUTEX_OP_OR, 0x800, FUTEX_OP_CMP_LT, 0), 1, 0xfffff801, false},
    {FUTEX_OP(FUTEX_OP_ANDN, 3, FUTEX_OP_CMP_LT, 0), 0xffffffff, 0xfffffffc, true}, // signed
    {FUTEX_OP(FUTEX_OP_XOR, 0xf, FUTEX_OP_CMP_GE, 0xffe), 0xffffffff, 0xfffffff0, true},
    {FUTEX_OP(FUTEX_OP_XOR, 1, FUTEX_OP_CMP_GE, 0xfff), 0xffffffff, 0xfffffffe, true},
    {FUTEX_OP(FUTEX_OP_XOR, 0xf, FUTEX_OP_CMP_GT, 0xfff), 0xffffffff, 0xfffffff0, false},
    {FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_LE, 5), 5, 1, true},
    {FUTEX_OP((FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT), 31, FUTEX_OP_CMP_LE, 5), 6, 1U << 31, false},
};

static void *wake_op_rounds(void *arg)
{
    struct futex_key a = key_of(&words[0]), b = key_of(&words[1]);
    for (size_t i = 0; i < ARRAY_SIZE(wake_ops); i++) {
        if (arg != NULL) { // two threads wait, each for its own word, which isn't the changed one
            uint32_t *word = &words[(uintptr_t)arg - 1];
            assert_int_equal(wait_word(word, 0, never), 0);
            continue;
        }
        struct futex_key *second = &b;
        await_waits(2 * (i + 1));
        words[2] = wake_ops[i].old;
        int woken = futex_wake_op(&a, 1, second, (vaddr_t)&words[2], 1, wake_ops[i].op);
        assert_int_equal(words[2], wake_ops[i].stored);
        assert_int_equal(woken, wake_ops[i].wakes ? 2 : 1);
        if (!wake_ops[i].wakes)
            assert_int_equal(futex_wake(&b, 1, ~0U), 1);
    }
    if (arg == NULL) {
        words[2] = 1;
        assert_int_equal(futex_wake_op(&a, 1, &b, (vaddr_t)&words[2], 1, 5U << 28), -ENOSYS);
        assert_int_equal(futex_wake_op(&a, 1, &b, (vaddr_t)&words[2], 1, 6U << 24), -ENOSYS);
        assert_int_equal(words[2], 1);
    }
    return NULL;
}

static void wake_op_changes_and_compares(void **state)
{
    host_fault_one_in(3);
    host_run_threads(3, wake_op_rounds);
}

#define SUM_ROUNDS 500
// The change is atomic: many add to one word at once.
static void *wake_op_sum(void *arg)
{
    struct futex_key a = key_of(&words[0]), b = key_of(&words[1]);
    uint32_t op = FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0);
    for (int i = 0; i < SUM_ROUNDS; i++)
        assert_true(futex_wake_op(&a, 1, &b, (vaddr_t)&words[1], 1, op) >= 0);
    return NULL;
}

static void wake_op_is_atomic(void **state)
{
    host_run_threads(THREADS, wake_op_sum);
    assert_int_equal(words[1], THREADS * SUM_ROUNDS);
}

#define NR_ANY 5

static void *wait_any_rounds(void *arg)
{
    struct futex_wait_word list[NR_ANY];
    struct futex_waiter waiters[NR_ANY];
    for (unsigned int i = 0; i < NR_ANY; i++)
        list[i] = (struct futex_wait_word){.key = key_of(&words[i]), .addr = (vaddr_t)&words[i]};
    if (arg != NULL) {
        for (unsigned int i = 0; i < NR_ANY; i++) {
            await_waits((i + 1) * NR_ANY);
            assert_int_equal(wake_word(&words[i], 1), 1);
        }
        return NULL;
    }
    for (unsigned int i = 0; i < NR_ANY; i++)
        assert_int_equal(futex_wait_any(list, waiters, NR_ANY, never), i);
    assert_int_equal(futex_wait_any(list, waiters, NR_ANY, in_ms(1)), -ETIMEDOUT);
    list[NR_ANY - 1].expected = 1;
    assert_int_equal(futex_wait_any(list, waiters, NR_ANY, never), -EAGAIN);
    list[NR_ANY - 1].addr = HOST_NO_WORD;
    assert_int_equal(futex_wait_any(list, waiters, NR_ANY, never), -EFAULT);
    for (unsigned int i = 0; i < NR_ANY; i++) // nobody stayed behind
        assert_int_equal(wake_word(&words[i], 1), 0);
    return NULL;
}

static void wait_any_tells_which(void **state)
{
    host_run_threads(2, wait_any_rounds);
}

// The wall clock is set past one deadline: that wait ends now. Set back: it doesn't end early.
static void *realtime_rounds(void *arg)
{
    uint64_t begin = host_now_ns();
    if (arg != NULL) {
        await_waits(1);
        host_set_realtime((int64_t)(3600 * NS_PER_SEC));
        await_waits(2);
        host_set_realtime(0);
        return NULL;
    }
    struct futex_deadline d = {.ns = host_realtime_ns() + 1800 * NS_PER_SEC, .realtime = true};
    assert_int_equal(wait_word(&words[0], 0, d), -ETIMEDOUT);
    assert_true(host_now_ns() - begin < 60 * NS_PER_SEC);
    d.ns = begin + 300 * NS_PER_MS;
    host_set_realtime(-(int64_t)(100 * NS_PER_MS));
    assert_int_equal(wait_word(&words[0], 0, d), -ETIMEDOUT);
    assert_true(host_realtime_ns() >= d.ns);
    return NULL;
}

static void a_clock_step_is_noticed(void **state)
{
    host_run_threads(2, realtime_rounds);
}

// A bucket where nobody waits any more counts nobody, and a wake there doesn't take its lock: it
// passes while another thread holds that.
static uint32_t stage; // 1: held, 2: woken

static void hold_idle_bucket(void)
{
    struct futex_key key = key_of(&words[0]);
    struct futex_bucket *b = futex_bucket_of(&key);
    struct futex_waiter waiter;
    struct futex_wait_word list = {.key = key, .addr = (vaddr_t)&words[0], .expected = 0};
    words[0] = 1;
    assert_int_equal(wait_word(&words[0], 0, never), -EAGAIN);
    assert_int_equal(futex_wait_any(&list, &waiter, 1, never), -EAGAIN);
    assert_int_equal(wait_word(&words[0], 1, in_ms(1)), -ETIMEDOUT);
    assert_true(futex_is_idle(b));
    spin_lock(&b->lock);
    atomic_store(&stage, 1);
    uint64_t end = host_now_ns() + 5 * NS_PER_SEC;
    while (atomic_load(&stage) != 2 && host_now_ns() < end)
        hart_relax();
    bool passed = atomic_load(&stage) == 2;
    spin_unlock(&b->lock);
    assert_true(passed);
}

static void *idle_bucket_thread(void *id)
{
    if (id == NULL) {
        hold_idle_bucket();
        return NULL;
    }
    while (atomic_load(&stage) == 0)
        hart_relax();
    assert_int_equal(wake_word(&words[0], 1), 0);
    atomic_store(&stage, 2);
    return NULL;
}

static void an_idle_bucket_is_not_locked(void **state)
{
    stage = 0;
    host_run_threads(2, idle_bucket_thread);
}

static void assert_all_idle(void)
{
    for (unsigned int i = 0; i < FUTEX_BUCKETS; i++)
        assert_true(futex_is_idle(&futex_buckets[i]));
}

// Nothing is lost: each wait ends woken, timed out or interrupted, and what wakers counted is what
// waiters saw.
static uint64_t count_woken, count_timeout, count_intr, count_again, count_wakes;
static uint32_t running;

static void storm_wait(unsigned int i, unsigned int *seed)
{
    struct futex_deadline d = {.ns = host_now_ns() + (uint64_t)(rand_r(seed) % 200000)};
    int err;
    if (i % 8 == 0) {
        struct futex_waiter waiters[2];
        struct futex_wait_word list[2] = {{.key = key_of(&words[0]), .addr = (vaddr_t)&words[0]},
                                          {.key = key_of(&words[2]), .addr = (vaddr_t)&words[2]}};
        err = futex_wait_any(list, waiters, 2, d);
        err = err > 0 ? 0 : err;
    } else {
        d.realtime = i % 3 == 0;
        err = wait_word(&words[i & 1], 0, d);
    }
    atomic_add_fetch(err == 0            ? &count_woken
                     : err == -ETIMEDOUT ? &count_timeout
                     : err == -EINTR     ? &count_intr
                                         : &count_again,
                     1);
}

static void *storm_rounds(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    struct futex_key a = key_of(&words[0]), b = key_of(&words[1]);
    unsigned int seed = (unsigned int)id;
    if (id >= 2) {
        for (unsigned int i = 0; i < ROUNDS; i++)
            storm_wait(i, &seed);
        atomic_sub_fetch(&running, 1);
        return NULL;
    }
    while (atomic_load(&running) > 0) {
        struct thread *victim = host_thread(2 + (unsigned int)rand_r(&seed) % (THREADS - 2));
        switch (rand_r(&seed) % 5) {
        case 0:
            atomic_add_fetch(&count_wakes, (uint64_t)futex_wake(&a, 2, ~0U));
            break;
        case 1:
            atomic_add_fetch(&count_wakes, (uint64_t)futex_wake(&b, 1, ~0U));
            break;
        case 2:
            futex_requeue(id ? &a : &b, id ? &b : &a, 0, 2, 0, NULL);
            break;
        case 3:
            host_set_priority(victim, rand_r(&seed) % 3);
            break;
        default:
            host_interrupt(victim, rand_r(&seed) & 1);
        }
    }
    return NULL;
}

static void nothing_is_lost_in_a_storm(void **state)
{
    host_fault_one_in(7);
    running = THREADS - 2;
    count_woken = count_timeout = count_intr = count_again = count_wakes = 0;
    host_run_threads(THREADS, storm_rounds);
    assert_int_equal(count_again, 0);
    assert_int_equal(count_woken, count_wakes);
    assert_int_equal(count_woken + count_timeout + count_intr, (THREADS - 2) * ROUNDS);
    assert_true(count_woken > 0 && count_timeout > 0 && count_intr > 0);
    assert_int_equal(key_refs, 0);
    assert_all_idle();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_mutex_over_it_excludes, futex_setup),
        cmocka_unit_test_setup(errors_are_linux_s, futex_setup),
        cmocka_unit_test_setup(requeue_moves_waiters, futex_setup),
        cmocka_unit_test_setup(the_moved_can_give_up, futex_setup),
        cmocka_unit_test_setup(the_urgent_come_first, futex_setup),
        cmocka_unit_test_setup(requeue_to_the_same_word, futex_setup),
        cmocka_unit_test_setup(wake_op_changes_and_compares, futex_setup),
        cmocka_unit_test_setup(wake_op_is_atomic, futex_setup),
        cmocka_unit_test_setup(wait_any_tells_which, futex_setup),
        cmocka_unit_test_setup(a_clock_step_is_noticed, futex_setup),
        cmocka_unit_test_setup(an_idle_bucket_is_not_locked, futex_setup),
        cmocka_unit_test_setup(nothing_is_lost_in_a_storm, futex_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
