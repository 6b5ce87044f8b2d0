// SPDX-License-Identifier: BSD-2-Clause
// Futexes and what belongs to them: core/sys_futex.c, sys_futex2.c, robust.c,
// rseq.c.
SYSCALL6(__NR_futex, sys_futex, vaddr_t, int, uint32_t, unsigned long, vaddr_t, uint32_t)
SYSCALL2(__NR_set_robust_list, sys_set_robust_list, vaddr_t, size_t)
SYSCALL3(__NR_get_robust_list, sys_get_robust_list, pid_t, vaddr_t, vaddr_t)
SYSCALL4(__NR_rseq, sys_rseq, vaddr_t, uint32_t, int, uint32_t)
#ifndef __NR_futex_wake // younger than Debian 12's headers
#define __NR_futex_wake    454
#define __NR_futex_wait    455
#define __NR_futex_requeue 456
#endif
SYSCALL5(__NR_futex_waitv, sys_futex_waitv, vaddr_t, unsigned int, unsigned int, vaddr_t, int)
SYSCALL4(__NR_futex_wake, sys_futex_wake, vaddr_t, unsigned long, int, unsigned int)
SYSCALL6(__NR_futex_wait, sys_futex_wait, vaddr_t, unsigned long, unsigned long, unsigned int,
         vaddr_t, int)
SYSCALL4(__NR_futex_requeue, sys_futex_requeue, vaddr_t, unsigned int, int, int)
