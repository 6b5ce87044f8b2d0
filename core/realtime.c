// SPDX-License-Identifier: BSD-2-Clause
// Sleeping until a time of the wall clock. Timers run by the monotonic clock; who sleeps for the
// wall clock stands in a list, and when that clock is set everybody there looks again.
#include <arch/clock.h>
#include <core/realtime.h>
#include <errno.h>
#include <lib/list.h>
#include <sync/spinlock.h>

struct realtime_sleeper { // on its thread's stack
    struct list_node node;
    struct thread *thread;
};

static struct spinlock realtime_lock = SPINLOCK_INIT; // guards the list
static struct list_node realtime_sleepers = LIST_INIT(realtime_sleepers);

int port_park_realtime(enum park_mode mode, uint64_t deadline_ns)
{
    struct realtime_sleeper s = {.thread = port_thread_self()};
    spin_lock(&realtime_lock);
    list_add_tail(&realtime_sleepers, &s.node);
    spin_unlock(&realtime_lock);
    // Read after queueing: the offset is new, or realtime_set() will find us (its partner).
    int64_t offset = clock_realtime_offset();
    int64_t monotonic = (int64_t)MIN(deadline_ns, (uint64_t)INT64_MAX / 2) - offset;
    int err = port_park(mode, monotonic > 0 ? (uint64_t)monotonic : 0);
    spin_lock(&realtime_lock);
    list_remove(&s.node);
    spin_unlock(&realtime_lock);
    return err == -ETIMEDOUT && clock_realtime_ns() < deadline_ns ? 0 : err;
}

void realtime_set(uint64_t ns)
{
    struct realtime_sleeper *s;
    clock_set_realtime(ns);
    spin_lock(&realtime_lock); // orders the new offset before the walk: port_park_realtime()
    list_for_each_entry (s, &realtime_sleepers, node)
        port_unpark(s->thread);
    spin_unlock(&realtime_lock);
}
