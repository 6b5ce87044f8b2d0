// SPDX-License-Identifier: BSD-2-Clause
// Page tables from the inside, for the files that implement the cursor.
//
// A leaf PTE in user space is in one of three states:
//   0                  nothing mapped
//   V                  the hardware may use it
//   not V, but U       mapped, but with no right at all (PROT_NONE)
// With N it is one of 16 that map a block of 64 KiB and are made, changed and dropped together.
// PTE_SOFT marks what isn't counted: device memory and the zero page. Of a private mapping, a PTE
// without PTE_COW means that this space is the page's only owner.
//
// An upper PTE is 0, a table, a leaf of 2 MiB (level 1) or 1 GiB (the root), or neither V nor U: a
// leaf table that fork shared (level 1). Such a table isn't reached by hardware or descents (it is
// stray) and stays as it is until one of its spaces uses it: vm_share.c.
#pragma once

#include <mm/vm_space.h>

#include "page_priv.h"

static inline struct page *table_page(const pte_t *table)
{
    return page_of(virt_to_phys(table));
}

static inline pte_t *table_below(pte_t pte)
{
    return phys_to_virt(pte_paddr(pte));
}

static inline pte_t *space_root(const struct vm_space *s)
{
    return phys_to_virt(s->context.root);
}

// Bits of a leaf. A and D are set beforehand, so that hardware without Svadu never faults for them.
static inline uint64_t leaf_bits(unsigned int prot, bool cow)
{
    uint64_t bits = PTE_U | PTE_A | (cow ? PTE_COW : 0);
    if (prot & (VM_READ | VM_WRITE))
        bits |= PTE_V | PTE_R;
    if (prot & VM_EXEC)
        bits |= PTE_V | PTE_X;
    if ((prot & VM_WRITE) && !cow)
        bits |= PTE_W | PTE_D;
    return bits;
}

static inline bool leaf_is_counted(pte_t pte)
{
    return pte != 0 && !(pte & PTE_SOFT);
}

static inline struct page *leaf_page(pte_t pte)
{
    return page_of(pte_paddr(pte));
}

static inline bool pte_is_shared(pte_t pte)
{
    return pte != 0 && !(pte & (PTE_V | PTE_U));
}

static inline bool pte_is_huge(pte_t pte) // of level 1 or 2
{
    return pte & PTE_U;
}

// vm_table.c
void vm_table_init(void);
struct page *vm_table_alloc(void); // all entries 0; NULL: no memory
void vm_table_free(struct page *table);
struct page *vm_table_alloc_root(void);
void vm_table_free_root(struct page *table);
void vm_table_lock(struct page *table, const void *owner);     // owner: 8-byte aligned
void vm_table_lock_new(struct page *table, const void *owner); // nobody else knows it
void vm_table_unlock(struct page *table);
// Lock the lowest table that covers [start, end).
struct page *vm_table_lock_covering(const struct vm_space *s, vaddr_t start, vaddr_t end,
                                    const void *owner, unsigned int *level);
void vm_table_put(struct page *table); // an empty one that was unlinked
// Every descent that may have seen a link that is gone now has ended.
void vm_table_drain(void);
// Give the empty tables that this hart keeps for itself back.
void vm_space_reclaim(void);

static inline bool vm_table_is_locked_by(const struct page *table, const void *owner)
{
    return (__atomic_load_n(&table->private, __ATOMIC_RELAXED) & ~1UL) == (uintptr_t)owner;
}

// A table below one that the cursor holds, locked: until it closes.
static inline void cursor_keep(struct vm_cursor *c, struct page *table)
{
    table->table_next = c->locked;
    c->locked = table;
}

// Lock a table below one that the cursor holds, unless it is locked by it already.
static inline void cursor_take(struct vm_cursor *c, struct page *table)
{
    if (vm_table_is_locked_by(table, c))
        return;
    vm_table_lock(table, c);
    cursor_keep(c, table);
}

// The level-1 table for `va`, locked; NULL: none, or above what the cursor holds (which then is the
// leaf table).
pte_t *cursor_level1(struct vm_cursor *c, vaddr_t va);
pte_t *cursor_make_level1(struct vm_cursor *c, vaddr_t va); // NULL: no memory
// The leaf table for `va`, locked; NULL: none that hardware could see.
pte_t *cursor_leaf_at(struct vm_cursor *c, vaddr_t va);
// The same, made if need be; NULL: no memory.
pte_t *cursor_make_leaf(struct vm_cursor *c, vaddr_t va);
// A new table for an empty entry of `table`, linked and locked; NULL: no memory.
pte_t *cursor_add_table(struct vm_cursor *c, pte_t *table, unsigned int index);
// Take `child` out of the entry of `parent`; both are locked.
void cursor_unlink_table(struct vm_cursor *c, pte_t *parent, unsigned int index);
// The leaf table of `va`, and the one above it, go if they are empty; at close, if a table is
// missing that the cursor doesn't hold.
void cursor_drop_if_empty(struct vm_cursor *c, vaddr_t va);
// Drop the references of whatever the table maps.
void table_release(struct page *table);
// Unlock a table; if no link leads to it any more it goes, with what it maps.
void table_let_go(struct page *table);

// The end of the entry of level 1 (2, where there is no level-1 table) around va, but at most
// `end`.
static inline vaddr_t cursor_next_span(const pte_t *level1, vaddr_t va, vaddr_t end)
{
    size_t span = level1 ? PT_SIZE(1) : PT_SIZE(2);
    return MIN(ALIGN_DOWN(va, span) + span, end);
}

// vm_share.c
void cursor_share_table(struct vm_cursor *c, pte_t *entry, struct vm_cursor *to, pte_t *to_entry);
int cursor_unshare(struct vm_cursor *c, pte_t *entry); // 0 or -ENOMEM
void cursor_drop_shared(struct vm_cursor *c, pte_t *level1, unsigned int index);
void space_drop_shared(struct vm_space *s, pte_t entry);
// vm_huge.c
// The leaf of 2 MiB (level 1) or 1 GiB (2) becomes a table of 512 smaller ones. 0 or -ENOMEM.
int cursor_split_huge(struct vm_cursor *c, pte_t *entry, unsigned int level);
void huge_drop(struct page *block, unsigned int order); // one leaf's reference
// The 1 GiB leaf that is the root's entry for va; NULL: none.
pte_t *cursor_giga(struct vm_cursor *c, vaddr_t va);
// The same leaf for both, copy-on-write. *seen gets the bits that it had.
void huge_clone_giga(pte_t *from, pte_t *to, pte_t *seen);
// Leaves at the head of from[n], the first of which is one, copy-on-write on both sides from now
// on; how many. *seen gets the bits that any of them had.
unsigned int huge_clone_run(pte_t *from, pte_t *to, unsigned int n, pte_t *seen);
// Leaves at the head of entry[n], the first of which is one, become 0 and drop their blocks; how
// many. Of a space that runs nowhere.
unsigned int huge_drop_run(pte_t *entry, unsigned int n);

// [start, end) held translations that must be gone when the cursor closes.
static inline void cursor_note_flush(struct vm_cursor *c, vaddr_t start, vaddr_t end)
{
    if (start < c->flush_start)
        c->flush_start = start;
    if (end > c->flush_end)
        c->flush_end = end;
}

// Flush what was noted, then free the pages that were unmapped.
void cursor_flush(struct vm_cursor *c);
// `page` lost its PTE: its reference goes after the flush.
void cursor_free_page(struct vm_cursor *c, struct page *page);
void cursor_free_huge(struct vm_cursor *c, struct page *block, unsigned int order);
// Code is about to become visible to the harts that run the space.
void cursor_sync_icache(struct vm_cursor *c);
