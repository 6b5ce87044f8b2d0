// SPDX-License-Identifier: BSD-2-Clause
// What the host tests of ipc stand on: memory from the C library (so that ASan sees leaks) that
// fails on demand, locks that check their use, and threads that run one at a time: a case starts
// one, and has the word again as soon as it sleeps or ends.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <ipc/ipc.h>
#include <lib/types.h>

extern int host_locks_held;
extern uint64_t host_now_ns; // the wall clock
// Allocation number n (from 1) from now on fails. 0: none.
void host_fail(uint64_t n);
extern uint64_t host_nr_allocs;

// Somebody whose calls may sleep.
struct host_task;
// Run fn(arg) until it sleeps or returns.
struct host_task *host_start(int (*fn)(void *arg), void *arg);
bool host_is_done(const struct host_task *t);
int host_result(struct host_task *t); // of fn; frees the task, which is done
// Make the sleeping task's park return this (-EINTR, -ETIMEDOUT, or 0 for an old token), and run it
// until it sleeps or returns.
void host_resume(struct host_task *t, int park_result);
// Run all that were woken, in the order of their wake-ups, until none is left.
void host_settle(void);
// Who was woken since the last call, as host_start() gave them; how many.
unsigned int host_woken(struct host_task **tasks, unsigned int max);

extern struct cred host_root, host_user; // uid 0 with all capabilities; uid and gid 1000 with none
