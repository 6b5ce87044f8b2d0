// SPDX-License-Identifier: BSD-2-Clause
// mremap: shrink, grow in place, or move the page-table entries to a new region. Order of checks
// and errors as mremap(2) on Linux. Map write lock.
//
// A move makes the new region first, moves the entries (which can fail only before the first one
// moved) and removes the old region last; so a failure leaves the map as it was.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <linux/mman.h>

#include "vm_map_priv.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

struct mremap {
    struct vm_map *m;
    vaddr_t old, new_addr;
    size_t old_size, new_size;
    unsigned int flags;
};

// May [old, old + old_size) of its region grow to new_size? 0 or -errno.
static int mremap_check(const struct mremap *q, const struct vm_region *r)
{
    size_t grow = q->new_size > q->old_size ? q->new_size - q->old_size : 0;

    if (q->old_size == 0 && !(r->flags & VM_SHARED))
        return -EINVAL;
    if (r->flags & (VM_HUGETLB_64K | VM_HUGETLB_1G))
        return -EINVAL;
    if ((q->flags & MREMAP_DONTUNMAP) &&
        ((r->flags & VM_HUGETLB) || (r->object && r->object->ops->device_page)))
        return -EINVAL;
    if (q->old_size > r->end - q->old)
        return -EFAULT;
    if (grow == 0)
        return 0;
    if (r->object && r->offset + (q->old - r->start) + q->new_size < r->offset)
        return -EINVAL;
    if (r->object && r->object->ops->device_page)
        return -EFAULT;
    if ((r->flags & VM_LOCKED) && !vm_map_may_lock(q->m, grow >> PAGE_SHIFT))
        return -EAGAIN;
    if (!vm_map_may_expand(q->m, r->flags, grow >> PAGE_SHIFT) ||
        !vm_map_may_commit(r->flags, grow >> PAGE_SHIFT))
        return -ENOMEM;
    return 0;
}

static int mremap_move_pages(struct vm_cursor *c, vaddr_t from, vaddr_t to, size_t size)
{
    vm_cursor_seek(c, from);
    int err = vm_cursor_own(c, size, VM_OWN_PAGES);
    return err == 0 ? vm_cursor_move(c, from, to, size) : err;
}

// Move [old, old + old_size) to a new region at `to`, of new_size. The address or -errno.
static long mremap_move(const struct mremap *q, vaddr_t to)
{
    struct vm_region *r = vm_region_find(q->m, q->old);
    struct vm_region *fresh = vm_region_create(r, to, to + q->new_size);
    struct vm_cursor c;
    size_t moved = MIN(q->old_size, q->new_size);

    if (!fresh)
        return -ENOMEM;
    if (r->object)
        fresh->offset = r->offset + (q->old - r->start);
    // A split that can fail comes first.
    int err = q->flags & MREMAP_DONTUNMAP || q->old_size == 0
                  ? 0
                  : vm_region_isolate(q->m, q->old, q->old + q->old_size);
    if (err != 0) {
        vm_region_destroy(fresh);
        return err;
    }
    vm_region_insert(q->m, fresh);
    if (moved > 0) {
        vm_cursor_open(&c, &q->m->space, MIN(q->old, to), MAX(q->old, to) + moved);
        err = r->flags & VM_HUGETLB ? vm_cursor_move_huge(&c, q->old, to, moved)
                                    : mremap_move_pages(&c, q->old, to, moved);
        vm_cursor_close(&c);
    }
    if (err != 0) {
        vm_region_remove(fresh);
        vm_region_merge_range(q->m, q->old, q->old + q->old_size);
        return err;
    }
    if (!(q->flags & MREMAP_DONTUNMAP) && q->old_size > 0) {
        err = vm_map_unmap_locked(q->m, q->old, q->old + q->old_size);
        ASSERT(err == 0); // isolated above: nothing to split
    }
    vm_region_merge(fresh);
    return (long)to;
}

// MREMAP_FIXED or MREMAP_DONTUNMAP.
static long mremap_to(struct mremap *q)
{
    bool fixed = q->flags & MREMAP_FIXED;
    vaddr_t to = q->new_addr;
    int err;

    if (to % PAGE_SIZE != 0 || q->new_size > USER_END || to > USER_END - q->new_size)
        return -EINVAL;
    if (q->old + q->old_size > to && to + q->new_size > q->old)
        return -EINVAL;
    if (q->m->nr_regions + 2 >= atomic_load(&vm_regions_max))
        return -ENOMEM;
    if (fixed) {
        if (to < USER_BASE)
            return -EPERM;
        err = vm_map_unmap_locked(q->m, to, to + q->new_size);
        if (err != 0)
            return err;
    }
    if (q->old_size > q->new_size) {
        err = vm_map_unmap_locked(q->m, q->old + q->new_size, q->old + q->old_size);
        if (err != 0)
            return err;
        q->old_size = q->new_size;
    }
    const struct vm_region *r = vm_region_find(q->m, q->old);
    if (!r || r->start > q->old)
        return -EFAULT;
    err = mremap_check(q, r);
    if (err != 0)
        return err;
    if ((q->flags & MREMAP_DONTUNMAP) &&
        !vm_map_may_expand(q->m, r->flags, q->old_size >> PAGE_SHIFT))
        return -ENOMEM;
    if (!fixed && (to == 0 || !vm_region_is_free(q->m, to, to + q->new_size)))
        to = vm_region_find_gap(q->m, q->new_size);
    return to ? mremap_move(q, to) : -ENOMEM;
}

static long mremap_grow(const struct mremap *q, struct vm_region *r)
{
    int err = mremap_check(q, r);
    if (err != 0)
        return err;
    vaddr_t end = q->old + q->new_size;
    if (q->old_size == r->end - q->old && end > q->old && end <= USER_END &&
        vm_region_is_free(q->m, r->end, end)) {
        vm_region_resize(r, r->start, end);
        vm_region_merge(r);
        return (long)q->old;
    }
    if (!(q->flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    vaddr_t to = vm_region_find_gap(q->m, q->new_size);
    return to ? mremap_move(q, to) : -ENOMEM;
}

// Of 2 MiB pages, whose mappings never grow. 0 or -EINVAL.
static int mremap_round_huge(struct mremap *q)
{
    q->old_size = ALIGN_UP(q->old_size, PT_SIZE(1));
    q->new_size = ALIGN_UP(q->new_size, PT_SIZE(1));
    return (q->old | q->new_addr) % PT_SIZE(1) != 0 || q->new_size > q->old_size ? -EINVAL : 0;
}

static long mremap_locked(struct mremap *q)
{
    struct vm_region *r = vm_region_find(q->m, q->old);
    if (!r || r->start > q->old)
        return -EFAULT;
    int err = r->flags & VM_HUGETLB ? mremap_round_huge(q) : 0;
    if (err != 0)
        return err;
    if (q->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
        return mremap_to(q);
    if (q->old_size >= q->new_size) {
        if (q->old_size == q->new_size)
            return (long)q->old;
        if (q->old_size > USER_END - q->old)
            return -EINVAL;
        err = vm_map_unmap_locked(q->m, q->old + q->new_size, q->old + q->old_size);
        return err != 0 ? err : (long)q->old;
    }
    return mremap_grow(q, r);
}

long vm_map_mremap(struct vm_map *m, vaddr_t old, size_t old_size, size_t new_size,
                   unsigned int flags, vaddr_t new_addr)
{
    struct mremap q = {.m = m,
                       .old = old,
                       .new_addr = new_addr,
                       .old_size = ALIGN_UP(old_size, PAGE_SIZE),
                       .new_size = ALIGN_UP(new_size, PAGE_SIZE),
                       .flags = flags};
    bool locked = false;

    if (flags & ~(unsigned int)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
        return -EINVAL;
    if ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE))
        return -EINVAL;
    if ((flags & MREMAP_DONTUNMAP) && (!(flags & MREMAP_MAYMOVE) || q.old_size != q.new_size))
        return -EINVAL;
    if (old % PAGE_SIZE != 0 || q.new_size == 0)
        return -EINVAL;
    rwlock_write_lock(&m->lock);
    long addr = mremap_locked(&q);
    if (addr > 0) {
        const struct vm_region *r = vm_region_find(m, (vaddr_t)addr);
        locked = r && (r->flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED;
    }
    rwlock_write_unlock(&m->lock);
    if (addr > 0 && ((vaddr_t)addr != old || q.new_size > q.old_size))
        vm_map_await_unmapped(m, (vaddr_t)addr, (vaddr_t)addr + q.new_size);
    if (locked && q.new_size > q.old_size)
        vm_map_populate(m, (vaddr_t)addr + q.old_size, (vaddr_t)addr + q.new_size, VM_ACCESS_WRITE);
    return addr;
}
