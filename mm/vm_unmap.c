// SPDX-License-Identifier: BSD-2-Clause
// The cursor's work on ranges: unmap and protect. Both walk tables, not pages: a 2 MiB span that is
// unmapped as a whole loses its leaf table in one step, and the table keeps its entries until the
// flush is done and their pages can be let go. The cursor's lock (space->lock) is held throughout.
#include <lib/assert.h>
#include <string.h>

#include "vm_space_priv.h"

// A table was taken out: entries above the leaves are only forgotten by a fence without an address
// (privileged spec 12.2.1), which the flush of everything is.
static void cursor_unlink_table(struct vm_cursor *c, pte_t *entry)
{
    pte_t *table = table_below(*entry);
    *entry = 0;
    list_add_tail(&c->free_tables, &table_page(table)->list);
    cursor_note_flush(c, 0, USER_END);
    c->leaf = NULL;
}

static void cursor_drop_leaf(struct vm_cursor *c, vaddr_t va)
{
    pte_t *level1 = space_find_level1(c->space, va);
    cursor_unlink_table(c, &level1[pt_index(va, 1)]);
    if (--table_page(level1)->private == 0) {
        unsigned int top = pt_index(va, 2);
        c->space->root_used[top / 64] &= ~BIT(top % 64);
        cursor_unlink_table(c, &space_root(c->space)[top]);
    }
}

void cursor_drop_empty_leaf(struct vm_cursor *c, vaddr_t va)
{
    ASSERT(table_page(space_find_leaf(c->space, va))->private == 0);
    cursor_drop_leaf(c, va);
}

// Part of one leaf table. Pages go in batches: a full batch is flushed and freed on the way.
static void unmap_leaf_part(struct vm_cursor *c, pte_t *leaf, vaddr_t start, vaddr_t end)
{
    struct page *table = table_page(leaf);
    for (vaddr_t va = start; va < end && table->private > 0; va += PAGE_SIZE) {
        pte_t *entry = &leaf[pt_index(va, 0)];
        pte_t pte = *entry;
        if (pte == 0)
            continue;
        *entry = 0;
        table->private --;
        if (pte & PTE_V)
            cursor_note_flush(c, va, va + PAGE_SIZE);
        if (leaf_is_counted(pte)) {
            c->space->nr_resident--;
            cursor_free_page(c, leaf_page(pte));
        }
    }
    if (table->private == 0)
        cursor_drop_leaf(c, start);
}

// Where the next leaf table's span begins, skipping a missing level-1 table as a whole.
static vaddr_t next_span(const pte_t *level1, vaddr_t va, vaddr_t end)
{
    size_t span = level1 ? PT_SIZE(1) : PT_SIZE(2);
    return MIN(ALIGN_DOWN(va, span) + span, end);
}

void vm_cursor_unmap(struct vm_cursor *c, size_t size_bytes)
{
    vaddr_t end = c->pos + size_bytes;
    ASSERT(end <= c->end && size_bytes % PAGE_SIZE == 0);
    while (c->pos < end) {
        pte_t *level1 = space_find_level1(c->space, c->pos);
        vaddr_t next = next_span(level1, c->pos, end);
        pte_t pte = level1 ? level1[pt_index(c->pos, 1)] : 0;
        if (pte != 0) {
            if (next - c->pos == PT_SIZE(1))
                cursor_drop_leaf(c, c->pos);
            else
                unmap_leaf_part(c, table_below(pte), c->pos, next);
        }
        c->pos = next;
    }
}

static void protect_leaf_part(struct vm_cursor *c, pte_t *leaf, vaddr_t start, vaddr_t end,
                              unsigned int prot)
{
    const uint64_t rights = PTE_V | PTE_R | PTE_W | PTE_X;
    for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
        pte_t *entry = &leaf[pt_index(va, 0)];
        pte_t old = *entry;
        if (old == 0)
            continue;
        pte_t pte = pte_make(pte_paddr(old), leaf_bits(prot, old & PTE_COW) | (old & PTE_SOFT));
        if (pte & ~old & PTE_X)
            cursor_sync_icache(c);
        __atomic_store_n(entry, pte, __ATOMIC_RELEASE);
        // More rights need no fence: a hart that still has fewer faults, finds the PTE good and
        // drops its own stale entry.
        if ((old & PTE_V) && (old & ~pte & rights))
            cursor_note_flush(c, va, va + PAGE_SIZE);
    }
}

void vm_cursor_protect(struct vm_cursor *c, size_t size_bytes, unsigned int prot)
{
    vaddr_t end = c->pos + size_bytes;
    ASSERT(end <= c->end && size_bytes % PAGE_SIZE == 0);
    while (c->pos < end) {
        pte_t *level1 = space_find_level1(c->space, c->pos);
        vaddr_t next = next_span(level1, c->pos, end);
        pte_t pte = level1 ? level1[pt_index(c->pos, 1)] : 0;
        if (pte != 0)
            protect_leaf_part(c, table_below(pte), c->pos, next, prot);
        c->pos = next;
    }
}
