// SPDX-License-Identifier: BSD-2-Clause
// mprotect. Region by region, as mprotect(2) does it: what comes before a hole or a refusal has
// changed when the call fails. The regions change under the map's write lock. So do the pages, but
// for the last part: if it has no object its cursor outlives the lock (vm_map_priv.h).
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

// Pages whose cursor is open and whose rights are still to be set.
struct mprotect_rest {
    struct vm_cursor c;
    bool open;
    unsigned int prot;
};

static void mprotect_finish(struct mprotect_rest *rest)
{
    if (!rest->open)
        return;
    vm_cursor_protect(&rest->c, rest->c.end - rest->c.start, rest->prot);
    vm_cursor_close(&rest->c);
    rest->open = false;
}

static int mprotect_may_change(const struct vm_map *m, const struct vm_region *r,
                               unsigned int flags, uint64_t pages)
{
    unsigned int prot = flags & VM_PROT_MASK;
    if (((flags / VM_MAYREAD) & prot) != prot || vm_map_refuses_exec(m, r->flags, flags))
        return -EACCES;
    bool becomes_data = (flags & (VM_WRITE | VM_SHARED)) == VM_WRITE && !(r->flags & VM_WRITE);
    if (becomes_data && !(flags & VM_GROWSDOWN) &&
        m->data_pages + pages > m->limits.data >> PAGE_SHIFT)
        return -ENOMEM;
    return becomes_data && !vm_map_may_commit(flags, pages) ? -ENOMEM : 0;
}

// [start, end) of r, borders included, gets `flags`; its pages are the rest.
static int mprotect_part(struct vm_map *m, vaddr_t start, vaddr_t end, unsigned int flags,
                         struct mprotect_rest *rest)
{
    int err = vm_region_isolate(m, start, end);
    if (err != 0)
        return err;
    vm_cursor_open(&rest->c, &m->space, start, end);
    err = vm_cursor_own(&rest->c, end - start, VM_OWN_TABLES);
    struct vm_region *r = vm_region_find(m, start);
    if (err == 0) {
        vm_region_set_flags(r, flags);
        rest->prot = mprotect_pte_rights(r);
        rest->open = true;
        vm_cursor_hold(&rest->c);
    } else {
        vm_cursor_close(&rest->c);
    }
    // Borders of regions with objects move under the objects' locks, which come before cursors.
    if (r->object)
        mprotect_finish(rest);
    vm_region_merge(r);
    return err;
}

static int mprotect_locked(struct vm_map *m, vaddr_t start, vaddr_t end, unsigned int prot,
                           struct mprotect_rest *rest)
{
    int err = 0;
    vaddr_t at = start;
    while (at < end && err == 0) {
        const struct vm_region *r = vm_region_find(m, at);
        if (!r || r->start > at)
            return -ENOMEM;
        vaddr_t next = MIN(r->end, end);
        unsigned int flags = (r->flags & ~(unsigned int)VM_PROT_MASK) | prot;
        mprotect_finish(rest);
        if (flags != r->flags) {
            err = mprotect_may_change(m, r, flags, (next - at) >> PAGE_SHIFT);
            if (err == 0)
                err = mprotect_part(m, at, next, flags, rest);
        } else { // another thread's mprotect may not be through with the pages
            vm_map_await_cursors(m, at, next);
        }
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
    struct mprotect_rest rest;
    rest.open = false;
    rwlock_write_lock(&m->lock);
    int err = prot & VM_GROWSDOWN ? mprotect_stack_start(m, end, &addr) : 0;
    if (err == 0)
        err = mprotect_locked(m, addr, end, prot & VM_PROT_MASK, &rest);
    rwlock_write_unlock(&m->lock);
    mprotect_finish(&rest);
    return err;
}
