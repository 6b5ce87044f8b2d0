// SPDX-License-Identifier: BSD-2-Clause
// Copying and moving page tables: fork and mremap. Walks the tables in step, one leaf table at a
// time. Parent and cursor are locked; the child of a fork runs nowhere yet and belongs to the
// caller.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>

#include "vm_space_priv.h"

struct clone {
    struct vm_cursor *c;
    struct vm_space *child;
    bool cow;
    bool exec; // a page with X was given to the child
};

// [start, end) of one leaf table.
static void clone_entries(struct clone *k, pte_t *src, pte_t *dst, vaddr_t start, vaddr_t end)
{
    unsigned int first = pt_index(start, 0),
                 last = first + (unsigned int)((end - start) >> PAGE_SHIFT);
    unsigned int used = 0, uncounted = 0;
    const pte_t set = k->cow ? PTE_COW : 0, clear = k->cow ? PTE_W : 0;
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
    table_page(dst)->private += used;
    k->child->nr_resident += used - uncounted;
    k->exec |= (seen & PTE_X) != 0;
}

int vm_cursor_clone(struct vm_cursor *c, struct vm_space *child, size_t size_bytes, bool cow)
{
    struct clone k = {.c = c, .child = child, .cow = cow};
    vaddr_t end = c->pos + size_bytes;
    int err = 0;

    ASSERT(end <= c->end && size_bytes % PAGE_SIZE == 0);
    while (c->pos < end && err == 0) {
        pte_t *level1 = space_find_level1(c->space, c->pos);
        size_t span = level1 ? PT_SIZE(1) : PT_SIZE(2);
        vaddr_t next = MIN(ALIGN_DOWN(c->pos, span) + span, end);
        pte_t pte = level1 ? level1[pt_index(c->pos, 1)] : 0;
        if (pte != 0) {
            pte_t *dst = space_make_leaf(child, c->pos);
            if (dst)
                clone_entries(&k, table_below(pte), dst, c->pos, next);
            else
                err = -ENOMEM;
        }
        c->pos = next;
    }
    // The child may first run on a hart that has never fenced for these pages.
    if (k.exec)
        mmu_context_flush_icache(&child->context);
    return err;
}

// Leaf tables for [to, to + size) wherever [from, from + size) has some. The tables made stay,
// empty or not, if a later one can't be had: they are found and dropped below.
static int move_prepare(struct vm_cursor *c, vaddr_t from, vaddr_t to, size_t size)
{
    for (size_t done = 0; done < size;) {
        size_t span_left = PT_SIZE(1) - (from + done) % PT_SIZE(1);
        size_t part = MIN(MIN(span_left, PT_SIZE(1) - (to + done) % PT_SIZE(1)), size - done);
        if (space_find_leaf(c->space, from + done) && !space_make_leaf(c->space, to + done))
            return -ENOMEM;
        done += part;
    }
    return 0;
}

static void move_drop_empty(struct vm_cursor *c, vaddr_t start, size_t size)
{
    vaddr_t end = start + size;
    for (vaddr_t va = start; va < end; va = ALIGN_DOWN(va, PT_SIZE(1)) + PT_SIZE(1)) {
        pte_t *leaf = space_find_leaf(c->space, va);
        if (leaf && table_page(leaf)->private == 0)
            cursor_drop_empty_leaf(c, va);
    }
}

int vm_cursor_move(struct vm_cursor *c, vaddr_t from, vaddr_t to, size_t size_bytes)
{
    ASSERT(from + size_bytes <= to || to + size_bytes <= from);
    int err = move_prepare(c, from, to, size_bytes);
    for (size_t done = 0; err == 0 && done < size_bytes; done += PAGE_SIZE) {
        pte_t *src = space_find_leaf(c->space, from + done);
        if (!src) {
            size_t skip = PT_SIZE(1) - (from + done) % PT_SIZE(1);
            done += skip - PAGE_SIZE;
            continue;
        }
        pte_t *entry = &src[pt_index(from + done, 0)];
        if (*entry == 0)
            continue;
        pte_t *dst = space_find_leaf(c->space, to + done);
        if (*entry & PTE_V)
            cursor_note_flush(c, from + done, from + done + PAGE_SIZE);
        if (*entry & PTE_X)
            cursor_sync_icache(c);
        dst[pt_index(to + done, 0)] = *entry;
        *entry = 0;
        table_page(src)->private --;
        table_page(dst)->private ++;
    }
    c->leaf = NULL;
    move_drop_empty(c, from, size_bytes);
    move_drop_empty(c, to, size_bytes);
    return err;
}
