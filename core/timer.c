// SPDX-License-Identifier: BSD-2-Clause
// High-resolution timers: one tree of deadlines for each hart, and the hart's one event, shared
// with the scheduler's tick.
//
// The event is programmed lazily: only when something is due earlier than what it is set to. A
// cancelled timer or a tick that moved away leaves it alone; when it fires with nothing due, it is
// set to what is next. So starting and cancelling timeouts seldom touches the hardware.
//
// A timer is in at most one tree (`cpu`). While it fires, `running` of that hart points to it; it
// is set before the timer leaves the tree, under the lock, so that timer_cancel() finds it in one
// of the two. Lock order: nothing is taken inside but the log; `fire` runs with no lock held.
#include <arch/clock.h>
#include <arch/irq.h>
#include <arch/port.h>
#include <arch/thread.h>
#include <core/timer.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/spinlock.h>

#include "sched_priv.h"

struct timer_queue {
    struct spinlock lock; // irq-safe; guards the tree and first
    struct rb_root tree;
    struct timer *first;
    struct timer *running; // its `fire` is being called; written by the hart itself
    // Own hart only, interrupts off.
    uint64_t programmed_ns;
} __attribute__((aligned(64)));

static struct timer_queue timer_queues[NR_CPUS_MAX];

void timer_init_hart(void)
{
    struct timer_queue *q = &timer_queues[hart_self()->cpu];
    spin_init(&q->lock);
    q->tree.node = NULL;
    q->first = NULL;
    q->programmed_ns = TIME_NEVER;
}

void timer_request_tick(uint64_t deadline_ns)
{
    struct timer_queue *q = &timer_queues[hart_self()->cpu];
    if (deadline_ns >= q->programmed_ns)
        return;
    q->programmed_ns = deadline_ns;
    clock_event_program(deadline_ns);
}

void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
    t->deadline_ns = TIME_NEVER;
    t->fire = fire;
    t->cpu = -1;
}

static void timer_insert_locked(struct timer_queue *q, struct timer *t)
{
    struct rb_node **link = &q->tree.node, *parent = NULL;
    bool first = true;
    while (*link) {
        parent = *link;
        if (t->deadline_ns < rb_entry(parent, struct timer, node)->deadline_ns) {
            link = &parent->left;
        } else {
            link = &parent->right;
            first = false;
        }
    }
    rb_insert(&q->tree, parent, link, &t->node, NULL);
    if (first)
        q->first = t;
}

static void timer_remove_locked(struct timer_queue *q, struct timer *t)
{
    spin_assert_held(&q->lock);
    if (q->first == t)
        q->first = rb_entry_or_null(rb_next(&t->node), struct timer, node);
    rb_erase(&q->tree, &t->node, NULL);
    atomic_store_release(&t->cpu, -1); // pairs with timer_cancel: `running` was written before
}

// Take it out of the tree it is in. False: it is in none. Interrupts off.
static bool timer_dequeue(struct timer *t)
{
    for (;;) {
        int cpu = atomic_load_acquire(&t->cpu); // pairs with timer_remove_locked
        if (cpu < 0)
            return false;
        struct timer_queue *q = &timer_queues[cpu];
        spin_lock(&q->lock);
        bool here = t->cpu == cpu;
        if (here)
            timer_remove_locked(q, t);
        spin_unlock(&q->lock);
        if (here)
            return true;
    }
}

void timer_start(struct timer *t, uint64_t deadline_ns)
{
    irq_flags_t flags = irq_save();
    timer_dequeue(t);
    int cpu = (int)hart_self()->cpu;
    struct timer_queue *q = &timer_queues[cpu];
    spin_lock(&q->lock);
    t->deadline_ns = deadline_ns;
    timer_insert_locked(q, t);
    atomic_store(&t->cpu, cpu);
    spin_unlock(&q->lock);
    timer_request_tick(deadline_ns);
    irq_restore(flags);
}

bool timer_stop(struct timer *t)
{
    irq_flags_t flags = irq_save();
    bool armed = timer_dequeue(t);
    irq_restore(flags);
    return armed;
}

bool timer_cancel(struct timer *t)
{
    bool armed = false;
    do {
        irq_flags_t flags = irq_save();
        armed |= timer_dequeue(t);
        irq_restore(flags);
        for (cpu_t cpu = 0; cpu < cpu_count(); cpu++)
            while (atomic_load_acquire(&timer_queues[cpu].running) == t) // pairs with timer_run
                hart_relax();
    } while (atomic_load(&t->cpu) >= 0); // `fire` has started it again
    return armed;
}

// Call what is due.
static void timer_run(struct timer_queue *q)
{
    uint64_t now = clock_monotonic_ns();
    for (;;) {
        spin_lock(&q->lock);
        struct timer *t = q->first;
        if (!t || t->deadline_ns > now) {
            spin_unlock(&q->lock);
            return;
        }
        atomic_store(&q->running, t);
        timer_remove_locked(q, t);
        spin_unlock(&q->lock);
        t->fire(t);
        // `t` may be gone already, unless somebody waits for this in timer_cancel().
        atomic_store_release(&q->running, (struct timer *)NULL);
    }
}

void port_timer(void)
{
    struct timer_queue *q = &timer_queues[hart_self()->cpu];
    q->programmed_ns = TIME_NEVER; // the event is off now
    timer_run(q);
    sched_tick();
    spin_lock(&q->lock);
    uint64_t next = q->first ? q->first->deadline_ns : TIME_NEVER;
    spin_unlock(&q->lock);
    timer_request_tick(next);
}
