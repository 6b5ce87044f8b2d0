// SPDX-License-Identifier: BSD-2-Clause
// Deadlines of the clocks that run on their own, as POSIX timers and timerfds wait for them.
//
// Timers run by the monotonic clock. A deadline of the wall clock is converted when it is started,
// and its owner, who watches that clock, starts it again when it is set.
//
// Locking: the owner's, which `fire` takes. An alarm that was stopped or started anew may still
// have a `fire` of before on its way: it finds that its time has not come and leaves.
#include <arch/clock.h>
#include <linux/time.h>

#include "alarm_priv.h"

bool alarm_has_clock(int clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
           clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
}

bool alarm_clock_can_be_set(int clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

void alarm_init(struct alarm *a, void (*fire)(struct timer *t))
{
    timer_init(&a->timer, fire);
    a->deadline_ns = TIME_NEVER;
    a->interval_ns = 0;
    a->on_realtime = false;
}

uint64_t alarm_now(const struct alarm *a)
{
    return a->on_realtime ? clock_realtime_ns() : clock_monotonic_ns();
}

void alarm_set(struct alarm *a, int clock, bool absolute, uint64_t value_ns, uint64_t interval_ns)
{
    a->on_realtime = absolute && alarm_clock_can_be_set(clock);
    a->interval_ns = interval_ns;
    a->deadline_ns = absolute ? value_ns : time_deadline(value_ns);
}

static void start_not_before(struct alarm *a, uint64_t earliest_ns)
{
    uint64_t deadline = a->deadline_ns;
    if (a->on_realtime && deadline != TIME_NEVER) {
        int64_t offset = clock_realtime_offset();
        int64_t monotonic = (int64_t)MIN(deadline, (uint64_t)INT64_MAX) - offset;
        deadline = (uint64_t)MAX(monotonic, 0);
    }
    timer_start(&a->timer, MAX(deadline, earliest_ns));
}

void alarm_start(struct alarm *a)
{
    start_not_before(a, 0);
}

void alarm_start_later(struct alarm *a)
{
    start_not_before(a, clock_monotonic_ns() + PERIOD_MIN_NS);
}

void alarm_stop(struct alarm *a)
{
    timer_stop(&a->timer);
}

uint64_t alarm_forward(struct alarm *a)
{
    return period_forward(&a->deadline_ns, a->interval_ns, alarm_now(a));
}

uint64_t alarm_left(const struct alarm *a)
{
    return period_left(a->deadline_ns, a->interval_ns, alarm_now(a));
}
