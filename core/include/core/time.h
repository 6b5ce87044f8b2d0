// SPDX-License-Identifier: BSD-2-Clause
// Wall clock and conversions between kernel nanoseconds and the ABI's timespec. clock_gettime(2).
#pragma once

#include <linux/time_types.h>
#include <lib/types.h>

// A clock id below 0 names a process's or thread's CPU clock (clock_getcpuclockid(3)).
#define CPUCLOCK_PID(id)       (~((id) >> 3))
#define CPUCLOCK_IS_THREAD(id) ((id)&4)

// An RTC driver found the wall clock. Boot.
void time_set_from_rtc(uint64_t realtime_ns);
// From user memory, validated. 0, -EFAULT, -EINVAL. Saturates.
int time_read_timespec(vaddr_t addr, uint64_t *ns);
int time_write_timespec(vaddr_t addr, uint64_t ns);
int time_read_timeval(vaddr_t addr, uint64_t *ns);
int time_write_timeval(vaddr_t addr, uint64_t ns);
struct __kernel_timespec time_to_timespec(uint64_t ns);
// A relative timeout as a deadline, without overflow.
uint64_t time_deadline(uint64_t timeout_ns);
