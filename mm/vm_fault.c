// SPDX-License-Identifier: BSD-2-Clause
// Page faults: demand zero, copy on write, file and device pages, stack growth. The map is
// read-locked until the cursor is open, so a fault and an edit of the same range take effect in one
// order (vm_map.h); for an object's page the object's lock is held until the PTE is in place
// (against truncate); the cursor's lock makes the decision about the PTE atomic, so whoever comes
// second finds it done and just retries (a spurious fault).
//
// A program's fault doesn't wait for a device with the map locked: what isn't in the cache is read
// with only the object locked, and then the fault begins anew. Only if the page is gone again by
// then does it keep the map, as access to another process's memory does.
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>

#include "page_priv.h"
#include "radix_priv.h"
#include "vm_hugetlb_priv.h"
#include "vm_map_priv.h"
#include "vm_object_priv.h"

#define FAULT_AROUND 16 // pages of a file mapped together when the cache has them

struct fault {
    struct vm_map *m;
    const struct vm_region *r; // to be looked at while the map is locked
    vaddr_t va;                // page-aligned
    bool write;
    bool may_unlock;    // the map, once the cursor is open, or to wait for the object
    unsigned int flags; // the region's,
    unsigned int prot;  // and what of them it allows
    struct vm_cursor c;
};

// Rights that an access needs. W without R doesn't exist in hardware, so writable is readable.
bool vm_fault_allowed(unsigned int flags, enum vm_access access)
{
    if (access == VM_ACCESS_READ)
        return flags & (VM_READ | VM_WRITE);
    return flags & (access == VM_ACCESS_WRITE ? VM_WRITE : VM_EXEC);
}

// Put `page` (whose reference we hold) at the fault's address; on failure the reference is dropped.
static int fault_map(struct fault *f, struct page *page, unsigned int prot, bool cow)
{
    vm_cursor_seek(&f->c, f->va);
    int err = vm_cursor_map(&f->c, page, prot, cow);
    if (err != 0)
        page_put(page);
    return err;
}

// A write that follows a read of untouched memory must replace the shared zero page on every hart
// that runs the space. Where that is more than this one, a page at once is cheaper.
static bool fault_wants_own_page(const struct fault *f)
{
    uint64_t running = atomic_load(&f->m->space.context.running);
    return f->write || ((f->prot & VM_WRITE) && (running & (running - 1)));
}

// Nothing was there and nothing stands behind: zeros. A read gets the page that everybody shares.
static int fault_zero(struct fault *f)
{
    if (!fault_wants_own_page(f))
        return vm_cursor_map_device(&f->c, page_zero_frame, f->prot, true);
    struct page *page = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER);
    return page ? fault_map(f, page, f->prot, false) : -ENOMEM;
}

// A copy of its own for a write to shared `content`.
static int fault_copy(struct fault *f, const void *content)
{
    struct page *page = page_alloc(0, PAGE_ALLOC_USER);
    if (!page)
        return -ENOMEM;
    page_copy(page_to_virt(page), content);
    return fault_map(f, page, f->prot, false);
}

static int fault_write_cow(struct fault *f, const struct vm_mapping *now)
{
    if (now->pa == page_zero_frame)
        return fault_zero(f);
    // Uncounted memory that is RAM (the vDSO) can be copied, device registers can't.
    if (!now->page)
        return page_of(now->pa) ? fault_copy(f, phys_to_virt(now->pa)) : -EFAULT;
    if (!page_has_one_owner(now->page))
        return fault_copy(f, page_to_virt(now->page));
    // The other owners are gone: take the page over where it is.
    page_get(now->page);
    return fault_map(f, now->page, f->prot, false);
}

// Something is mapped: copy on write, a write to notice, or somebody was here first.
static int fault_present(struct fault *f, const struct vm_mapping *now)
{
    unsigned int prot = f->prot;
    bool shared = f->flags & VM_SHARED;

    if (f->write && now->cow)
        return fault_write_cow(f, now);
    if (shared && f->r->object && vm_object_tracks_writes(f->r->object) && now->page) {
        if (f->write)
            now->page->flags |= PAGE_DIRTY;
        else
            prot = vm_rights_until_written(prot) | (now->prot & VM_WRITE);
    }
    vm_cursor_protect(&f->c, PAGE_SIZE, prot);
    mmu_context_flush_local(&f->m->space.context, f->va);
    return 0;
}

// Map the pages near the fault that the cache has, so that a program's text costs a fault in
// sixteen. Only what is absent is touched; the object and the cursor are locked.
static void fault_around(struct fault *f, vaddr_t start, vaddr_t end, unsigned int prot, bool cow)
{
    struct page *pages[FAULT_AROUND];
    unsigned int nr = (unsigned int)((end - start) >> PAGE_SHIFT);

    radix_get_some(f->r->object, vm_region_index(f->r, start), nr, pages);
    vm_cursor_seek(&f->c, start);
    vm_cursor_map_absent(&f->c, pages, nr, prot, cow);
}

static int fault_object_page(struct fault *f, struct page *page, vaddr_t start, vaddr_t end)
{
    bool private = !(f->flags & VM_SHARED), notice = vm_object_tracks_writes(f->r->object);
    unsigned int prot = f->prot;

    if (private && f->write) {
        int err = fault_copy(f, page_to_virt(page));
        page_put(page);
        return err;
    }
    if (notice && f->write)
        page->flags |= PAGE_DIRTY;
    else if (notice)
        prot = vm_rights_until_written(prot);
    int err = fault_map(f, page, prot, private);
    if (err == 0 && !f->write)
        fault_around(f, start, end, prot, private);
    return err;
}

static int fault_device(struct fault *f, paddr_t pa)
{
    if (pa == 0)
        return -EFAULT;
    bool cow = !(f->flags & VM_SHARED);
    int err = vm_cursor_map_device(&f->c, pa, f->prot, cow);
    // A private write goes on with what is there now.
    if (err == 0 && f->write && cow) {
        struct vm_mapping now;
        vm_cursor_seek(&f->c, f->va);
        vm_cursor_query(&f->c, &now);
        err = fault_write_cow(f, &now);
    }
    return err;
}

// The aligned window of pages around the fault, inside the region, the object and one leaf table.
static void fault_window(const struct fault *f, uint64_t end_index, vaddr_t *start, vaddr_t *end)
{
    const struct vm_region *r = f->r;
    *start = MAX(ALIGN_DOWN(f->va, FAULT_AROUND * PAGE_SIZE), r->start);
    *end = MIN(ALIGN_DOWN(f->va, FAULT_AROUND * PAGE_SIZE) + FAULT_AROUND * PAGE_SIZE, r->end);
    uint64_t ahead = end_index - vm_region_index(r, f->va);
    if ((*end - f->va) >> PAGE_SHIFT > ahead)
        *end = f->va + (ahead << PAGE_SHIFT);
}

// The region has an object, whose lock is held.
static int fault_object(struct fault *f)
{
    struct vm_object *o = f->r->object;
    uint64_t index = vm_region_index(f->r, f->va), end_index = vm_object_end_index(o);
    struct vm_mapping now;
    struct page *page = NULL;
    vaddr_t start = f->va, end = f->va + PAGE_SIZE;
    int err = 0;

    if (!o->ops->device_page) {
        if (index >= end_index)
            return -EFAULT;
        bool wait = o->ops->fill && f->may_unlock;
        err = vm_object_page_locked(o, index, !wait, &page);
        if (err != 0)
            return wait ? VM_FAULT_AGAIN : err == -ENOMEM ? err : -EFAULT;
        if (!f->write)
            fault_window(f, end_index, &start, &end);
    }
    vm_cursor_open(&f->c, &f->m->space, start, end);
    vm_cursor_seek(&f->c, f->va);
    vm_cursor_query(&f->c, &now);
    if (now.present) {
        if (page)
            page_put(page);
        err = fault_present(f, &now);
    } else if (page) {
        err = fault_object_page(f, page, start, end);
    } else {
        err = fault_device(f, o->ops->device_page(o, index));
    }
    vm_cursor_close(&f->c);
    return err;
}

// May the 2 MiB around the fault be one page?
static bool fault_may_huge(const struct fault *f)
{
    vaddr_t start = ALIGN_DOWN(f->va, PT_SIZE(1));
    unsigned int mode = vm_huge_mode();
    return start >= f->r->start && f->r->end - start >= PT_SIZE(1) && !(f->flags & VM_NOHUGEPAGE) &&
           fault_wants_own_page(f) &&
           (mode == VM_HUGE_ALWAYS || (mode == VM_HUGE_MADVISE && (f->flags & VM_HUGEPAGE)));
}

// 0, or -ENOMEM: then a small page may do.
static int fault_huge(struct fault *f)
{
    struct page *block = page_alloc(PT_SHIFT(1) - PAGE_SHIFT, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER);
    if (!block)
        return -ENOMEM;
    int err = vm_cursor_map_huge(&f->c, block, f->prot, false);
    if (err != 0)
        page_put(block);
    return err;
}

static int fault_absent(struct fault *f, bool huge)
{
    if (huge && vm_cursor_fits_huge(&f->c, HUGE_ORDER) && fault_huge(f) == 0)
        return 0;
    return fault_zero(f);
}

// In a 2 MiB page: what a write finds shared is taken over or becomes small pages.
static int fault_huge_present(struct fault *f, struct vm_mapping *now)
{
    if (!f->write || !now->cow || vm_cursor_take_huge(&f->c, f->prot)) {
        mmu_context_flush_local(&f->m->space.context, f->va);
        return 0;
    }
    if (f->flags & VM_HUGETLB)
        return vm_hugetlb_copy(&f->c, now, f->prot);
    int err = vm_cursor_own(&f->c, PAGE_SIZE, VM_OWN_PAGES);
    if (err != 0)
        return err;
    vm_cursor_query(&f->c, now);
    return fault_present(f, now);
}

// Map a block of the object, whose reference we hold, or a copy of it for a private write.
static int fault_map_block(struct fault *f, struct page *block)
{
    bool private = !(f->flags & VM_SHARED);
    if (private && f->write) {
        struct page *copy = vm_hugetlb_take(HUGE_ORDER, false);
        if (copy)
            vm_hugetlb_fill(copy, phys_to_virt(page_address(block)));
        page_put(block);
        if (!copy)
            return -EFAULT;
        block = copy;
        private = false;
    }
    int err = vm_cursor_map_huge(&f->c, block, f->prot, private);
    if (err != 0)
        page_put(block);
    return err;
}

// In a region of 2 MiB pages that have an object, whose lock is held.
static int fault_huge_object(struct fault *f)
{
    vaddr_t start = ALIGN_DOWN(f->va, PT_SIZE(1));
    uint64_t index = vm_region_index(f->r, f->va);
    struct vm_mapping now;
    struct page *block;

    if (index >= vm_object_end_index(f->r->object))
        return -EFAULT;
    int err = vm_hugetlb_object_page(f->r->object, index, true, &block);
    if (err != 0)
        return err;
    vm_cursor_open(&f->c, &f->m->space, start, start + PT_SIZE(1));
    vm_cursor_seek(&f->c, f->va);
    vm_cursor_query(&f->c, &now);
    if (!now.present) {
        vm_cursor_make_room(&f->c, HUGE_ORDER);
        err = fault_map_block(f, block);
    } else {
        page_put(block);
        err = fault_huge_present(f, &now);
    }
    vm_cursor_close(&f->c);
    return err;
}

// The region may go from here on.
static inline void fault_unlock(struct fault *f)
{
    if (unlikely(!f->may_unlock))
        return;
    rwlock_read_unlock(&f->m->lock);
    f->may_unlock = false;
}

static int fault_anonymous(struct fault *f)
{
    struct vm_mapping now;
    vm_cursor_open(&f->c, &f->m->space, f->va, f->va + PAGE_SIZE);
    int err = vm_cursor_own(&f->c, PAGE_SIZE, VM_OWN_SHARED);
    if (err == 0) {
        vm_cursor_query(&f->c, &now);
        bool may_huge = !now.present && fault_may_huge(f);
        fault_unlock(f);
        err = !now.present ? fault_absent(f, may_huge)
              : now.huge   ? fault_huge_present(f, &now)
                           : fault_present(f, &now);
    }
    vm_cursor_close(&f->c);
    return err;
}

// Of a region that has only pages of the pool.
static int fault_hugetlb(struct fault *f)
{
    const size_t size = vm_region_page_size(f->flags);
    vaddr_t start = ALIGN_DOWN(f->va, size);
    struct vm_mapping now;

    vm_cursor_open(&f->c, &f->m->space, start, start + size);
    int err = vm_cursor_own(&f->c, size, VM_OWN_SHARED);
    vm_cursor_query(&f->c, &now);
    fault_unlock(f);
    if (err == 0 && !now.present)
        err = vm_hugetlb_map_new(&f->c, vm_hugetlb_order(f->flags), f->prot);
    else if (err == 0)
        err = fault_huge_present(f, &now);
    vm_cursor_close(&f->c);
    return err;
}

// Somebody is at the object, or has to read the page: without the map, which others edit meanwhile.
static int fault_wait(struct fault *f, struct vm_object *o)
{
    const struct vm_backing b = vm_backing_get(f->r);
    uint64_t index = vm_region_index(f->r, f->va);
    struct page *page;

    fault_unlock(f);
    mutex_lock(&o->lock);
    if (o->ops->fill && index < vm_object_end_index(o) &&
        vm_object_page_locked(o, index, true, &page) == 0)
        page_put(page);
    mutex_unlock(&o->lock);
    vm_backing_put(&b);
    return VM_FAULT_AGAIN; // where errors are met again, and told of
}

static int fault_with_object(struct fault *f, struct vm_object *o)
{
    if (!f->may_unlock)
        mutex_lock(&o->lock);
    else if (!mutex_trylock(&o->lock))
        return fault_wait(f, o);
    int err = o->huge ? fault_huge_object(f) : fault_object(f);
    mutex_unlock(&o->lock);
    return err == VM_FAULT_AGAIN ? fault_wait(f, o) : err;
}

int vm_fault_page(struct vm_map *m, const struct vm_region *r, vaddr_t addr, enum vm_access access,
                  enum vm_fault_lock lock)
{
    struct fault f; // field by field: clearing the cursor's batch would cost as much as the fault
    int err;

    f.m = m;
    f.r = r;
    f.va = ALIGN_DOWN(addr, PAGE_SIZE);
    f.write = access == VM_ACCESS_WRITE;
    f.may_unlock = lock == VM_FAULT_UNLOCK;
    f.flags = r->flags;
    f.prot = r->flags & VM_PROT_MASK;
    if (r->object)
        err = fault_with_object(&f, r->object);
    else
        err = unlikely(f.flags & VM_HUGETLB) ? fault_hugetlb(&f) : fault_anonymous(&f);
    if (f.may_unlock || unlikely(lock == VM_FAULT_UNLOCK_LATE))
        rwlock_read_unlock(&m->lock);
    return err;
}

// Grow the stack above addr down to it. The map is write-locked.
static bool stack_grow_locked(struct vm_map *m, vaddr_t addr)
{
    vaddr_t start = ALIGN_DOWN(addr, PAGE_SIZE);
    struct vm_region *r = vm_region_find(m, addr);
    if (!r || r->start <= addr)
        return r != NULL; // somebody else was faster
    if (!(r->flags & VM_GROWSDOWN) || start < USER_BASE)
        return false;
    uint64_t pages = (r->start - start) >> PAGE_SHIFT;
    const struct vm_region *below = vm_region_prev(r);
    if (below && below->end > start)
        return false;
    if (below && !(below->flags & VM_GROWSDOWN) && (below->flags & VM_PROT_MASK) &&
        start - below->end < LAYOUT_STACK_GUARD)
        return false;
    if (r->end - start > m->limits.stack || !vm_map_may_expand(m, r->flags, pages) ||
        ((r->flags & VM_LOCKED) && !vm_map_may_lock(m, pages)))
        return false;
    vm_region_resize(r, start, r->end);
    return true;
}

static bool stack_grow(struct vm_map *m, vaddr_t addr)
{
    vaddr_t start = ALIGN_DOWN(addr, PAGE_SIZE);
    rwlock_write_lock(&m->lock);
    const struct vm_region *r = vm_region_find(m, addr);
    vaddr_t end = r ? r->start : start;
    bool grown = stack_grow_locked(m, addr);
    rwlock_write_unlock(&m->lock);
    if (grown && start < end)
        vm_map_await_unmapped(m, start, end);
    return grown;
}

static struct vm_fault_result fault_result(int err)
{
    if (err == 0)
        return (struct vm_fault_result){0, 0};
    if (err == -ENOMEM)
        return (struct vm_fault_result){SIGKILL, SI_KERNEL};
    return (struct vm_fault_result){SIGBUS, BUS_ADRERR};
}

struct vm_fault_result vm_map_fault(struct vm_map *m, vaddr_t addr, enum vm_access access)
{
    const struct vm_fault_result unmapped = {SIGSEGV, SEGV_MAPERR},
                                 refused = {SIGSEGV, SEGV_ACCERR};

    if (addr >= USER_END)
        return unmapped;
    for (enum vm_fault_lock lock = VM_FAULT_UNLOCK;; lock = VM_FAULT_UNLOCK_LATE) {
        rwlock_read_lock(&m->lock);
        const struct vm_region *r = vm_region_find(m, addr);
        bool found = r && r->start <= addr, stack = r && (r->flags & VM_GROWSDOWN);
        if (likely(found && vm_fault_allowed(r->flags, access))) {
            int err = vm_fault_page(m, r, addr, access, lock);
            if (unlikely(err == VM_FAULT_AGAIN))
                continue;
            return fault_result(err);
        }
        rwlock_read_unlock(&m->lock);
        if (found)
            return refused;
        if (!stack || !stack_grow(m, addr))
            return unmapped;
    }
}

static inline enum vm_fault_lock lock_after(int err)
{
    return err == VM_FAULT_AGAIN ? VM_FAULT_UNLOCK_LATE : VM_FAULT_UNLOCK;
}

// As vm_fault_page(), for the page at va of what may be no region or forbid the access.
static int populate_page(struct vm_map *m, vaddr_t va, enum vm_access access,
                         enum vm_fault_lock lock)
{
    rwlock_read_lock(&m->lock);
    const struct vm_region *r = vm_region_find(m, va);
    bool found = r && r->start <= va;
    if (found && vm_fault_allowed(r->flags, access))
        return vm_fault_page(m, r, va, access, lock);
    rwlock_read_unlock(&m->lock);
    // An unreadable part is no error of whoever asked for all of it.
    return found ? 0 : -ENOMEM;
}

int vm_map_populate(struct vm_map *m, vaddr_t start, vaddr_t end, enum vm_access access)
{
    int err = 0;
    for (vaddr_t va = start; va < end && err >= 0; va += err == 0 ? PAGE_SIZE : 0)
        err = populate_page(m, va, access, lock_after(err));
    return err;
}

static enum vm_access own_access(const struct vm_region *r)
{
    if ((r->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
        return VM_ACCESS_WRITE;
    return r->flags & (VM_READ | VM_WRITE) ? VM_ACCESS_READ : VM_ACCESS_EXEC;
}

static int populate_own_page(struct vm_map *m, vaddr_t va, enum vm_fault_lock lock)
{
    rwlock_read_lock(&m->lock);
    const struct vm_region *r = vm_region_find(m, va);
    bool allowed = r && r->start <= va && vm_fault_allowed(r->flags, own_access(r));
    if (allowed && !(r->object && r->object->ops->device_page))
        return vm_fault_page(m, r, va, own_access(r), lock);
    rwlock_read_unlock(&m->lock);
    return allowed ? 0 : -EFAULT;
}

int vm_map_populate_own(struct vm_map *m, vaddr_t start, vaddr_t end)
{
    int err = 0;
    for (vaddr_t va = start; va < end && err >= 0; va += err == 0 ? PAGE_SIZE : 0)
        err = populate_own_page(m, va, lock_after(err));
    return err;
}

vaddr_t vm_map_populate_next(struct vm_map *m, vaddr_t at)
{
    rwlock_read_lock(&m->lock);
    const struct vm_region *r = vm_region_find(m, at);
    vaddr_t start = r ? MAX(r->start, at) : USER_END, end = r ? r->end : USER_END;
    rwlock_read_unlock(&m->lock);
    vm_map_populate_own(m, start, end);
    return end;
}
