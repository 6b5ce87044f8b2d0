// SPDX-License-Identifier: BSD-2-Clause
// Between the pools of huge pages and who maps them.
#pragma once

#include <mm/vm_map.h>

// With one reference, not cleared; NULL: the pool is empty, but for what is promised. `promised`:
// one that was promised to the caller.
struct page *vm_hugetlb_take(unsigned int order, bool promised);
// The same block again, which nobody else has seen.
void vm_hugetlb_give_back(struct page *block, bool promised);
// Pages of 2 MiB. 0 or -ENOMEM.
int vm_hugetlb_promise(uint64_t nr);
void vm_hugetlb_unpromise(uint64_t nr);
// With what is at `from`, or with zeros (NULL). May sleep.
void vm_hugetlb_fill(struct page *block, const char *from);
// Nobody uses it any more. False: it is the page allocator's now.
bool vm_hugetlb_give(struct page *block);
// Pages for all of [start, end), which is empty and aligned to their size. The map is write-locked.
// 0 or -ENOMEM (some may be mapped then).
int vm_hugetlb_populate(struct vm_map *m, vaddr_t start, vaddr_t end, unsigned int flags);
// A page for the cursor's range, which is empty. 0 (also if it has to be tried again), -ENOMEM, or
// -EFAULT: the pool is empty.
int vm_hugetlb_map_new(struct vm_cursor *c, unsigned int order, unsigned int prot);
// A copy of its own for a write to the page at the cursor. 0 or -EFAULT: the pool is empty.
int vm_hugetlb_copy(struct vm_cursor *c, const struct vm_mapping *from, unsigned int prot);

// Objects of huge pages (vm_object.huge), with o->lock held; vm_hugetlb_object.c.
#define HUGE_PAGES (PT_SIZE(1) / PAGE_SIZE)
// The block around `index` with a reference: 0, -ENOENT, -ENOMEM (no node of the tree), or -EFAULT:
// the pool is empty.
int vm_hugetlb_object_page(struct vm_object *o, uint64_t index, bool create, struct page **block);
// Bytes [offset, end) read as zeros: blocks are dropped, parts of one are cleared.
void vm_hugetlb_object_drop(struct vm_object *o, uint64_t offset, uint64_t end,
                            void (*drop)(void *ctx, struct page *block));
// It has become smaller: the pool keeps no more than it may need.
void vm_hugetlb_object_trim(struct vm_object *o);
