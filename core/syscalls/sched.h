// SPDX-License-Identifier: BSD-2-Clause
// Scheduling policy, priority, affinity: core/sys_sched.c.
SYSCALL0(__NR_sched_yield, sys_sched_yield)
