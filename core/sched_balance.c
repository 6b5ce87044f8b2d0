// SPDX-License-Identifier: BSD-2-Clause
// Which hart a thread runs on: chosen when it wakes (the hart it ran on if that is idle, else any
// idle one), pulled by a hart that runs dry, pushed from the tick of a hart that has clearly more.
//
// A second queue is locked by spin_trylock() alone, so no order between queues is needed; whoever
// fails leaves it for the next time. nr_running and sched_idle_mask are read as hints.
#include <lib/assert.h>
#include <lib/atomic.h>

#include "sched_priv.h"

static uint64_t sched_allowed(const struct thread *t)
{
    uint64_t allowed = t->sched.affinity & atomic_load(&sched_online_mask);
    ASSERT(allowed != 0);
    return allowed;
}

static cpu_t sched_least_loaded(uint64_t cpus)
{
    cpu_t best = (cpu_t)__builtin_ctzl(cpus);
    for (cpu_t cpu = best + 1; cpu < NR_CPUS_MAX; cpu++)
        if ((cpus & BIT(cpu)) &&
            atomic_load(&run_queues[cpu].nr_running) < atomic_load(&run_queues[best].nr_running))
            best = cpu;
    return best;
}

cpu_t sched_select_cpu(const struct thread *t)
{
    uint64_t allowed = sched_allowed(t);
    cpu_t prev = t->sched.cpu;
    if (allowed & BIT(prev)) {
        if (atomic_load(&run_queues[prev].nr_running) == 0)
            return prev;
    }
    uint64_t idle = atomic_load(&sched_idle_mask) & allowed;
    if (idle != 0)
        return (cpu_t)__builtin_ctzl(idle);
    if (!(allowed & BIT(prev)))
        return sched_least_loaded(allowed);
    // All busy: stay with the caches unless the waker's hart has less to do.
    cpu_t self = hart_self()->cpu;
    if ((allowed & BIT(self)) &&
        atomic_load(&run_queues[self].nr_running) + 1 < atomic_load(&run_queues[prev].nr_running))
        return self;
    return prev;
}

// First waiting thread of `from` that may run on `cpu`, or NULL.
static struct thread *sched_find_movable(const struct run_queue *from, cpu_t cpu)
{
    struct sched_entity *e = sched_queue_first(&from->queue);
    while (e && !(e->affinity & BIT(cpu)))
        e = sched_queue_next(&from->queue, e);
    return e ? sched_thread_of(e) : NULL;
}

// Both locked.
static void sched_take(struct run_queue *from, struct run_queue *to, struct thread *t)
{
    spin_assert_held(&from->lock);
    spin_assert_held(&to->lock);
    sched_queue_remove(&from->queue, &t->sched);
    from->nr_running--;
    sched_queue_leave(&from->queue, &t->sched);
    atomic_store(&t->sched.cpu, to->cpu);
    sched_queue_place(&to->queue, &t->sched, false);
}

bool sched_pull(struct run_queue *rq)
{
    struct run_queue *busiest = NULL;
    unsigned int most = 0;
    for (cpu_t cpu = 0; cpu < NR_CPUS_MAX; cpu++) {
        unsigned int nr = atomic_load(&run_queues[cpu].queue.nr);
        if (unlikely(nr > most) && cpu != rq->cpu) {
            most = nr;
            busiest = &run_queues[cpu];
        }
    }
    if (!busiest || !rq->online || !spin_trylock(&busiest->lock))
        return false;
    // An idle hart that was just given a thread is on its way to it.
    struct thread *t =
        busiest->current == busiest->idle ? NULL : sched_find_movable(busiest, rq->cpu);
    if (t) {
        sched_take(busiest, rq, t);
        sched_queue_add(&rq->queue, &t->sched, false);
        rq->nr_running++;
    }
    spin_unlock(&busiest->lock);
    return t != NULL;
}

void sched_push(struct run_queue *rq, uint64_t now)
{
    rq->next_balance_ns = now + SCHED_BALANCE_NS;
    struct run_queue *to = &run_queues[sched_least_loaded(atomic_load(&sched_online_mask))];
    if (to == rq || atomic_load(&to->nr_running) + 2 > rq->nr_running || !spin_trylock(&to->lock))
        return;
    struct thread *t = sched_find_movable(rq, to->cpu);
    bool notify = false;
    if (t) {
        sched_take(rq, to, t);
        notify = run_queue_add(to, t);
    }
    spin_unlock(&to->lock);
    if (notify)
        run_queue_notify(to->cpu);
}

struct run_queue *sched_move(struct run_queue *rq, struct thread *t, bool credit)
{
    spin_assert_held(&rq->lock);
    sched_queue_leave(&rq->queue, &t->sched);
    t->sched.moving = true;
    // Between the locks only sched_params.c may find `t`: look at the affinity again.
    cpu_t cpu = sched_select_cpu(t);
    while (cpu != rq->cpu) {
        atomic_store(&t->sched.cpu, cpu);
        spin_unlock(&rq->lock);
        rq = &run_queues[cpu];
        spin_lock(&rq->lock);
        if (unlikely(!(t->sched.affinity & BIT(cpu))))
            cpu = sched_select_cpu(t);
    }
    t->sched.moving = false;
    sched_queue_place(&rq->queue, &t->sched, credit);
    return rq;
}

void sched_place_thread(struct run_queue *rq, struct thread *t)
{
    rq = sched_move(rq, t, false);
    bool notify = run_queue_add(rq, t);
    spin_unlock(&rq->lock);
    if (notify)
        run_queue_notify(rq->cpu);
}
