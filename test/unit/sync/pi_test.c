// SPDX-License-Identifier: BSD-2-Clause
// Locks with priority inheritance under ThreadSanitizer: what they exclude, who gets them, who runs
// at which priority meanwhile, how they fail, and a storm of all of it.
#include "pi_host.h"

#define THREADS 6
#define ROUNDS  1500
#define CHAIN   8

static uint64_t plain;

static void *lock_rounds(void *arg)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        assert_int_equal(lock(&words[0]), 0);
        assert_int_equal(atomic_load(&words[0]) & FUTEX_TID_MASK, tid_self());
        plain++;
        assert_int_equal(unlock(&words[0]), 0);
    }
    return NULL;
}

static void a_lock_excludes(void **state)
{
    plain = 0;
    host_fault_one_in(5);
    host_run_threads(THREADS, lock_rounds);
    assert_int_equal(plain, THREADS * ROUNDS);
    assert_int_equal(words[0], 0);
}

static void *errors(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    struct futex_key a = key_of(&words[0]);
    if (id == 1) { // has words[0] all the time, waits for words[1] in between
        assert_int_equal(lock(&words[0]), 0);
        next_step();
        await_step(2);
        assert_int_equal(lock(&words[1]), 0);
        assert_int_equal(unlock(&words[1]), 0);
        assert_int_equal(unlock(&words[0]), 0);
        return NULL;
    }
    await_step(1);
    assert_int_equal(futex_lock_pi(&a, HOST_NO_WORD, never, false), -EFAULT);
    assert_int_equal(futex_unlock_pi(&a, HOST_NO_WORD), -EFAULT);
    assert_int_equal(futex_unlock_pi(&a, (vaddr_t)&words[0]), -EPERM);
    assert_int_equal(try_lock(&words[0]), -EAGAIN);
    assert_int_equal(words[0], host_tid(1)); // a try leaves no mark
    assert_int_equal(lock_until(&words[0], in_ms(1)), -ETIMEDOUT);
    assert_int_equal(words[0], host_tid(1) | FUTEX_WAITERS);
    host_interrupt(port_thread_self(), true);
    assert_int_equal(lock_until(&words[0], never), -EINTR);
    host_interrupt(port_thread_self(), false);
    // A circle of two.
    assert_int_equal(lock(&words[1]), 0);
    assert_int_equal(lock_until(&words[1], never), -EDEADLK);
    assert_int_equal(try_lock(&words[1]), -EDEADLK);
    uint64_t waits = nr_waits();
    next_step();
    await_waits(waits + 1);
    assert_int_equal(lock_until(&words[0], never), -EDEADLK);
    // Waiters for a lock aren't woken as those for a word are.
    assert_int_equal(wake_word(&words[1], 1), -EINVAL);
    // The word and the waiters disagree about the owner.
    atomic_store(&words[1], (uint32_t)host_tid(1) | FUTEX_WAITERS);
    assert_int_equal(lock_until(&words[1], never), -EINVAL);
    atomic_store(&words[1], tid_self() | FUTEX_WAITERS);
    assert_int_equal(unlock(&words[1]), 0);
    // Nobody has such a TID; the word of a thread that is gone for good.
    words[2] = FUTEX_TID_MASK;
    assert_int_equal(lock_until(&words[2], never), -ESRCH);
    port_thread_pi(host_thread(2))->state = PI_KERNEL;
    words[2] = (uint32_t)host_tid(2);
    assert_int_equal(lock_until(&words[2], never), -EPERM);
    words[2] = FUTEX_OWNER_DIED;
    assert_int_equal(lock_until(&words[2], never), 0);
    assert_int_equal(words[2], FUTEX_OWNER_DIED | tid_self());
    words[2] = 0;
    next_step();
    return NULL;
}

static void *errors_or_nobody(void *arg)
{
    if ((uintptr_t)arg == 2)
        await_step(3);
    return (uintptr_t)arg == 2 ? NULL : errors(arg);
}

static void errors_are_linux_s(void **state)
{
    host_run_threads(3, errors_or_nobody);
}

// Somebody waits for the word as for a word.
static void *mixed(void *arg)
{
    if (arg != NULL) {
        assert_int_equal(wait_word(&words[0], 0, never), 0);
        return NULL;
    }
    await_waits(1);
    atomic_store(&words[0], (uint32_t)host_tid(1));
    assert_int_equal(lock_until(&words[0], never), -EINVAL);
    assert_int_equal(wake_word(&words[0], 1), 1);
    return NULL;
}

static void a_word_that_is_waited_for_is_no_lock(void **state)
{
    host_run_threads(2, mixed);
}

// Waiters of priorities 0, 3, 9, 3, 0 in this order of arrival get the lock in order of priority,
// and the owner runs at the highest of those who still wait.
static uintptr_t order[THREADS];
static uint32_t nr_served;

static void *urgency(void *arg)
{
    static const int priorities[] = {0, 0, 3, 9, 3, 0};
    static const int boosts[] = {9, 3, 3, 0, 0, 0}; // of each owner, in order of service
    uintptr_t id = (uintptr_t)arg;
    host_set_priority(port_thread_self(), priorities[id]);
    if (id == 0) {
        assert_int_equal(lock(&words[0]), 0);
        next_step();
        await_waits(THREADS - 1);
    } else {
        await_step(1);
        await_waits(id - 1);
        assert_int_equal(lock_until(&words[0], never), 0);
    }
    assert_int_equal(host_boost_of(port_thread_self()), boosts[nr_served]);
    order[nr_served++] = id;
    assert_int_equal(unlock(&words[0]), 0);
    assert_int_equal(host_boost_of(port_thread_self()), 0);
    return NULL;
}

static void the_urgent_come_first(void **state)
{
    static const uintptr_t expected[] = {0, 3, 2, 4, 1, 5};
    nr_served = 0;
    host_run_threads(THREADS, urgency);
    assert_memory_equal(order, expected, sizeof(expected));
    assert_int_equal(words[0], 0);
}

// Thread i has lock i and waits for lock i + 1; the last one waits for nothing. Then an urgent one
// comes to lock 0, changes its mind, comes again.
static uint32_t chain_words[CHAIN];

static bool chain_is_boosted(int boost)
{
    for (unsigned int i = 0; i < CHAIN; i++)
        if (host_boost_of(host_thread(i)) != boost)
            return false;
    return true;
}

static void *chain(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    if (id < CHAIN) {
        assert_int_equal(lock(&chain_words[id]), 0);
        next_step();
        if (id < CHAIN - 1) {
            await_step(CHAIN);
            assert_int_equal(lock_until(&chain_words[id + 1], never), 0);
            assert_int_equal(unlock(&chain_words[id + 1]), 0);
        } else {
            await_step(CHAIN + 1);
        }
        assert_int_equal(unlock(&chain_words[id]), 0);
        return NULL;
    }
    struct thread *self = port_thread_self();
    host_set_priority(self, 7);
    await_waits(CHAIN - 1);
    assert_true(chain_is_boosted(0));
    assert_int_equal(lock_until(&chain_words[0], in_ms(20)), -ETIMEDOUT); // boosted, then not
    assert_true(chain_is_boosted(0));
    struct futex_stats stats;
    futex_stats(&stats);
    assert_true(stats.pi_boosts >= CHAIN);
    // A circle through all of them.
    next_step();
    assert_int_equal(lock_until(&chain_words[0], never), 0);
    assert_int_equal(unlock(&chain_words[0]), 0);
    return NULL;
}

static void *chain_watched(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    if (id <= CHAIN)
        return chain(arg);
    // The priority of a waiter changes: everybody's along the chain follows.
    await_step(CHAIN);
    await_waits(CHAIN); // thread CHAIN waits, too
    while (!chain_is_boosted(7))
        hart_relax();
    host_set_priority(host_thread(CHAIN), 11);
    assert_true(chain_is_boosted(11) || atomic_load(&step) > CHAIN);
    host_set_priority(host_thread(CHAIN), 7);
    return NULL;
}

static void boosts_go_along_chains(void **state)
{
    for (unsigned int i = 0; i < CHAIN; i++)
        chain_words[i] = 0;
    host_run_threads(CHAIN + 2, chain_watched);
    for (unsigned int i = 0; i < CHAIN; i++)
        assert_int_equal(chain_words[i], 0);
}

static void *circle(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    assert_int_equal(lock(&chain_words[id]), 0);
    next_step();
    if (id < CHAIN - 1) {
        await_step(CHAIN);
        assert_int_equal(lock_until(&chain_words[id + 1], never), 0);
        assert_int_equal(unlock(&chain_words[id + 1]), 0);
    } else {
        await_waits(CHAIN - 1);
        assert_int_equal(lock_until(&chain_words[0], never), -EDEADLK);
    }
    assert_int_equal(unlock(&chain_words[id]), 0);
    return NULL;
}

static void circles_are_refused(void **state)
{
    for (unsigned int i = 0; i < CHAIN; i++)
        chain_words[i] = 0;
    host_run_threads(CHAIN, circle);
}

// The owner ends without unlocking. Those who wait take the lock over one after the other, with
// FUTEX_OWNER_DIED told; the last finds it as any other.
static void *owner_dies(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    if (id == 0) {
        assert_int_equal(lock(&words[0]), 0);
        next_step();
        await_waits(THREADS - 1);
        return NULL;
    }
    await_step(1);
    assert_int_equal(lock_until(&words[0], never), 0);
    uint32_t word = atomic_load(&words[0]);
    assert_int_equal(word & FUTEX_TID_MASK, tid_self());
    assert_true((word & FUTEX_OWNER_DIED) == (nr_served == 0 ? FUTEX_OWNER_DIED : 0));
    assert_true((word & FUTEX_WAITERS) == (nr_served < THREADS - 2 ? FUTEX_WAITERS : 0));
    nr_served++;
    plain++;
    assert_int_equal(unlock(&words[0]), 0);
    return NULL;
}

static void a_dead_owner_s_lock_is_taken_over(void **state)
{
    for (int i = 0; i < 50; i++) {
        setup(NULL);
        nr_served = 0;
        host_fault_one_in(3);
        host_run_threads(THREADS, owner_dies);
        assert_int_equal(nr_served, THREADS - 1);
        assert_int_equal(words[0] & ~FUTEX_OWNER_DIED, 0);
    }
}

// The first in line can't reach the word any more: he fails, and the next one takes over. They know
// the lock by different addresses.
static int lock_by(uint32_t *word, uint32_t *mapped)
{
    struct futex_key key = key_of(word);
    return futex_lock_pi(&key, (vaddr_t)mapped, never, false);
}

static void *first_in_line_fails(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    if (id == 0) {
        assert_int_equal(lock(&words[0]), 0);
        atomic_store(&words[5], words[0]); // the other mapping
        next_step();
        await_waits(2);
        host_lose_word((vaddr_t)&words[5]);
        return NULL;
    }
    await_step(1);
    await_waits(id - 1);
    if (id == 1) {
        assert_int_equal(lock_by(&words[0], &words[5]), -EFAULT);
    } else {
        assert_int_equal(lock_by(&words[0], &words[0]), 0);
        assert_int_equal(atomic_load(&words[0]), tid_self() | FUTEX_OWNER_DIED);
    }
    return NULL;
}

static void who_can_t_take_over_makes_way(void **state)
{
    host_run_threads(3, first_in_line_fails);
    host_lose_word(0);
}

// The word bears the TID of one who isn't the owner that its waiters know.
static void *false_owner(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    if (id == 1) {
        await_step(1);
        assert_int_equal(lock_until(&words[0], never), 0);
        assert_int_equal(unlock(&words[0]), 0);
    } else if (id == 2) {
        await_waits(1);
        uint32_t before = atomic_exchange(&words[0], tid_self() | FUTEX_WAITERS);
        assert_int_equal(unlock(&words[0]), -EINVAL);
        atomic_store(&words[0], before);
        next_step();
    } else {
        assert_int_equal(lock(&words[0]), 0);
        next_step();
        await_step(2);
        assert_int_equal(unlock(&words[0]), 0);
    }
    return NULL;
}

static void only_the_owner_unlocks(void **state)
{
    host_run_threads(3, false_owner);
    assert_int_equal(words[0], 0);
}

// An owner that is about to end is waited for, whatever it does to the word then.
static void *owner_exits(void *arg)
{
    if (arg == NULL) {
        assert_int_equal(lock(&words[0]), 0);
        pi_thread_begin_exit();
        next_step();
        for (int i = 0; i < 1000; i++)
            hart_relax();
        atomic_store(&words[0], FUTEX_OWNER_DIED); // the walk of the robust list
        pi_thread_end_exit(PI_DEAD);
        return NULL;
    }
    await_step(1);
    assert_int_equal(lock_until(&words[0], never), 0);
    assert_int_equal(words[0], tid_self() | FUTEX_OWNER_DIED);
    words[0] = 0;
    return NULL;
}

static void an_exiting_owner_is_waited_for(void **state)
{
    for (int i = 0; i < 20; i++) {
        setup(NULL);
        host_run_threads(2, owner_exits);
    }
}

// Its robust list is walked, so the word names nobody, and who waits isn't told yet: whoever comes
// just then waits, too (it is no error of theirs).
static void *owner_exits_slowly(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    if (id == 0) {
        assert_int_equal(lock(&words[0]), 0);
        next_step();
        await_waits(1);
        pi_thread_begin_exit();
        atomic_store(&words[0], FUTEX_WAITERS | FUTEX_OWNER_DIED);
        next_step();
        await_waits(2);
        pi_thread_end_exit(PI_DEAD);
        return NULL;
    }
    await_step((uint32_t)id);
    assert_int_equal(lock_until(&words[0], never), 0);
    assert_int_equal(atomic_load(&words[0]) & FUTEX_TID_MASK, tid_self());
    assert_int_equal(unlock(&words[0]), 0);
    return NULL;
}

static void who_comes_while_an_owner_exits_waits(void **state)
{
    host_run_threads(3, owner_exits_slowly);
    assert_int_equal(words[0], 0);
}

// Three locks taken in every order and any combination, with timeouts, interruptions, changes of
// priority; owners that end with a lock held. Every section is exclusive, nobody stays boosted
// (host_run_threads), and every lock is free in the end.
static uint64_t sections[3], count_locked;
static uint32_t running;

static int storm_lock(unsigned int i, unsigned int *seed)
{
    switch (rand_r(seed) % 4) {
    case 0:
        return try_lock(&words[i]);
    case 1:
        return lock_until(&words[i], (struct futex_deadline){
                                         .ns = host_now_ns() + (uint64_t)(rand_r(seed) % 100000)});
    default:
        return lock(&words[i]);
    }
}

static void storm_section(unsigned int depth, unsigned int *seed)
{
    unsigned int i = (unsigned int)rand_r(seed) % 3;
    int err = storm_lock(i, seed);
    if (err != 0) {
        // -ESRCH: who ended with the lock held was waited for by nobody then.
        assert_true(err == -EAGAIN || err == -ETIMEDOUT || err == -EINTR || err == -EDEADLK ||
                    (err == -ESRCH && atomic_load(&running) < THREADS - 1));
        return;
    }
    sections[i]++;
    atomic_add_fetch(&count_locked, 1);
    if (depth > 0)
        storm_section(depth - 1, seed);
    assert_int_equal(unlock(&words[i]), 0);
}

static void *storm_rounds(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    unsigned int seed = (unsigned int)id;
    if (id != 0) {
        for (unsigned int i = 0; i < ROUNDS * (id < 3 ? 1 : 2); i++)
            storm_section(2, &seed);
        atomic_sub_fetch(&running, 1);
        if (id < 3) // and ends with a lock, for the others to take over
            (void)lock(&words[id]);
        return NULL;
    }
    while (atomic_load(&running) > 0) {
        struct thread *victim = host_thread(1 + (unsigned int)rand_r(&seed) % (THREADS - 1));
        if (rand_r(&seed) & 1)
            host_set_priority(victim, rand_r(&seed) % 4);
        else
            host_interrupt(victim, rand_r(&seed) & 1);
        hart_relax();
    }
    for (unsigned int i = 1; i < THREADS; i++)
        host_interrupt(host_thread(i), false);
    return NULL;
}

static void a_storm_leaves_every_lock_in_order(void **state)
{
    host_fault_one_in(7);
    running = THREADS - 1;
    count_locked = sections[0] = sections[1] = sections[2] = 0;
    host_run_threads(THREADS, storm_rounds);
    assert_int_equal(sections[0] + sections[1] + sections[2], count_locked);
    assert_true(count_locked > ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_lock_excludes, setup),
        cmocka_unit_test_setup(errors_are_linux_s, setup),
        cmocka_unit_test_setup(a_word_that_is_waited_for_is_no_lock, setup),
        cmocka_unit_test_setup(the_urgent_come_first, setup),
        cmocka_unit_test_setup(boosts_go_along_chains, setup),
        cmocka_unit_test_setup(circles_are_refused, setup),
        cmocka_unit_test_setup(a_dead_owner_s_lock_is_taken_over, setup),
        cmocka_unit_test_setup(who_can_t_take_over_makes_way, setup),
        cmocka_unit_test_setup(only_the_owner_unlocks, setup),
        cmocka_unit_test_setup(an_exiting_owner_is_waited_for, setup),
        cmocka_unit_test_setup(who_comes_while_an_owner_exits_waits, setup),
        cmocka_unit_test_setup(a_storm_leaves_every_lock_in_order, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
