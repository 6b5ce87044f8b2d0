// SPDX-License-Identifier: BSD-2-Clause
// Waiting for many files at once, and files without names to wait for: core/sys_poll.c, sys_pipe.c.
SYSCALL2(__NR_eventfd2, sys_eventfd2, unsigned int, int)
SYSCALL2(__NR_pipe2, sys_pipe2, vaddr_t, int)
SYSCALL5(__NR_ppoll, sys_ppoll, vaddr_t, unsigned int, vaddr_t, vaddr_t, size_t)
SYSCALL6(__NR_pselect6, sys_pselect6, int, vaddr_t, vaddr_t, vaddr_t, vaddr_t, vaddr_t)
