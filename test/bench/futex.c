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
    pthread_t threads[4];
    bench_start();
    for (int i = 0; i < 4; i++)
        MUST0(pthread_create(&threads[i], NULL, contend, (void *)(n / 4 + 1)));
    for (int i = 0; i < 4; i++)
        MUST0(pthread_join(threads[i], NULL));
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

const struct bench bench_futex[] = {
    {"futex/wake-none", NULL, loop_wake_none},
    {"futex/wake-none-shared", NULL, loop_wake_none_shared},
    {"futex/wait-again", NULL, loop_wait_again},
    {"futex/wait-timeout-0", NULL, loop_wait_timeout},
    {"futex/requeue-none", NULL, loop_requeue_none},
    {"futex/wake-op-none", NULL, loop_wake_op},
    {"futex/lock-unlock-pi", NULL, loop_lock_pi},
    {"futex/wake-16", make_waiters, loop_wake_all, .several = true},
    {"futex/condition-ping-pong", make_other, loop_condition, .several = true},
    {"futex/semaphore-ping-pong", make_semaphores, loop_semaphore, .several = true},
    {"futex/barrier-8", make_barrier, loop_barrier, .several = true},
    {"futex/mutex-contended-4", NULL, loop_contended, .several = true},
    {"futex/mutex-pi-contended-4", make_pi, loop_contended, .several = true},
    {0},
};
