// SPDX-License-Identifier: BSD-2-Clause
// Wait queue: threads that wait for a condition which others make true and then announce.
//
// A waiter lives on the waiting thread's stack. The waker changes the condition first, then calls
// wake; the waiter queues itself first, then checks: with the queue's lock between, no wake is
// lost.
//
//     int err = wait_event(&pipe->readers, pipe->used > 0, PARK_INTERRUPTIBLE, TIME_NEVER);
//
// poll waits on many queues at once: one waiter for each, the same thread in all.
#pragma once

#include <lib/list.h>
#include <sync/port.h>
#include <sync/spinlock.h>

struct wait_queue {
    struct spinlock lock; // taken with interrupts off: wakers may be interrupt handlers
    struct list_node waiters;
};

struct waiter {
    struct list_node node;
    struct thread *thread;
    bool exclusive; // wait_queue_wake_one() stops after it
    // What a wake does instead of unparking `thread`, with the queue's lock held and interrupts
    // off; NULL: unpark.
    void (*wake)(struct waiter *w);
};

#define WAIT_QUEUE_INIT(name)                                                                      \
    {                                                                                              \
        SPINLOCK_INIT, LIST_INIT((name).waiters)                                                   \
    }

void wait_queue_init(struct wait_queue *q);
void waiter_init(struct waiter *w, bool exclusive); // for the calling thread
void wait_queue_add(struct wait_queue *q, struct waiter *w);
void wait_queue_remove(struct wait_queue *q, struct waiter *w); // no-op if it isn't queued
bool wait_queue_is_empty(struct wait_queue *q);                 // a hint without the lock

// Wake every non-exclusive waiter and the first exclusive one (wake_all: everybody). Waiters stay
// queued until they remove themselves, an exclusive one that was woken moves to the end. Any
// context. A no-waiter call costs one load.
void wait_queue_wake_one(struct wait_queue *q);
void wait_queue_wake_all(struct wait_queue *q);

// Sleep until `cond` is true. 0, -ETIMEDOUT or -EINTR; 0 if cond is true, whatever else happened.
// `cond` is evaluated with no lock of ours held and may take spinlocks; deadline_ns once, as "now
// and so much" would move away with each wake-up.
#define wait_event(q, cond, mode, deadline_ns)                                                     \
    ({                                                                                             \
        int wait_err = 0;                                                                          \
        if (!(cond)) {                                                                             \
            const uint64_t wait_deadline = (deadline_ns);                                          \
            struct waiter wait_w;                                                                  \
            waiter_init(&wait_w, false);                                                           \
            wait_queue_add(q, &wait_w);                                                            \
            while (!(cond) && wait_err == 0)                                                       \
                wait_err = port_park(mode, wait_deadline);                                         \
            wait_queue_remove(q, &wait_w);                                                         \
            if (wait_err != 0 && (cond))                                                           \
                wait_err = 0;                                                                      \
        }                                                                                          \
        wait_err;                                                                                  \
    })
