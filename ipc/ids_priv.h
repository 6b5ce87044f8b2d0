// SPDX-License-Identifier: BSD-2-Clause
// The registry of one kind of System V object: ids, keys, permissions.
//
// An id is a slot's index and the slot's sequence number, which changes whenever its object goes;
// so a stale id finds nothing, never somebody else's object. Slots are never freed, and a slot's
// lock is its object's lock: finding an object by id takes that one lock and nothing global, and
// what is found stays for as long as the lock is held.
//
// Lock order: vm_map.lock > ipc_ids.lock > ipc_slot.lock > sem_undo_list.lock > slabs, run queues.
// All of ours are spinlocks. Never two slots at once.
#pragma once

#include <asm/ipcbuf.h>
#include <ipc/ipc.h>
#include <lib/list.h>
#include <linux/ipc.h>
#include <sync/spinlock.h>

#define IPC_INDEX_BITS 15 // as Linux's: an id's lower bits
#define IPC_SLOTS_MAX  (1U << IPC_INDEX_BITS)
#define IPC_CHUNK      128U // slots that come together
#define IPC_KEY_LISTS  256U

#define IPC_READ  0444U // for ipc_permits()
#define IPC_WRITE 0222U
#define IPC_EXEC  0111U

// First in each kind's own structure.
struct ipc_object {
    // Constant once it has an id.
    int id;
    struct ipc_slot *slot;
    uid_t cuid;
    gid_t cgid;
    // slot->lock to read; both locks to write `key`
    int key;
    uid_t uid;
    gid_t gid;
    unsigned int mode;
    // ids->lock
    struct list_node key_node; // unlinked: private
};

struct ipc_slot {
    struct spinlock lock;
    struct ipc_object *object; // NULL: free. Written with ids->lock held, too
    uint32_t sequence;         // of the object, or the next one; 1 .. 65535
};

struct ipc_ids {
    struct spinlock lock;
    struct list_node by_key[IPC_KEY_LISTS];
    unsigned int nr_used;  // looked at without the lock, too
    unsigned int next;     // where the search for a free slot begins
    enum ipc_limit wanted; // the limit that names the next object's id; constant
    // Written once each, with the lock held; read without.
    struct ipc_slot *chunks[IPC_SLOTS_MAX / IPC_CHUNK];
};

void ipc_ids_init(struct ipc_ids *ids, enum ipc_limit wanted);

// A look-up by key, as the first half of every `get`: the id if there is such an object and the
// caller may have it; -ENOENT: make one; else the errno of `get`. `fits` judges the object for
// `size` (slot locked): 0 or -EINVAL.
int ipc_find_key(struct ipc_ids *ids, const struct ipc_caller *c, int key, int flags,
                 int (*fits)(const struct ipc_object *o, uint64_t size), uint64_t size);
// Fill in a new object's owner and mode.
void ipc_object_init(struct ipc_object *o, const struct ipc_caller *c, int key, int flags);
// Give it an id. The id; -ENOSPC with `limit` objects; -ENOMEM; -EEXIST: the key came to be since
// the look-up. With ids->lock held; from then on the object belongs to its slot's lock.
int ipc_add_locked(struct ipc_ids *ids, struct ipc_object *o, unsigned int limit);
// Forget the object: no id and no key finds it any more. Both locks held.
void ipc_remove_locked(struct ipc_ids *ids, struct ipc_object *o);
// No key finds it any more. Both locks held.
void ipc_make_private_locked(struct ipc_object *o);

// The object, its slot locked, or NULL (no lock held): a stale id, or an unused index. Of an index
// the lower bits count, as on Linux: a whole id will do.
struct ipc_object *ipc_lock_id(struct ipc_ids *ids, int id);
struct ipc_object *ipc_lock_index(struct ipc_ids *ids, int index);
// The first object at or after *index, its slot locked, *index its own; or NULL.
struct ipc_object *ipc_lock_next(struct ipc_ids *ids, unsigned int *index);
// ipc_lock_id() with ids->lock held, for what needs both.
struct ipc_object *ipc_lock_id_locked(struct ipc_ids *ids, int id);
static inline void ipc_unlock(const struct ipc_object *o)
{
    spin_unlock(&o->slot->lock);
}
static inline void ipc_assert_locked(const struct ipc_object *o)
{
    spin_assert_held(&o->slot->lock);
}
// The highest index in use, 0 if none is.
int ipc_highest_index(struct ipc_ids *ids);

// May `cred` have all of `want` (IPC_READ ...)? Slot locked.
bool ipc_permits(const struct ipc_object *o, const struct cred *cred, unsigned int want);
// May it remove or change the object (owner, creator, CAP_SYS_ADMIN)? 0 or -EPERM. Slot locked.
int ipc_may_change(const struct ipc_object *o, const struct cred *cred);
// For IPC_STAT and IPC_SET. Slot locked. 0 or -EINVAL (no such user).
void ipc_fill_perm(const struct ipc_object *o, struct ipc64_perm *perm);
int ipc_set_perm(struct ipc_object *o, const struct ipc64_perm *perm);
// Wall clock, seconds.
int64_t ipc_now(void);
