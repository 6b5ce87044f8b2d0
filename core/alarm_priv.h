// SPDX-License-Identifier: BSD-2-Clause
// Deadlines of CLOCK_REALTIME, CLOCK_MONOTONIC and their like: what POSIX timers and timerfds have
// in common.
#pragma once

#include <core/realtime.h>
#include <core/time.h>
#include <core/timer.h>

#include "period_priv.h"

struct alarm { // the owner's lock, taken with interrupts off
    struct timer timer;
    uint64_t deadline_ns; // of the clock below
    uint64_t interval_ns; // 0: once
    bool on_realtime;     // an absolute time of the wall clock; else of the monotonic one
};

bool alarm_has_clock(int clock);
bool alarm_clock_can_be_set(int clock); // its owner has to watch it (core/realtime.h)
void alarm_init(struct alarm *a, void (*fire)(struct timer *t));
// What its deadline is compared with.
uint64_t alarm_now(const struct alarm *a);
// Set, but don't start. `value_ns` is a time of `clock`, or from now on.
void alarm_set(struct alarm *a, int clock, bool absolute, uint64_t value_ns, uint64_t interval_ns);
// Have `fire` called at the deadline, on this hart. Also when the wall clock was set.
void alarm_start(struct alarm *a);
// The same, but PERIOD_MIN_NS from now at the earliest; the deadline stays.
void alarm_start_later(struct alarm *a);
void alarm_stop(struct alarm *a); // doesn't wait for `fire`, as timer_cancel() does
// With an interval: to the first deadline that is still to come; how many have passed.
uint64_t alarm_forward(struct alarm *a);
uint64_t alarm_left(const struct alarm *a); // until the next deadline; 0: over
