// SPDX-License-Identifier: BSD-2-Clause
// System V shared memory: shmget(2), shmop(2), shmctl(2). Contract: shared/abi/sysv-ipc.md.
//
// A segment is a vm_object, an attach is a region of a vm_map: fork, exec, exit, munmap, mremap and
// MAP_FIXED keep nattch exact, because mm tells of each region that comes and goes.
#pragma once

#include <asm/ipcbuf.h>
#include <ipc/ipc.h>
#include <linux/shm.h>
#include <mm/vm_map.h>

// In the mode of a segment, beside the permissions. sysvipc(7)
#define SHM_DEST   01000 // goes at the last detach
#define SHM_LOCKED 02000

// The id, or -errno of shmget(2).
int shm_get(const struct ipc_caller *c, int key, size_t size, int flags);
// The address, or -errno of shmat(2). `flags`: SHM_*.
long shm_attach(const struct ipc_caller *c, struct vm_map *map, int id, vaddr_t addr, int flags);
// 0 or -EINVAL: no attach of this map began at addr.
int shm_detach(struct vm_map *map, vaddr_t addr);

// Each 0 or -errno of shmctl(2).
// IPC_STAT takes an id, SHM_STAT and SHM_STAT_ANY an index; the id is returned by the latter two.
int shm_stat(const struct ipc_caller *c, int id, int command, struct shmid64_ds *ds);
int shm_set(const struct ipc_caller *c, int id, const struct shmid64_ds *ds);
int shm_remove(const struct ipc_caller *c, int id);
// SHM_LOCK, SHM_UNLOCK. `memlock_bytes`: RLIMIT_MEMLOCK.
int shm_lock(const struct ipc_caller *c, int id, bool lock, uint64_t memlock_bytes);
// IPC_INFO, SHM_INFO: the highest index in use.
int shm_info_limits(struct shminfo64 *info);
int shm_info_usage(struct shm_info *info);

// The segment at or after *index for /proc/sysvipc/shm, with its resident bytes; *index becomes its
// own. False: there is none.
bool shm_next(unsigned int *index, int *id, struct shmid64_ds *ds, uint64_t *rss_bytes);

// A process ends: what it made is nobody's any more (shm_rmid_forced).
void shm_exit(pid_t pid);
