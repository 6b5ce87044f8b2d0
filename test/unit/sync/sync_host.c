// SPDX-License-Identifier: BSD-2-Clause
// sync/port.h over pthreads: a token, a mutex and a condition for each thread.
#include "sync_host.h"

#include <arch/thread.h>
#include <arch/uaccess.h>
#include <errno.h>
#include <lib/assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64

struct thread {
    struct arch_thread arch; // first
    pthread_mutex_t lock;    // guards the rest
    pthread_cond_t wake;
    bool token, interrupted, killed;
    int refs;
};

static struct thread threads[THREADS_MAX];
static __thread struct thread *self;

void panic(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

// The hint without the lock reads what the lock guards, and is meant to.
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:wait_queue_is_empty\n";
}

struct arch_thread *arch_thread_self(void)
{
    return &self->arch;
}

struct thread *port_thread_self(void)
{
    return self;
}

uint64_t host_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

int port_park(enum park_mode mode, uint64_t deadline_ns)
{
    struct thread *t = self;
    ASSERT(t->arch.spin_depth == 0);
    const struct timespec end = {(time_t)(deadline_ns / NS_PER_SEC),
                                 (long)(deadline_ns % NS_PER_SEC)};
    int err = 0;
    pthread_mutex_lock(&t->lock);
    while (!t->token && err == 0) {
        if ((mode == PARK_INTERRUPTIBLE && t->interrupted) ||
            (mode != PARK_UNINTERRUPTIBLE && t->killed))
            err = -EINTR;
        else if (deadline_ns == TIME_NEVER)
            pthread_cond_wait(&t->wake, &t->lock);
        else if (pthread_cond_timedwait(&t->wake, &t->lock, &end) == ETIMEDOUT)
            err = -ETIMEDOUT;
    }
    if (t->token)
        err = 0;
    t->token = false;
    pthread_mutex_unlock(&t->lock);
    return err;
}

void port_unpark(struct thread *t)
{
    pthread_mutex_lock(&t->lock);
    t->token = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void host_interrupt(struct thread *t, bool on)
{
    pthread_mutex_lock(&t->lock);
    t->interrupted = on;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void host_kill(struct thread *t)
{
    pthread_mutex_lock(&t->lock);
    t->killed = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void port_thread_get(struct thread *t)
{
    __atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
}

void port_thread_put(struct thread *t)
{
    ASSERT(__atomic_fetch_sub(&t->refs, 1, __ATOMIC_ACQ_REL) > 0);
}

int port_thread_rt_priority(const struct thread *t)
{
    return 0;
}

struct thread *host_thread(unsigned int i)
{
    return &threads[i];
}

// Address 1 stands for a word that isn't resident.
int user_load_u32_nofault(vaddr_t addr, uint32_t *value)
{
    if (addr == 1)
        return -EFAULT;
    *value = atomic_load((uint32_t *)addr);
    return 0;
}

struct start {
    struct thread *thread;
    void *(*entry)(void *);
    void *arg;
};

static void *thread_main(void *arg)
{
    struct start *s = arg;
    self = s->thread;
    return s->entry(s->arg);
}

void host_run_threads(unsigned int nr, void *(*entry)(void *))
{
    pthread_t ids[THREADS_MAX];
    alarm(60); // a lost wake-up ends the test, too
    struct start starts[THREADS_MAX];
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    for (unsigned int i = 0; i < nr; i++) {
        threads[i] = (struct thread){.lock = PTHREAD_MUTEX_INITIALIZER};
        pthread_cond_init(&threads[i].wake, &monotonic);
        starts[i] = (struct start){&threads[i], entry, (void *)(uintptr_t)i};
    }
    for (unsigned int i = 0; i < nr; i++)
        if (pthread_create(&ids[i], NULL, thread_main, &starts[i]) != 0)
            panic("pthread_create");
    for (unsigned int i = 0; i < nr; i++)
        pthread_join(ids[i], NULL);
    for (unsigned int i = 0; i < nr; i++) {
        ASSERT(threads[i].arch.spin_depth == 0 && threads[i].refs == 0);
        pthread_cond_destroy(&threads[i].wake);
    }
    alarm(0);
}
