// SPDX-License-Identifier: BSD-2-Clause
// What a hart does with nothing to run: it prepares pages, looks at its queue for a while, and
// waits for an interrupt.
//
// The idle thread is never queued. Before it waits it notes so in `waiting`, under the lock;
// whoever queues a thread there sees the note under the same lock and sends one interrupt.
// Interrupts are off from the note to the wait, so that one can't come in between and be missed.
//
// A hart that looks needs no interrupt: threads that hand work to and fro on several harts would
// wait for little else (on QEMU each costs some 100 us, on both sides). It looks only if its last
// idle time was short: a board at rest waits for interrupts at once.
#include <arch/clock.h>
#include <arch/irq.h>
#include <core/thread.h>
#include <lib/atomic.h>
#include <mm/page.h>
#include <sync/port.h>

#include "sched_priv.h"

#define IDLE_LOOK_NS (100 * NS_PER_US)

static void run_queue_begin_idle(struct run_queue *rq, bool waiting)
{
    rq->waiting = waiting;
    atomic_fetch_or(&sched_idle_mask, BIT(rq->cpu));
}

bool run_queue_end_idle(struct run_queue *rq)
{
    bool waiting = rq->waiting;
    rq->waiting = false;
    if (atomic_load(&sched_idle_mask) & BIT(rq->cpu))
        atomic_fetch_and(&sched_idle_mask, ~BIT(rq->cpu));
    return waiting;
}

// Until there is a thread, or for as long as it may take.
static void idle_look(const struct run_queue *rq)
{
    irq_enable();
    uint64_t end = clock_monotonic_ns() + IDLE_LOOK_NS;
    while (atomic_load(&rq->queue.nr) == 0 && clock_monotonic_ns() < end)
        hart_relax();
}

__noreturn void sched_idle_loop(void)
{
    struct run_queue *rq = run_queue_self();
    uint64_t idle_ns = rq->stats.idle_ns;
    bool look = false;

    for (;;) {
        irq_disable();
        spin_lock(&rq->lock);
        run_queue_end_idle(rq);
        if (rq->queue.nr > 0 || sched_pull(rq)) {
            run_queue_switch(rq); // charges the idle time that ends here
            look = rq->stats.idle_ns - idle_ns < 2 * IDLE_LOOK_NS && port_others_run();
            idle_ns = rq->stats.idle_ns;
        } else {
            run_queue_begin_idle(rq, !look);
            spin_unlock(&rq->lock);
            if (look)
                idle_look(rq);
            else if (!page_prepare_zeroed())
                hart_wait_for_interrupt();
            look = false;
        }
        irq_enable(); // what ended the wait is handled here
    }
}
