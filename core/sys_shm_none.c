// SPDX-License-Identifier: BSD-2-Clause
// In place of sys_shm.c on a board that leaves it out (`without_ipc` of its board.mk).
#include <errno.h>

#include "syscalls_priv.h"

long sys_shmget(int key, size_t size, int flags)
{
    return -ENOSYS;
}

long sys_shmat(int id, vaddr_t addr, int flags)
{
    return -ENOSYS;
}

long sys_shmdt(vaddr_t addr)
{
    return -ENOSYS;
}

long sys_shmctl(int id, int command, vaddr_t buf)
{
    return -ENOSYS;
}
