// SPDX-License-Identifier: BSD-2-Clause
// 2 MiB pages of anonymous memory: one leaf of level 1 over a block of 512 pages, whose first page
// counts the leaves. A leaf whose mapping is to change in part is split into a leaf table. If other
// spaces map the block as a whole still, the block itself is dissolved: each of its pages then
// counts every leaf, and whoever gives such a leaf up drops all of them.
//
// huge_lock guards whether a block is whole, and its count while it is. Innermost but for the page
// allocator's.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/spinlock.h>

#include "vm_space_priv.h"

static struct spinlock huge_lock = SPINLOCK_INIT;

unsigned int huge_clone_run(pte_t *from, pte_t *to, unsigned int n, pte_t *seen)
{
    unsigned int i = 0;

    spin_lock(&huge_lock);
    for (; i < n && pte_is_huge(from[i]) && to[i] == 0; i++) {
        pte_t pte = from[i], shared = (pte | PTE_COW) & ~PTE_W;
        struct page *block = leaf_page(pte);
        for (unsigned int p = 0; p < (block->order == HUGE_ORDER ? 1 : PT_ENTRIES); p++)
            page_hold(&block[p]);
        *seen |= pte;
        if (shared != pte)
            atomic_store(&from[i], shared);
        atomic_store(&to[i], shared);
    }
    spin_unlock(&huge_lock);
    return i;
}

void huge_drop(struct page *block)
{
    spin_lock(&huge_lock);
    bool whole = block->order == HUGE_ORDER;
    uint32_t before = whole ? atomic_fetch_add(&block->refs, -1U) : 0;
    spin_unlock(&huge_lock);
    if (whole) {
        ASSERT(before != 0);
        if (before == 1)
            page_free_last(block);
        return;
    }
    for (unsigned int i = 0; i < PT_ENTRIES; i++)
        page_drop(&block[i]);
}

unsigned int huge_drop_run(pte_t *entry, unsigned int n)
{
    unsigned int i = 0;

    spin_lock(&huge_lock);
    for (; i < n && pte_is_huge(entry[i]) && leaf_page(entry[i])->order == HUGE_ORDER; i++) {
        struct page *block = leaf_page(entry[i]);
        entry[i] = 0;
        page_drop(block);
    }
    spin_unlock(&huge_lock);
    if (i > 0)
        return i;
    huge_drop(leaf_page(entry[0]));
    entry[0] = 0;
    return 1;
}

int cursor_split_huge(struct vm_cursor *c, pte_t *entry)
{
    struct page *table = vm_table_alloc();
    pte_t old = *entry;

    if (!table)
        return -ENOMEM;
    vm_table_lock_new(table, c);
    table->table_next = c->locked;
    c->locked = table;
    struct page *block = leaf_page(old);
    spin_lock(&huge_lock);
    if (block->order == HUGE_ORDER)
        page_dissolve(block);
    spin_unlock(&huge_lock);
    pte_t *leaf = page_to_virt(table);
    for (unsigned int i = 0; i < PT_ENTRIES; i++)
        leaf[i] = old + ((pte_t)i << PTE_PPN_SHIFT);
    table->table_used = table->table_counted = PT_ENTRIES;
    // Both say the same, but no TLB may hold both: break before make. The flush of everything
    // reaches the leaf, which is an upper entry now.
    atomic_store(entry, 0);
    mmu_context_flush(&c->space->context, 0, USER_END);
    atomic_store_release(entry, pte_make(page_address(table), PTE_V));
    atomic_add_relaxed(&c->space->nr_tables, 1);
    c->leaf = NULL;
    return 0;
}

bool vm_cursor_fits_huge(struct vm_cursor *c)
{
    const pte_t *level1 = cursor_level1(c, c->pos);
    return c->level > 0 && (!level1 || level1[pt_index(c->pos, 1)] == 0);
}

int vm_cursor_map_huge(struct vm_cursor *c, struct page *block, unsigned int prot, bool cow)
{
    pte_t *level1 = cursor_make_level1(c, c->pos);
    if (!level1)
        return -ENOMEM;
    ASSERT(block->order == HUGE_ORDER && level1[pt_index(c->pos, 1)] == 0);
    if (prot & VM_EXEC)
        cursor_sync_icache(c);
    table_page(level1)->table_used++;
    atomic_add_relaxed(&c->space->nr_resident, PT_ENTRIES);
    // Release: the content first, as in cursor_map_pte().
    atomic_store_release(&level1[pt_index(c->pos, 1)],
                         pte_make(page_address(block), leaf_bits(prot, cow)));
    return 0;
}

// Tables for all of the range, and no empty ones below them. 0 or -ENOMEM.
static int move_huge_prepare(struct vm_cursor *c, vaddr_t to, size_t size)
{
    for (size_t done = 0; done < size; done += PT_SIZE(1)) {
        cursor_drop_if_empty(c, to + done);
        const pte_t *level1 = cursor_make_level1(c, to + done);
        if (!level1)
            return -ENOMEM;
        ASSERT(level1[pt_index(to + done, 1)] == 0);
    }
    return 0;
}

int vm_cursor_move_huge(struct vm_cursor *c, vaddr_t from, vaddr_t to, size_t size_bytes)
{
    ASSERT((from | to | size_bytes) % PT_SIZE(1) == 0 && c->level > 0);
    int err = move_huge_prepare(c, to, size_bytes);
    for (size_t done = 0; done < size_bytes; done += PT_SIZE(1)) {
        pte_t *src = cursor_level1(c, from + done), *dst = cursor_level1(c, to + done);
        pte_t pte = src ? src[pt_index(from + done, 1)] : 0;
        if (err == 0 && pte_is_huge(pte)) {
            if (pte & PTE_X)
                cursor_sync_icache(c);
            atomic_store(&dst[pt_index(to + done, 1)], pte);
            atomic_store(&src[pt_index(from + done, 1)], 0);
            table_page(dst)->table_used++;
            table_page(src)->table_used--;
            cursor_note_flush(c, from + done, from + done + PT_SIZE(1));
        }
        cursor_drop_if_empty(c, from + done);
        cursor_drop_if_empty(c, to + done);
    }
    return err;
}

void cursor_replace_huge(struct vm_cursor *c, struct page *block, unsigned int prot)
{
    pte_t *entry = &cursor_level1(c, c->pos)[pt_index(c->pos, 1)];
    vaddr_t start = ALIGN_DOWN(c->pos, PT_SIZE(1));
    struct page *old = leaf_page(*entry);

    // Break before make.
    atomic_store(entry, 0);
    mmu_context_flush(&c->space->context, start, start + PT_SIZE(1));
    cursor_free_huge(c, old);
    atomic_store_release(entry, pte_make(page_address(block), leaf_bits(prot, false)));
}

bool vm_cursor_take_huge(struct vm_cursor *c, unsigned int prot)
{
    pte_t *entry = &cursor_level1(c, c->pos)[pt_index(c->pos, 1)];
    struct page *block = leaf_page(*entry);

    spin_lock(&huge_lock);
    bool mine = block->order == HUGE_ORDER && page_has_one_owner(block);
    spin_unlock(&huge_lock);
    if (mine)
        atomic_store_release(entry, pte_make(page_address(block), leaf_bits(prot, false)));
    return mine;
}
