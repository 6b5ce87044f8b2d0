// SPDX-License-Identifier: BSD-2-Clause
// Copying and moving page tables: fork and mremap. Walks the tables in step, one leaf table at a
// time. Both sides of a fork have their cursor; the child runs nowhere yet.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>

#include "vm_space_priv.h"

// A table with fewer entries is copied at once: that costs less than the fault that unshares it.
#define LAZY_ENTRIES_MIN 64

struct clone {
    struct vm_cursor *c, *to;
    enum vm_clone how;
    bool exec; // a page with X was given to the child
};

// [start, end) of one leaf table.
static void clone_entries(struct clone *k, pte_t *src, pte_t *dst, vaddr_t start, vaddr_t end)
{
    unsigned int first = pt_index(start, 0),
                 last = first + (unsigned int)((end - start) >> PAGE_SHIFT);
    unsigned int used = 0, uncounted = 0;
    const bool cow = k->how != VM_CLONE_SHARE;
    const pte_t set = cow ? PTE_COW : 0, clear = cow ? PTE_W : 0;
    pte_t seen = 0, taken = 0;

    for (unsigned int i = first; i < last; i++) {
        pte_t pte = src[i];
        if (pte == 0)
            continue;
        used++;
        if (likely(!(pte & PTE_SOFT))) {
            atomic_add_relaxed(&leaf_page(pte)->refs, 1);
            pte_t shared = (pte | set) & ~clear;
            if (shared != pte)
                src[i] = shared;
            taken |= pte & clear;
            pte = shared;
        } else {
            uncounted++;
        }
        seen |= pte;
        dst[i] = pte;
    }
    if (taken)
        cursor_note_flush(k->c, start, end);
    struct page *table = table_page(dst);
    table->table_used = (uint16_t)(table->table_used + used);
    table->table_counted = (uint16_t)(table->table_counted + used - uncounted);
    atomic_add_relaxed(&k->to->space->nr_resident, used - uncounted);
    k->exec |= (seen & PTE_X) != 0;
}

// 2 MiB pages from `entry` on, n at most; how many.
static unsigned int clone_huge(struct clone *k, pte_t *entry, pte_t *to_entry, vaddr_t va,
                               unsigned int n)
{
    pte_t seen = 0;
    n = huge_clone_run(entry, to_entry, n, &seen);
    if (seen & PTE_W)
        cursor_note_flush(k->c, va, va + n * PT_SIZE(1));
    table_page(to_entry)->table_used = (uint16_t)(table_page(to_entry)->table_used + n);
    atomic_add_relaxed(&k->to->space->nr_resident, (uint64_t)n * PT_ENTRIES);
    k->exec |= (seen & PTE_X) != 0;
    return n;
}

// Entries of level 1 that go over as they are, of [va, end) in one table: how many. 0: the pages of
// the first go one by one.
static unsigned int clone_whole(struct clone *k, pte_t *entry, pte_t *to_entry, vaddr_t va,
                                vaddr_t end)
{
    if (k->how == VM_CLONE_SHARE || *to_entry != 0)
        return 0;
    if (pte_is_huge(*entry))
        return clone_huge(k, entry, to_entry, va, (unsigned int)((end - va) >> PT_SHIFT(1)));
    if (pte_is_table(*entry)) {
        if (k->how != VM_CLONE_LAZY)
            return 0;
        cursor_take(k->c, leaf_page(*entry));
        if (leaf_page(*entry)->table_used < LAZY_ENTRIES_MIN)
            return 0;
    }
    cursor_share_table(k->c, entry, k->to, to_entry);
    k->exec = true; // nobody looked
    return 1;
}

// An entry of the root, of which [start, end) is a part or all and which is no table. True: it went
// over as it is, or there is nothing; false: it is a table now, or *err says why not.
static bool clone_giga(struct clone *k, vaddr_t start, vaddr_t end, int *err)
{
    pte_t *entry = cursor_giga(k->c, start);
    unsigned int top = pt_index(start, 2);
    pte_t *to_entry = &space_root(k->to->space)[top], seen = 0;

    if (likely(!entry))
        return true;
    if (end - start != PT_SIZE(2) || k->how == VM_CLONE_SHARE || *to_entry != 0) {
        *err = cursor_split_huge(k->c, entry, 2);
        return false;
    }
    huge_clone_giga(entry, to_entry, &seen);
    k->to->space->root_used[top / 64] |= BIT(top % 64);
    if (seen & PTE_W)
        cursor_note_flush(k->c, start, end);
    atomic_add_relaxed(&k->to->space->nr_resident, 1UL << GIGA_ORDER);
    k->exec |= (seen & PTE_X) != 0;
    return true;
}

// [start, end) of the entry of level 1, which isn't 0. 0 or -ENOMEM.
static int clone_part(struct clone *k, pte_t *entry, vaddr_t start, vaddr_t end)
{
    int err = pte_is_shared(*entry) ? cursor_unshare(k->c, entry)
              : pte_is_huge(*entry) ? cursor_split_huge(k->c, entry, 1)
                                    : 0;
    pte_t *dst = err == 0 ? cursor_make_leaf(k->to, start) : NULL;
    if (!dst)
        return -ENOMEM;
    clone_entries(k, cursor_leaf_at(k->c, start), dst, start, end);
    return 0;
}

// From the cursor's position, in one level-1 table and below `end`; the entry there isn't 0.
// Advances. 0 or -ENOMEM.
static int clone_some(struct clone *k, pte_t *entry, vaddr_t end)
{
    vaddr_t start = k->c->pos, next = MIN(ALIGN_DOWN(start, PT_SIZE(1)) + PT_SIZE(1), end);

    if (next - start == PT_SIZE(1)) {
        pte_t *to_level1 = cursor_make_level1(k->to, start);
        if (!to_level1)
            return -ENOMEM;
        unsigned int done = clone_whole(k, entry, &to_level1[pt_index(start, 1)], start, end);
        k->c->pos += done * PT_SIZE(1);
        if (done > 0)
            return 0;
    }
    k->c->pos = next;
    return clone_part(k, entry, start, next);
}

int vm_cursor_clone(struct vm_cursor *c, struct vm_cursor *to, size_t size_bytes, enum vm_clone how)
{
    struct clone k = {.c = c, .to = to, .how = how};
    vaddr_t end = c->pos + size_bytes;
    int err = 0;

    ASSERT(end <= c->end && size_bytes % PAGE_SIZE == 0 && c->level == PT_LEVELS - 1);
    while (c->pos < end && err == 0) {
        pte_t *level1 = cursor_level1(c, c->pos);
        if (!level1) {
            vaddr_t next = cursor_next_span(level1, c->pos, end);
            if (clone_giga(&k, c->pos, next, &err))
                c->pos = next;
        } else if (level1[pt_index(c->pos, 1)])
            err = clone_some(&k, &level1[pt_index(c->pos, 1)],
                             MIN(ALIGN_DOWN(c->pos, PT_SIZE(2)) + PT_SIZE(2), end));
        else
            c->pos = cursor_next_span(level1, c->pos, end);
    }
    // The child may first run on a hart that has never fenced for these pages.
    if (k.exec)
        mmu_context_flush_icache(&to->space->context);
    return err;
}

// Leaf tables for [to, to + size) wherever [from, from + size) has some. The tables made stay,
// empty or not, if a later one can't be had: they are found and dropped below.
static int move_prepare(struct vm_cursor *c, vaddr_t from, vaddr_t to, size_t size)
{
    for (size_t done = 0; done < size;) {
        size_t span_left = PT_SIZE(1) - (from + done) % PT_SIZE(1);
        size_t part = MIN(MIN(span_left, PT_SIZE(1) - (to + done) % PT_SIZE(1)), size - done);
        if (cursor_leaf_at(c, from + done) && !cursor_make_leaf(c, to + done))
            return -ENOMEM;
        done += part;
    }
    return 0;
}

static void move_drop_empty(struct vm_cursor *c, vaddr_t start, size_t size)
{
    vaddr_t end = start + size;
    for (vaddr_t va = start; va < end; va = ALIGN_DOWN(va, PT_SIZE(1)) + PT_SIZE(1))
        cursor_drop_if_empty(c, va);
}

// `count` entries of one leaf table, those of the pages from `from` on, to another; the tables'
// sums follow them.
static void move_entries(struct vm_cursor *c, pte_t *src, pte_t *dst, vaddr_t from, size_t count)
{
    struct page *src_table = table_page(src), *dst_table = table_page(dst);
    uint64_t used = 0, soft = 0;
    pte_t seen = 0;

    for (size_t i = 0; i < count; i++) {
        pte_t pte = src[i];
        if (pte == 0)
            continue;
        if (unlikely(pte & PTE_X))
            cursor_sync_icache(c);
        seen |= pte;
        atomic_store(&dst[i], pte);
        atomic_store(&src[i], 0);
        used++;
        soft += pte & PTE_SOFT;
    }
    if (seen & PTE_V)
        cursor_note_flush(c, from, from + count * PAGE_SIZE);
    uint64_t counted = used - soft / PTE_SOFT;
    src_table->table_used = (uint16_t)(src_table->table_used - used);
    dst_table->table_used = (uint16_t)(dst_table->table_used + used);
    src_table->table_counted = (uint16_t)(src_table->table_counted - counted);
    dst_table->table_counted = (uint16_t)(dst_table->table_counted + counted);
}

int vm_cursor_move(struct vm_cursor *c, vaddr_t from, vaddr_t to, size_t size_bytes)
{
    ASSERT(from + size_bytes <= to || to + size_bytes <= from);
    int err = move_prepare(c, from, to, size_bytes);
    for (size_t done = 0, part; err == 0 && done < size_bytes; done += part) {
        vaddr_t src_va = from + done, dst_va = to + done;
        part = MIN(PT_SIZE(1) - src_va % PT_SIZE(1), PT_SIZE(1) - dst_va % PT_SIZE(1));
        part = MIN(part, size_bytes - done);
        pte_t *src = cursor_leaf_at(c, src_va);
        if (src)
            move_entries(c, &src[pt_index(src_va, 0)],
                         &cursor_leaf_at(c, dst_va)[pt_index(dst_va, 0)], src_va,
                         part >> PAGE_SHIFT);
    }
    move_drop_empty(c, from, size_bytes);
    move_drop_empty(c, to, size_bytes);
    return err;
}
