// SPDX-License-Identifier: BSD-2-Clause
// The port of sync to threads of the host, and what its tests share.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lib/atomic.h>
#include <sync/port.h>

// Run `entry(arg)` in nr threads at once and wait for all; the argument of each is its number.
void host_run_threads(unsigned int nr, void *(*entry)(void *));
struct thread *host_thread(unsigned int i); // of the running test
// Instead of sleeping the calling thread does this, if set: what others do meanwhile.
extern __thread void (*host_park_hook)(void);
// The calling thread acts as thread i from here on.
void host_become(unsigned int i);
// Like a signal: every later park of `t` that may be interrupted is, until cleared.
void host_interrupt(struct thread *t, bool on);
// Like a fatal signal: every later park of `t` but the uninterruptible is interrupted.
void host_kill(struct thread *t);
uint64_t host_now_ns(void);

#define HOST_TID_FIRST 100
#define HOST_NO_WORD   4UL // an address that can't be brought in

static inline pid_t host_tid(unsigned int i)
{
    return HOST_TID_FIRST + (pid_t)i;
}
void host_set_priority(struct thread *t, int priority);
int host_boost_of(struct thread *t); // what inheritance told the scheduler
uint64_t host_realtime_ns(void);
void host_set_realtime(int64_t offset_ns); // to the monotonic clock
void host_fault_one_in(unsigned int n);
void host_lose_word(vaddr_t addr); // from now on like HOST_NO_WORD; 0: none
