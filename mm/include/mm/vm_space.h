// SPDX-License-Identifier: BSD-2-Clause
// vm_space: the hardware truth of one user address space: Sv39 tables, ASID context and the harts
// that run it. Changed only through a cursor over a half-open, page-aligned range. Closing the
// cursor flushes what must be flushed on exactly the harts that run the space, and only then frees
// what it unmapped: a missing flush can't be written.
//
// Opening locks the lowest page table that covers the range with something to spare, and every
// table below it that the cursor comes to; so cursors over disjoint ranges work in parallel. A
// range of a whole table locks the one above, so that it can be taken out.
#pragma once

#include <arch/mmu.h>
#include <arch/tlb.h>
#include <mm/page.h>
#include <sync/port.h>

struct vm_space {
    struct mmu_context context;
    uint64_t root_used[PT_ENTRIES / 2 / 64]; // bit per entry of the root's lower half, its lock's
    uint64_t nr_tables;                      // atomic
    uint64_t nr_resident;                    // mapped user pages; atomic
};

#define VM_READ  BIT(0)
#define VM_WRITE BIT(1)
#define VM_EXEC  BIT(2)

// What a cursor sees at its position.
struct vm_mapping {
    bool present;
    bool cow;           // shared: a write must copy (or take over) first
    unsigned int prot;  // VM_*, what the hardware allows now
    bool huge;          // part of a larger page than 4 KiB,
    unsigned int order; // of 2^order pages
    paddr_t pa;         // of the 4 KiB at the position
    struct page *page;  // that counts; NULL: not counted (device memory, the zero page)
    bool accessed, dirty;
};

struct vm_cursor {
    struct vm_space *space;
    vaddr_t start, end, pos;
    struct page *node; // the covering table, and
    unsigned int level;
    struct page *locked;            // tables below it that this cursor locked
    vaddr_t flush_start, flush_end; // union of what was changed from valid; empty if start >= end
    bool icache;                    // the instruction caches were told of this cursor's code pages
    bool unlinked;                  // tables were taken out of the space, or shared
    unsigned int empty_level;       // of a table that is empty, but hangs above the covering one
    pte_t *leaf;                    // last leaf table used, of the 2 MiB at leaf_base; or NULL
    vaddr_t leaf_base;
    unsigned int nr_free;
    uintptr_t free_batch[32]; // pages to release after the flush
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
// For each page from pos to the end, a byte: 1 if memory of its own is mapped there. pos: the end.
void vm_cursor_residence(struct vm_cursor *c, uint8_t *vec);

// Map one page at pos and advance. With VM_EXEC its content must have been there before the cursor
// was opened. VM_WRITE implies reading (privileged spec: W without R is reserved); no VM_*: kept,
// but out of reach. Takes over one reference of `page` on success. What was mapped there is
// replaced (break before make) and its reference dropped at close. 0 or -ENOMEM.
int vm_cursor_map(struct vm_cursor *c, struct page *page, unsigned int prot, bool cow);
// Map those of pages[nr] that are there (not NULL) where nothing is yet, from pos on in a leaf
// table that the cursor has used already; each PTE takes a reference. Advances.
void vm_cursor_map_absent(struct vm_cursor *c, struct page *const *pages, unsigned int nr,
                          unsigned int prot, bool cow);
// As vm_cursor_map(), for a physical address that isn't ours to count (device memory, vDSO).
int vm_cursor_map_device(struct vm_cursor *c, paddr_t pa, unsigned int prot, bool cow);
// Give the space tables of its own wherever [pos, pos + size) needs them, so that what follows
// can't fail: at the edges for vm_cursor_unmap(), everywhere for vm_cursor_protect() (which leaves
// whole large pages whole), everywhere in 4 KiB pages for vm_cursor_move(). Pages of 64 KiB aren't
// split: no range ends inside one. SHARED: for a fault,
// what fork left shared. Doesn't advance. 0 or -ENOMEM (nothing that a program could see has
// changed).
enum vm_own { VM_OWN_SHARED, VM_OWN_EDGES, VM_OWN_TABLES, VM_OWN_PAGES };
int vm_cursor_own(struct vm_cursor *c, size_t size_bytes, enum vm_own own);
// Take every table there is for the range now, not when its turn comes: from here on another cursor
// waits for this one wherever they overlap, also one that covers only a part. And wait for those.
void vm_cursor_hold(struct vm_cursor *c);
// Unmap [pos, pos + size) and advance. Whole empty tables are freed.
void vm_cursor_unmap(struct vm_cursor *c, size_t size_bytes);
// Set protection of what is mapped in [pos, pos + size) and advance; copy-on-write pages stay
// write-protected.
void vm_cursor_protect(struct vm_cursor *c, size_t size_bytes, unsigned int prot);
// fork: give `to`'s space (fresh, not running anywhere) the same mappings in [pos, pos + size) and
// advance `c`. COPY: both sides become write-protected copy-on-write. LAZY: the same for private
// anonymous memory, whose full page tables are only shared until one side uses them. SHARE: shared
// as they are. 0 or -ENOMEM (the child then holds a part).
enum vm_clone { VM_CLONE_SHARE, VM_CLONE_COPY, VM_CLONE_LAZY };
int vm_cursor_clone(struct vm_cursor *c, struct vm_cursor *to, size_t size_bytes,
                    enum vm_clone how);

// mremap: move what is mapped in [from, from + size), owned as VM_OWN_PAGES, to [to, to + size);
// both inside the cursor's range, not overlapping, nothing mapped at `to`. 0 or -ENOMEM (nothing
// moved).
int vm_cursor_move(struct vm_cursor *c, vaddr_t from, vaddr_t to, size_t size_bytes);

// Could a block of 2^order pages be mapped around pos: nothing is there, and the cursor, which for
// 64 KiB covers all of it, holds the table for it?
bool vm_cursor_fits_huge(struct vm_cursor *c, unsigned int order);
// For 2 MiB and 1 GiB: drop the empty tables around pos that stand in the way. The cursor covers
// all of the block.
void vm_cursor_make_room(struct vm_cursor *c, unsigned int order);
// Map a block of 64 KiB (the hart has Svnapot), 2 MiB or 1 GiB around pos, where it fits; takes
// over the reference on success. 0 or -ENOMEM.
int vm_cursor_map_huge(struct vm_cursor *c, struct page *block, unsigned int prot, bool cow);
// As vm_cursor_move(), for a range of 2 MiB pages alone; nothing is to be owned.
int vm_cursor_move_huge(struct vm_cursor *c, vaddr_t from, vaddr_t to, size_t size_bytes);
// The large page at pos is copy-on-write: take it over if nobody else has it (true), else do
// nothing.
bool vm_cursor_take_huge(struct vm_cursor *c, unsigned int prot);
// Small pages in the 2 MiB that are the cursor's range become one page, with zeros where nothing
// was; one that is there already stays. 0; -EINVAL: nothing is there; -ENOMEM.
int vm_cursor_collapse(struct vm_cursor *c, unsigned int prot);
// Map `block`, of the same size, instead of the large page at pos; takes over the reference.
void vm_cursor_replace_huge(struct vm_cursor *c, struct page *block, unsigned int prot);

// Run `s` on this hart (NULL: kernel only). Interrupts off.
void vm_space_switch(struct vm_space *s);
