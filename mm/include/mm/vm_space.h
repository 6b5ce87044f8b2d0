// SPDX-License-Identifier: BSD-2-Clause
// vm_space: the hardware truth of one user address space: Sv39 tables, ASID context and the harts
// that run it. Changed only through a cursor over a half-open, page-aligned range. Closing the
// cursor flushes what must be flushed on exactly the harts that run the space, and only then frees
// what it unmapped: a missing flush can't be written.
//
// First cut: one mutex per space and 4 KiB leaves; the covering-node locks come with the
// address-space issue behind this same interface.
#pragma once

#include <arch/mmu.h>
#include <arch/tlb.h>
#include <lib/list.h>
#include <mm/page.h>
#include <sync/mutex.h>

struct vm_space {
    struct mmu_context context;
    struct mutex lock;                       // below vm_map.lock; guards the tables
    uint64_t root_used[PT_ENTRIES / 2 / 64]; // bit per entry of the root's lower half
    uint64_t nr_tables;
    uint64_t nr_resident; // mapped user pages
};

#define VM_READ  BIT(0)
#define VM_WRITE BIT(1)
#define VM_EXEC  BIT(2)

// What a cursor sees at its position.
struct vm_mapping {
    bool present;
    bool cow;          // shared: a write must copy (or take over) first
    unsigned int prot; // VM_*, what the hardware allows now
    paddr_t pa;
    struct page *page; // NULL: not counted (device memory, the zero page)
    bool accessed, dirty;
};

struct vm_cursor {
    struct vm_space *space;
    vaddr_t start, end, pos;
    vaddr_t flush_start, flush_end; // union of what was changed from valid; empty if start >= end
    bool icache;                    // the instruction caches were told of this cursor's code pages
    pte_t *leaf;                    // last leaf table used, of the 2 MiB at leaf_base; or NULL
    vaddr_t leaf_base;
    struct list_node free_tables; // unlinked page tables, with the pages they still map
    struct page *free_batch[32];  // single pages; both are released after the flush
    unsigned int nr_free;
};

int vm_space_init(struct vm_space *s); // 0 or -ENOMEM
// No hart runs it. Unmaps and frees everything.
void vm_space_destroy(struct vm_space *s);

// May sleep. [start, end) page-aligned inside [0, USER_END).
void vm_cursor_open(struct vm_cursor *c, struct vm_space *s, vaddr_t start, vaddr_t end);
void vm_cursor_close(struct vm_cursor *c);
void vm_cursor_seek(struct vm_cursor *c, vaddr_t pos);

// Look at the page at pos.
void vm_cursor_query(struct vm_cursor *c, struct vm_mapping *m);
// Move pos to the next present page at or after it; false (pos = end) when there is none.
bool vm_cursor_find(struct vm_cursor *c);

// Map one page at pos and advance. With VM_EXEC its content must have been there before the cursor
// was opened. VM_WRITE implies reading (privileged spec: W without R is reserved); no VM_*: kept,
// but out of reach. Takes over one reference of `page` on success. What was mapped there is
// replaced (break before make) and its reference dropped at close. 0 or -ENOMEM.
int vm_cursor_map(struct vm_cursor *c, struct page *page, unsigned int prot, bool cow);
// The same for a physical address that isn't ours to count (device memory, vDSO).
int vm_cursor_map_device(struct vm_cursor *c, paddr_t pa, unsigned int prot, bool cow);
// Unmap [pos, pos + size) and advance. Whole empty tables are freed.
void vm_cursor_unmap(struct vm_cursor *c, size_t size_bytes);
// Set protection of what is mapped in [pos, pos + size) and advance; copy-on-write pages stay
// write-protected.
void vm_cursor_protect(struct vm_cursor *c, size_t size_bytes, unsigned int prot);
// fork: give `child` (fresh, not running anywhere) the same mappings in [pos, pos + size) and
// advance. With `cow` both sides become write-protected copy-on-write; without, shared as they are.
// 0 or -ENOMEM (the child then holds a part).
int vm_cursor_clone(struct vm_cursor *c, struct vm_space *child, size_t size_bytes, bool cow);

// mremap: move what is mapped in [from, from + size) to [to, to + size); both inside the cursor's
// range, not overlapping, nothing mapped at `to`. 0 or -ENOMEM (nothing moved).
int vm_cursor_move(struct vm_cursor *c, vaddr_t from, vaddr_t to, size_t size_bytes);

// Run `s` on this hart (NULL: kernel only). Interrupts off.
void vm_space_switch(struct vm_space *s);
