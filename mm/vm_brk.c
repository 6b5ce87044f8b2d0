// SPDX-License-Identifier: BSD-2-Clause
// brk: the heap is an ordinary private anonymous region (or several, after mprotect and munmap)
// between brk_start and brk_end; only its upper border is special. brk_end is kept to the byte. Map
// write lock.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>

#include "vm_map_priv.h"

static const char heap_name[] = "[heap]";

void vm_map_set_brk(struct vm_map *m, vaddr_t start)
{
    rwlock_write_lock(&m->lock);
    m->brk_start = m->brk_end = ALIGN_UP(start, PAGE_SIZE) + m->brk_random;
    rwlock_write_unlock(&m->lock);
}

static int brk_grow(struct vm_map *m, vaddr_t start, vaddr_t end)
{
    struct vm_region like = {.flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC |
                                      m->lock_flags,
                             .name = heap_name};
    uint64_t pages = (end - start) >> PAGE_SHIFT;

    if (!vm_region_is_free(m, start, end) || m->nr_regions >= atomic_load(&vm_regions_max) ||
        ((like.flags & VM_LOCKED) && !vm_map_may_lock(m, pages)) ||
        !vm_map_may_expand(m, like.flags, pages) || !vm_map_may_commit(like.flags, pages))
        return -ENOMEM;
    struct vm_region *prev = vm_region_find(m, start - 1);
    if (prev && prev->end == start && prev->flags == like.flags && prev->name == heap_name) {
        vm_region_resize(prev, prev->start, end);
        return 0;
    }
    struct vm_region *r = vm_region_create(&like, start, end);
    if (!r)
        return -ENOMEM;
    vm_region_insert(m, r);
    return 0;
}

static int brk_locked(struct vm_map *m, vaddr_t addr)
{
    vaddr_t old_end = ALIGN_UP(m->brk_end, PAGE_SIZE), new_end = ALIGN_UP(addr, PAGE_SIZE);
    uint64_t data = m->data_end - m->data_start;

    if (addr < m->brk_start || addr > USER_END - PAGE_SIZE || m->brk_start == 0)
        return -ENOMEM;
    if (m->limits.data != UINT64_MAX && addr - m->brk_start + data > m->limits.data)
        return -ENOMEM;
    if (new_end > old_end)
        return brk_grow(m, old_end, new_end);
    if (new_end < old_end)
        return vm_map_unmap_locked(m, new_end, old_end);
    return 0;
}

vaddr_t vm_map_brk(struct vm_map *m, vaddr_t addr)
{
    rwlock_write_lock(&m->lock);
    vaddr_t before = m->brk_end;
    if (brk_locked(m, addr) == 0)
        m->brk_end = addr;
    vaddr_t end = m->brk_end;
    bool populate = end > before && m->lock_flags == VM_LOCKED;
    rwlock_write_unlock(&m->lock);
    if (end > before)
        vm_map_await_unmapped(m, ALIGN_DOWN(before, PAGE_SIZE), ALIGN_UP(end, PAGE_SIZE));
    if (populate)
        vm_map_populate(m, ALIGN_DOWN(before, PAGE_SIZE), ALIGN_UP(end, PAGE_SIZE),
                        VM_ACCESS_WRITE);
    return end;
}
