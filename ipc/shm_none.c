// SPDX-License-Identifier: BSD-2-Clause
// In place of shm.c and its like on a board without shared memory (`without_ipc` of its board.mk):
// what limits, /proc and the end of a process still ask for. The system calls are in
// core/sys_shm_none.c.
#include "shm_priv.h"

void shm_registry_init(void)
{
}

void shm_remove_orphans(void)
{
}

bool shm_next(unsigned int *index, int *id, struct shmid64_ds *ds, uint64_t *rss_bytes)
{
    return false;
}

void shm_exit(pid_t pid)
{
}
