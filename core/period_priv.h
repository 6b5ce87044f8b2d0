// SPDX-License-Identifier: BSD-2-Clause
// Arithmetic of timers that repeat.
#pragma once

#include <lib/types.h>

// A period shorter than an interrupt takes would leave the hart no time for anything else.
#define PERIOD_MIN_NS (100 * NS_PER_US)

// Move the deadline by whole intervals to the first one after `now_ns`, at most to TIME_NEVER. How
// many deadlines have passed; interval_ns isn't 0.
uint64_t period_forward(uint64_t *deadline_ns, uint64_t interval_ns, uint64_t now_ns);
// From now to the next deadline; 0: it has passed, and the timer doesn't repeat (interval_ns 0).
uint64_t period_left(uint64_t deadline_ns, uint64_t interval_ns, uint64_t now_ns);
