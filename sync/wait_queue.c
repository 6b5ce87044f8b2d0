// SPDX-License-Identifier: BSD-2-Clause
// Wait queues. Non-exclusive waiters stand before exclusive ones, so that wake_one() stops at the
// first exclusive waiter. A waiter is on its thread's stack and leaves only by wait_queue_remove(),
// under the queue's lock; wakers unpark under that lock, so the thread exists.
//
// No wake is lost: the waiter queues itself, then reads the condition; the waker writes the
// condition, then reads whether somebody is queued. Each has a full fence between his two accesses
// (wait_queue_add and wait_queue_is_empty are partners), so at least one sees the other.
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/wait_queue.h>

void wait_queue_init(struct wait_queue *q)
{
    spin_init(&q->lock);
    list_init(&q->waiters);
}

void waiter_init(struct waiter *w, bool exclusive)
{
    list_init(&w->node);
    w->thread = port_thread_self();
    w->exclusive = exclusive;
    w->wake = NULL;
}

static void waiter_wake(struct waiter *w)
{
    if (w->wake)
        w->wake(w);
    else
        port_unpark(w->thread);
}

void wait_queue_add(struct wait_queue *q, struct waiter *w)
{
    irq_flags_t flags = spin_lock_irqsave(&q->lock);
    if (w->exclusive)
        list_add_tail(&q->waiters, &w->node);
    else
        list_add_head(&q->waiters, &w->node);
    spin_unlock_irqrestore(&q->lock, flags);
    atomic_fence(); // partner: wait_queue_is_empty
}

void wait_queue_remove(struct wait_queue *q, struct waiter *w)
{
    irq_flags_t flags = spin_lock_irqsave(&q->lock);
    list_remove(&w->node);
    spin_unlock_irqrestore(&q->lock, flags);
}

bool wait_queue_is_empty(struct wait_queue *q)
{
    atomic_fence(); // partner: wait_queue_add
    return atomic_load(&q->waiters.next) == &q->waiters;
}

void wait_queue_wake_one(struct wait_queue *q)
{
    if (likely(wait_queue_is_empty(q)))
        return;
    irq_flags_t flags = spin_lock_irqsave(&q->lock);
    struct waiter *w;
    list_for_each_entry (w, &q->waiters, node) {
        waiter_wake(w);
        if (w->exclusive) {
            list_remove(&w->node);
            list_add_tail(&q->waiters, &w->node);
            break;
        }
    }
    spin_unlock_irqrestore(&q->lock, flags);
}

void wait_queue_wake_all(struct wait_queue *q)
{
    if (likely(wait_queue_is_empty(q)))
        return;
    irq_flags_t flags = spin_lock_irqsave(&q->lock);
    struct waiter *w;
    list_for_each_entry (w, &q->waiters, node)
        waiter_wake(w);
    spin_unlock_irqrestore(&q->lock, flags);
}
