// SPDX-License-Identifier: BSD-2-Clause
// Waiting for many files at once, and files without names to wait for: core/sys_poll.c,
// sys_epoll.c, sys_pipe.c.
SYSCALL1(__NR_epoll_create1, sys_epoll_create1, int)
SYSCALL4(__NR_epoll_ctl, sys_epoll_ctl, int, int, int, vaddr_t)
SYSCALL6(__NR_epoll_pwait, sys_epoll_pwait, int, vaddr_t, int, int, vaddr_t, size_t)
SYSCALL6(__NR_epoll_pwait2, sys_epoll_pwait2, int, vaddr_t, int, vaddr_t, vaddr_t, size_t)
SYSCALL2(__NR_eventfd2, sys_eventfd2, unsigned int, int)
SYSCALL2(__NR_pipe2, sys_pipe2, vaddr_t, int)
SYSCALL5(__NR_ppoll, sys_ppoll, vaddr_t, unsigned int, vaddr_t, vaddr_t, size_t)
SYSCALL6(__NR_pselect6, sys_pselect6, int, vaddr_t, vaddr_t, vaddr_t, vaddr_t, vaddr_t)
