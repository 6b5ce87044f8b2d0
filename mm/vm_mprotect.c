// SPDX-License-Identifier: BSD-2-Clause
// mprotect. Region by region, as mprotect(2) does it: what comes before a hole or a refusal has
// changed when the call fails. Map write lock.
#include <errno.h>
#include <lib/assert.h>

#include "vm_map_priv.h"
#include "vm_object_priv.h"

// Rights the PTEs of a region may have at once. A shared page whose writes are noticed gets W only
// from a write fault, which dirties it.
static unsigned int mprotect_pte_rights(const struct vm_region *r)
{
    unsigned int prot = r->flags & VM_PROT_MASK;
    if ((r->flags & VM_SHARED) && vm_object_tracks_writes(r->object))
        return vm_rights_until_written(prot);
    return prot;
}

// [start, end) of r, borders included.
static int mprotect_part(struct vm_map *m, struct vm_region *r, vaddr_t start, vaddr_t end,
                         unsigned int prot)
{
    unsigned int flags = (r->flags & ~(unsigned int)VM_PROT_MASK) | prot;
    uint64_t pages = (end - start) >> PAGE_SHIFT;
    struct vm_cursor c;

    if (flags == r->flags)
        return 0;
    if (((flags / VM_MAYREAD) & prot) != prot || vm_map_refuses_exec(m, r->flags, flags))
        return -EACCES;
    bool becomes_data = (flags & (VM_WRITE | VM_SHARED)) == VM_WRITE && !(r->flags & VM_WRITE);
    if (becomes_data && !(flags & VM_GROWSDOWN) &&
        m->data_pages + pages > m->limits.data >> PAGE_SHIFT)
        return -ENOMEM;
    if (becomes_data && !vm_map_may_commit(flags, pages))
        return -ENOMEM;
    int err = vm_region_isolate(m, start, end);
    if (err != 0)
        return err;
    vm_cursor_open(&c, &m->space, start, end);
    err = vm_cursor_own(&c, end - start, VM_OWN_TABLES);
    if (err == 0) {
        r = vm_region_find(m, start);
        vm_region_set_flags(r, flags);
        vm_cursor_protect(&c, end - start, mprotect_pte_rights(r));
    }
    vm_cursor_close(&c);
    return err;
}

static int mprotect_locked(struct vm_map *m, vaddr_t start, vaddr_t end, unsigned int prot)
{
    int err = 0;
    vaddr_t at = start;
    while (at < end && err == 0) {
        struct vm_region *r = vm_region_find(m, at);
        if (!r || r->start > at)
            return -ENOMEM;
        vaddr_t next = MIN(r->end, end);
        err = mprotect_part(m, r, at, next, prot);
        at = next;
    }
    return err;
}

// PROT_GROWSDOWN: from the start of the stack that *addr is in, or else that is below `end`.
static int mprotect_stack_start(struct vm_map *m, vaddr_t end, vaddr_t *addr)
{
    const struct vm_region *r = vm_region_find(m, *addr);
    if (!r || r->start >= end)
        return -ENOMEM;
    if (!(r->flags & VM_GROWSDOWN))
        return -EINVAL;
    *addr = r->start;
    return 0;
}

int vm_map_mprotect(struct vm_map *m, vaddr_t addr, size_t size, unsigned int prot)
{
    if (addr % PAGE_SIZE != 0)
        return -EINVAL;
    if (size == 0)
        return 0;
    vaddr_t end = addr + ALIGN_UP(size, PAGE_SIZE);
    if (end <= addr)
        return -ENOMEM;
    if (prot & ~(VM_PROT_MASK | VM_GROWSDOWN))
        return -EINVAL;
    rwlock_write_lock(&m->lock);
    int err = prot & VM_GROWSDOWN ? mprotect_stack_start(m, end, &addr) : 0;
    if (err == 0)
        err = mprotect_locked(m, addr, end, prot & VM_PROT_MASK);
    vm_region_merge_range(m, addr, MIN(end, USER_END));
    rwlock_write_unlock(&m->lock);
    return err;
}
