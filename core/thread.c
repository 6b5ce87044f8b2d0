// SPDX-License-Identifier: BSD-2-Clause
// Threads: numbers, creation and end. See core/thread.h for references and numbers.
//
// The last reference frees the thread at once, in any context, as nothing there sleeps, except that
// a kernel stack beyond those that mm keeps for reuse must be unmapped: then the reaper thread does
// it.
#include <arch/irq.h>
#include <arch/clock.h>
#include <arch/port.h>
#include <core/board.h>
#include <core/process.h>
#include <core/thread.h>
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <mm/slab.h>
#include <mm/vmap.h>
#include <string.h>
#include <sync/spinlock.h>
#include <sync/wait_queue.h>

#include "sched_priv.h"
#include "thread_priv.h"

#define TID_MAX   32768 // as Linux's pid_max; 0 is the kernel, 1 is init
#define TID_FIRST 2
#define TID_HASH  1024

// The static count is never dropped.
struct cred kernel_cred = {
    .refs = {1},
    .cap_effective = (1UL << (CAP_LAST_CAP + 1)) - 1,
    .cap_permitted = (1UL << (CAP_LAST_CAP + 1)) - 1,
};

static struct slab_cache *thread_cache;

static struct spinlock tid_lock = SPINLOCK_INIT; // guards the rest
static uint64_t tid_bits[TID_MAX / 64];
static unsigned int tid_next = TID_FIRST;
static unsigned int nr_threads;
static struct list_node tid_hash[TID_HASH];

// Threads whose stacks the reaper has to free, linked by process_node.
static struct spinlock reaper_lock = SPINLOCK_INIT;
static struct list_node reaper_list = LIST_INIT(reaper_list);
static struct wait_queue reaper_wait = WAIT_QUEUE_INIT(reaper_wait);

static bool tid_try_locked(unsigned int tid)
{
    if (tid_bits[tid / 64] & BIT(tid % 64))
        return false;
    tid_bits[tid / 64] |= BIT(tid % 64);
    return true;
}

pid_t tid_alloc(void)
{
    pid_t result = -EAGAIN;
    spin_lock(&tid_lock);
    unsigned int tid = tid_next;
    for (unsigned int i = 0; i < TID_MAX && result < 0; i++) {
        if (tid >= TID_MAX)
            tid = TID_FIRST;
        if (tid_try_locked(tid))
            result = (pid_t)tid;
        tid++;
    }
    if (result >= 0)
        tid_next = tid;
    spin_unlock(&tid_lock);
    return result;
}

void tid_free(pid_t tid)
{
    ASSERT(tid > 0 && tid < TID_MAX);
    spin_lock(&tid_lock);
    tid_bits[tid / 64] &= ~BIT(tid % 64);
    spin_unlock(&tid_lock);
}

static struct list_node *tid_bucket(pid_t tid)
{
    return &tid_hash[(unsigned int)tid % TID_HASH];
}

struct thread *thread_find(pid_t tid)
{
    struct thread *t, *found = NULL;
    spin_lock(&tid_lock);
    list_for_each_entry (t, tid_bucket(tid), tid_node)
        if (t->tid == tid && refcount_get_unless_zero(&t->refs)) {
            found = t;
            break;
        }
    spin_unlock(&tid_lock);
    return found;
}

static void thread_hash(struct thread *t)
{
    spin_lock(&tid_lock);
    list_add_tail(tid_bucket(t->tid), &t->tid_node);
    spin_unlock(&tid_lock);
}

void thread_unhash(struct thread *t)
{
    spin_lock(&tid_lock);
    list_remove(&t->tid_node);
    spin_unlock(&tid_lock);
}

void thread_take_pid(struct thread *t)
{
    pid_t old = t->tid;
    if (old == t->process->pid)
        return;
    spin_lock(&tid_lock);
    list_remove(&t->tid_node);
    t->tid = t->process->pid;
    list_add_tail(tid_bucket(t->tid), &t->tid_node);
    spin_unlock(&tid_lock);
    tid_free(old);
}

void thread_get(struct thread *t)
{
    refcount_get(&t->refs);
}

// What never sleeps: everything but the stack.
static void thread_free_parts(struct thread *t)
{
    ASSERT(!list_is_linked(&t->tid_node));
    arch_thread_destroy(&t->arch);
    if (refcount_put(&t->cred->refs))
        kfree(t->cred);
    if (t->tid != t->process->pid)
        tid_free(t->tid);
    process_put(t->process);
    atomic_sub_fetch(&nr_threads, 1);
}

void thread_put(struct thread *t)
{
    if (!refcount_put(&t->refs))
        return;
    thread_free_parts(t);
    if (likely(vmap_stack_recycle(t->arch.stack_base))) {
        slab_free(thread_cache, t);
        return;
    }
    irq_flags_t flags = spin_lock_irqsave(&reaper_lock);
    list_add_tail(&reaper_list, &t->process_node);
    spin_unlock_irqrestore(&reaper_lock, flags);
    wait_queue_wake_all(&reaper_wait);
}

static struct thread *reaper_next(void)
{
    struct thread *t = NULL;
    irq_flags_t flags = spin_lock_irqsave(&reaper_lock);
    if (!list_is_empty(&reaper_list)) {
        t = list_first_entry(&reaper_list, struct thread, process_node);
        list_remove(&t->process_node);
    }
    spin_unlock_irqrestore(&reaper_lock, flags);
    return t;
}

void thread_reaper(void *unused)
{
    for (;;) {
        struct thread *t;
        wait_event(&reaper_wait, (t = reaper_next()) != NULL, PARK_UNINTERRUPTIBLE, TIME_NEVER);
        vmap_stack_free(t->arch.stack_base);
        slab_free(thread_cache, t);
    }
}

void thread_init(void)
{
    thread_cache = slab_cache_create("thread", sizeof(struct thread), 64);
    for (unsigned int i = 0; i < TID_HASH; i++)
        list_init(&tid_hash[i]);
    tid_bits[0] = BIT(0) | BIT(1);
}

unsigned int thread_count(void)
{
    return atomic_load(&nr_threads);
}

// A user thread's life in the kernel begins here, interrupts off, after the switch to it.
static void thread_begin_user(void *arg)
{
    struct thread *t = arg;
    irq_enable();
    if (t->first_run)
        t->first_run(t);
    irq_disable();
    while (atomic_load_acquire(&t->arch.work) != 0) {
        irq_enable();
        port_return_to_user(arch_thread_frame(&t->arch));
        irq_disable();
    }
    thread_enter_user();
}

// Where arch begins a new thread: the switch to it has to be finished first.
static void thread_begin(void *arg)
{
    run_queue_finish_switch();
    thread_begin_user(arg);
}

static void thread_begin_kernel(void *entry)
{
    run_queue_finish_switch();
    irq_enable();
    ((void (*)(void *))entry)(thread_self()->kernel_arg);
    thread_exit_self();
}

static void thread_inherit(struct thread *t, const struct thread *parent)
{
    memcpy(t->name, parent->name, sizeof(t->name));
    t->sched.policy = parent->sched.policy;
    t->sched.set_priority = parent->sched.set_priority;
    t->sched.nice = parent->sched.nice;
    t->sched.affinity = parent->sched.affinity;
    if (parent->sched.reset_on_fork) {
        t->sched.policy = SCHED_NORMAL;
        t->sched.set_priority = 0;
        t->sched.nice = MAX(parent->sched.nice, 0);
    }
    t->sched.rt_priority = t->sched.set_priority; // what the parent inherited isn't handed on
}

// Not from an idle thread, whose parameters are nobody's.
static void thread_set_defaults(struct thread *t)
{
    t->sched.policy = SCHED_NORMAL;
    t->sched.affinity = UINT64_MAX;
}

static struct thread *thread_allocate(struct process *process, struct cred *cred, pid_t tid)
{
    struct thread *t = slab_zalloc(thread_cache);
    if (!t)
        return NULL;
    vaddr_t stack = vmap_stack_alloc();
    if (stack == 0) {
        slab_free(thread_cache, t);
        return NULL;
    }
    arch_thread_init(&t->arch, stack, thread_begin, t);
    t->refs.count = 2;
    t->tid = tid;
    t->process = process;
    process_get(process);
    refcount_get(&cred->refs);
    t->cred = cred;
    list_init(&t->process_node);
    list_init(&t->tid_node);
    list_init(&t->signal.queue.infos);
    timer_init(&t->park_timer, NULL);
    pi_thread_init(&t->pi, process == kernel_process ? PI_KERNEL : PI_ALIVE);
    t->start_ns = clock_monotonic_ns();
    if (thread_self() == run_queue_self()->idle || process == kernel_process)
        thread_set_defaults(t);
    else
        thread_inherit(t, thread_self());
    sched_entity_set_weight(&t->sched);
    return t;
}

struct thread *thread_create(struct process *process, struct cred *cred)
{
    if (atomic_add_fetch(&nr_threads, 1) > board->nr_processes_max)
        goto no_room;
    // Pid 1 has its number before it has a thread.
    bool first = process != kernel_process && process->pid != 0 && process->nr_threads == 0;
    pid_t tid = first ? process->pid : tid_alloc();
    if (tid < 0)
        goto no_room;
    struct thread *t = thread_allocate(process, cred, tid);
    if (t)
        return t;
    if (!first)
        tid_free(tid);
no_room:
    atomic_sub_fetch(&nr_threads, 1);
    return NULL;
}

struct thread *thread_create_kernel(const char *name, void (*entry)(void *), void *arg)
{
    struct thread *t = thread_create(kernel_process, &kernel_cred);
    if (!t)
        return NULL;
    strlcpy(t->name, name, sizeof(t->name));
    arch_thread_init(&t->arch, t->arch.stack_base, thread_begin_kernel, (void *)entry);
    t->kernel_arg = arg;
    thread_start(t);
    return t;
}

void thread_discard(struct thread *t)
{
    bool shared = refcount_put(&t->refs);
    ASSERT(!shared);
    thread_put(t);
}

void thread_start(struct thread *t)
{
    thread_hash(t);
    irq_flags_t flags = irq_save();
    struct run_queue *rq = run_queue_self();
    t->state = THREAD_RUNNABLE;
    t->sched.cpu = rq->cpu;
    spin_lock(&rq->lock);
    t->sched.vruntime = rq->queue.min_vruntime;
    sched_place_thread(rq, t);
    irq_restore(flags);
}

__noreturn void thread_exit_self(void)
{
    struct thread *self = thread_self();
    ASSERT(self->arch.spin_depth == 0);
    thread_unhash(self);
    irq_disable();
    struct run_queue *rq = run_queue_self();
    spin_lock(&rq->lock);
    self->state = THREAD_DEAD;
    run_queue_switch(rq);
    panic("thread %d runs after its end", self->tid);
}
