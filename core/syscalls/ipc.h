// SPDX-License-Identifier: BSD-2-Clause
// System V IPC: core/sys_shm.c, sys_sem.c, sys_msg.c.
SYSCALL3(__NR_shmget, sys_shmget, int, size_t, int)
SYSCALL3(__NR_shmat, sys_shmat, int, vaddr_t, int)
SYSCALL1(__NR_shmdt, sys_shmdt, vaddr_t)
SYSCALL3(__NR_shmctl, sys_shmctl, int, int, vaddr_t)
SYSCALL3(__NR_semget, sys_semget, int, int, int)
SYSCALL3(__NR_semop, sys_semop, int, vaddr_t, unsigned int)
SYSCALL4(__NR_semtimedop, sys_semtimedop, int, vaddr_t, unsigned int, vaddr_t)
SYSCALL4(__NR_semctl, sys_semctl, int, int, int, unsigned long)
SYSCALL2(__NR_msgget, sys_msgget, int, int)
SYSCALL4(__NR_msgsnd, sys_msgsnd, int, vaddr_t, size_t, int)
SYSCALL5(__NR_msgrcv, sys_msgrcv, int, vaddr_t, size_t, long, int)
SYSCALL3(__NR_msgctl, sys_msgctl, int, int, vaddr_t)
