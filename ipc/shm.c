// SPDX-License-Identifier: BSD-2-Clause
// Segments: made, charged, found, removed. shmget(2). Attaches are in shm_attach.c.
//
// Size is charged when a segment is made, against shmall and against memory; pages appear when they
// are first touched. Locks: ids_priv.h. A segment's pages go with the last reference of its object.
#include "shm_priv.h"

#include <errno.h>
#include <lib/assert.h>
#include <linux/capability.h>
#include <mm/slab.h>

#define CREATOR_LISTS 64U
#define MAX_PAGES     (UINT64_MAX >> PAGE_SHIFT)

struct ipc_ids shm_ids;

// All guarded by shm_ids.lock.
static struct list_node by_creator[CREATOR_LISTS];
static uint64_t charged_pages;  // of all segments
static uint64_t reserved_pages; // of those that count against memory

void shm_registry_init(void)
{
    ipc_ids_init(&shm_ids, IPC_SHM_NEXT_ID);
    for (unsigned int i = 0; i < CREATOR_LISTS; i++)
        list_init(&by_creator[i]);
}

static void shm_release(struct vm_object *o)
{
    kfree(container_of(o, struct shm_segment, object));
}

static void shm_mapped(struct vm_object *o, const struct vm_region *r)
{
    struct shm_segment *s = container_of(o, struct shm_segment, object);
    spin_lock(&s->ipc.slot->lock);
    ASSERT(s->ipc.slot->object == &s->ipc);
    s->nr_attaches++;
    s->atime = ipc_now();
    s->last_pid = r->map->owner;
    ipc_unlock(&s->ipc);
}

static void shm_unmapped(struct vm_object *o, const struct vm_region *r)
{
    struct shm_segment *s = container_of(o, struct shm_segment, object);
    spin_lock(&s->ipc.slot->lock);
    ASSERT(s->ipc.slot->object == &s->ipc && s->nr_attaches > 0);
    s->nr_attaches--;
    s->dtime = ipc_now();
    s->last_pid = r->map->owner;
    bool due = shm_is_due(s);
    ipc_unlock(&s->ipc);
    if (due)
        shm_remove_if_unused(s);
}

static const struct vm_object_ops shm_object_ops = {
    .release = shm_release,
    .mapped = shm_mapped,
    .unmapped = shm_unmapped,
};

static inline uint64_t pages_of(uint64_t size)
{
    return (size >> PAGE_SHIFT) + (size % PAGE_SIZE != 0);
}

// SHM_HUGETLB: 2 MiB pages of the pool, kept for the segment unless it says SHM_NORESERVE. 0, or
// -errno of shmget(2).
static int make_huge(const struct ipc_caller *c, struct shm_segment *s, int flags)
{
    unsigned int shift = (unsigned int)flags >> SHM_HUGE_SHIFT & SHM_HUGE_MASK;
    if (shift != 0 && (shift < PAGE_SHIFT || !vm_hugetlb_exists(shift - PAGE_SHIFT)))
        return -EINVAL;
    if (!cred_has_cap(c->cred, CAP_IPC_LOCK) &&
        !cred_in_group(c->cred, (gid_t)ipc_limit(IPC_HUGETLB_SHM_GROUP)))
        return -EPERM;
    if (shift != 0 && shift != PT_SHIFT(1)) // no objects are of those
        return -ENOMEM;
    s->object.size_bytes = ALIGN_UP(s->size, PT_SIZE(1));
    vm_object_make_huge(&s->object);
    return flags & SHM_NORESERVE ? 0 : vm_object_promise(&s->object, s->object.size_bytes);
}

// Charge a new segment. 0; -ENOSPC: shmall; -ENOMEM: more than the machine has.
static int charge(const struct shm_segment *s)
{
    struct page_stats stats;
    uint64_t pages = pages_of(s->size);
    int err = 0;

    page_stats(&stats);
    spin_lock(&shm_ids.lock);
    if (pages > MAX_PAGES - charged_pages || charged_pages + pages > ipc_limit(IPC_SHMALL)) {
        err = -ENOSPC;
    } else if (s->reserved && reserved_pages + pages > stats.total) {
        err = -ENOMEM;
    } else {
        charged_pages += pages;
        reserved_pages += s->reserved ? pages : 0;
    }
    spin_unlock(&shm_ids.lock);
    return err;
}

static void uncharge_locked(const struct shm_segment *s)
{
    uint64_t pages = pages_of(s->size);
    spin_assert_held(&shm_ids.lock);
    charged_pages -= pages;
    reserved_pages -= s->reserved ? pages : 0;
}

static void uncharge(const struct shm_segment *s)
{
    spin_lock(&shm_ids.lock);
    uncharge_locked(s);
    spin_unlock(&shm_ids.lock);
}

static int segment_create(const struct ipc_caller *c, int key, size_t size, int flags,
                          struct shm_segment **created)
{
    struct shm_segment *s = kzalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    ipc_object_init(&s->ipc, c, key, flags);
    vm_object_init(&s->object, &shm_object_ops, ALIGN_UP(size, PAGE_SIZE));
    s->size = size;
    s->name_key = key;
    s->creator = s->creator_pid = c->pid;
    s->reserved = !(flags & (SHM_NORESERVE | SHM_HUGETLB));
    s->ctime = ipc_now();
    int err = charge(s);
    if (err == 0 && (flags & SHM_HUGETLB)) {
        err = make_huge(c, s, flags);
        if (err != 0)
            uncharge(s);
    } else if (err == 0 && (s->reserved || vm_overcommit_mode() == VM_OVERCOMMIT_NEVER)) {
        err = vm_object_commit(&s->object);
        if (err != 0)
            uncharge(s);
    }
    if (err != 0) {
        kfree(s);
        return err;
    }
    *created = s;
    return 0;
}

static int check_new(size_t size)
{
    if (size < SHMMIN || size > ipc_limit(IPC_SHMMAX))
        return -EINVAL;
    if (size > (size_t)INT64_MAX)
        return -ENOSPC;
    return 0;
}

static int create(const struct ipc_caller *c, int key, size_t size, int flags)
{
    struct shm_segment *s = NULL;
    int err = check_new(size);
    if (err == 0)
        err = segment_create(c, key, size, flags, &s);
    if (err != 0)
        return err;
    spin_lock(&shm_ids.lock);
    int id = ipc_add_locked(&shm_ids, &s->ipc, (unsigned int)ipc_limit(IPC_SHMMNI));
    if (id < 0)
        uncharge_locked(s);
    else
        list_add_tail(&by_creator[(unsigned int)c->pid % CREATOR_LISTS], &s->creator_node);
    spin_unlock(&shm_ids.lock);
    if (id < 0)
        vm_object_put(&s->object);
    return id;
}

static int fits(const struct ipc_object *o, uint64_t size)
{
    return size > container_of(o, const struct shm_segment, ipc)->size ? -EINVAL : 0;
}

int shm_get(const struct ipc_caller *c, int key, size_t size, int flags)
{
    int id;
    do {
        id = ipc_find_key(&shm_ids, c, key, flags, fits, size);
        if (id != -ENOENT || (key != IPC_PRIVATE && !(flags & IPC_CREAT)))
            return id;
        id = create(c, key, size, flags);
    } while (id == -EEXIST); // somebody made the key between the two
    return id;
}

void shm_remove_locked(struct shm_segment *s)
{
    ipc_remove_locked(&shm_ids, &s->ipc);
    list_remove(&s->creator_node);
    uncharge_locked(s);
}

void shm_remove_if_unused(struct shm_segment *s)
{
    spin_lock(&shm_ids.lock);
    spin_lock(&s->ipc.slot->lock);
    // Somebody else may have been here between the caller's look and the locks.
    bool removed = s->ipc.slot->object == &s->ipc && shm_is_due(s);
    if (removed)
        shm_remove_locked(s);
    spin_unlock(&s->ipc.slot->lock);
    spin_unlock(&shm_ids.lock);
    if (removed)
        vm_object_put(&s->object);
}

void shm_exit(pid_t pid)
{
    struct list_node *list = &by_creator[(unsigned int)pid % CREATOR_LISTS];
    struct list_node removed = LIST_INIT(removed);
    struct shm_segment *s, *next;

    if (atomic_load(&shm_ids.nr_used) == 0)
        return;
    spin_lock(&shm_ids.lock);
    list_for_each_entry_safe (s, next, list, creator_node) {
        if (s->creator != pid)
            continue;
        spin_lock(&s->ipc.slot->lock);
        s->creator = 0;
        bool due = shm_is_due(s);
        if (due)
            shm_remove_locked(s);
        spin_unlock(&s->ipc.slot->lock);
        if (due)
            list_add_tail(&removed, &s->creator_node);
    }
    spin_unlock(&shm_ids.lock);
    list_for_each_entry_safe (s, next, &removed, creator_node)
        vm_object_put(&s->object);
}

void shm_remove_orphans(void)
{
    unsigned int index = 0;
    struct ipc_object *o;

    spin_lock(&shm_ids.lock);
    while ((o = ipc_lock_next(&shm_ids, &index)) != NULL) {
        struct shm_segment *s = shm_segment_of(o);
        bool due = s->creator == 0 && shm_is_due(s);
        if (due)
            shm_remove_locked(s);
        spin_unlock(&o->slot->lock);
        if (due) {
            spin_unlock(&shm_ids.lock);
            vm_object_put(&s->object);
            spin_lock(&shm_ids.lock);
        }
        index++;
    }
    spin_unlock(&shm_ids.lock);
}
