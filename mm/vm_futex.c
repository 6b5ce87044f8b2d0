// SPDX-License-Identifier: BSD-2-Clause
// Keys of futexes. Stateless; the map is read-locked while a shared key is made.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <mm/vm_futex.h>
#include <sync/futex.h>

#include "vm_map_priv.h"

// Words are 4-byte aligned: the lowest bits of the offset tell what else the key is.
#define KEY_PRIVATE    0
#define KEY_SHARED_MAP 1 // private memory, named as if it were shared
#define KEY_OBJECT     2

static void key_map_get(const void *owner)
{
    vm_map_get((struct vm_map *)owner);
}

static void key_map_put(const void *owner)
{
    vm_map_put((struct vm_map *)owner);
}

static void key_object_get(const void *owner)
{
    vm_object_get((struct vm_object *)owner);
}

static void key_object_put(const void *owner)
{
    vm_object_put((struct vm_object *)owner);
}

static const struct futex_key_ops key_map_ops = {.get = key_map_get, .put = key_map_put};
static const struct futex_key_ops key_object_ops = {.get = key_object_get, .put = key_object_put};

static struct futex_key key_of_map(struct vm_map *m, vaddr_t addr, uint32_t kind)
{
    return (struct futex_key){.owner = m,
                              .index = addr / PAGE_SIZE,
                              .offset = (uint32_t)(addr % PAGE_SIZE) | kind,
                              .ops = &key_map_ops};
}

static int key_check_address(vaddr_t addr)
{
    if (!IS_ALIGNED(addr, sizeof(uint32_t)))
        return -EINVAL;
    return addr >= USER_END ? -EFAULT : 0;
}

int vm_futex_key_private(struct vm_map *m, vaddr_t addr, struct futex_key *key)
{
    int err = key_check_address(addr);
    if (err == 0)
        *key = key_of_map(m, addr, KEY_PRIVATE);
    return err;
}

// A page of a private mapping of a file is the file's until it is written to; as any write may make
// it the map's own, only a mapping that can't be written to shares the file's key.
static bool key_is_of_object(const struct vm_region *r)
{
    return r->object && ((r->flags & VM_SHARED) || !(r->flags & VM_WRITE));
}

// Nothing is behind the end of a file.
static bool key_is_inside(const struct vm_object *o, uint64_t index)
{
    return o->ops->device_page || index < DIV_ROUND_UP(atomic_load(&o->size_bytes), PAGE_SIZE);
}

int vm_futex_key_shared(struct vm_map *m, vaddr_t addr, enum vm_access access,
                        struct futex_key *key)
{
    int err = key_check_address(addr);
    if (err != 0)
        return err;
    rwlock_read_lock(&m->lock);
    const struct vm_region *r = vm_region_find(m, addr);
    if (!r || r->start > addr || !vm_fault_allowed(r->flags, access)) {
        err = -EFAULT;
    } else if (r->object && !key_is_inside(r->object, vm_region_index(r, addr))) {
        err = -EFAULT;
    } else if (key_is_of_object(r)) {
        *key = (struct futex_key){.owner = r->object,
                                  .index = vm_region_index(r, addr),
                                  .offset = (uint32_t)(addr % PAGE_SIZE) | KEY_OBJECT,
                                  .held = true,
                                  .ops = &key_object_ops};
        vm_object_get(r->object);
    } else if (!(r->flags & VM_WRITE)) { // as Linux: it would never change
        err = -EFAULT;
    } else {
        *key = key_of_map(m, addr, KEY_SHARED_MAP);
    }
    rwlock_read_unlock(&m->lock);
    return err;
}
