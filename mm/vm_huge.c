// SPDX-License-Identifier: BSD-2-Clause
// Large pages: one leaf of level 1 (2 MiB) or of the root (1 GiB), or a run of sixteen PTEs with
// Svnapot (64 KiB), over a block of pages.
//
// Of 2 MiB and 1 GiB the block's first page counts the leaves. A leaf whose mapping is to change in
// part is split into a table of 512 smaller ones. If other spaces map the block as a whole still,
// the block itself is dissolved: each of its parts then counts every leaf, and whoever gives such a
// leaf up drops all of them. A block that isn't whole never becomes so again while anybody maps it.
//
// Of 64 KiB every PTE of the run has a reference, to the page that its page number names: the ninth
// of the block, as the low bits 1000 say how long the run is. So most code needn't know of runs.
// They aren't split; what maps them (vm_hugetlb.c) has no borders inside one.
//
// huge_lock guards whether a block of 2 MiB or 1 GiB is whole, and its count while it is. Innermost
// but for the page allocator's.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/spinlock.h>

#include "vm_space_priv.h"

static struct spinlock huge_lock = SPINLOCK_INIT;

// Reference for one more leaf; somebody has one already.
static void block_hold(struct page *block, unsigned int order)
{
    const unsigned int part = order - (PT_SHIFT(1) - PT_SHIFT(0));

    spin_lock(&huge_lock);
    bool whole = block->order == order;
    if (whole)
        page_hold(block);
    spin_unlock(&huge_lock);
    for (unsigned int i = 0; !whole && i < PT_ENTRIES; i++)
        if (part == 0)
            page_hold(&block[i]);
        else
            block_hold(block + ((size_t)i << part), part);
}

static inline void clone_leaf(pte_t *from, pte_t *to, pte_t *seen)
{
    pte_t pte = *from, shared = (pte | PTE_COW) & ~PTE_W;
    *seen |= pte;
    if (shared != pte)
        atomic_store(from, shared);
    atomic_store(to, shared);
}

// Whole blocks go by the run under one lock. One that isn't takes 512 references, without it.
unsigned int huge_clone_run(pte_t *from, pte_t *to, unsigned int n, pte_t *seen)
{
    unsigned int i = 0;

    spin_lock(&huge_lock);
    for (; i < n && pte_is_huge(from[i]) && to[i] == 0; i++) {
        struct page *block = leaf_page(from[i]);
        if (block->order != HUGE_ORDER)
            break;
        page_hold(block);
        clone_leaf(&from[i], &to[i], seen);
    }
    spin_unlock(&huge_lock);
    if (i > 0)
        return i;
    block_hold(leaf_page(from[0]), HUGE_ORDER);
    clone_leaf(&from[0], &to[0], seen);
    return 1;
}

void huge_clone_giga(pte_t *from, pte_t *to, pte_t *seen)
{
    block_hold(leaf_page(*from), GIGA_ORDER);
    clone_leaf(from, to, seen);
}

void huge_drop(struct page *block, unsigned int order)
{
    const unsigned int part = order - (PT_SHIFT(1) - PT_SHIFT(0));

    spin_lock(&huge_lock);
    bool whole = block->order == order;
    uint32_t before = whole ? atomic_fetch_add(&block->refs, -1U) : 0;
    spin_unlock(&huge_lock);
    if (whole) {
        ASSERT(before != 0);
        if (before == 1)
            page_free_last(block);
        return;
    }
    for (unsigned int i = 0; i < PT_ENTRIES; i++)
        if (part == 0)
            page_drop(&block[i]);
        else
            huge_drop(block + ((size_t)i << part), part);
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
    huge_drop(leaf_page(entry[0]), HUGE_ORDER);
    entry[0] = 0;
    return 1;
}

pte_t *cursor_giga(struct vm_cursor *c, vaddr_t va)
{
    if (c->level < PT_LEVELS - 1)
        return NULL;
    pte_t *entry = &space_root(c->space)[pt_index(va, 2)];
    return pte_is_huge(*entry) ? entry : NULL;
}

int cursor_split_huge(struct vm_cursor *c, pte_t *entry, unsigned int level)
{
    const unsigned int part = (level - 1) * (PT_SHIFT(1) - PT_SHIFT(0));
    struct page *table = vm_table_alloc();
    pte_t old = *entry;

    if (!table)
        return -ENOMEM;
    vm_table_lock_new(table, c);
    cursor_keep(c, table);
    struct page *block = leaf_page(old);
    spin_lock(&huge_lock);
    if (block->order == part + PT_SHIFT(1) - PT_SHIFT(0))
        page_dissolve(block, part);
    spin_unlock(&huge_lock);
    pte_t *leaf = page_to_virt(table);
    for (unsigned int i = 0; i < PT_ENTRIES; i++)
        leaf[i] = old + ((pte_t)i << (PTE_PPN_SHIFT + part));
    table->table_used = PT_ENTRIES;
    table->table_counted = level == 1 ? PT_ENTRIES : 0;
    // Both say the same, but no TLB may hold both: break before make. The flush of everything
    // reaches the leaf, which is an upper entry now.
    atomic_store(entry, 0);
    mmu_context_flush(&c->space->context, 0, USER_END);
    atomic_store_release(entry, pte_make(page_address(table), PTE_V));
    atomic_add_relaxed(&c->space->nr_tables, 1);
    c->leaf = NULL;
    return 0;
}

// The PTEs of the 64 KiB around pos; the leaf table is there.
static pte_t *cursor_run(struct vm_cursor *c)
{
    pte_t *leaf = cursor_leaf_at(c, c->pos);
    return leaf ? &leaf[ALIGN_DOWN(pt_index(c->pos, 0), 1U << NAPOT_ORDER)] : NULL;
}

// The entry that maps pos by one leaf of this order.
static pte_t *cursor_huge_entry(struct vm_cursor *c, unsigned int order)
{
    return order == GIGA_ORDER ? &space_root(c->space)[pt_index(c->pos, 2)]
                               : &cursor_level1(c, c->pos)[pt_index(c->pos, 1)];
}

bool vm_cursor_fits_huge(struct vm_cursor *c, unsigned int order)
{
    if (order == NAPOT_ORDER) {
        const pte_t *run = cursor_run(c);
        pte_t used = 0;
        for (unsigned int i = 0; run && i < 1U << NAPOT_ORDER; i++)
            used |= run[i];
        return used == 0;
    }
    if (order == GIGA_ORDER)
        return c->level == PT_LEVELS - 1 && *cursor_huge_entry(c, order) == 0;
    const pte_t *level1 = cursor_level1(c, c->pos);
    if (!level1)
        return c->level > 0 && !cursor_giga(c, c->pos);
    return level1[pt_index(c->pos, 1)] == 0;
}

void vm_cursor_make_room(struct vm_cursor *c, unsigned int order)
{
    const size_t size = PAGE_SIZE << order;
    const vaddr_t start = ALIGN_DOWN(c->pos, size);

    for (size_t at = 0; order >= HUGE_ORDER && at < size; at += PT_SIZE(1))
        cursor_drop_if_empty(c, start + at);
}

// Release: the content first, as in cursor_map_pte().
static void run_set(pte_t *run, const struct page *counts, uint64_t bits)
{
    for (unsigned int i = 0; i < 1U << NAPOT_ORDER; i++)
        atomic_store_release(&run[i], pte_make(page_address(counts), bits | PTE_N));
}

// References for the PTEs of one run; the page that has them.
static struct page *run_hold(struct page *block)
{
    struct page *counts = block + (1U << NAPOT_ORDER) / 2;

    counts->order = block->order;
    counts->flags = block->flags;
    counts->object = NULL;
    counts->refs = 1U << NAPOT_ORDER;
    block->refs = 0;
    return counts;
}

static int cursor_map_run(struct vm_cursor *c, struct page *block, unsigned int prot, bool cow)
{
    pte_t *leaf = cursor_make_leaf(c, c->pos);
    if (!leaf)
        return -ENOMEM;
    if (prot & VM_EXEC)
        cursor_sync_icache(c);
    struct page *table = table_page(leaf);
    run_set(cursor_run(c), run_hold(block), leaf_bits(prot, cow));
    table->table_used = (uint16_t)(table->table_used + (1U << NAPOT_ORDER));
    table->table_counted = (uint16_t)(table->table_counted + (1U << NAPOT_ORDER));
    atomic_add_relaxed(&c->space->nr_resident, 1UL << NAPOT_ORDER);
    return 0;
}

int vm_cursor_map_huge(struct vm_cursor *c, struct page *block, unsigned int prot, bool cow)
{
    const unsigned int order = block->order;

    ASSERT(vm_cursor_fits_huge(c, order));
    if (order == NAPOT_ORDER)
        return cursor_map_run(c, block, prot, cow);
    if (order == HUGE_ORDER && !cursor_make_level1(c, c->pos))
        return -ENOMEM;
    if (prot & VM_EXEC)
        cursor_sync_icache(c);
    pte_t *entry = cursor_huge_entry(c, order);
    if (order == HUGE_ORDER)
        table_page(entry)->table_used++;
    else
        c->space->root_used[pt_index(c->pos, 2) / 64] |= BIT(pt_index(c->pos, 2) % 64);
    atomic_add_relaxed(&c->space->nr_resident, 1UL << order);
    // Release: the content first, as in cursor_map_pte().
    atomic_store_release(entry, pte_make(page_address(block), leaf_bits(prot, cow)));
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

static void cursor_replace_run(struct vm_cursor *c, struct page *block, unsigned int prot)
{
    const vaddr_t start = ALIGN_DOWN(c->pos, PAGE_SIZE << NAPOT_ORDER);
    pte_t *run = cursor_run(c);
    struct page *old = leaf_page(run[0]);

    // Break before make.
    for (unsigned int i = 0; i < 1U << NAPOT_ORDER; i++)
        atomic_store(&run[i], 0);
    mmu_context_flush(&c->space->context, start, start + (PAGE_SIZE << NAPOT_ORDER));
    for (unsigned int i = 0; i < 1U << NAPOT_ORDER; i++)
        cursor_free_page(c, old);
    run_set(run, run_hold(block), leaf_bits(prot, false));
}

void vm_cursor_replace_huge(struct vm_cursor *c, struct page *block, unsigned int prot)
{
    const unsigned int order = block->order;
    const size_t size = PAGE_SIZE << order;

    if (order == NAPOT_ORDER) {
        cursor_replace_run(c, block, prot);
        return;
    }
    pte_t *entry = cursor_huge_entry(c, order);
    vaddr_t start = ALIGN_DOWN(c->pos, size);
    struct page *old = leaf_page(*entry);
    // Break before make.
    atomic_store(entry, 0);
    mmu_context_flush(&c->space->context, start, start + size);
    cursor_free_huge(c, old, order);
    atomic_store_release(entry, pte_make(page_address(block), leaf_bits(prot, false)));
}

// This table's lock is held, so the run's own references stand still.
static bool cursor_take_run(struct vm_cursor *c, pte_t *run, unsigned int prot)
{
    struct page *counts = leaf_page(run[0]);
    bool mine = atomic_load_acquire(&counts->refs) == 1U << NAPOT_ORDER;
    if (mine)
        run_set(run, counts, leaf_bits(prot, false));
    return mine;
}

bool vm_cursor_take_huge(struct vm_cursor *c, unsigned int prot)
{
    pte_t *run = cursor_run(c);
    if (run)
        return cursor_take_run(c, run, prot);
    const unsigned int order = cursor_giga(c, c->pos) ? GIGA_ORDER : HUGE_ORDER;
    pte_t *entry = cursor_huge_entry(c, order);
    struct page *block = leaf_page(*entry);

    spin_lock(&huge_lock);
    bool mine = block->order == order && page_has_one_owner(block);
    spin_unlock(&huge_lock);
    if (mine)
        atomic_store_release(entry, pte_make(page_address(block), leaf_bits(prot, false)));
    return mine;
}

// No hart can write to the pages any more.
static void collapse_copy(const pte_t *leaf, struct page *block)
{
    char *to = phys_to_virt(page_address(block));

    for (unsigned int i = 0; i < PT_ENTRIES; i++, to += PAGE_SIZE)
        if (leaf[i] != 0)
            page_copy(to, phys_to_virt(pte_paddr(leaf[i])));
        else
            page_clear(to);
}

int vm_cursor_collapse(struct vm_cursor *c, unsigned int prot)
{
    const vaddr_t start = c->start;

    ASSERT(c->end - start == PT_SIZE(1) && start % PT_SIZE(1) == 0);
    pte_t *level1 = cursor_level1(c, start), *leaf = cursor_leaf_at(c, start);
    if (!leaf)
        return level1 && level1[pt_index(start, 1)] != 0 ? 0 : -EINVAL;
    struct page *block = page_alloc(HUGE_ORDER, PAGE_ALLOC_USER);
    if (!block)
        return -ENOMEM;
    vm_cursor_seek(c, start);
    vm_cursor_protect(c, PT_SIZE(1), prot & ~(unsigned int)VM_WRITE);
    cursor_flush(c);
    collapse_copy(leaf, block);
    atomic_add_relaxed(&c->space->nr_resident, -(uint64_t)table_page(leaf)->table_counted);
    cursor_unlink_table(c, level1, pt_index(start, 1));
    cursor_flush(c); // break before make; the pages go with the table, at close
    vm_cursor_seek(c, start);
    int err = vm_cursor_map_huge(c, block, prot, false);
    ASSERT(err == 0); // the table above is the cursor's
    return 0;
}
