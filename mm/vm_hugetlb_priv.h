// SPDX-License-Identifier: BSD-2-Clause
// Between the pool of huge pages and who maps them.
#pragma once

#include <mm/vm_map.h>

struct page *vm_hugetlb_take(void); // with one reference, not cleared; NULL: the pool is empty
void vm_hugetlb_clear(struct page *block);
// Nobody uses it any more. False: it is the page allocator's now.
bool vm_hugetlb_give(struct page *block);
// Pages for all of [start, end), which is 2 MiB-aligned and empty. The map is write-locked. 0 or
// -ENOMEM (some may be mapped then).
int vm_hugetlb_populate(struct vm_map *m, vaddr_t start, vaddr_t end, unsigned int prot);
// A copy of its own for a write to the page at the cursor. 0 or -EFAULT: the pool is empty.
int vm_hugetlb_copy(struct vm_cursor *c, const struct page *from, unsigned int prot);
