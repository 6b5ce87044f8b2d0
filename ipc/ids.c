// SPDX-License-Identifier: BSD-2-Clause
// Slots, sequence numbers and keys. See ids_priv.h for the life of an id and the locks.
//
// Free slots are taken in turn, over a range that grows with use, so that a number comes back late.
#include "ids_priv.h"

#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <mm/slab.h>

#define SEQUENCE_MAX 65535U
#define RANGE_MIN    64U // slots that are used in turn, however few objects there are

void ipc_ids_init(struct ipc_ids *ids, enum ipc_limit wanted)
{
    ids->wanted = wanted;
    ipc_limit_set(wanted, IPC_ANY_ID);
    spin_init(&ids->lock);
    for (unsigned int i = 0; i < IPC_KEY_LISTS; i++)
        list_init(&ids->by_key[i]);
}

static struct list_node *key_list(struct ipc_ids *ids, int key)
{
    // ftok(3) keys differ in the middle bits most.
    uint32_t hash = (uint32_t)key * 0x9e3779b1U;
    return &ids->by_key[hash >> 24];
}

static struct ipc_object *find_key_locked(struct ipc_ids *ids, int key)
{
    struct ipc_object *o;
    struct list_node *list = key_list(ids, key);
    spin_assert_held(&ids->lock);
    list_for_each_entry (o, list, key_node)
        if (o->key == key)
            return o;
    return NULL;
}

int ipc_find_key(struct ipc_ids *ids, const struct ipc_caller *c, int key, int flags,
                 int (*fits)(const struct ipc_object *o, uint64_t size), uint64_t size)
{
    if (key == IPC_PRIVATE)
        return -ENOENT;
    spin_lock(&ids->lock);
    struct ipc_object *o = find_key_locked(ids, key);
    int result = -ENOENT;
    if (o && (flags & IPC_CREAT) && (flags & IPC_EXCL)) {
        result = -EEXIST;
    } else if (o) {
        spin_lock(&o->slot->lock);
        result = fits(o, size);
        if (result == 0)
            result = ipc_permits(o, c->cred, (unsigned int)flags) ? o->id : -EACCES;
        ipc_unlock(o);
    }
    spin_unlock(&ids->lock);
    return result;
}

static struct ipc_slot *slot_at(struct ipc_ids *ids, unsigned int index)
{
    struct ipc_slot *chunk = atomic_load_acquire(&ids->chunks[index / IPC_CHUNK]);
    return chunk ? &chunk[index % IPC_CHUNK] : NULL;
}

// The slot at `index`, with the memory for it. NULL: no memory.
static struct ipc_slot *slot_make(struct ipc_ids *ids, unsigned int index)
{
    struct ipc_slot *slot = slot_at(ids, index);
    if (slot)
        return slot;
    struct ipc_slot *chunk = kzalloc(IPC_CHUNK * sizeof(*chunk));
    if (!chunk)
        return NULL;
    for (unsigned int i = 0; i < IPC_CHUNK; i++) {
        spin_init(&chunk[i].lock);
        chunk[i].sequence = 1;
    }
    atomic_store_release(&ids->chunks[index / IPC_CHUNK], chunk); // pairs with slot_at
    return &chunk[index % IPC_CHUNK];
}

// A free slot's index, from `index` on; there is one among `range`.
static unsigned int find_free(struct ipc_ids *ids, unsigned int index, unsigned int range)
{
    for (unsigned int tries = 0;; tries++, index++) {
        ASSERT(tries <= range);
        if (index >= range)
            index = 0;
        const struct ipc_slot *slot = slot_at(ids, index);
        if (!slot || !atomic_load(&slot->object))
            return index;
    }
}

int ipc_add_locked(struct ipc_ids *ids, struct ipc_object *o, unsigned int limit)
{
    spin_assert_held(&ids->lock);
    if (o->key != IPC_PRIVATE && find_key_locked(ids, o->key))
        return -EEXIST;
    if (ids->nr_used >= limit)
        return -ENOSPC;
    unsigned int range = MIN(MAX(ids->nr_used + ids->nr_used / 2, RANGE_MIN), limit);
    // A limit may have been lowered below indexes in use: then there is room among the lower ones.
    range = MAX(range, ids->nr_used + 1);
    uint64_t wanted = ipc_limit(ids->wanted);
    unsigned int index = wanted == IPC_ANY_ID
                             ? find_free(ids, ids->next, range)
                             : find_free(ids, wanted % IPC_SLOTS_MAX, IPC_SLOTS_MAX);
    struct ipc_slot *slot = slot_make(ids, index);
    if (!slot)
        return -ENOMEM;
    if (wanted != IPC_ANY_ID) { // who asked compares what he gets
        ipc_limit_set(ids->wanted, IPC_ANY_ID);
        slot->sequence = (uint32_t)(wanted >> IPC_INDEX_BITS);
    }
    ids->next = index + 1;
    atomic_store(&ids->nr_used, ids->nr_used + 1);
    o->slot = slot;
    list_init(&o->key_node);
    if (o->key != IPC_PRIVATE)
        list_add_tail(key_list(ids, o->key), &o->key_node);
    spin_lock(&slot->lock);
    o->id = (int)(slot->sequence << IPC_INDEX_BITS | index);
    atomic_store(&slot->object, o);
    spin_unlock(&slot->lock);
    return o->id;
}

void ipc_make_private_locked(struct ipc_object *o)
{
    ipc_assert_locked(o);
    o->key = IPC_PRIVATE;
    list_remove(&o->key_node);
}

void ipc_remove_locked(struct ipc_ids *ids, struct ipc_object *o)
{
    struct ipc_slot *slot = o->slot;
    spin_assert_held(&ids->lock);
    ipc_assert_locked(o);
    ASSERT(slot->object == o);
    list_remove(&o->key_node);
    atomic_store(&slot->object, NULL);
    slot->sequence = slot->sequence == SEQUENCE_MAX ? 1 : slot->sequence + 1;
    atomic_store(&ids->nr_used, ids->nr_used - 1);
}

static struct ipc_object *lock_slot(struct ipc_slot *slot)
{
    if (!slot)
        return NULL;
    spin_lock(&slot->lock);
    if (slot->object)
        return slot->object;
    spin_unlock(&slot->lock);
    return NULL;
}

struct ipc_object *ipc_lock_id(struct ipc_ids *ids, int id)
{
    if (id < 0)
        return NULL;
    struct ipc_object *o = lock_slot(slot_at(ids, (unsigned int)id % IPC_SLOTS_MAX));
    if (o && o->id != id) {
        ipc_unlock(o);
        return NULL;
    }
    return o;
}

struct ipc_object *ipc_lock_id_locked(struct ipc_ids *ids, int id)
{
    spin_assert_held(&ids->lock);
    return ipc_lock_id(ids, id);
}

struct ipc_object *ipc_lock_index(struct ipc_ids *ids, int index)
{
    if (index < 0)
        return NULL;
    return lock_slot(slot_at(ids, (unsigned int)index % IPC_SLOTS_MAX));
}

struct ipc_object *ipc_lock_next(struct ipc_ids *ids, unsigned int *index)
{
    for (; *index < IPC_SLOTS_MAX; ++*index) {
        struct ipc_slot *slot = slot_at(ids, *index);
        if (!slot) {
            *index |= IPC_CHUNK - 1;
            continue;
        }
        struct ipc_object *o = atomic_load(&slot->object) ? lock_slot(slot) : NULL;
        if (o)
            return o;
    }
    return NULL;
}

int ipc_highest_index(struct ipc_ids *ids)
{
    for (unsigned int index = IPC_SLOTS_MAX; index-- > 0;) {
        const struct ipc_slot *slot = slot_at(ids, index);
        if (!slot)
            index &= ~(IPC_CHUNK - 1);
        else if (atomic_load(&slot->object))
            return (int)index;
    }
    return 0;
}
