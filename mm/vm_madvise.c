// SPDX-License-Identifier: BSD-2-Clause
// madvise, msync and mincore: calls that go over what is mapped in a range, do what they can
// and answer ENOMEM for the holes. Contract: the man page of each.
#include <errno.h>
#include <lib/assert.h>
#include <linux/mman.h>

#include "radix_priv.h"
#include "vm_map_priv.h"
#include "vm_object_priv.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

static int discard_part(struct vm_region *r, vaddr_t start, vaddr_t end, long advice)
{
    if (((r->flags & VM_LOCKED) && advice != MADV_DONTNEED_LOCKED) ||
        (r->object && r->object->ops->device_page))
        return -EINVAL;
    if (r->flags & VM_HUGETLB) {
        if (advice == MADV_FREE || start % PT_SIZE(1) != 0)
            return -EINVAL;
        end = ALIGN_DOWN(end, PT_SIZE(1)); // a part of a page stays, as on Linux
        if (start == end)
            return 0;
    }
    // Freeing lazily is allowed to be freeing at once.
    if (advice == MADV_FREE && r->object)
        return -EINVAL;
    return vm_map_unmap_pages(r->map, start, end);
}

static int remove_part(struct vm_region *r, vaddr_t start, vaddr_t end, long advice)
{
    (void)advice;
    if ((r->flags & VM_LOCKED) || !r->object || r->object->ops->device_page)
        return -EINVAL;
    if ((r->flags & (VM_SHARED | VM_WRITE)) != (VM_SHARED | VM_WRITE))
        return -EACCES;
    vm_object_drop(r->object, vm_region_index(r, start), vm_region_index(r, end));
    return 0;
}

static int flags_part(struct vm_region *r, vaddr_t start, vaddr_t end, long advice)
{
    unsigned int flags = r->flags;
    switch (advice) {
    case MADV_DONTFORK:
        flags |= VM_DONTFORK;
        break;
    case MADV_DOFORK:
        if (r->object && r->object->ops->device_page)
            return -EINVAL;
        flags &= ~(unsigned int)VM_DONTFORK;
        break;
    case MADV_WIPEONFORK:
        if (r->object || r->file)
            return -EINVAL;
        flags |= VM_WIPEONFORK;
        break;
    case MADV_KEEPONFORK:
        flags &= ~(unsigned int)VM_WIPEONFORK;
        break;
    case MADV_HUGEPAGE:
        flags = (flags | VM_HUGEPAGE) & ~(unsigned int)VM_NOHUGEPAGE;
        break;
    default:
        flags = (flags | VM_NOHUGEPAGE) & ~(unsigned int)VM_HUGEPAGE;
        break;
    }
    return vm_region_set_part(r, start, end, flags);
}

static int hint_part(struct vm_region *r, vaddr_t start, vaddr_t end, long advice)
{
    (void)r;
    (void)start;
    (void)end;
    (void)advice;
    return 0;
}

static region_part_fn madvise_action(int advice)
{
    switch (advice) {
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
    case MADV_FREE:
        return discard_part;
    case MADV_REMOVE:
        return remove_part;
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
        return flags_part;
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD:
    case MADV_PAGEOUT:
        return hint_part;
    default:
        return NULL;
    }
}

static int madvise_populate(struct vm_map *m, vaddr_t start, vaddr_t end, enum vm_access access)
{
    int err = 0;
    rwlock_read_lock(&m->lock);
    for (vaddr_t at = start; at < end && err == 0;) {
        const struct vm_region *r = vm_region_find(m, at);
        if (!r || r->start > at)
            err = -ENOMEM;
        // Memory that is only written can be read, but wasn't asked for that.
        else if (!(r->flags & (access == VM_ACCESS_WRITE ? VM_WRITE : VM_READ)) ||
                 (r->object && r->object->ops->device_page))
            err = -EINVAL;
        else
            at = r->end;
    }
    rwlock_read_unlock(&m->lock);
    return err != 0 ? err : vm_map_populate(m, start, end, access);
}

int vm_map_madvise(struct vm_map *m, vaddr_t addr, size_t size, int advice)
{
    bool populate = advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
    region_part_fn fn = madvise_action(advice);
    if ((!fn && !populate) || addr % PAGE_SIZE != 0)
        return -EINVAL;
    vaddr_t end = addr + ALIGN_UP(size, PAGE_SIZE);
    if ((size != 0 && ALIGN_UP(size, PAGE_SIZE) == 0) || end < addr)
        return -EINVAL;
    if (end == addr)
        return 0;
    if (populate)
        return madvise_populate(m, addr, end,
                                advice == MADV_POPULATE_WRITE ? VM_ACCESS_WRITE : VM_ACCESS_READ);
    rwlock_write_lock(&m->lock);
    int err = vm_map_for_each_part(m, addr, end, fn, advice);
    if (fn == flags_part)
        vm_region_merge_range(m, addr, MIN(end, USER_END));
    rwlock_write_unlock(&m->lock);
    return err;
}

static int msync_part(struct vm_region *r, vaddr_t start, vaddr_t end, long flags)
{
    (void)start;
    (void)end;
    if ((flags & MS_INVALIDATE) && (r->flags & VM_LOCKED))
        return -EBUSY;
    if ((flags & MS_SYNC) && r->object && (r->flags & VM_SHARED) && !r->object->ops->device_page)
        return vm_object_sync(r->object);
    return 0;
}

int vm_map_msync(struct vm_map *m, vaddr_t addr, size_t size, int flags)
{
    if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || addr % PAGE_SIZE != 0 ||
        ((flags & MS_ASYNC) && (flags & MS_SYNC)))
        return -EINVAL;
    vaddr_t end = addr + ALIGN_UP(size, PAGE_SIZE);
    if (end < addr)
        return -ENOMEM;
    if (end == addr)
        return 0;
    rwlock_write_lock(&m->lock);
    int err = vm_map_for_each_part(m, addr, end, msync_part, flags);
    rwlock_write_unlock(&m->lock);
    return err;
}

static void mincore_part(struct vm_map *m, const struct vm_region *r, vaddr_t start, vaddr_t end,
                         uint8_t *vec)
{
    struct vm_cursor c;
    size_t n = (end - start) >> PAGE_SHIFT;

    if (r->object)
        mutex_lock(&r->object->lock);
    vm_cursor_open(&c, &m->space, start, end);
    vm_cursor_residence(&c, vec);
    vm_cursor_close(&c);
    for (size_t i = 0; r->object && i < n; i++)
        if (radix_get(r->object,
                      vm_object_slot(r->object, vm_region_index(r, start + (i << PAGE_SHIFT)))))
            vec[i] = 1;
    if (r->object)
        mutex_unlock(&r->object->lock);
}

int vm_map_mincore(struct vm_map *m, vaddr_t addr, size_t size, uint8_t *vec)
{
    if (addr % PAGE_SIZE != 0)
        return -EINVAL;
    if (addr > USER_END || size > USER_END - addr)
        return -ENOMEM;
    vaddr_t end = addr + ALIGN_UP(size, PAGE_SIZE);
    int err = 0;
    rwlock_read_lock(&m->lock);
    for (vaddr_t at = addr; at < end && err == 0;) {
        const struct vm_region *r = vm_region_find(m, at);
        if (!r || r->start > at) {
            err = -ENOMEM;
            break;
        }
        vaddr_t next = MIN(r->end, end);
        mincore_part(m, r, at, next, vec + ((at - addr) >> PAGE_SHIFT));
        at = next;
    }
    rwlock_read_unlock(&m->lock);
    return err;
}
