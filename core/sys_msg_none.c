// SPDX-License-Identifier: BSD-2-Clause
// In place of sys_msg.c on a board that leaves it out (`without_ipc` of its board.mk).
#include <errno.h>

#include "syscalls_priv.h"

long sys_msgget(int key, int flags)
{
    return -ENOSYS;
}

long sys_msgsnd(int id, vaddr_t buf, size_t size, int flags)
{
    return -ENOSYS;
}

long sys_msgrcv(int id, vaddr_t buf, size_t size, long type, int flags)
{
    return -ENOSYS;
}

long sys_msgctl(int id, int command, vaddr_t buf)
{
    return -ENOSYS;
}
