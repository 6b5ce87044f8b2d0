// SPDX-License-Identifier: BSD-2-Clause
// The scheduler's core: choosing, switching, accounting, the tick.
//
// A run queue's lock is held across the switch: taken by the thread that goes, let go by the one
// that comes (run_queue_finish_switch). So whoever finds a parked thread under that lock knows that
// it has left its stack. A thread that died is dropped by the next one, never by itself.
#include <arch/clock.h>
#include <arch/csr.h>
#include <arch/irq.h>
#include <arch/log.h>
#include <arch/port.h>
#include <core/process.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <linux/sched.h>
#include <mm/page.h>
#include <mm/vm_space.h>

#include "sched_priv.h"

struct run_queue run_queues[NR_CPUS_MAX];
uint64_t sched_idle_mask;
uint64_t sched_online_mask;

struct run_queue *run_queue_lock_of(struct thread *t)
{
    for (;;) {
        struct run_queue *rq = &run_queues[atomic_load(&t->sched.cpu)];
        spin_lock(&rq->lock);
        if (likely(atomic_load(&t->sched.cpu) == rq->cpu))
            return rq;
        spin_unlock(&rq->lock);
    }
}

// Time between two samples goes to user and system as the thread's samples have gone so far.
static void thread_charge(struct thread *t, struct run_queue *rq, uint64_t delta, int sampled_user)
{
    uint64_t user;
    if (sampled_user >= 0) {
        user = sampled_user ? delta : 0;
        t->sched.samples[sampled_user]++;
    } else if (t->process == kernel_process) {
        user = 0;
    } else {
        uint64_t in_user = t->sched.samples[1], all = in_user + t->sched.samples[0];
        user = all == 0 ? delta / 2 : delta * in_user / all;
    }
    t->user_ns += user;
    t->system_ns += delta - user;
    rq->stats.user_ns += user;
    rq->stats.system_ns += delta - user;
}

void run_queue_account(struct run_queue *rq, uint64_t now, int sampled_user)
{
    struct thread *t = rq->current;
    uint64_t delta = now - rq->last_ns;
    rq->last_ns = now;
    if (t == rq->idle) {
        rq->stats.idle_ns += delta;
        return;
    }
    thread_charge(t, rq, delta, sampled_user);
    sched_queue_charge(&rq->queue, &t->sched, delta);
    sched_queue_advance(&rq->queue, &t->sched);
}

// When the tick is due for what runs now and what waits. The CPU timers are told of the run time
// that adds up, so that who often makes way for others doesn't escape them.
static void run_queue_set_tick(struct run_queue *rq, uint64_t now)
{
    struct thread *t = rq->current;
    if (t == rq->idle) {
        rq->tick_ns = TIME_NEVER;
        return;
    }
    if (t->sched.slice_left_ns == 0)
        t->sched.slice_left_ns = sched_entity_slice(&t->sched);
    uint64_t untold_ns =
        t->user_ns + t->system_ns - t->sched.ticked_user_ns - t->sched.ticked_system_ns;
    uint64_t left_ns = SCHED_TICK_ALONE_NS - MIN(untold_ns, SCHED_TICK_ALONE_NS);
    rq->tick_ns = now + (rq->queue.nr > 0 ? MIN(t->sched.slice_left_ns, left_ns) : left_ns);
    timer_request_tick(rq->tick_ns);
}

// The thread that runs there has to make way. True: its hart must be told.
static bool run_queue_resched(struct run_queue *rq, bool local)
{
    uint32_t before = atomic_fetch_or(&rq->current->arch.work, THREAD_WORK_RESCHED);
    return !local && !(before & THREAD_WORK_RESCHED);
}

bool run_queue_add(struct run_queue *rq, struct thread *t)
{
    spin_assert_held(&rq->lock);
    bool local = rq->cpu == hart_self()->cpu;
    sched_queue_add(&rq->queue, &t->sched, false);
    rq->nr_running++;
    if (rq->current == rq->idle)
        return run_queue_end_idle(rq) && !local;
    uint64_t now = clock_monotonic_ns();
    run_queue_account(rq, now, -1);
    if (sched_entity_preempts(&t->sched, &rq->current->sched))
        return run_queue_resched(rq, local);
    if (rq->tick_ns <= now + SCHED_SLICE_NS)
        return false;
    if (!local)
        return true;
    run_queue_set_tick(rq, now); // `current` was alone: its slice begins to matter
    return false;
}

void run_queue_notify(cpu_t cpu)
{
    hart_send_ipi(cpu, IPI_RESCHEDULE);
}

static struct thread *run_queue_pick(struct run_queue *rq)
{
    struct sched_entity *e = sched_queue_first(&rq->queue);
    if (!e && sched_pull(rq))
        e = sched_queue_first(&rq->queue);
    if (!e)
        return rq->idle;
    sched_queue_remove(&rq->queue, e);
    return sched_thread_of(e);
}

// Kernel threads keep no space: the space that ran before must be free to go.
// A thread that has left its process has no share in the map any more: it may be gone.
static void run_queue_switch_space(struct thread *next)
{
    struct vm_map *map = next->exiting ? NULL : next->process->map;
    vm_space_switch(map ? &map->space : NULL);
}

void run_queue_finish_switch(void)
{
    struct run_queue *rq = run_queue_self();
    struct thread *prev = rq->previous;
    bool dead = prev->state == THREAD_DEAD;
    bool misplaced = prev->state == THREAD_RUNNABLE && !prev->sched.queued && prev != rq->idle;
    if (unlikely(misplaced))
        sched_place_thread(rq, prev);
    else
        spin_unlock(&rq->lock);
    if (unlikely(dead))
        thread_put(prev);
}

// Preempted before its time is over, so it stands first of its priority.
static bool sched_entity_keeps_place(struct sched_entity *e)
{
    bool keeps = !e->yielding && (e->policy == SCHED_FIFO || e->slice_left_ns > 0);
    e->yielding = false;
    return keeps;
}

void run_queue_switch(struct run_queue *rq)
{
    spin_assert_held(&rq->lock);
    struct thread *prev = rq->current;
    ASSERT(prev->arch.spin_depth == 1);
    uint64_t now = clock_monotonic_ns();
    run_queue_account(rq, now, -1);
    if (prev->arch.work & THREAD_WORK_RESCHED)
        atomic_fetch_and(&prev->arch.work, ~(uint32_t)THREAD_WORK_RESCHED);
    if (prev != rq->idle) {
        if (prev->state == THREAD_RUNNABLE && (prev->sched.affinity & BIT(rq->cpu)))
            sched_queue_add(&rq->queue, &prev->sched, sched_entity_keeps_place(&prev->sched));
        else
            rq->nr_running--;
    }
    struct thread *next = run_queue_pick(rq);
    rq->current = next;
    run_queue_set_tick(rq, now);
    if (next == prev) {
        spin_unlock(&rq->lock);
        return;
    }
    rq->stats.switches++;
    if (prev->rseq != 0)
        atomic_fetch_or(&prev->arch.work, THREAD_WORK_RSEQ);
    rq->previous = prev;
    spin_hand_over(&rq->lock, &prev->arch, &next->arch);
    run_queue_switch_space(next);
    arch_thread_switch(&prev->arch, &next->arch);
    run_queue_finish_switch();
}

static void sched_reschedule(bool voluntary)
{
    struct thread *self = thread_self();
    irq_flags_t flags = irq_save();
    struct run_queue *rq = run_queue_self();
    spin_lock(&rq->lock);
    if (voluntary)
        self->nr_voluntary++;
    else
        self->nr_involuntary++;
    run_queue_switch(rq);
    irq_restore(flags);
}

void sched_yield_self(void)
{
    struct thread *self = thread_self();
    ASSERT(self->arch.spin_depth == 0);
    irq_flags_t flags = irq_save();
    struct run_queue *rq = run_queue_self();
    if (atomic_load(&rq->queue.nr) == 0) { // nobody to yield to
        irq_restore(flags);
        return;
    }
    spin_lock(&rq->lock);
    run_queue_account(rq, clock_monotonic_ns(), -1);
    // Behind the first of its class, but never so far that it would be punished for yielding.
    struct sched_entity *first = sched_queue_first(&rq->queue);
    if (first && !sched_entity_is_rt(&self->sched) && !sched_entity_is_rt(first) &&
        (int64_t)(first->vruntime - self->sched.vruntime) > 0)
        self->sched.vruntime = first->vruntime;
    self->sched.yielding = true;
    self->sched.slice_left_ns = 0;
    self->nr_voluntary++;
    run_queue_switch(rq);
    irq_restore(flags);
}

void sched_relax(void)
{
    if (atomic_load(&thread_self()->arch.work) & THREAD_WORK_RESCHED)
        sched_reschedule(false);
}

void sched_preempt(void)
{
    sched_reschedule(false);
}

void sched_tick(void)
{
    struct run_queue *rq = run_queue_self();
    spin_lock(&rq->lock);
    uint64_t now = clock_monotonic_ns();
    struct thread *t = rq->current;
    if (t == rq->idle || now < rq->tick_ns) {
        if (t != rq->idle)
            timer_request_tick(rq->tick_ns);
        spin_unlock(&rq->lock);
        return;
    }
    // The frame of the last entry from user mode tells whether this interrupt was it.
    bool user = arch_thread_frame(&t->arch)->cause == (SCAUSE_INTERRUPT | SCAUSE_IRQ_TIMER);
    run_queue_account(rq, now, user && t->process != kernel_process);
    if (sched_queue_slice_ends(&rq->queue, &t->sched))
        run_queue_resched(rq, true);
    uint64_t user_ns = t->user_ns - t->sched.ticked_user_ns;
    uint64_t system_ns = t->system_ns - t->sched.ticked_system_ns;
    t->sched.ticked_user_ns = t->user_ns;
    t->sched.ticked_system_ns = t->system_ns;
    run_queue_set_tick(rq, now);
    if (rq->queue.nr > 0 && now >= rq->next_balance_ns)
        sched_push(rq, now);
    spin_unlock(&rq->lock);
    itimer_tick(t->process, user_ns, system_ns); // `t` is the thread that this interrupted
}

// Somebody queued a thread here, or set a work bit of the thread that runs here. The work bit acts
// on the way out of this interrupt, the idle thread looks by itself; what is left is the slice.
void port_ipi_reschedule(void)
{
    struct run_queue *rq = run_queue_self();
    if (rq->current == rq->idle) // only this hart changes `current`
        return;
    spin_lock(&rq->lock);
    uint64_t now = clock_monotonic_ns();
    if (rq->queue.nr > 0 && rq->tick_ns > now + SCHED_SLICE_NS) {
        run_queue_account(rq, now, -1);
        run_queue_set_tick(rq, now);
    }
    spin_unlock(&rq->lock);
}
