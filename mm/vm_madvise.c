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
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static int discard_part(struct vm_region *r, vaddr_t start, vaddr_t end, long advice)
{
    if (((r->flags & VM_LOCKED) && advice != MADV_DONTNEED_LOCKED) ||
        (r->object && r->object->ops->device_page))
        return -EINVAL;
    if (r->flags & VM_HUGETLB) {
        const size_t size = vm_region_page_size(r->flags);
        if (advice == MADV_FREE || start % size != 0)
            return -EINVAL;
        end = ALIGN_DOWN(end, size); // a part of a page stays, as on Linux
        if (start == end)
            return 0;
    }
    // Freeing lazily is allowed to be freeing at once.
    if (advice == MADV_FREE && r->object)
        return -EINVAL;
    return vm_map_unmap_pages(r->map, start, end);
}

static int remove_check(const struct vm_region *r)
{
    if ((r->flags & VM_LOCKED) || !r->object || r->object->ops->device_page)
        return -EINVAL;
    return (r->flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE) ? 0 : -EACCES;
}

// From `at` on as far as its region goes, but not beyond `end`; *next is where it stopped. The file
// decides (seals), with locks that are taken before the map's. 0, -errno; 1: a hole.
static int remove_some(struct vm_map *m, vaddr_t at, vaddr_t end, vaddr_t *next)
{
    rwlock_read_lock(&m->lock);
    const struct vm_region *r = vm_region_find(m, at);
    if (!r || r->start > at) {
        *next = r ? MIN(r->start, end) : end;
        rwlock_read_unlock(&m->lock);
        return 1;
    }
    *next = MIN(r->end, end);
    int err = remove_check(r);
    if (err != 0) {
        rwlock_read_unlock(&m->lock);
        return err;
    }
    const struct vm_backing b = vm_backing_get(r);
    uint64_t first = vm_region_index(r, at), last = vm_region_index(r, *next);
    rwlock_read_unlock(&m->lock);
    if (b.file && b.file_ops->punch)
        err = b.file_ops->punch(b.file, first << PAGE_SHIFT, (last - first) << PAGE_SHIFT);
    else
        vm_object_drop(b.object, first, last);
    vm_backing_put(&b);
    return err;
}

static int madvise_remove(struct vm_map *m, vaddr_t start, vaddr_t end)
{
    bool hole = false;
    for (vaddr_t at = start, next; at < end; at = next) {
        int err = remove_some(m, at, end, &next);
        if (err < 0)
            return err;
        hole = hole || err == 1;
    }
    return hole ? -ENOMEM : 0;
}

// The 2 MiB from va on, of small pages, become one. 0; -EINVAL: nothing is there; -ENOMEM.
static int collapse_span(const struct vm_region *r, vaddr_t va)
{
    struct vm_cursor c;

    vm_cursor_open(&c, &r->map->space, va, va + PT_SIZE(1));
    int err = vm_cursor_own(&c, PT_SIZE(1), VM_OWN_SHARED);
    if (err == 0)
        err = vm_cursor_collapse(&c, r->flags & VM_PROT_MASK);
    vm_cursor_close(&c);
    return err;
}

static int collapse_part(struct vm_region *r, vaddr_t start, vaddr_t end, long advice)
{
    vaddr_t va = ALIGN_UP(start, PT_SIZE(1));
    int err = 0;

    (void)advice;
    if (r->object || (r->flags & (VM_NOHUGEPAGE | VM_HUGETLB)) || va > ALIGN_DOWN(end, PT_SIZE(1)))
        return -EINVAL;
    // As many as can be; the last failure is told of.
    for (; va + PT_SIZE(1) <= end; va += PT_SIZE(1)) {
        int failed = collapse_span(r, va);
        err = failed ? failed : err;
    }
    return err;
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
    case MADV_COLLAPSE:
        return collapse_part;
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
    if ((!fn && !populate && advice != MADV_REMOVE) || addr % PAGE_SIZE != 0)
        return -EINVAL;
    vaddr_t end = addr + ALIGN_UP(size, PAGE_SIZE);
    if ((size != 0 && ALIGN_UP(size, PAGE_SIZE) == 0) || end < addr)
        return -EINVAL;
    if (end == addr)
        return 0;
    if (populate)
        return madvise_populate(m, addr, end,
                                advice == MADV_POPULATE_WRITE ? VM_ACCESS_WRITE : VM_ACCESS_READ);
    if (advice == MADV_REMOVE)
        return madvise_remove(m, addr, end);
    if (fn != flags_part) {
        rwlock_read_lock(&m->lock);
        int err = vm_map_for_each_part(m, addr, end, fn, advice);
        rwlock_read_unlock(&m->lock);
        return err;
    }
    rwlock_write_lock(&m->lock);
    int err = vm_map_for_each_part(m, addr, end, fn, advice);
    vm_region_merge_range(m, addr, MIN(end, USER_END));
    rwlock_write_unlock(&m->lock);
    return err;
}

// From `at` on as far as its region goes, but not beyond `end`; *next is where it stopped. Written
// without the map, as that takes a device's time. 0, -errno; 1: a hole.
static int msync_some(struct vm_map *m, vaddr_t at, vaddr_t end, int flags, vaddr_t *next)
{
    rwlock_read_lock(&m->lock);
    const struct vm_region *r = vm_region_find(m, at);
    bool hole = !r || r->start > at;
    *next = hole ? (r ? MIN(r->start, end) : end) : MIN(r->end, end);
    bool busy = !hole && (flags & MS_INVALIDATE) && (r->flags & VM_LOCKED);
    bool write = !hole && !busy && (flags & MS_SYNC) && r->object && (r->flags & VM_SHARED) &&
                 !r->object->ops->device_page;
    struct vm_backing b = {};
    if (write)
        b = vm_backing_get(r);
    rwlock_read_unlock(&m->lock);
    int err = write ? vm_object_sync(b.object) : busy ? -EBUSY : hole;
    vm_backing_put(&b);
    return err;
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
    bool hole = false;
    for (vaddr_t at = addr, next; at < end; at = next) {
        int err = msync_some(m, at, end, flags, &next);
        if (err < 0)
            return err;
        hole = hole || err == 1;
    }
    return hole ? -ENOMEM : 0;
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
