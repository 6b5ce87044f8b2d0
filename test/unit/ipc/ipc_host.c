// SPDX-License-Identifier: BSD-2-Clause
// See ipc_host.h. Tasks are threads of the host that hand a baton to each other: exactly one runs.
#include "ipc_host.h"

#include <arch/clock.h>
#include <arch/thread.h>
#include <lib/assert.h>
#include <mm/slab.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sync/port.h>
#include <sync/spinlock.h>

#define TASKS_MAX 64

struct host_task {
    pthread_t thread;
    int (*fn)(void *arg);
    void *arg;
    bool running, parked, done, token;
    int park_result, result;
};

int host_locks_held;
uint64_t host_now_ns = 1700000000ULL * NS_PER_SEC, host_nr_allocs;
static uint64_t fail_at;

struct cred host_root = {.refs = {1}, .cap_effective = ~0ULL};
struct cred host_user = {.refs = {1},
                         .uid = 1000,
                         .euid = 1000,
                         .fsuid = 1000,
                         .gid = 1000,
                         .egid = 1000,
                         .fsgid = 1000};

static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t passed = PTHREAD_COND_INITIALIZER;
static struct host_task *turn; // whose; NULL: the case's
static __thread struct host_task *self;
static struct host_task *woken[TASKS_MAX], *reported[TASKS_MAX];
static unsigned int nr_woken, nr_reported;

void panic(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

uint64_t clock_realtime_ns(void)
{
    return host_now_ns;
}

void host_fail(uint64_t n)
{
    fail_at = n;
    host_nr_allocs = 0;
}

void *kmalloc(size_t size)
{
    return ++host_nr_allocs == fail_at ? NULL : malloc(size);
}

void *kzalloc(size_t size)
{
    return ++host_nr_allocs == fail_at ? NULL : calloc(1, size);
}

void kfree(void *p)
{
    free(p);
}

void spin_init(struct spinlock *l)
{
    *l = (struct spinlock)SPINLOCK_INIT;
}

void spin_lock(struct spinlock *l)
{
    ASSERT(!l->held); // one thread runs at a time: waiting would be for ever
    l->held = 1;
    host_locks_held++;
}

void spin_unlock(struct spinlock *l)
{
    ASSERT(l->held);
    l->held = 0;
    host_locks_held--;
}

void spin_assert_held(const struct spinlock *l)
{
    ASSERT(l->held);
}

// Give the word to `t` and wait until it's ours again. baton is locked.
static void pass(struct host_task *t)
{
    struct host_task *me = self;
    turn = t;
    pthread_cond_broadcast(&passed);
    while (turn != me)
        pthread_cond_wait(&passed, &baton);
}

static void *task_main(void *arg)
{
    self = arg;
    pthread_mutex_lock(&baton);
    while (turn != self)
        pthread_cond_wait(&passed, &baton);
    self->result = self->fn(self->arg);
    self->done = true;
    turn = NULL;
    pthread_cond_broadcast(&passed);
    pthread_mutex_unlock(&baton);
    return NULL;
}

struct host_task *host_start(int (*fn)(void *arg), void *arg)
{
    struct host_task *t = calloc(1, sizeof(*t));
    t->fn = fn;
    t->arg = arg;
    pthread_mutex_lock(&baton);
    assert_int_equal(pthread_create(&t->thread, NULL, task_main, t), 0);
    pass(t);
    pthread_mutex_unlock(&baton);
    return t;
}

bool host_is_done(const struct host_task *t)
{
    return t->done;
}

int host_result(struct host_task *t)
{
    assert_true(t->done);
    int result = t->result;
    for (unsigned int i = 0; i < nr_woken;) {
        if (woken[i] == t)
            woken[i] = woken[--nr_woken];
        else
            i++;
    }
    pthread_join(t->thread, NULL);
    free(t);
    return result;
}

void host_resume(struct host_task *t, int park_result)
{
    assert_true(t->parked);
    pthread_mutex_lock(&baton);
    t->park_result = park_result;
    pass(t);
    pthread_mutex_unlock(&baton);
}

void host_settle(void)
{
    while (nr_woken > 0) {
        struct host_task *t = woken[0];
        memmove(woken, woken + 1, --nr_woken * sizeof(woken[0]));
        if (t->parked && t->token) {
            t->token = false;
            host_resume(t, 0);
        }
    }
}

unsigned int host_woken(struct host_task **tasks, unsigned int max)
{
    unsigned int n = MIN(nr_reported, max);
    memcpy(tasks, reported, n * sizeof(tasks[0]));
    nr_reported = 0;
    return n;
}

struct thread *port_thread_self(void)
{
    return (struct thread *)self;
}

int port_park(enum park_mode mode, uint64_t deadline_ns)
{
    ASSERT(host_locks_held == 0 && self);
    if (self->token) {
        self->token = false;
        return 0;
    }
    self->parked = true;
    pass(NULL);
    self->parked = false;
    return self->park_result;
}

void port_unpark(struct thread *thread)
{
    struct host_task *t = (struct host_task *)thread;
    ASSERT(nr_woken < TASKS_MAX);
    t->token = true;
    woken[nr_woken++] = t;
    if (nr_reported < TASKS_MAX)
        reported[nr_reported++] = t;
}

void port_thread_get(struct thread *t)
{
}

void port_thread_put(struct thread *t)
{
}
