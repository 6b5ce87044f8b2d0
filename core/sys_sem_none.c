// SPDX-License-Identifier: BSD-2-Clause
// In place of sys_sem.c on a board that leaves it out (`without_ipc` of its board.mk).
#include <errno.h>

#include "syscalls_priv.h"

long sys_semget(int key, int nr_sems, int flags)
{
    return -ENOSYS;
}

long sys_semop(int id, vaddr_t ops, unsigned int nr)
{
    return -ENOSYS;
}

long sys_semtimedop(int id, vaddr_t ops, unsigned int nr, vaddr_t timeout)
{
    return -ENOSYS;
}

long sys_semctl(int id, int index, int command, unsigned long arg)
{
    return -ENOSYS;
}
