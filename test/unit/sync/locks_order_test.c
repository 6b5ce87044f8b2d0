// SPDX-License-Identifier: BSD-2-Clause
// Who gets a sleeping lock next, and how waiters leave: each test lets threads queue one by one,
// then looks at the order in which they come in. Under ThreadSanitizer, like locks_test.c.
#include "sync_host.h"

#include <arch/thread.h>
#include <errno.h>
#include <sync/mutex.h>
#include <sync/rwlock.h>
#include <sync/wait_queue.h>

#define THREADS 6

static struct mutex mutex = MUTEX_INIT(mutex);
static struct rwlock rw = RWLOCK_INIT(rw);
static struct wait_queue queue = WAIT_QUEUE_INIT(queue);
static uintptr_t order[THREADS];
static uint32_t nr_in; // how many came in so far

static void came_in(uintptr_t id)
{
    uint32_t place = atomic_add_fetch(&nr_in, 1) - 1;
    atomic_store(&order[place], id);
}

static unsigned int length_of(struct spinlock *lock, const struct list_node *list)
{
    unsigned int length = 0;
    spin_lock(lock);
    for (const struct list_node *n = list->next; n != list; n = n->next)
        length++;
    spin_unlock(lock);
    return length;
}

// Somebody else's waiter stands there once the list is so long.
static void await_length(struct spinlock *lock, const struct list_node *list, unsigned int length)
{
    while (length_of(lock, list) != length)
        hart_relax();
}

// Breaks when an unlock wakes the last who came, or lets a newcomer overtake.
static void *mutex_in_turn(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    if (id != 0)
        while (atomic_load(&nr_in) == 0)
            hart_relax();
    if (id > 1)
        await_length(&mutex.lock, &mutex.waiters, (unsigned int)id - 1);
    mutex_lock(&mutex);
    came_in(id);
    if (id == 0)
        await_length(&mutex.lock, &mutex.waiters, THREADS - 1);
    mutex_unlock(&mutex);
    return NULL;
}

static void mutex_serves_in_turn(void **state)
{
    nr_in = 0;
    host_run_threads(THREADS, mutex_in_turn);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(order[i], i);
    assert_null(mutex.owner);
}

// Breaks when a killed waiter stays queued: then the unlock hands the mutex to a thread that left.
static void *mutex_killed(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    if (id == 0) {
        mutex_lock(&mutex);
        atomic_store(&nr_in, 1);
        await_length(&mutex.lock, &mutex.waiters, 2);
        host_kill(host_thread(1));
        await_length(&mutex.lock, &mutex.waiters, 1);
        mutex_unlock(&mutex);
        return NULL;
    }
    while (atomic_load(&nr_in) == 0)
        hart_relax();
    if (id == 1) {
        assert_int_equal(mutex_lock_killable(&mutex), -EINTR);
        assert_false(mutex_is_held(&mutex));
    } else {
        await_length(&mutex.lock, &mutex.waiters, 1);
        assert_int_equal(mutex_lock_killable(&mutex), 0);
        mutex_unlock(&mutex);
    }
    return NULL;
}

static void killed_waiters_leave_a_mutex(void **state)
{
    nr_in = 0;
    host_run_threads(3, mutex_killed);
    assert_null(mutex.owner);
    assert_true(list_is_empty(&mutex.waiters));
}

// Thread 1 waits for thread 0, which lets go and is back before 1 runs: the first time, it
// overtakes; the second time it finds that the mutex was handed over. Breaks when a woken waiter
// can be overtaken for ever, or threads that pass a mutex to and fro have to sleep each time.
static unsigned int nr_parks;

static void overtake_mutex(void)
{
    host_become(0);
    mutex_unlock(&mutex);
    assert_false(mutex_trylock(&mutex)); // there is a queue
    if (++nr_parks == 1) {
        mutex_lock(&mutex);
        assert_true(mutex_is_held(&mutex));
    } else {
        host_become(1);
        assert_true(mutex_is_held(&mutex));
    }
}

static void overtake_rwlock(void)
{
    host_become(0);
    rwlock_write_unlock(&rw);
    if (++nr_parks == 1) {
        rwlock_write_lock(&rw);
    } else {
        host_become(1);
        rwlock_assert_write_held(&rw);
    }
}

// Thread 0 acts as thread 1 as well, whose own part of the host stands still meanwhile.
static unsigned int standing_still, all_done;

static void stand_still(void)
{
    atomic_store_release(&standing_still, 1U);
    while (!atomic_load_acquire(&all_done))
        hart_relax();
}

static void *act_for_both(void (*act)(void))
{
    while (!atomic_load_acquire(&standing_still))
        hart_relax();
    act();
    host_park_hook = NULL;
    host_become(0);
    atomic_store_release(&all_done, 1U);
    return NULL;
}

static void overtaken(void)
{
    mutex_lock(&mutex);
    rwlock_write_lock(&rw);
    host_become(1);
    nr_parks = 0;
    host_park_hook = overtake_mutex;
    mutex_lock(&mutex);
    assert_int_equal(nr_parks, 2);
    mutex_unlock(&mutex);
    nr_parks = 0;
    host_park_hook = overtake_rwlock;
    rwlock_write_lock(&rw);
    assert_int_equal(nr_parks, 2);
    rwlock_write_unlock(&rw);
}

static void *overtaken_thread(void *arg)
{
    return arg == NULL ? act_for_both(overtaken) : (stand_still(), NULL);
}

static void nobody_is_overtaken_twice(void **state)
{
    standing_still = all_done = 0;
    host_run_threads(2, overtaken_thread);
    assert_null(mutex.owner);
    assert_true(list_is_empty(&mutex.waiters) && list_is_empty(&rw.waiters));
}

// The waiter is woken for a free mutex, and killed: it takes it, for nobody else was told.
static void kill_who_was_woken(void)
{
    host_become(0);
    mutex_unlock(&mutex);
    host_kill(host_thread(1));
}

static void woken_and_killed(void)
{
    mutex_lock(&mutex);
    host_become(1);
    host_park_hook = kill_who_was_woken;
    assert_int_equal(mutex_lock_killable(&mutex), 0);
    mutex_unlock(&mutex);
}

static void *killed_thread(void *arg)
{
    return arg == NULL ? act_for_both(woken_and_killed) : (stand_still(), NULL);
}

static void no_wake_is_lost_by_a_kill(void **state)
{
    standing_still = all_done = 0;
    host_run_threads(2, killed_thread);
    assert_null(mutex.owner);
}

// Queue behind reader 0: writer 1, readers 2 and 3, writer 4, reader 5. Breaks when a queued writer
// doesn't stop readers, or adjacent readers don't come in together.
static void *rwlock_in_turn(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    bool write = id == 1 || id == 4;
    if (id == 0) {
        rwlock_read_lock(&rw);
        came_in(id);
        await_length(&rw.lock, &rw.waiters, THREADS - 1);
        rwlock_read_unlock(&rw);
        return NULL;
    }
    while (atomic_load(&nr_in) == 0)
        hart_relax();
    await_length(&rw.lock, &rw.waiters, (unsigned int)id - 1);
    if (write) {
        rwlock_write_lock(&rw);
        came_in(id);
        rwlock_write_unlock(&rw);
    } else {
        rwlock_read_lock(&rw);
        came_in(id);
        if (id != 5) // the two readers between the writers meet inside
            while (atomic_load(&nr_in) < 4)
                hart_relax();
        rwlock_read_unlock(&rw);
    }
    return NULL;
}

static void rwlock_serves_in_turn(void **state)
{
    nr_in = 0;
    host_run_threads(THREADS, rwlock_in_turn);
    assert_int_equal(order[0], 0);
    assert_int_equal(order[1], 1);
    assert_int_equal(order[2] + order[3], 2 + 3);
    assert_int_equal(order[4], 4);
    assert_int_equal(order[5], 5);
}

// A writer that gives up lets in the reader that queued behind it alone, while the first reader is
// still inside.
static void *rwlock_killed(void *arg)
{
    uintptr_t id = (uintptr_t)arg;
    if (id == 0) {
        rwlock_read_lock(&rw);
        atomic_store(&nr_in, 1);
        await_length(&rw.lock, &rw.waiters, 2);
        host_kill(host_thread(1));
        while (atomic_load(&nr_in) != 2)
            hart_relax();
        rwlock_read_unlock(&rw);
        return NULL;
    }
    while (atomic_load(&nr_in) == 0)
        hart_relax();
    if (id == 1) {
        assert_int_equal(rwlock_write_lock_killable(&rw), -EINTR);
    } else {
        await_length(&rw.lock, &rw.waiters, 1);
        rwlock_read_lock(&rw);
        rwlock_assert_held(&rw);
        atomic_store(&nr_in, 2);
        rwlock_read_unlock(&rw);
    }
    return NULL;
}

static void killed_writers_let_readers_in(void **state)
{
    nr_in = 0;
    host_run_threads(3, rwlock_killed);
    assert_int_equal(rw.nr_readers, 0);
    assert_null(rw.writer);
    assert_true(list_is_empty(&rw.waiters));
}

static void *wake_all_round(void *arg)
{
    if (arg == NULL) {
        await_length(&queue.lock, &queue.waiters, THREADS - 1);
        atomic_store(&nr_in, 1);
        wait_queue_wake_all(&queue);
        return NULL;
    }
    struct waiter w;
    waiter_init(&w, (uintptr_t)arg % 2 == 0);
    wait_queue_add(&queue, &w);
    while (atomic_load(&nr_in) == 0)
        assert_int_equal(port_park(PARK_UNINTERRUPTIBLE, TIME_NEVER), 0);
    wait_queue_remove(&queue, &w);
    return NULL;
}

static void wake_all_wakes_all(void **state)
{
    nr_in = 0;
    host_run_threads(THREADS, wake_all_round);
    assert_true(wait_queue_is_empty(&queue));
}

// A waiter with a `wake` of its own is told by that, under the queue's lock, and isn't unparked.
static unsigned int called;

static void count_call(struct waiter *w)
{
    spin_assert_held(&queue.lock);
    called++;
}

static void *callback_round(void *arg)
{
    struct waiter w;
    waiter_init(&w, false);
    w.wake = count_call;
    wait_queue_wake_one(&queue);
    wait_queue_add(&queue, &w);
    wait_queue_wake_one(&queue);
    wait_queue_wake_all(&queue);
    wait_queue_remove(&queue, &w);
    wait_queue_remove(&queue, &w); // a no-op
    wait_queue_wake_all(&queue);
    assert_int_equal(port_park(PARK_UNINTERRUPTIBLE, host_now_ns() + NS_PER_MS), -ETIMEDOUT);
    return NULL;
}

static void callbacks_replace_the_wake(void **state)
{
    called = 0;
    host_run_threads(1, callback_round);
    assert_int_equal(called, 2);
}

// The scheduler's hand-over: the depth and the ownership go to the other thread.
static struct spinlock handed = SPINLOCK_INIT;

static void *hand_over_round(void *arg)
{
    struct arch_thread *first = (struct arch_thread *)host_thread(0);
    struct arch_thread *second = (struct arch_thread *)host_thread(1);
    if (arg == NULL) {
        spin_lock(&handed);
        spin_hand_over(&handed, first, second);
        assert_false(spin_is_held(&handed));
        assert_int_equal(first->spin_depth, 0);
        atomic_store_release(&nr_in, 1);
    } else {
        while (!atomic_load_acquire(&nr_in))
            hart_relax();
        assert_true(spin_is_held(&handed));
        assert_int_equal(second->spin_depth, 1);
        assert_false(spin_trylock(&handed));
        spin_unlock(&handed);
    }
    return NULL;
}

static void spinlocks_are_handed_over(void **state)
{
    nr_in = 0;
    host_run_threads(2, hand_over_round);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutex_serves_in_turn),
        cmocka_unit_test(killed_waiters_leave_a_mutex),
        cmocka_unit_test(nobody_is_overtaken_twice),
        cmocka_unit_test(no_wake_is_lost_by_a_kill),
        cmocka_unit_test(rwlock_serves_in_turn),
        cmocka_unit_test(killed_writers_let_readers_in),
        cmocka_unit_test(wake_all_wakes_all),
        cmocka_unit_test(callbacks_replace_the_wake),
        cmocka_unit_test(spinlocks_are_handed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
