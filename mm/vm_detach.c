// SPDX-License-Identifier: BSD-2-Clause
// Unmapping by what is mapped rather than by range: shmdt(2). Map write lock.
#include <errno.h>
#include <lib/assert.h>

#include "vm_map_priv.h"

// Is r a piece of a mapping that began at addr with offset 0?
static bool region_is_piece(const struct vm_region *r, vaddr_t addr, const struct vm_file_ops *ops)
{
    return r->file_ops == ops && r->start >= addr && r->start - addr == r->offset;
}

static int unmap_mapping_locked(struct vm_map *m, vaddr_t addr, const struct vm_file_ops *ops)
{
    struct vm_region *r = vm_region_find(m, addr), *next;
    const void *file;

    while (r && !region_is_piece(r, addr, ops))
        r = vm_region_next(r);
    if (!r)
        return -EINVAL;
    file = r->file;
    vaddr_t end = addr + ALIGN_UP(r->object->size_bytes, PAGE_SIZE);
    for (; r && r->start < end; r = next) {
        next = vm_region_next(r);
        if (r->file != file || !region_is_piece(r, addr, ops))
            continue;
        int err = vm_map_unmap_locked(m, r->start, r->end);
        ASSERT(err == 0); // a whole region: nothing to split
    }
    return 0;
}

int vm_map_unmap_mapping(struct vm_map *m, vaddr_t addr, const struct vm_file_ops *ops)
{
    rwlock_write_lock(&m->lock);
    int err = unmap_mapping_locked(m, addr, ops);
    rwlock_write_unlock(&m->lock);
    return err;
}
