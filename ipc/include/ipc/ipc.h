// SPDX-License-Identifier: BSD-2-Clause
// What shared memory, semaphores and messages have in common: who calls, and the limits of
// /proc/sys/kernel. sysvipc(7), proc(5).
#pragma once

#include <lib/cred.h>

// On whose behalf; ipc never asks who is running.
struct ipc_caller {
    const struct cred *cred;
    pid_t pid;
};

#define IPC_ANY_ID UINT64_MAX

enum ipc_limit {
    IPC_SHMMAX, // bytes
    IPC_SHMALL, // pages
    IPC_SHMMNI,
    IPC_SHM_RMID_FORCED,
    IPC_SEMMSL,
    IPC_SEMMNS,
    IPC_SEMOPM,
    IPC_SEMMNI,
    IPC_MSGMAX, // bytes
    IPC_MSGMNB, // bytes
    IPC_MSGMNI,
    IPC_SHM_NEXT_ID, // the id of the next object, or IPC_ANY_ID, as it is again afterwards
    IPC_SEM_NEXT_ID,
    IPC_MSG_NEXT_ID,
    IPC_HUGETLB_SHM_GROUP, // who may have SHM_HUGETLB without CAP_IPC_LOCK
    IPC_NR_LIMITS,
};

// Boot, before the first process. The limits begin as Linux's, or as the board's highest ids
// (`nr_ids_max` of each kind) and bytes of one message or queue (`msg_bytes_max`) if those are
// lower; nobody can raise them above the board's.
void ipc_init(unsigned int nr_ids_max, unsigned int msg_bytes_max);
uint64_t ipc_limit(enum ipc_limit which);
// 0, or -EINVAL beyond what the board or the ABI allows (IPC_SEMMNI: -ERANGE, as Linux).
int ipc_limit_set(enum ipc_limit which, uint64_t value);
