// SPDX-License-Identifier: BSD-2-Clause
// Time: the `time` CSR as nanoseconds, wall-clock offset, and the per-hart one-shot event (Sstc or
// SBI TIME). Reads take no lock and work in any context.
#pragma once

#include <lib/types.h>

void clock_init(uint32_t timebase_hz); // boot hart, once
uint32_t clock_timebase(void);         // ticks a second
uint64_t clock_ticks(void);
uint64_t clock_ticks_to_ns(uint64_t ticks);
uint64_t clock_monotonic_ns(void); // since boot of the machine
uint64_t clock_realtime_ns(void);  // since 1970-01-01 UTC
void clock_set_realtime(uint64_t ns);
// monotonic + this = realtime
int64_t clock_realtime_offset(void);
// Ticks at the kernel's entry (head.S), for the boot figure.
uint64_t clock_entry_ticks(void);
void clock_delay_us(unsigned int us); // busy wait, for device timing only

// Call port_timer() on this hart at or soon after deadline_ns (monotonic); TIME_NEVER: never.
// Replaces the previous deadline. Interrupts off.
void clock_event_program(uint64_t deadline_ns);
