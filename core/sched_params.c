// SPDX-License-Identifier: BSD-2-Clause
// Changing how a thread is scheduled, and telling a hart to look at a thread's work bits. All under
// the lock of the queue that the thread belongs to.
#include <arch/irq.h>
#include <arch/thread.h>
#include <core/thread.h>
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <linux/sched.h>

#include "sched_priv.h"

void sched_kick(struct thread *t)
{
    irq_flags_t flags = irq_save();
    // Under the lock: either `t` runs and gets the interrupt, or it is switched to later and then
    // sees the work bit, which was set before the lock was taken.
    struct run_queue *rq = run_queue_lock_of(t);
    bool running = rq->current == t;
    spin_unlock(&rq->lock);
    if (running && rq->cpu != hart_self()->cpu)
        run_queue_notify(rq->cpu);
    irq_restore(flags);
}

// Take `t` off its queue for a change; put back with sched_change_end().
static bool sched_change_begin(struct run_queue *rq, struct thread *t)
{
    bool queued = t->sched.queued;
    if (queued) {
        sched_queue_remove(&rq->queue, &t->sched);
        rq->nr_running--;
    }
    return queued;
}

// The running thread may have to make way now, or the changed one may come before it. True: tell
// the hart.
static bool sched_change_end(struct run_queue *rq, struct thread *t, bool queued)
{
    if (queued)
        return run_queue_add(rq, t);
    struct sched_entity *first = sched_queue_first(&rq->queue);
    if (rq->current != t || !first || first->rt_priority <= t->sched.rt_priority)
        return false;
    atomic_fetch_or(&t->arch.work, THREAD_WORK_RESCHED);
    return rq->cpu != hart_self()->cpu;
}

// rt_priority follows from what was set and what is inherited. As sched_change_end().
static bool sched_change_priority(struct run_queue *rq, struct thread *t, bool queued)
{
    bool was_rt = sched_entity_is_rt(&t->sched);
    t->sched.rt_priority = MAX(t->sched.set_priority, t->sched.boost);
    t->sched.slice_left_ns = 0;
    // Its virtual time stood still meanwhile.
    if (was_rt && !sched_entity_is_rt(&t->sched) && !t->sched.moving) {
        sched_queue_leave(&rq->queue, &t->sched);
        sched_queue_place(&rq->queue, &t->sched, false);
    }
    return sched_change_end(rq, t, queued);
}

int sched_set_policy(struct thread *t, unsigned int policy, int rt_priority)
{
    bool rt = policy == SCHED_FIFO || policy == SCHED_RR;
    if (!rt && policy != SCHED_NORMAL && policy != SCHED_BATCH && policy != SCHED_IDLE)
        return -EINVAL;
    if (rt ? rt_priority < 1 || rt_priority >= SCHED_RT_LEVELS : rt_priority != 0)
        return -EINVAL;
    irq_flags_t flags = irq_save();
    struct run_queue *rq = run_queue_lock_of(t);
    bool queued = sched_change_begin(rq, t);
    t->sched.policy = policy;
    atomic_store(&t->sched.set_priority, rt_priority);
    sched_entity_set_weight(&t->sched);
    bool notify = sched_change_priority(rq, t, queued);
    spin_unlock(&rq->lock);
    if (notify)
        run_queue_notify(rq->cpu);
    irq_restore(flags);
    pi_thread_priority_changed(t);
    return 0;
}

void sched_boost(struct thread *t, int boost)
{
    irq_flags_t flags = irq_save();
    struct run_queue *rq = run_queue_lock_of(t);
    bool queued = sched_change_begin(rq, t);
    t->sched.boost = boost;
    bool notify = sched_change_priority(rq, t, queued);
    spin_unlock(&rq->lock);
    if (notify)
        run_queue_notify(rq->cpu);
    irq_restore(flags);
}

void sched_set_nice(struct thread *t, int nice)
{
    irq_flags_t flags = irq_save();
    struct run_queue *rq = run_queue_lock_of(t);
    bool queued = sched_change_begin(rq, t);
    t->sched.nice = MIN(MAX(nice, -20), 19);
    sched_entity_set_weight(&t->sched);
    bool notify = sched_change_end(rq, t, queued);
    spin_unlock(&rq->lock);
    if (notify)
        run_queue_notify(rq->cpu);
    irq_restore(flags);
}

int sched_set_affinity(struct thread *t, uint64_t mask)
{
    if ((mask & atomic_load(&sched_online_mask)) == 0)
        return -EINVAL;
    irq_flags_t flags = irq_save();
    struct run_queue *rq = run_queue_lock_of(t);
    t->sched.affinity = mask;
    bool must_move = !(mask & BIT(rq->cpu));
    bool waits = must_move && sched_change_begin(rq, t);
    bool runs = must_move && rq->current == t;
    if (runs)
        atomic_fetch_or(&t->arch.work, THREAD_WORK_RESCHED);
    if (waits) // runnable and on no queue: ours
        sched_place_thread(rq, t);
    else
        spin_unlock(&rq->lock);
    if (runs && rq->cpu != hart_self()->cpu)
        run_queue_notify(rq->cpu);
    irq_restore(flags);
    if (t == thread_self())
        sched_relax();
    return 0;
}
