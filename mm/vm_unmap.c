// SPDX-License-Identifier: BSD-2-Clause
// The cursor's work on ranges: own, unmap and protect. All walk tables, not pages: a 2 MiB span
// that is unmapped as a whole loses its leaf table in one step, and the table keeps its entries
// until the flush is done and their pages can be let go. Every table is locked by the cursor before
// it is touched.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <string.h>

#include "vm_space_priv.h"

// A table was taken out: entries above the leaves are only forgotten by a fence without an address
// (privileged spec 12.2.1), which the flush of everything is.
void cursor_unlink_table(struct vm_cursor *c, pte_t *parent, unsigned int index)
{
    struct page *table = leaf_page(parent[index]);
    ASSERT(vm_table_is_locked_by(table, c) && vm_table_is_locked_by(table_page(parent), c));
    table->flags |= TABLE_STRAY;
    table->table_links = 0;
    // A descent that reads the link from here on finds nothing; one that has read it is waited for
    // at close (D).
    atomic_store(&parent[index], 0);
    table_page(parent)->table_used--;
    atomic_add_relaxed(&c->space->nr_tables, -1UL);
    c->unlinked = true;
    c->leaf = NULL;
    cursor_note_flush(c, 0, USER_END);
}

// Of level 0 or 1; empty, and the table above it isn't held by this cursor.
static void cursor_leave_empty(struct vm_cursor *c, unsigned int level)
{
    c->empty_level = MIN(c->empty_level, level);
}

void cursor_drop_if_empty(struct vm_cursor *c, vaddr_t va)
{
    pte_t *leaf = cursor_leaf_at(c, va);
    if (leaf && table_page(leaf)->table_used == 0) {
        if (c->level == 0)
            cursor_leave_empty(c, 0);
        else
            cursor_unlink_table(c, cursor_level1(c, va), pt_index(va, 1));
    }
    const pte_t *level1 = cursor_level1(c, va);
    if (level1 && table_page(level1)->table_used == 0) {
        unsigned int top = pt_index(va, 2);
        if (c->level == 1) {
            cursor_leave_empty(c, 1);
        } else {
            c->space->root_used[top / 64] &= ~BIT(top % 64);
            cursor_unlink_table(c, space_root(c->space), top);
        }
    }
}

// [start, end) of what one entry of the root maps. True: it is a table now.
static bool own_giga(struct vm_cursor *c, vaddr_t start, vaddr_t end, enum vm_own own, int *err)
{
    pte_t *giga = cursor_giga(c, start);
    bool whole = end - start == PT_SIZE(2);

    if (!giga || own == VM_OWN_SHARED || (whole && own != VM_OWN_PAGES))
        return false;
    *err = cursor_split_huge(c, giga, 2);
    return *err == 0;
}

// One entry of level 1, of which [start, end) is a part or all.
static int own_entry(struct vm_cursor *c, pte_t *entry, bool whole, enum vm_own own)
{
    if (pte_is_shared(*entry) && (!whole || own != VM_OWN_EDGES))
        return cursor_unshare(c, entry);
    if (pte_is_huge(*entry) && own != VM_OWN_SHARED && (!whole || own == VM_OWN_PAGES))
        return cursor_split_huge(c, entry, 1);
    return 0;
}

int vm_cursor_own(struct vm_cursor *c, size_t size_bytes, enum vm_own own)
{
    vaddr_t end = c->pos + size_bytes;
    int err = 0;
    ASSERT(end <= c->end);
    if (c->level == 0)
        return 0;
    for (vaddr_t va = c->pos, next; va < end && err == 0; va = next) {
        pte_t *level1 = cursor_level1(c, va);
        next = cursor_next_span(level1, va, end);
        if (unlikely(!level1) && own_giga(c, va, next, own, &err)) {
            level1 = cursor_level1(c, va);
            next = cursor_next_span(level1, va, end);
        }
        if (level1)
            err = own_entry(c, &level1[pt_index(va, 1)], next - va == PT_SIZE(1), own);
    }
    return err;
}

void vm_cursor_hold(struct vm_cursor *c)
{
    for (vaddr_t va = c->start; va < c->end && c->level > 0;) {
        (void)cursor_leaf_at(c, va);
        va = cursor_next_span(cursor_level1(c, va), va, c->end);
    }
}

// Part of one leaf table. Pages go in batches: a full batch is flushed and freed on the way.
static void unmap_leaf_part(struct vm_cursor *c, pte_t *leaf, vaddr_t start, vaddr_t end)
{
    struct page *table = table_page(leaf);
    uint64_t counted = 0;
    for (vaddr_t va = start; va < end && table->table_used > 0; va += PAGE_SIZE) {
        pte_t *entry = &leaf[pt_index(va, 0)];
        pte_t pte = *entry;
        if (pte == 0)
            continue;
        *entry = 0;
        table->table_used--;
        if (pte & PTE_V)
            cursor_note_flush(c, va, va + PAGE_SIZE);
        if (leaf_is_counted(pte)) {
            counted++;
            cursor_free_page(c, leaf_page(pte));
        }
    }
    table->table_counted = (uint16_t)(table->table_counted - counted);
    atomic_add_relaxed(&c->space->nr_resident, -counted);
    if (table->table_used == 0)
        cursor_drop_if_empty(c, start);
}

static void unmap_huge(struct vm_cursor *c, pte_t *level1, vaddr_t va)
{
    pte_t *entry = &level1[pt_index(va, 1)];
    pte_t pte = *entry;
    atomic_store(entry, 0);
    table_page(level1)->table_used--;
    if (pte & PTE_V)
        cursor_note_flush(c, va, va + PT_SIZE(1));
    atomic_add_relaxed(&c->space->nr_resident, -(uint64_t)PT_ENTRIES);
    cursor_free_huge(c, leaf_page(pte), HUGE_ORDER);
}

// [start, end) of an entry of the root that isn't a table.
static void unmap_giga(struct vm_cursor *c, vaddr_t start, vaddr_t end)
{
    pte_t *entry = cursor_giga(c, start);
    unsigned int top = pt_index(start, 2);

    if (likely(!entry))
        return;
    ASSERT(end - start == PT_SIZE(2)); // vm_cursor_own() came first
    pte_t pte = *entry;
    atomic_store(entry, 0);
    c->space->root_used[top / 64] &= ~BIT(top % 64);
    if (pte & PTE_V)
        cursor_note_flush(c, start, end);
    atomic_add_relaxed(&c->space->nr_resident, -(1UL << GIGA_ORDER));
    cursor_free_huge(c, leaf_page(pte), GIGA_ORDER);
}

// [start, end) of one entry of level 1, which isn't 0.
static void unmap_entry(struct vm_cursor *c, pte_t *level1, vaddr_t start, vaddr_t end)
{
    pte_t pte = level1[pt_index(start, 1)];
    bool whole = end - start == PT_SIZE(1);

    if (!pte_is_table(pte)) {
        ASSERT(whole); // vm_cursor_own() came first
        if (pte_is_huge(pte))
            unmap_huge(c, level1, start);
        else
            cursor_drop_shared(c, level1, pt_index(start, 1));
        cursor_drop_if_empty(c, start);
    } else if (whole) {
        cursor_take(c, leaf_page(pte));
        atomic_add_relaxed(&c->space->nr_resident, -(uint64_t)leaf_page(pte)->table_counted);
        cursor_unlink_table(c, level1, pt_index(start, 1));
        cursor_drop_if_empty(c, start);
    } else {
        unmap_leaf_part(c, cursor_leaf_at(c, start), start, end);
    }
}

void vm_cursor_unmap(struct vm_cursor *c, size_t size_bytes)
{
    vaddr_t end = c->pos + size_bytes;
    ASSERT(end <= c->end && size_bytes % PAGE_SIZE == 0);
    if (c->level == 0) {
        unmap_leaf_part(c, page_to_virt(c->node), c->pos, end);
        c->pos = end;
    }
    while (c->pos < end) {
        pte_t *level1 = cursor_level1(c, c->pos);
        vaddr_t next = cursor_next_span(level1, c->pos, end);
        if (!level1)
            unmap_giga(c, c->pos, next);
        else if (level1[pt_index(c->pos, 1)])
            unmap_entry(c, level1, c->pos, next);
        c->pos = next;
    }
}

#define PTE_RIGHTS (PTE_V | PTE_R | PTE_W | PTE_X)
// What it maps stays: address, size, whether it counts.
#define PTE_KEPT (pte_make(-1UL, 0) | PTE_N | PTE_SOFT)

// A leaf of any size. More rights need no fence: a hart that still has fewer faults, finds the PTE
// good and drops its own stale entry.
static void protect_pte(struct vm_cursor *c, pte_t *entry, vaddr_t va, size_t size,
                        unsigned int prot)
{
    pte_t old = *entry;
    pte_t pte = (old & PTE_KEPT) | leaf_bits(prot, old & PTE_COW);
    if (pte & ~old & PTE_X)
        cursor_sync_icache(c);
    atomic_store_release(entry, pte);
    if ((old & PTE_V) && (old & ~pte & PTE_RIGHTS))
        cursor_note_flush(c, va, va + size);
}

static void protect_leaf_part(struct vm_cursor *c, pte_t *leaf, vaddr_t start, vaddr_t end,
                              unsigned int prot)
{
    pte_t *entry = &leaf[pt_index(start, 0)];
    size_t nr = (end - start) >> PAGE_SHIFT;
    const pte_t owned = leaf_bits(prot, false), cow = leaf_bits(prot, true);
    const pte_t kept = PTE_KEPT;
    pte_t lost = 0;

    if (prot & VM_EXEC) { // rare, and harts must hear of it before each PTE
        for (size_t i = 0; i < nr; i++)
            if (entry[i] != 0)
                protect_pte(c, &entry[i], start + i * PAGE_SIZE, PAGE_SIZE, prot);
        return;
    }
    for (size_t i = 0; i < nr; i++) {
        pte_t old = entry[i];
        if (old == 0)
            continue;
        pte_t pte = (old & kept) | (old & PTE_COW ? cow : owned);
        lost |= old & PTE_V ? old & ~pte : 0;
        atomic_store_release(&entry[i], pte);
    }
    if (lost & PTE_RIGHTS)
        cursor_note_flush(c, start, end);
}

void vm_cursor_protect(struct vm_cursor *c, size_t size_bytes, unsigned int prot)
{
    vaddr_t end = c->pos + size_bytes;
    ASSERT(end <= c->end && size_bytes % PAGE_SIZE == 0);
    while (c->pos < end) {
        pte_t *level1 = cursor_level1(c, c->pos);
        vaddr_t next = c->level == 0 ? end : cursor_next_span(level1, c->pos, end);
        size_t size = level1 ? PT_SIZE(1) : PT_SIZE(2);
        pte_t *leaf = cursor_leaf_at(c, c->pos), *entry = NULL;
        if (leaf)
            protect_leaf_part(c, leaf, c->pos, next, prot);
        else
            entry = level1 ? &level1[pt_index(c->pos, 1)] : cursor_giga(c, c->pos);
        if (entry && *entry != 0) {
            ASSERT(pte_is_huge(*entry) && next - c->pos == size); // owned
            protect_pte(c, entry, c->pos, size, prot);
        }
        c->pos = next;
    }
}
