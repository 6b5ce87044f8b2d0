// SPDX-License-Identifier: BSD-2-Clause
// Parking (sync/port.h) and stopping (job control): how a thread leaves the hart until somebody
// wants it back.
//
// park_token has two bits, set by any context with an atomic or: TOKEN_WAKE by port_unpark(),
// TOKEN_CONTINUE by sched_continue(). Who sets a bit that was clear takes the run queue's lock and
// wakes the thread if it sleeps for that bit. The sleeper announces its state and looks at the
// token once more under the same lock: so either it sees the bit, or the waker sees it asleep.
#include <arch/clock.h>
#include <arch/irq.h>
#include <core/signal.h>
#include <core/thread.h>
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/port.h>

#include "sched_priv.h"

#define TOKEN_WAKE     1U
#define TOKEN_CONTINUE 2U

struct thread *port_thread_self(void)
{
    return thread_self();
}

void port_thread_get(struct thread *t)
{
    thread_get(t);
}

void port_thread_put(struct thread *t)
{
    thread_put(t);
}

int port_thread_rt_priority(const struct thread *t)
{
    return atomic_load(&t->sched.set_priority);
}

void port_thread_boost(struct thread *t, int rt_priority)
{
    sched_boost(t, rt_priority);
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
    return thread_find(tid);
}

// Acquire: what the waker wrote before he set the bit is seen by whoever took it.
static bool token_take(struct thread *t, uint32_t bit)
{
    if (!(atomic_load(&t->park_token) & bit))
        return false;
    atomic_fetch_and(&t->park_token, ~bit);
    return true;
}

// Sleep in `state` until `bit` is set. The bit stays set.
static void thread_sleep(struct thread *self, enum thread_state state, uint32_t bit)
{
    ASSERT(self->arch.spin_depth == 0);
    irq_flags_t flags = irq_save();
    ASSERT(flags != 0);
    struct run_queue *rq = run_queue_self();
    spin_lock(&rq->lock);
    if (atomic_load(&self->park_token) & bit) {
        spin_unlock(&rq->lock);
    } else {
        ASSERT(self != rq->idle);
        self->state = state;
        self->nr_voluntary++;
        run_queue_switch(rq);
    }
    irq_restore(flags);
}

// Set `bit`; if it was clear and `t` sleeps for it in `state`, make it runnable.
static void thread_wake(struct thread *t, enum thread_state state, uint32_t bit)
{
    // Release and full order: partner is token_take() and, by way of the lock, thread_sleep().
    if (atomic_fetch_or(&t->park_token, bit) & bit)
        return;
    irq_flags_t flags = irq_save();
    struct run_queue *rq = run_queue_lock_of(t);
    bool notify = false;
    // The bit may be gone: the sleeper took it, and what it sleeps for now is the next one.
    if (t->state == state && (atomic_load(&t->park_token) & bit)) {
        t->state = THREAD_RUNNABLE;
        cpu_t cpu = sched_select_cpu(t);
        sched_queue_leave(&rq->queue, &t->sched);
        if (cpu != rq->cpu) {
            // Runnable and on no queue: nobody else touches it until it is queued.
            atomic_store(&t->sched.cpu, cpu);
            spin_unlock(&rq->lock);
            rq = &run_queues[cpu];
            spin_lock(&rq->lock);
        }
        sched_queue_place(&rq->queue, &t->sched, true);
        notify = run_queue_add(rq, t);
    }
    spin_unlock(&rq->lock);
    if (notify)
        run_queue_notify(rq->cpu);
    irq_restore(flags);
}

void port_unpark(struct thread *t)
{
    thread_wake(t, THREAD_PARKED, TOKEN_WAKE);
}

// Interrupt context. The sleeper finds out that it wasn't woken when it parks again with the same
// deadline.
static void park_timeout(struct timer *timer)
{
    port_unpark(container_of(timer, struct thread, park_timer));
}

static bool park_is_interrupted(const struct thread *t, enum park_mode mode)
{
    switch (mode) {
    case PARK_INTERRUPTIBLE:
        return signal_is_pending(t);
    case PARK_KILLABLE:
        return signal_is_fatal_pending(t);
    case PARK_UNINTERRUPTIBLE:
        break;
    }
    return false;
}

int port_park(enum park_mode mode, uint64_t deadline_ns)
{
    struct thread *self = thread_self();
    if (token_take(self, TOKEN_WAKE))
        return 0;
    // Whoever sends a signal unparks after he made it pending.
    self->park_mode = mode;
    if (park_is_interrupted(self, mode))
        return -EINTR;
    if (deadline_ns == TIME_NEVER) {
        thread_sleep(self, THREAD_PARKED, TOKEN_WAKE);
    } else {
        if (clock_monotonic_ns() >= deadline_ns)
            return -ETIMEDOUT;
        timer_init(&self->park_timer, park_timeout);
        timer_start(&self->park_timer, deadline_ns);
        thread_sleep(self, THREAD_PARKED, TOKEN_WAKE);
        timer_cancel(&self->park_timer);
    }
    bool taken = token_take(self, TOKEN_WAKE);
    ASSERT(taken);
    return 0;
}

void sched_stop_self(void)
{
    struct thread *self = thread_self();
    while (!token_take(self, TOKEN_CONTINUE))
        thread_sleep(self, THREAD_STOPPED, TOKEN_CONTINUE);
}

void sched_continue(struct thread *t)
{
    thread_wake(t, THREAD_STOPPED, TOKEN_CONTINUE);
}
