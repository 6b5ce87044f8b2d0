// SPDX-License-Identifier: BSD-2-Clause
// Futexes and what belongs to them: core/sys_futex.c.
SYSCALL6(__NR_futex, sys_futex, vaddr_t, int, uint32_t, unsigned long, vaddr_t, uint32_t)
SYSCALL2(__NR_set_robust_list, sys_set_robust_list, vaddr_t, size_t)
SYSCALL3(__NR_get_robust_list, sys_get_robust_list, pid_t, vaddr_t, vaddr_t)
