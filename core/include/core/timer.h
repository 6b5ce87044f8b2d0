// SPDX-License-Identifier: BSD-2-Clause
// High-resolution timers: per-hart red-black trees of deadlines over clock_event_program().
// Tickless: an idle hart sleeps until its first deadline.
#pragma once

#include <lib/rbtree.h>
#include <lib/types.h>

struct timer {
    struct rb_node node;
    uint64_t deadline_ns;          // monotonic
    void (*fire)(struct timer *t); // interrupt context
    int cpu;                       // of the queue it is in, -1: not queued
};

void timer_init(struct timer *t, void (*fire)(struct timer *t));
// (Re)arm on this hart. A deadline in the past fires at once, from the interrupt.
void timer_start(struct timer *t, uint64_t deadline_ns);
// Disarm; `fire` may be running on another hart, or about to. True if it was armed.
bool timer_stop(struct timer *t);
// Disarm; when it returns `fire` isn't running on any hart. Not from fire itself. True if it was
// armed.
bool timer_cancel(struct timer *t);
