// SPDX-License-Identifier: BSD-2-Clause
// Segments for the programs of System V shared memory: made, attached, looked at, removed.
#pragma once
#include "sysv.h"

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

__attribute__((unused)) static int private_segment(size_t size)
{
    int id = shmget(IPC_PRIVATE, size, 0600);
    CHECK(id >= 0);
    return id;
}

__attribute__((unused)) static void *attach(int id)
{
    void *p = shmat(id, NULL, 0);
    CHECK(p != (void *)-1);
    return p;
}

__attribute__((unused)) static struct shmid_ds stat_of(int id)
{
    struct shmid_ds ds;
    CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
    return ds;
}

__attribute__((unused)) static unsigned long attaches(int id)
{
    return stat_of(id).shm_nattch;
}

__attribute__((unused)) static void drop(int id)
{
    CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

__attribute__((unused)) static struct shm_info usage_now(void)
{
    struct shm_info usage;
    CHECK(shmctl(0, SHM_INFO, (void *)&usage) >= 0);
    return usage;
}
