// SPDX-License-Identifier: BSD-2-Clause
// A segment of shared memory, for the files that implement shm.
//
// Life: the registry holds one reference of its vm_object until the segment is removed, each region
// one more. Removal waits for the last region and the last shmat() under way (`nr_pins`).
#pragma once

#include "ids_priv.h"

#include <ipc/shm.h>
#include <mm/vm_object.h>

struct shm_segment {
    struct ipc_object ipc; // first
    struct vm_object object;
    // Constant.
    size_t size; // bytes, as asked for
    int name_key;
    pid_t creator_pid;
    bool reserved; // its pages count against memory
    // ids lock and slot lock to write, either to read
    pid_t creator; // the same while that process lives, then 0
    struct list_node creator_node;
    // slot lock
    uint64_t nr_attaches, nr_pins;
    int64_t atime, dtime, ctime;
    pid_t last_pid;
    uid_t locked_by; // whose RLIMIT_MEMLOCK pays while SHM_LOCKED is set
};

extern struct ipc_ids shm_ids;

void shm_registry_init(void);
static inline struct shm_segment *shm_segment_of(struct ipc_object *o)
{
    return container_of(o, struct shm_segment, ipc);
}
// An attach or a pin went, or the segment was marked: remove it if it is time. Takes the locks;
// the caller holds a reference of the object.
void shm_remove_if_unused(struct shm_segment *s);
// Remove what has no creator and no attaches.
void shm_remove_orphans(void);
static inline bool shm_is_due(const struct shm_segment *s)
{
    return s->nr_attaches == 0 && s->nr_pins == 0 &&
           ((s->ipc.mode & SHM_DEST) || ipc_limit(IPC_SHM_RMID_FORCED));
}
// With both locks held; the registry's reference is the caller's to drop, with no lock held.
void shm_remove_locked(struct shm_segment *s);
