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
#include <sync/futex.h>
#include <sync/pi.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64

struct thread {
    struct arch_thread arch; // first
    pthread_mutex_t lock;    // guards the rest
    pthread_cond_t wake;
    bool token, interrupted, killed;
    int refs;
    pid_t tid;
    int priority, boost; // atomic
    struct pi_thread pi;
};

static struct thread threads[THREADS_MAX];
static unsigned int nr_threads; // atomic, like the rest
static int64_t realtime_offset;
static unsigned int fault_one_in;
static vaddr_t lost_word;
static __thread struct thread *self;
__thread void (*host_park_hook)(void);

void host_become(unsigned int i)
{
    self = &threads[i];
}

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
    if (host_park_hook) {
        host_park_hook();
        self = t;
        return 0;
    }
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

bool port_others_run(void)
{
    return true;
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
    return atomic_load(&t->priority);
}

void port_thread_boost(struct thread *t, int rt_priority)
{
    atomic_store(&t->boost, rt_priority);
}

struct pi_thread *port_thread_pi(struct thread *t)
{
    return &t->pi;
}

pid_t port_thread_tid(const struct thread *t)
{
    return t->tid;
}

struct thread *port_thread_find(pid_t tid)
{
    if (tid < HOST_TID_FIRST || tid >= HOST_TID_FIRST + (pid_t)atomic_load(&nr_threads))
        return NULL;
    struct thread *t = &threads[tid - HOST_TID_FIRST];
    port_thread_get(t);
    return t;
}

struct thread *host_thread(unsigned int i)
{
    return &threads[i];
}

void host_set_priority(struct thread *t, int priority)
{
    atomic_store(&t->priority, priority);
    pi_thread_priority_changed(t);
}

int host_boost_of(struct thread *t)
{
    return atomic_load(&t->boost);
}

uint64_t host_realtime_ns(void)
{
    return host_now_ns() + (uint64_t)atomic_load(&realtime_offset);
}

int port_park_realtime(enum park_mode mode, uint64_t deadline_ns)
{
    uint64_t now = host_now_ns(), real = host_realtime_ns();
    int err = port_park(mode, now + (deadline_ns > real ? deadline_ns - real : 0));
    return err == -ETIMEDOUT && host_realtime_ns() < deadline_ns ? 0 : err;
}

void host_set_realtime(int64_t offset_ns)
{
    atomic_store(&realtime_offset, offset_ns);
    for (unsigned int i = 0; i < atomic_load(&nr_threads); i++)
        port_unpark(&threads[i]);
}

// One access in so many finds its word gone, until it is brought in; 0: none.
void host_fault_one_in(unsigned int n)
{
    atomic_store(&fault_one_in, n);
}

void host_lose_word(vaddr_t addr)
{
    atomic_store(&lost_word, addr);
}

static bool word_is_gone(vaddr_t addr)
{
    static __thread unsigned int seed;
    unsigned int n = atomic_load(&fault_one_in);
    return addr == HOST_NO_WORD || addr == atomic_load(&lost_word) ||
           (n != 0 && (unsigned int)rand_r(&seed) % n == 0);
}

int port_user_fault_in(vaddr_t addr, bool write)
{
    ASSERT(self->arch.spin_depth == 0);
    return addr == HOST_NO_WORD || addr == atomic_load(&lost_word) ? -EFAULT : 0;
}

int user_load_u32_nofault(vaddr_t addr, uint32_t *value)
{
    if (word_is_gone(addr))
        return -EFAULT;
    *value = atomic_load_acquire((uint32_t *)addr);
    return 0;
}

int user_cmpxchg_u32_nofault(vaddr_t addr, uint32_t expected, uint32_t desired, uint32_t *old)
{
    if (word_is_gone(addr))
        return -EFAULT;
    *old = expected;
    return atomic_compare_exchange((uint32_t *)addr, old, desired) ? 0 : 1;
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
    void *result = s->entry(s->arg);
    pi_thread_begin_exit();
    pi_thread_end_exit(PI_DEAD);
    return result;
}

void host_run_threads(unsigned int nr, void *(*entry)(void *))
{
    pthread_t ids[THREADS_MAX];
    alarm(60);                           // a lost wake-up ends the test, too
    setenv("CMOCKA_TEST_ABORT", "1", 1); // an assertion that fails in any of the threads, too
    struct start starts[THREADS_MAX];
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    for (unsigned int i = 0; i < nr; i++) {
        threads[i] =
            (struct thread){.lock = PTHREAD_MUTEX_INITIALIZER, .tid = HOST_TID_FIRST + (pid_t)i};
        pi_thread_init(&threads[i].pi, PI_ALIVE);
        pthread_cond_init(&threads[i].wake, &monotonic);
        starts[i] = (struct start){&threads[i], entry, (void *)(uintptr_t)i};
    }
    atomic_store(&nr_threads, nr);
    for (unsigned int i = 0; i < nr; i++)
        if (pthread_create(&ids[i], NULL, thread_main, &starts[i]) != 0)
            panic("pthread_create");
    for (unsigned int i = 0; i < nr; i++)
        pthread_join(ids[i], NULL);
    for (unsigned int i = 0; i < nr; i++) {
        ASSERT(threads[i].arch.spin_depth == 0 && threads[i].refs == 0 && threads[i].boost == 0 &&
               list_is_empty(&threads[i].pi.owned));
        pthread_cond_destroy(&threads[i].wake);
    }
    struct futex_stats stats;
    self = &threads[0]; // locks want somebody
    futex_stats(&stats);
    self = NULL;
    ASSERT(stats.waits == stats.wakes + stats.gave_up);
    alarm(0);
}
