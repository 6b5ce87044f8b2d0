// SPDX-License-Identifier: BSD-2-Clause
// Clocks and timers: core/sys_time.c, core/itimer.c.
SYSCALL2(__NR_clock_settime, sys_clock_settime, int, vaddr_t)
SYSCALL2(__NR_clock_gettime, sys_clock_gettime, int, vaddr_t)
SYSCALL2(__NR_clock_getres, sys_clock_getres, int, vaddr_t)
SYSCALL4(__NR_clock_nanosleep, sys_clock_nanosleep, int, int, vaddr_t, vaddr_t)
SYSCALL2(__NR_nanosleep, sys_nanosleep, vaddr_t, vaddr_t)
SYSCALL2(__NR_gettimeofday, sys_gettimeofday, vaddr_t, vaddr_t)
SYSCALL2(__NR_settimeofday, sys_settimeofday, vaddr_t, vaddr_t)
SYSCALL2(__NR_getitimer, sys_getitimer, int, vaddr_t)
SYSCALL3(__NR_setitimer, sys_setitimer, int, vaddr_t, vaddr_t)
