// SPDX-License-Identifier: BSD-2-Clause
// The tree of regions, for the files that implement vm_map. The map's lock is held for writing by
// whoever changes the tree, for reading by whoever looks at it.
//
// Lock coupling. The map's lock orders regions, the cursor the pages of a range. A call that works
// on pages opens its cursor with the map locked, and may unlock the map before it is through: so
// threads of one process fault, unmap and protect in parallel, and in one and the same range take
// effect in the order in which they had the map. A cursor alone keeps off those that cover as much
// or more; who needs a smaller one kept off too takes all tables first (vm_cursor_hold(), or a look
// at the one page that it is about). Whoever holds a cursor without the map takes no lock of the
// map or an object any more.
//
// That orders calls and faults, not the hardware, which asks nobody while a PTE is there. So who
// has mapped something new awaits the munmap of what was there before, ere a program hears of it.
#pragma once

#include <mm/layout.h>
#include <mm/vm_map.h>

void vm_region_init(void);

// The first region that ends above addr, or NULL.
struct vm_region *vm_region_find(const struct vm_map *m, vaddr_t addr);
struct vm_region *vm_region_next(const struct vm_region *r);
struct vm_region *vm_region_prev(const struct vm_region *r);

// A region like `like` over [start, end) with its own references, in no tree yet; or NULL.
struct vm_region *vm_region_create(const struct vm_region *like, vaddr_t start, vaddr_t end);
void vm_region_destroy(struct vm_region *r); // one that is in no tree
// Into the tree, the object's list and the map's sums; [start, end) is free.
void vm_region_insert(struct vm_map *m, struct vm_region *r);
// Out of all three: it is to be destroyed when its pages are unmapped. object_node is the caller's.
void vm_region_detach(struct vm_region *r);
// Detached and destroyed. The pages are unmapped already.
void vm_region_remove(struct vm_region *r);
// What a region's pages come from, kept for who works on without the map: the region may go.
struct vm_backing {
    struct vm_object *object;
    void *file; // with file_ops, or NULL
    const struct vm_file_ops *file_ops;
};
struct vm_backing vm_backing_get(const struct vm_region *r);
void vm_backing_put(const struct vm_backing *b); // may sleep: no cursor open
// Move a region's borders; the pages that fall out are unmapped already.
void vm_region_resize(struct vm_region *r, vaddr_t start, vaddr_t end);
// Change flags, with the sums.
void vm_region_set_flags(struct vm_region *r, unsigned int flags);
// Cut at addr inside r: r keeps what is below, *high (may be NULL) is the rest. 0, -ENOMEM or
// -EINVAL (inside a page of the pool).
int vm_region_split(struct vm_region *r, vaddr_t addr, struct vm_region **high);
// Join with equal neighbours; returns the region that now holds r's range.
struct vm_region *vm_region_merge(struct vm_region *r);
// See that [start, end) begins and ends at borders of regions. 0, -ENOMEM or -EINVAL (nothing
// changed).
int vm_region_isolate(struct vm_map *m, vaddr_t start, vaddr_t end);
// Merge all that touches [start, end].
void vm_region_merge_range(struct vm_map *m, vaddr_t start, vaddr_t end);

// Where a mapping of `size` bytes fits, for an unfixed mmap; 0: nowhere.
vaddr_t vm_region_find_gap(const struct vm_map *m, size_t size);
// The same, on a border of `align` bytes if that can be.
vaddr_t vm_region_find_aligned_gap(const struct vm_map *m, size_t size, size_t align);
// Is [start, end) free, the guard gap below a stack above it included?
bool vm_region_is_free(const struct vm_map *m, vaddr_t start, vaddr_t end);
uint64_t vm_region_locked_in(const struct vm_map *m, vaddr_t start, vaddr_t end);
uint64_t vm_region_pages_in(const struct vm_map *m, vaddr_t start, vaddr_t end);

static inline uint64_t vm_region_index(const struct vm_region *r, vaddr_t addr)
{
    return (r->offset + (addr - r->start)) >> PAGE_SHIFT;
}

// Rights for a PTE whose first write must fault: writable memory can always be read.
static inline unsigned int vm_rights_until_written(unsigned int prot)
{
    return prot & VM_WRITE ? (prot & ~(unsigned int)VM_WRITE) | VM_READ : prot;
}

// May `nr_pages` more with these flags be mapped (RLIMIT_AS, RLIMIT_DATA)?
bool vm_map_may_expand(const struct vm_map *m, unsigned int flags, uint64_t nr_pages);
// May `nr_pages` more of private writable memory be promised (overcommit_memory)?
bool vm_map_may_commit(unsigned int flags, uint64_t nr_pages);
void vm_commit(unsigned int flags, int64_t pages); // promised, or given back
// Memory-deny-write-execute: may memory of rights `from` (new: the same) not become `to`?
bool vm_map_refuses_exec(const struct vm_map *m, unsigned int from, unsigned int to);
// May the calling thread lock so many more?
bool vm_map_may_lock(const struct vm_map *m, uint64_t nr_pages);
// Whoever has a cursor in [start, end), from before this call, has closed it.
void vm_map_await_cursors(struct vm_map *m, vaddr_t start, vaddr_t end);
// After new regions, or larger ones, in [start, end), with the map unlocked: nobody has a
// translation of what was there before from here on.
void vm_map_await_unmapped(struct vm_map *m, vaddr_t start, vaddr_t end);
int vm_map_unmap_locked(struct vm_map *m, vaddr_t start, vaddr_t end);
// Fault [start, end) in, as far as it goes. 0 or the first -ENOMEM/-EFAULT.
int vm_map_populate(struct vm_map *m, vaddr_t start, vaddr_t end, enum vm_access access);

// The same, each region for the access that makes its pages its own; -EFAULT where it allows none.
int vm_map_populate_own(struct vm_map *m, vaddr_t start, vaddr_t end);
// The first region at or after `at`, as far as it goes; the end of it, or USER_END.
vaddr_t vm_map_populate_next(struct vm_map *m, vaddr_t at);

// Done with each region in the range; [start, end) lies in r, and the map is locked as fn needs it.
typedef int (*region_part_fn)(struct vm_region *r, vaddr_t start, vaddr_t end, long arg);
// -ENOMEM if there was a hole; the first error of fn ends the walk.
int vm_map_for_each_part(struct vm_map *m, vaddr_t start, vaddr_t end, region_part_fn fn, long arg);
// Change the flags of a part of a region. 0 or -ENOMEM.
int vm_region_set_part(struct vm_region *r, vaddr_t start, vaddr_t end, unsigned int flags);

// 0 or -ENOMEM (all is as it was).
int vm_map_unmap_pages(struct vm_map *m, vaddr_t start, vaddr_t end);

// What becomes of the map's lock, held for reading, in a fault.
enum vm_fault_lock {
    VM_FAULT_KEEP,
    VM_FAULT_UNLOCK,      // let go of as soon as can be, before a wait for the object at least
    VM_FAULT_UNLOCK_LATE, // let go of in the end
};
// Resolve a fault of a page in region `r`. The access needn't be one that the region allows (a
// forced one): then the page is made ready, and no more accessible than the region is. 0, -ENOMEM,
// -EFAULT (SIGBUS). VM_FAULT_UNLOCK alone: VM_FAULT_AGAIN after a wait; look the region up again
// and unlock late.
#define VM_FAULT_AGAIN 1
int vm_fault_page(struct vm_map *m, const struct vm_region *r, vaddr_t addr, enum vm_access access,
                  enum vm_fault_lock lock);
bool vm_fault_allowed(unsigned int flags, enum vm_access access);
