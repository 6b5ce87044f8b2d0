// SPDX-License-Identifier: BSD-2-Clause
// The wall clock as something to wait for. Timers run by the monotonic clock; who waits for a time
// of the wall clock stands in a list and is told when that is set: sleepers, timers, timerfds.
#include <arch/clock.h>
#include <core/realtime.h>
#include <errno.h>
#include <sync/spinlock.h>

struct realtime_sleeper { // on its thread's stack
    struct realtime_watch watch;
    struct thread *thread;
};

static struct spinlock realtime_lock = SPINLOCK_INIT; // guards the list
static struct list_node realtime_watches = LIST_INIT(realtime_watches);

void realtime_watch_add(struct realtime_watch *w, void (*changed)(struct realtime_watch *w))
{
    w->changed = changed;
    spin_lock(&realtime_lock);
    list_add_tail(&realtime_watches, &w->node);
    spin_unlock(&realtime_lock);
}

void realtime_watch_remove(struct realtime_watch *w)
{
    spin_lock(&realtime_lock);
    list_remove(&w->node);
    spin_unlock(&realtime_lock);
}

static void wake_sleeper(struct realtime_watch *w)
{
    port_unpark(container_of(w, struct realtime_sleeper, watch)->thread);
}

int port_park_realtime(enum park_mode mode, uint64_t deadline_ns)
{
    struct realtime_sleeper s = {.thread = port_thread_self()};
    realtime_watch_add(&s.watch, wake_sleeper);
    // Read after queueing: the offset is new, or realtime_set() will find us (its partner).
    int64_t offset = clock_realtime_offset();
    int64_t monotonic = (int64_t)MIN(deadline_ns, (uint64_t)INT64_MAX / 2) - offset;
    int err = port_park(mode, monotonic > 0 ? (uint64_t)monotonic : 0);
    realtime_watch_remove(&s.watch);
    return err == -ETIMEDOUT && clock_realtime_ns() < deadline_ns ? 0 : err;
}

void realtime_set(uint64_t ns)
{
    struct realtime_watch *w;
    clock_set_realtime(ns);
    spin_lock(&realtime_lock); // orders the new offset before the walk: port_park_realtime()
    list_for_each_entry (w, &realtime_watches, node)
        w->changed(w);
    spin_unlock(&realtime_lock);
}
