// SPDX-License-Identifier: BSD-2-Clause
// Page tables from the inside, for the files that implement the cursor.
//
// A leaf PTE in user space is in one of three states:
//   0                  nothing mapped
//   V                  the hardware may use it
//   not V, not 0       mapped, but with no right at all (PROT_NONE): PTE_A keeps it from being 0
// PTE_SOFT marks what isn't counted: device memory and the zero page. Of a private mapping, a PTE
// without PTE_COW means that this space is the page's only owner.
// `private` of a table's struct page counts its entries that aren't 0 (the root's isn't kept).
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

// Give the empty tables that this hart keeps for itself back.
void vm_space_reclaim(void);
// A new empty table below `*entry`, or NULL. `table` holds the entry (NULL: the root).
pte_t *space_add_table(struct vm_space *s, pte_t *entry, pte_t *table);
// Tables above `va`: NULL where there is none.
static inline pte_t *space_find_level1(const struct vm_space *s, vaddr_t va)
{
    pte_t pte = space_root(s)[pt_index(va, 2)];
    return pte ? table_below(pte) : NULL;
}

static inline pte_t *space_find_leaf(const struct vm_space *s, vaddr_t va)
{
    pte_t *level1 = space_find_level1(s, va);
    pte_t pte = level1 ? level1[pt_index(va, 1)] : 0;
    return pte ? table_below(pte) : NULL;
}

// The leaf table for `va`, made if need be; NULL: no memory.
pte_t *space_make_leaf(struct vm_space *s, vaddr_t va);

// [start, end) held translations that must be gone when the cursor closes.
static inline void cursor_note_flush(struct vm_cursor *c, vaddr_t start, vaddr_t end)
{
    if (start < c->flush_start)
        c->flush_start = start;
    if (end > c->flush_end)
        c->flush_end = end;
}

// Flush what was noted, then free what was unmapped.
void cursor_flush(struct vm_cursor *c);
// `page` lost its PTE: its reference goes after the flush.
void cursor_free_page(struct vm_cursor *c, struct page *page);
// `va`'s leaf table has no entries left: unlink it, and what is above it if that is empty, too.
void cursor_drop_empty_leaf(struct vm_cursor *c, vaddr_t va);
// Code is about to become visible to the harts that run the space.
void cursor_sync_icache(struct vm_cursor *c);
