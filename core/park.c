// SPDX-License-Identifier: BSD-2-Clause
// Parking (sync/port.h): how a thread leaves the hart until somebody wants it back.
//
// park_token is 1 from port_unpark(), by any context, until the thread takes it. Who sets it takes
// the run queue's lock and wakes the thread if it sleeps. The sleeper announces its state and looks
// at the token once more under the same lock: so either it sees the token, or the waker sees it
// asleep.
#include <arch/clock.h>
#include <arch/irq.h>
#include <core/process.h>
#include <core/signal.h>
#include <core/thread.h>
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <linux/capability.h>
#include <sync/port.h>

#include "sched_priv.h"

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

// Acquire: what the waker wrote before he set the token is seen by whoever took it.
static bool token_take(struct thread *t)
{
    return atomic_load(&t->park_token) && atomic_exchange(&t->park_token, 0U);
}

// Sleep until the token is set. It stays set.
static void thread_sleep(struct thread *self)
{
    ASSERT(self->arch.spin_depth == 0);
    irq_flags_t flags = irq_save();
    ASSERT(flags != 0);
    struct run_queue *rq = run_queue_self();
    spin_lock(&rq->lock);
    if (atomic_load(&self->park_token)) {
        spin_unlock(&rq->lock);
    } else {
        ASSERT(self != rq->idle);
        self->state = THREAD_PARKED;
        self->nr_voluntary++;
        run_queue_switch(rq);
    }
    irq_restore(flags);
}

void port_unpark(struct thread *t)
{
    // Release and full order: partner is token_take() and, by way of the lock, thread_sleep().
    if (atomic_exchange(&t->park_token, 1U))
        return;
    irq_flags_t flags = irq_save();
    struct run_queue *rq = run_queue_lock_of(t);
    bool notify = false;
    // The token may be gone: the sleeper took it, and what it sleeps for now is the next one.
    if (t->state == THREAD_PARKED && atomic_load(&t->park_token)) {
        t->state = THREAD_RUNNABLE;
        rq = sched_move(rq, t, true);
        notify = run_queue_add(rq, t);
    }
    spin_unlock(&rq->lock);
    if (notify)
        run_queue_notify(rq->cpu);
    irq_restore(flags);
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

bool port_others_run(void)
{
    return atomic_load(&sched_online_mask) != BIT(hart_self()->cpu);
}

int port_relax(enum park_mode mode)
{
    sched_relax();
    return park_is_interrupted(thread_self(), mode) ? -EINTR : 0;
}

uint64_t port_memlock_limit(void)
{
    const struct thread *self = thread_self();
    return cred_has_cap(self->cred, CAP_IPC_LOCK) ? UINT64_MAX
                                                  : process_limit(self->process, RLIMIT_MEMLOCK);
}

int port_park(enum park_mode mode, uint64_t deadline_ns)
{
    struct thread *self = thread_self();
    if (token_take(self))
        return 0;
    // Whoever sends a signal unparks after he made it pending.
    self->park_mode = mode;
    if (park_is_interrupted(self, mode))
        return -EINTR;
    if (deadline_ns == TIME_NEVER) {
        thread_sleep(self);
    } else {
        if (clock_monotonic_ns() >= deadline_ns)
            return -ETIMEDOUT;
        timer_init(&self->park_timer, park_timeout);
        timer_start(&self->park_timer, deadline_ns);
        thread_sleep(self);
        timer_cancel(&self->park_timer);
    }
    bool taken = token_take(self);
    ASSERT(taken);
    return 0;
}
