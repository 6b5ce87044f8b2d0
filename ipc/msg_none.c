// SPDX-License-Identifier: BSD-2-Clause
// In place of msg.c and its like on a board without message queues (`without_ipc` of its board.mk):
// what limits, /proc and the end of a process still ask for. The system calls are in
// core/sys_msg_none.c.
#include "msg_priv.h"

void msg_registry_init(void)
{
}

bool msg_next(unsigned int *index, int *id, struct msqid64_ds *ds)
{
    return false;
}
