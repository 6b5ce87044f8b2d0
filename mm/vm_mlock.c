// SPDX-License-Identifier: BSD-2-Clause
// mlock and its relatives, and the walk over the parts of regions in a range that the calls of
// vm_madvise.c share. There is no swap, so a locked page is one that was brought in; the lock
// counts against RLIMIT_MEMLOCK and forbids to discard. Map write lock.
#include <errno.h>
#include <lib/assert.h>

#include "vm_map_priv.h"

int vm_map_for_each_part(struct vm_map *m, vaddr_t start, vaddr_t end, region_part_fn fn, long arg)
{
    bool hole = false;
    for (vaddr_t at = start; at < end;) {
        struct vm_region *r = vm_region_find(m, at);
        if (!r || r->start >= end)
            return -ENOMEM;
        if (r->start > at) {
            hole = true;
            at = r->start;
        }
        vaddr_t next = MIN(r->end, end);
        int err = fn(r, at, next, arg);
        if (err != 0)
            return err;
        at = next;
    }
    return hole ? -ENOMEM : 0;
}

int vm_region_set_part(struct vm_region *r, vaddr_t start, vaddr_t end, unsigned int flags)
{
    struct vm_map *m = r->map;
    if (flags == r->flags)
        return 0;
    int err = vm_region_isolate(m, start, end);
    if (err != 0)
        return err;
    vm_region_set_flags(vm_region_find(m, start), flags);
    return 0;
}

#define LOCK_FLAGS (VM_LOCKED | VM_LOCKONFAULT)

static int lock_part(struct vm_region *r, vaddr_t start, vaddr_t end, long lock)
{
    return vm_region_set_part(r, start, end,
                              (r->flags & ~(unsigned int)LOCK_FLAGS) | (unsigned int)lock);
}

// Bring the locked pages in, for writing where they can be private copies. 0, or as mlock(2) says.
static int lock_populate(struct vm_map *m, vaddr_t start, vaddr_t end)
{
    int err = vm_map_populate_own(m, start, end);
    return err == -ENOMEM ? -EAGAIN : err == -EFAULT ? -ENOMEM : err;
}

int vm_map_mlock(struct vm_map *m, vaddr_t addr, size_t size, unsigned int lock)
{
    vaddr_t start = ALIGN_DOWN(addr, PAGE_SIZE);
    size_t bytes = ALIGN_UP(size + (addr - start), PAGE_SIZE);
    vaddr_t end = start + bytes;
    if (end < start)
        return -EINVAL;
    if (end == start)
        return 0;
    rwlock_write_lock(&m->lock);
    int err = 0;
    // What is locked already doesn't count twice.
    if (lock && !vm_map_may_lock(m, bytes >> PAGE_SHIFT) &&
        !vm_map_may_lock(m, (bytes >> PAGE_SHIFT) - vm_region_locked_in(m, start, end)))
        err = port_memlock_limit() == 0 ? -EPERM : -ENOMEM;
    if (err == 0)
        err = vm_map_for_each_part(m, start, end, lock_part, lock);
    vm_region_merge_range(m, start, MIN(end, USER_END));
    rwlock_write_unlock(&m->lock);
    if (err == 0 && lock == VM_LOCKED)
        err = lock_populate(m, start, end);
    return err;
}

static void set_all(struct vm_map *m, unsigned int lock)
{
    struct rb_node *n = rb_first(&m->regions);
    while (n) {
        struct vm_region *r = rb_entry(n, struct vm_region, node);
        vm_region_set_flags(r, (r->flags & ~(unsigned int)LOCK_FLAGS) | lock);
        n = rb_next(&vm_region_merge(r)->node);
    }
}

int vm_map_mlockall(struct vm_map *m, unsigned int now, unsigned int later)
{
    vaddr_t end = 0;

    rwlock_write_lock(&m->lock);
    bool allowed = !now || m->total_pages <= port_memlock_limit() >> PAGE_SHIFT;
    if (allowed) {
        m->lock_flags = later;
        if (now) {
            set_all(m, now);
            struct rb_node *last = rb_last(&m->regions);
            end = last ? rb_entry(last, struct vm_region, node)->end : 0;
        }
    }
    rwlock_write_unlock(&m->lock);
    // As far as it goes: errors of parts aren't mlockall's.
    for (vaddr_t at = 0; now == VM_LOCKED && at < end;)
        at = vm_map_populate_next(m, at);
    return allowed ? 0 : -ENOMEM;
}

void vm_map_munlockall(struct vm_map *m)
{
    rwlock_write_lock(&m->lock);
    m->lock_flags = 0;
    set_all(m, 0);
    rwlock_write_unlock(&m->lock);
}
