// SPDX-License-Identifier: BSD-2-Clause
// Limits that /proc/sys/kernel shows and sets, under those of the board. Each is one word that its
// users read once for each decision: no lock.
#include "msg_priv.h"
#include "sem_priv.h"
#include "shm_priv.h"

#include <errno.h>
#include <lib/atomic.h>

static struct {
    uint64_t value, max;
} limits[IPC_NR_LIMITS];

static void set_up(enum ipc_limit which, uint64_t value, uint64_t max)
{
    limits[which].max = max;
    limits[which].value = MIN(value, max);
}

void ipc_init(unsigned int nr_ids_max, unsigned int msg_bytes_max)
{
    unsigned int ids = MIN(nr_ids_max, IPC_SLOTS_MAX);
    set_up(IPC_SHMMAX, SHMMAX, UINT64_MAX);
    set_up(IPC_SHMALL, SHMALL, UINT64_MAX);
    set_up(IPC_SHMMNI, SHMMNI, ids);
    set_up(IPC_SHM_RMID_FORCED, 0, 1);
    set_up(IPC_SEMMSL, SEMMSL, SEMMSL);
    set_up(IPC_SEMMNS, SEMMNS, INT32_MAX);
    set_up(IPC_SEMOPM, SEMOPM, SEMOPM);
    set_up(IPC_SEMMNI, SEMMNI, ids);
    set_up(IPC_MSGMAX, MSGMAX, msg_bytes_max);
    set_up(IPC_MSGMNB, MSGMNB, msg_bytes_max);
    set_up(IPC_MSGMNI, MSGMNI, ids);
    for (enum ipc_limit which = IPC_SHM_NEXT_ID; which <= IPC_MSG_NEXT_ID; which++) {
        set_up(which, 0, INT32_MAX);
        limits[which].value = IPC_ANY_ID;
    }
    set_up(IPC_HUGETLB_SHM_GROUP, 0, UINT32_MAX);
    shm_registry_init();
    sem_registry_init();
    msg_registry_init();
}

uint64_t ipc_limit(enum ipc_limit which)
{
    return atomic_load(&limits[which].value);
}

int ipc_limit_set(enum ipc_limit which, uint64_t value)
{
    bool any = value == IPC_ANY_ID && which >= IPC_SHM_NEXT_ID && which <= IPC_MSG_NEXT_ID;
    if (!any && value > limits[which].max)
        return which == IPC_SEMMNI ? -ERANGE : -EINVAL;
    atomic_store(&limits[which].value, value);
    if (which == IPC_SHM_RMID_FORCED && value)
        shm_remove_orphans();
    return 0;
}
