// SPDX-License-Identifier: BSD-2-Clause
// Conditions with both clocks, barriers, reader-writer locks and semaphores, private and shared
// between processes; cancellation of threads that wait; fork in a process of many threads.
#include "ktap.h"
#include "pthreads.h"

#include <stdlib.h>
#include <sys/stat.h>

#define WORKERS 6

static clockid_t clock_used;

static void make_condition(clockid_t clock)
{
    pthread_condattr_t a;
    pthread_mutexattr_t m;
    CHECK_EQ(pthread_condattr_init(&a), 0);
    CHECK_EQ(pthread_condattr_setclock(&a, clock), 0);
    CHECK_EQ(pthread_condattr_setpshared(&a, pshared()), 0);
    CHECK_EQ(pthread_cond_init(&shared->condition, &a), 0);
    CHECK_EQ(pthread_mutexattr_init(&m), 0);
    CHECK_EQ(pthread_mutexattr_setpshared(&m, pshared()), 0);
    CHECK_EQ(pthread_mutex_init(&shared->mutex, &m), 0);
    shared->counter = shared->inside = shared->served = 0;
    clock_used = clock;
}

// Until `counter` isn't what it was when this worker came.
static void *wait_for_next(void *unused)
{
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    long seen = shared->counter;
    shared->inside++;
    while (shared->counter == seen) {
        struct timespec end = in_ms(clock_used, 15000);
        CHECK_EQ(pthread_cond_timedwait(&shared->condition, &shared->mutex, &end), 0);
    }
    shared->inside--;
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
    return NULL;
}

// A signal each takes one out, whose turn it is.
static void *wait_for_ticket(void *unused)
{
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    shared->inside++;
    while (shared->counter == 0)
        CHECK_EQ(pthread_cond_wait(&shared->condition, &shared->mutex), 0);
    shared->counter--;
    shared->served++;
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
    return NULL;
}

static void await_inside(long nr)
{
    for (;;) {
        CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
        long inside = shared->inside;
        CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
        if (inside == nr)
            return;
        sleep_ms(1);
    }
}

static void check_signals(void)
{
    struct worker w[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        start_worker(&w[i], wait_for_ticket, NULL);
    await_inside(WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
        CHECK_EQ(shared->served + shared->counter, i);
        shared->counter++;
        CHECK_EQ(pthread_cond_signal(&shared->condition), 0);
        CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
    }
    for (int i = 0; i < WORKERS; i++)
        join_worker(&w[i], 0);
    CHECK_EQ(shared->served, WORKERS);
    shared->inside = 0;
}

static void check_broadcasts(void)
{
    struct worker w[WORKERS];
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < WORKERS; i++)
            start_worker(&w[i], wait_for_next, NULL);
        await_inside(WORKERS);
        CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
        shared->counter++;
        CHECK_EQ(pthread_cond_broadcast(&shared->condition), 0);
        CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
        for (int i = 0; i < WORKERS; i++)
            join_worker(&w[i], 0);
        CHECK_EQ(shared->inside, 0);
    }
}

static void check_condition_timeout(clockid_t clock)
{
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    for (int ms = -5; ms <= 20; ms += 25) {
        struct timespec end = in_ms(clock, ms);
        int err;
        while ((err = pthread_cond_timedwait(&shared->condition, &shared->mutex, &end)) == 0)
            ; // spurious
        CHECK_EQ(err, ETIMEDOUT);
        CHECK(now_ns(clock) >= end.tv_sec * 1000000000LL + end.tv_nsec);
    }
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
}

static void check_conditions(enum sharing how)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    share(how);
    for (int i = 0; i < 2; i++) {
        make_condition(clocks[i]);
        check_condition_timeout(clocks[i]);
        check_signals();
        check_broadcasts();
        CHECK_EQ(pthread_cond_destroy(&shared->condition), 0);
    }
}

TEST_SECONDS(conditions, 60)
{
    check_conditions(PRIVATE);
}

TEST_SECONDS(conditions_in_shared_memory, 60)
{
    check_conditions(MEMORY);
}

TEST_SECONDS(conditions_in_a_mapped_file, 60)
{
    check_conditions(MAPPED_FILE);
}

// All see the count of the round before complete, and one is told that it is the one.
#define BARRIER_ROUNDS 60

static void *meet(void *unused)
{
    for (int i = 0; i < BARRIER_ROUNDS; i++) {
        __atomic_fetch_add(&shared->counter, 1, __ATOMIC_SEQ_CST);
        int result = pthread_barrier_wait(&shared->barrier);
        CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
        CHECK(__atomic_load_n(&shared->counter, __ATOMIC_SEQ_CST) >= WORKERS * (i + 1));
        if (result == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_fetch_add(&shared->served, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

TEST_SECONDS(barriers, 60)
{
    for (int how = PRIVATE; how < NR_SHARINGS; how++) {
        pthread_barrierattr_t a;
        share(how);
        CHECK_EQ(pthread_barrierattr_init(&a), 0);
        CHECK_EQ(pthread_barrierattr_setpshared(&a, pshared()), 0);
        CHECK_EQ(pthread_barrier_init(&shared->barrier, &a, WORKERS), 0);
        run_workers(WORKERS, meet);
        CHECK_EQ(shared->served, BARRIER_ROUNDS);
        CHECK_EQ(pthread_barrier_destroy(&shared->barrier), 0);
    }
}

// `inside` counts readers, and 1000 for each writer.
static void *read_and_write(void *worker)
{
    unsigned int seed = (unsigned int)(uintptr_t)worker;
    for (int i = 0; i < 150; i++) {
        struct timespec end = in_ms(CLOCK_REALTIME, 20000);
        if (rand_r(&seed) % 3 == 0) {
            CHECK_EQ(rand_r(&seed) % 2 ? pthread_rwlock_wrlock(&shared->rwlock)
                                       : pthread_rwlock_timedwrlock(&shared->rwlock, &end),
                     0);
            CHECK_EQ(__atomic_fetch_add(&shared->inside, 1000, __ATOMIC_SEQ_CST), 0);
            shared->counter++;
            if (i % 8 == 0)
                sched_yield();
            CHECK_EQ(__atomic_fetch_sub(&shared->inside, 1000, __ATOMIC_SEQ_CST), 1000);
        } else {
            CHECK_EQ(rand_r(&seed) % 2 ? pthread_rwlock_rdlock(&shared->rwlock)
                                       : pthread_rwlock_timedrdlock(&shared->rwlock, &end),
                     0);
            CHECK(__atomic_fetch_add(&shared->inside, 1, __ATOMIC_SEQ_CST) < 1000);
            if (i % 8 == 0)
                sched_yield();
            __atomic_fetch_sub(&shared->inside, 1, __ATOMIC_SEQ_CST);
            __atomic_fetch_add(&shared->served, 1, __ATOMIC_SEQ_CST);
        }
        CHECK_EQ(pthread_rwlock_unlock(&shared->rwlock), 0);
    }
    return NULL;
}

static void *finds_it_written(void *unused)
{
    struct timespec end = in_ms(CLOCK_REALTIME, 5);
    CHECK_EQ(pthread_rwlock_tryrdlock(&shared->rwlock), EBUSY);
    CHECK_EQ(pthread_rwlock_trywrlock(&shared->rwlock), EBUSY);
    CHECK_EQ(pthread_rwlock_timedrdlock(&shared->rwlock, &end), ETIMEDOUT);
    CHECK_EQ(pthread_rwlock_timedwrlock(&shared->rwlock, &end), ETIMEDOUT);
    return NULL;
}

static void *finds_it_read(void *unused)
{
    struct timespec end = in_ms(CLOCK_REALTIME, 5);
    CHECK_EQ(pthread_rwlock_tryrdlock(&shared->rwlock), 0);
    CHECK_EQ(pthread_rwlock_unlock(&shared->rwlock), 0);
    CHECK_EQ(pthread_rwlock_timedwrlock(&shared->rwlock, &end), ETIMEDOUT);
    return NULL;
}

TEST_SECONDS(reader_writer_locks, 60)
{
    for (int how = PRIVATE; how < NR_SHARINGS; how++) {
        pthread_rwlockattr_t a;
        share(how);
        CHECK_EQ(pthread_rwlockattr_init(&a), 0);
        CHECK_EQ(pthread_rwlockattr_setpshared(&a, pshared()), 0);
        CHECK_EQ(pthread_rwlock_init(&shared->rwlock, &a), 0);
        CHECK_EQ(pthread_rwlock_wrlock(&shared->rwlock), 0);
        run_workers(1, finds_it_written);
        CHECK_EQ(pthread_rwlock_unlock(&shared->rwlock), 0);
        CHECK_EQ(pthread_rwlock_rdlock(&shared->rwlock), 0);
        run_workers(1, finds_it_read);
        CHECK_EQ(pthread_rwlock_unlock(&shared->rwlock), 0);
        run_workers(WORKERS, read_and_write);
        CHECK_EQ(shared->inside, 0);
        CHECK_EQ(shared->counter + shared->served, WORKERS * 150);
        CHECK_EQ(pthread_rwlock_destroy(&shared->rwlock), 0);
    }
}

static void *echo(void *unused)
{
    for (int i = 0; i < 300; i++) {
        CHECK_EQ(sem_wait(&shared->ping), 0);
        CHECK_EQ(sem_post(&shared->pong), 0);
    }
    return NULL;
}

static void *bounded(void *unused)
{
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(sem_wait(&shared->ping), 0);
        CHECK(__atomic_add_fetch(&shared->inside, 1, __ATOMIC_SEQ_CST) <= 2);
        sched_yield();
        __atomic_sub_fetch(&shared->inside, 1, __ATOMIC_SEQ_CST);
        CHECK_EQ(sem_post(&shared->ping), 0);
    }
    return NULL;
}

TEST_SECONDS(semaphores, 60)
{
    for (int how = PRIVATE; how < NR_SHARINGS; how++) {
        struct worker w;
        int value;
        share(how);
        CHECK_EQ(sem_init(&shared->ping, how != PRIVATE, 0), 0);
        CHECK_EQ(sem_init(&shared->pong, how != PRIVATE, 0), 0);
        struct timespec end = in_ms(CLOCK_REALTIME, 5);
        CHECK_ERRNO(sem_timedwait(&shared->ping, &end), ETIMEDOUT);
        CHECK_ERRNO(sem_trywait(&shared->ping), EAGAIN);
        start_worker(&w, echo, NULL);
        for (int i = 0; i < 300; i++) {
            CHECK_EQ(sem_post(&shared->ping), 0);
            CHECK_EQ(sem_wait(&shared->pong), 0);
        }
        join_worker(&w, 0);
        CHECK_EQ(sem_post(&shared->ping), 0);
        CHECK_EQ(sem_post(&shared->ping), 0);
        run_workers(WORKERS, bounded);
        CHECK_EQ(sem_getvalue(&shared->ping, &value), 0);
        CHECK_EQ(value, 2);
    }
}

TEST(named_semaphores)
{
    mkdir("/dev/shm", 01777);
    share(MEMORY);
    sem_t *semaphore = sem_open("/vireo", O_CREAT | O_EXCL, 0600, 0);
    CHECK(semaphore != SEM_FAILED);
    pid_t pid = fork();
    if (pid == 0) {
        sem_t *again = sem_open("/vireo", 0);
        CHECK(again != SEM_FAILED);
        set_step(1);
        _exit(sem_wait(again));
    }
    await_step(1);
    CHECK_EQ(sem_post(semaphore), 0);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(sem_unlink("/vireo"), 0);
    CHECK(sem_open("/vireo", 0) == SEM_FAILED);
}

// Cancellation. Each waits where it is to be cancelled, and tells that its handler ran.
static int cancel_pipe[2];
static int cleaned_up;

static void clean_up(void *mutex)
{
    cleaned_up++;
    if (mutex)
        CHECK_EQ(pthread_mutex_unlock(mutex), 0); // it has it again
}

static void *waits_for_condition(void *unused)
{
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    pthread_cleanup_push(clean_up, &shared->mutex);
    set_step(1);
    for (;;)
        pthread_cond_wait(&shared->condition, &shared->mutex);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *waits_for_semaphore(void *unused)
{
    pthread_cleanup_push(clean_up, NULL);
    set_step(1);
    for (;;)
        sem_wait(&shared->ping);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *waits_for_bytes(void *unused)
{
    char byte;
    pthread_cleanup_push(clean_up, NULL);
    set_step(1);
    for (;;)
        read(cancel_pipe[0], &byte, 1);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *waits_for_time(void *unused)
{
    pthread_cleanup_push(clean_up, NULL);
    set_step(1);
    for (;;)
        sleep(100);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *spins(void *unused)
{
    int old;
    pthread_cleanup_push(clean_up, NULL);
    CHECK_EQ(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old), 0);
    set_step(1);
    for (;;)
        ;
    pthread_cleanup_pop(0);
    return NULL;
}

TEST_SECONDS(cancellation, 60)
{
    static void *(*const waiters[])(void *) = {waits_for_condition, waits_for_semaphore,
                                               waits_for_bytes, waits_for_time, spins};
    share(PRIVATE);
    make_condition(CLOCK_REALTIME);
    CHECK_EQ(sem_init(&shared->ping, 0, 0), 0);
    CHECK_EQ(pipe(cancel_pipe), 0);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof(waiters) / sizeof(waiters[0]); i++) {
            pthread_t thread;
            void *result;
            shared->step = cleaned_up = 0;
            CHECK_EQ(pthread_create(&thread, NULL, waiters[i], NULL), 0);
            await_step(1);
            if (round % 2)
                sleep_ms(2); // it sleeps by now
            CHECK_EQ(pthread_cancel(thread), 0);
            CHECK_EQ(pthread_join(thread, &result), 0);
            CHECK(result == PTHREAD_CANCELED);
            CHECK_EQ(cleaned_up, 1);
            CHECK_EQ(pthread_mutex_trylock(&shared->mutex), 0);
            CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
        }
    }
}

// A mutex is no place to be cancelled at, and who forbade it isn't until he allows it.
static void *locks_then_tests(void *unused)
{
    int old;
    set_step(1);
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    CHECK_EQ(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old), 0);
    sleep_ms(5);
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
    CHECK_EQ(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old), 0);
    shared->counter = 1;
    pthread_testcancel();
    shared->counter = 2;
    return NULL;
}

TEST(cancellation_waits_for_its_place)
{
    pthread_t thread;
    void *result;
    share(PRIVATE);
    make_condition(CLOCK_REALTIME);
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    CHECK_EQ(pthread_create(&thread, NULL, locks_then_tests, NULL), 0);
    await_step(1);
    sleep_ms(5);
    CHECK_EQ(pthread_cancel(thread), 0);
    sleep_ms(5);
    CHECK_EQ(shared->counter, 0);
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK_EQ(shared->counter, 1);
}

// Fork while others lock, allocate and print: the child has one thread and a libc that works.
static volatile bool forks_over;
static int prepared, in_parent, in_child_of_fork;

static void prepare(void)
{
    prepared++;
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
}

static void parent(void)
{
    in_parent++;
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
}

static void child(void)
{
    in_child_of_fork++;
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
}

static void *is_busy(void *unused)
{
    while (!forks_over) {
        CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
        free(malloc(2000));
        CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
        free(malloc(100000));
    }
    return NULL;
}

static void *adds_one(void *unused)
{
    CHECK_EQ(pthread_mutex_lock(&shared->mutex), 0);
    free(malloc(3000));
    shared->counter++;
    CHECK_EQ(pthread_mutex_unlock(&shared->mutex), 0);
    return NULL;
}

static void forked(void)
{
    shared->counter = 0;
    run_workers(3, adds_one);
    CHECK_EQ(shared->counter, 3);
    CHECK_EQ(in_child_of_fork, 1);
}

TEST_SECONDS(fork_beside_busy_threads, 60)
{
    pthread_t threads[4];
    share(PRIVATE);
    make_condition(CLOCK_REALTIME);
    CHECK_EQ(pthread_atfork(prepare, parent, child), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, is_busy, NULL), 0);
    for (int i = 0; i < 40; i++)
        CHECK_EQ(in_child(forked), 0);
    forks_over = true;
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(prepared, 40);
    CHECK_EQ(in_parent, 40);
}
