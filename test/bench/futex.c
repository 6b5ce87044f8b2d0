// SPDX-License-Identifier: BSD-2-Clause
// Futex calls by themselves and what glibc's pthread makes of them.
#include "bench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <time.h>

static uint32_t word, second;

static long futex(uint32_t *at, int op, uint32_t value, void *timeout, uint32_t *other,
                  uint32_t value3)
{
    return syscall(SYS_futex, at, op | FUTEX_PRIVATE_FLAG, value, timeout, other, value3);
}

static void loop_wake_none(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
    bench_stop();
}

static void loop_wake_none_shared(long n)
{
    uint32_t *at =
        MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    *at = 0;
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(syscall(SYS_futex, at, FUTEX_WAKE, 1, NULL, NULL, 0));
    bench_stop();
    munmap(at, 4096);
}

static void loop_wait_again(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        if (futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0) != -1 || errno != EAGAIN)
            bench_fail("FUTEX_WAIT");
    }
    bench_stop();
}

static void loop_wait_timeout(long n)
{
    struct timespec no_wait = {0, 0};
    bench_start();
    for (long i = 0; i < n; i++) {
        if (futex(&word, FUTEX_WAIT, 0, &no_wait, NULL, 0) != -1 || errno != ETIMEDOUT)
            bench_fail("FUTEX_WAIT");
    }
    bench_stop();
}

static void loop_lock_pi(long n)
{
    word = 0;
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
        MUST(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    }
    bench_stop();
}

static void loop_requeue_none(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &second, 0));
    bench_stop();
}

static void loop_wake_op(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &second,
                   FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 1)));
    bench_stop();
}

#define WAITERS 16
static volatile uint32_t generation;
static uint32_t asleep;

static void *wait_generation(void *arg)
{
    for (;;) {
        uint32_t seen = generation;
        __atomic_fetch_add(&asleep, 1, __ATOMIC_RELEASE);
        while (generation == seen)
            futex((uint32_t *)&generation, FUTEX_WAIT, seen, NULL, NULL, 0);
    }
    return NULL;
}

static void make_waiters(void)
{
    for (int i = 0; i < WAITERS; i++) {
        pthread_t thread;
        MUST0(pthread_create(&thread, NULL, wait_generation, NULL));
    }
}

static void await_waiters(void)
{
    while (__atomic_load_n(&asleep, __ATOMIC_ACQUIRE) != WAITERS)
        sched_yield();
}

// One operation wakes 16 threads, and ends when all of them are about to sleep again.
static void loop_wake_all(long n)
{
    await_waiters();
    bench_start();
    for (long i = 0; i < n; i++) {
        asleep = 0;
        generation++;
        MUST(futex((uint32_t *)&generation, FUTEX_WAKE, WAITERS, NULL, NULL, 0));
        await_waiters();
    }
    bench_stop();
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long turn;

static void take_turn(long mine)
{
    pthread_mutex_lock(&mutex);
    while (turn != mine)
        pthread_cond_wait(&condition, &mutex);
    turn = !turn;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
}

static void *other_turns(void *arg)
{
    for (;;)
        take_turn(1);
    return NULL;
}

static void make_other(void)
{
    pthread_t thread;
    MUST0(pthread_create(&thread, NULL, other_turns, NULL));
}

static void loop_condition(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        take_turn(0);
    bench_stop();
}

static sem_t ping, pong;

static void *other_semaphore(void *arg)
{
    for (;;) {
        sem_wait(&ping);
        sem_post(&pong);
    }
    return NULL;
}

static void make_semaphores(void)
{
    pthread_t thread;
    MUST(sem_init(&ping, 0, 0));
    MUST(sem_init(&pong, 0, 0));
    MUST0(pthread_create(&thread, NULL, other_semaphore, NULL));
}

static void loop_semaphore(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(sem_post(&ping));
        MUST(sem_wait(&pong));
    }
    bench_stop();
}

static pthread_barrier_t barrier;

static void *other_barrier(void *arg)
{
    for (;;)
        pthread_barrier_wait(&barrier);
    return NULL;
}

static void make_barrier(void)
{
    MUST0(pthread_barrier_init(&barrier, NULL, 8));
    for (int i = 0; i < 7; i++) {
        pthread_t thread;
        MUST0(pthread_create(&thread, NULL, other_barrier, NULL));
    }
}

static void loop_barrier(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        pthread_barrier_wait(&barrier);
    bench_stop();
}

// Two threads by turns, each asleep while the other has it.
static uint32_t turns[2];

static void pass_turn(long mine)
{
    while (__atomic_load_n(&turns[mine], __ATOMIC_ACQUIRE) == 0)
        futex(&turns[mine], FUTEX_WAIT, 0, NULL, NULL, 0);
    turns[mine] = 0;
    __atomic_store_n(&turns[!mine], 1, __ATOMIC_RELEASE);
    MUST(futex(&turns[!mine], FUTEX_WAKE, 1, NULL, NULL, 0));
}

static void *pass_turns(void *arg)
{
    for (;;)
        pass_turn(1);
    return NULL;
}

static void make_ping_pong(void)
{
    pthread_t thread;
    turns[0] = 1;
    MUST0(pthread_create(&thread, NULL, pass_turns, NULL));
}

static void loop_ping_pong(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        pass_turn(0);
    bench_stop();
}

// The other thread waits for eight words at once; it is woken by each of them in turn.
#define VECTOR 8
static uint32_t vector[VECTOR];

static void *answer_vector(void *arg)
{
    struct futex_waitv list[VECTOR];
    for (int i = 0; i < VECTOR; i++)
        list[i] =
            (struct futex_waitv){.uaddr = (uintptr_t)&vector[i], .flags = 2 | FUTEX_PRIVATE_FLAG};
    for (;;) {
        for (int i = 0; i < VECTOR; i++)
            if (__atomic_exchange_n(&vector[i], 0, __ATOMIC_ACQUIRE)) {
                __atomic_store_n(&turns[0], 1, __ATOMIC_RELEASE);
                MUST(futex(&turns[0], FUTEX_WAKE, 1, NULL, NULL, 0));
            }
        syscall(SYS_futex_waitv, list, VECTOR, 0, NULL, CLOCK_MONOTONIC);
    }
    return NULL;
}

static void make_vector(void)
{
    pthread_t thread;
    MUST0(pthread_create(&thread, NULL, answer_vector, NULL));
}

static void loop_vector(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        __atomic_store_n(&vector[i % VECTOR], 1, __ATOMIC_RELEASE);
        MUST(futex(&vector[i % VECTOR], FUTEX_WAKE, 1, NULL, NULL, 0));
        while (__atomic_load_n(&turns[0], __ATOMIC_ACQUIRE) == 0)
            futex(&turns[0], FUTEX_WAIT, 0, NULL, NULL, 0);
        turns[0] = 0;
    }
    bench_stop();
}

// One operation moves 100 waiters from one word to the other.
#define MANY 100

static void *sleep_on_word(void *arg)
{
    __atomic_fetch_add(&asleep, 1, __ATOMIC_RELEASE);
    for (;;)
        futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0);
    return NULL;
}

static void make_many(void)
{
    for (int i = 0; i < MANY; i++) {
        pthread_t thread;
        MUST0(pthread_create(&thread, NULL, sleep_on_word, NULL));
    }
    while (__atomic_load_n(&asleep, __ATOMIC_ACQUIRE) != MANY)
        sched_yield();
    for (int i = 0; i < 3 * MANY; i++) // all of them sleep
        sched_yield();
}

static void loop_requeue_many(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        uint32_t *from = i % 2 ? &second : &word, *to = i % 2 ? &word : &second;
        if (futex(from, FUTEX_CMP_REQUEUE, 0, (void *)MANY, to, 0) != MANY)
            bench_fail("FUTEX_CMP_REQUEUE");
    }
    bench_stop();
    if (n % 2)
        MUST(futex(&second, FUTEX_CMP_REQUEUE, 0, (void *)MANY, &word, 0));
}

// Every thread wants the same mutex, and yields while it holds it.
static void *contend(void *arg)
{
    long n = (long)arg;
    for (long i = 0; i < n; i++) {
        pthread_mutex_lock(&mutex);
        sched_yield();
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void loop_contended(long n)
{
    pthread_t threads[16];
    bench_start();
    for (int i = 0; i < bench_arg; i++)
        MUST0(pthread_create(&threads[i], NULL, contend, (void *)(n / bench_arg + 1)));
    for (int i = 0; i < bench_arg; i++)
        MUST0(pthread_join(threads[i], NULL));
    bench_stop();
}

// 100 threads wait for a condition; one operation is a broadcast, and ends when all wait again.
static void *wait_broadcast(void *arg)
{
    pthread_mutex_lock(&mutex);
    for (;;) {
        long seen = turn;
        if (++asleep == MANY)
            MUST(sem_post(&pong));
        while (turn == seen)
            pthread_cond_wait(&condition, &mutex);
    }
    return NULL;
}

static void make_broadcast(void)
{
    MUST(sem_init(&pong, 0, 0));
    for (int i = 0; i < MANY; i++) {
        pthread_t thread;
        MUST0(pthread_create(&thread, NULL, wait_broadcast, NULL));
    }
    MUST(sem_wait(&pong));
}

static void loop_broadcast(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        pthread_mutex_lock(&mutex);
        asleep = 0;
        turn++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
        MUST(sem_wait(&pong));
    }
    bench_stop();
}

static void make_pi(void)
{
    pthread_mutexattr_t attributes;
    MUST(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0)); // glibc says ENOTSUP, which hides ENOSYS
    MUST0(pthread_mutexattr_init(&attributes));
    MUST0(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
    MUST0(pthread_mutex_init(&mutex, &attributes));
}

// Two threads, one of which always waits: each unlock hands the lock over.
static void *hand_over_lock(void *arg)
{
    for (long i = (long)arg; i > 0; i--) {
        MUST(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
        sched_yield();
        MUST(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    }
    return NULL;
}

static void loop_hand_over(long n)
{
    pthread_t other;
    word = 0;
    bench_start();
    MUST0(pthread_create(&other, NULL, hand_over_lock, (void *)(n / 2 + 1)));
    hand_over_lock((void *)(n / 2 + 1));
    MUST0(pthread_join(other, NULL));
    bench_stop();
}

const struct bench bench_futex[] = {
    {"futex/wake-none", NULL, loop_wake_none},
    {"futex/wake-none-shared", NULL, loop_wake_none_shared},
    {"futex/wait-again", NULL, loop_wait_again},
    {"futex/wait-timeout-0", NULL, loop_wait_timeout},
    {"futex/requeue-none", NULL, loop_requeue_none},
    {"futex/wake-op-none", NULL, loop_wake_op},
    {"futex/lock-unlock-pi", NULL, loop_lock_pi},
    {"futex/wake-16", make_waiters, loop_wake_all, .several = true},
    {"futex/condition-ping-pong", make_other, loop_condition, .several = true, .libc = true},
    {"futex/semaphore-ping-pong", make_semaphores, loop_semaphore, .several = true, .libc = true},
    {"futex/barrier-8", make_barrier, loop_barrier, .several = true, .libc = true},
    {"futex/ping-pong", make_ping_pong, loop_ping_pong, .several = true},
    {"futex/waitv-8", make_vector, loop_vector, .several = true},
    {"futex/requeue-100", make_many, loop_requeue_many},
    {"futex/broadcast-100", make_broadcast, loop_broadcast, .several = true, .libc = true},
    {"futex/mutex-contended-2", NULL, loop_contended, 2, .several = true, .libc = true},
    {"futex/mutex-contended-4", NULL, loop_contended, 4, .several = true, .libc = true},
    {"futex/mutex-contended-16", NULL, loop_contended, 16, .several = true, .libc = true},
    {"futex/mutex-pi-contended-4", make_pi, loop_contended, 4, .several = true},
    {"futex/pi-hand-over", NULL, loop_hand_over, .several = true},
    {0},
};
