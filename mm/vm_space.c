// SPDX-License-Identifier: BSD-2-Clause
// The page tables of one user address space and the cursor's work on single pages: open, close,
// query, find, map. vm_unmap.c has the work on ranges, vm_clone.c fork and mremap.
//
// Life: vm_space_init makes a root whose upper half is the kernel's; tables below come with the
// first page mapped and go with the last; vm_space_destroy drops everything. A cursor holds
// space->lock from open to close. Nothing is freed before cursor_flush() has returned from the
// flush, and that is the only way to free: so no hart can use a translation to a page that somebody
// else owns.
#include <errno.h>
#include <lib/assert.h>
#include <string.h>

#include "vm_space_priv.h"

static pte_t *table_create(struct vm_space *s)
{
    struct page *p = page_alloc(0, PAGE_ALLOC_ZERO);
    if (!p)
        return NULL;
    s->nr_tables++;
    page_account_tables(1);
    return page_to_virt(p);
}

int vm_space_init(struct vm_space *s)
{
    memset(s, 0, sizeof(*s));
    mutex_init(&s->lock);
    pte_t *root = table_create(s);
    if (!root)
        return -ENOMEM;
    const pte_t *kernel = phys_to_virt(kernel_root());
    memcpy(root + PT_ENTRIES / 2, kernel + PT_ENTRIES / 2, PT_ENTRIES / 2 * sizeof(pte_t));
    mmu_context_init(&s->context, virt_to_phys(root));
    return 0;
}

pte_t *space_add_table(struct vm_space *s, pte_t *entry, pte_t *table)
{
    pte_t *fresh = table_create(s);
    if (!fresh)
        return NULL;
    // Released: a hart that walks to the table finds it empty, not as it was (page walks are
    // ordered by address dependency).
    __atomic_store_n(entry, pte_make(virt_to_phys(fresh), PTE_V), __ATOMIC_RELEASE);
    if (table)
        table_page(table)->private ++;
    return fresh;
}

pte_t *space_find_level1(const struct vm_space *s, vaddr_t va)
{
    pte_t pte = space_root(s)[pt_index(va, 2)];
    return pte ? table_below(pte) : NULL;
}

pte_t *space_find_leaf(const struct vm_space *s, vaddr_t va)
{
    pte_t *level1 = space_find_level1(s, va);
    pte_t pte = level1 ? level1[pt_index(va, 1)] : 0;
    return pte ? table_below(pte) : NULL;
}

pte_t *space_make_leaf(struct vm_space *s, vaddr_t va)
{
    pte_t *entry = &space_root(s)[pt_index(va, 2)];
    pte_t *level1 = *entry ? table_below(*entry) : space_add_table(s, entry, NULL);
    if (!level1)
        return NULL;
    entry = &level1[pt_index(va, 1)];
    return *entry ? table_below(*entry) : space_add_table(s, entry, level1);
}

// Give a table back with the references of whatever it still maps.
static void table_release(struct vm_space *s, struct page *table)
{
    const pte_t *ptes = page_to_virt(table);
    for (unsigned int i = 0; table->private > 0; i++) {
        ASSERT(i < PT_ENTRIES);
        if (ptes[i] == 0)
            continue;
        table->private --;
        if (leaf_is_counted(ptes[i])) {
            s->nr_resident--;
            page_put(leaf_page(ptes[i]));
        }
    }
    s->nr_tables--;
    page_put(table);
}

void vm_space_destroy(struct vm_space *s)
{
    pte_t *root = space_root(s);
    uint64_t nr_tables = s->nr_tables;

    mmu_context_destroy(&s->context);
    for (unsigned int i = 0; i < PT_ENTRIES / 2; i++) {
        if (root[i] == 0)
            continue;
        pte_t *level1 = table_below(root[i]);
        for (unsigned int j = 0; j < PT_ENTRIES; j++)
            if (level1[j])
                table_release(s, table_page(table_below(level1[j])));
        s->nr_tables--;
        page_put(table_page(level1));
    }
    page_put(table_page(root));
    s->nr_tables--;
    ASSERT(s->nr_tables == 0 && s->nr_resident == 0);
    page_account_tables(-(int)nr_tables);
}

void vm_cursor_open(struct vm_cursor *c, struct vm_space *s, vaddr_t start, vaddr_t end)
{
    ASSERT(start <= end && end <= USER_END && (start | end) % PAGE_SIZE == 0);
    c->space = s;
    c->start = c->pos = start;
    c->end = end;
    c->flush_start = USER_END;
    c->flush_end = 0;
    c->icache = false;
    c->leaf = NULL;
    c->nr_free = 0;
    list_init(&c->free_tables);
    mutex_lock(&s->lock);
}

void cursor_flush(struct vm_cursor *c)
{
    if (c->flush_start < c->flush_end)
        mmu_context_flush(&c->space->context, c->flush_start, c->flush_end);
    c->flush_start = USER_END;
    c->flush_end = 0;
    for (unsigned int i = 0; i < c->nr_free; i++)
        page_put(c->free_batch[i]);
    c->nr_free = 0;
    int tables = 0;
    while (!list_is_empty(&c->free_tables)) {
        struct page *table = list_first_entry(&c->free_tables, struct page, list);
        list_remove(&table->list);
        table_release(c->space, table);
        tables++;
    }
    if (tables > 0)
        page_account_tables(-tables);
}

void vm_cursor_close(struct vm_cursor *c)
{
    cursor_flush(c);
    mutex_unlock(&c->space->lock);
}

void vm_cursor_seek(struct vm_cursor *c, vaddr_t pos)
{
    ASSERT(pos >= c->start && pos <= c->end && pos % PAGE_SIZE == 0);
    c->pos = pos;
}

void cursor_free_page(struct vm_cursor *c, struct page *page)
{
    if (c->nr_free == ARRAY_SIZE(c->free_batch))
        cursor_flush(c);
    c->free_batch[c->nr_free++] = page;
}

void cursor_sync_icache(struct vm_cursor *c)
{
    if (c->icache)
        return;
    c->icache = true;
    mmu_context_flush_icache(&c->space->context);
}

static inline pte_t *cursor_leaf(struct vm_cursor *c)
{
    vaddr_t base = ALIGN_DOWN(c->pos, PT_SIZE(1));
    if (!c->leaf || c->leaf_base != base) {
        c->leaf = space_find_leaf(c->space, c->pos);
        c->leaf_base = base;
    }
    return c->leaf;
}

void vm_cursor_query(struct vm_cursor *c, struct vm_mapping *m)
{
    const pte_t *leaf = cursor_leaf(c);
    pte_t pte = leaf ? leaf[pt_index(c->pos, 0)] : 0;
    m->present = pte != 0;
    if (!m->present)
        return;
    m->cow = pte & PTE_COW;
    m->prot = 0;
    if (pte & PTE_V)
        m->prot = (pte & PTE_R ? VM_READ : 0) | (pte & PTE_W ? VM_WRITE : 0) |
                  (pte & PTE_X ? VM_EXEC : 0);
    m->pa = pte_paddr(pte);
    m->page = pte & PTE_SOFT ? NULL : leaf_page(pte);
    m->accessed = pte & PTE_A;
    m->dirty = pte & PTE_D;
}

bool vm_cursor_find(struct vm_cursor *c)
{
    while (c->pos < c->end) {
        vaddr_t next = MIN(ALIGN_DOWN(c->pos, PT_SIZE(1)) + PT_SIZE(1), c->end);
        const pte_t *leaf = cursor_leaf(c);
        if (!leaf && !space_find_level1(c->space, c->pos))
            next = MIN(ALIGN_DOWN(c->pos, PT_SIZE(2)) + PT_SIZE(2), c->end);
        for (; leaf && c->pos < next; c->pos += PAGE_SIZE)
            if (leaf[pt_index(c->pos, 0)])
                return true;
        c->pos = next;
    }
    return false;
}

static int cursor_map_pte(struct vm_cursor *c, pte_t pte)
{
    ASSERT(c->pos < c->end);
    pte_t *leaf = cursor_leaf(c);
    if (!leaf) {
        leaf = c->leaf = space_make_leaf(c->space, c->pos);
        if (!leaf)
            return -ENOMEM;
    }
    if (pte & PTE_X)
        cursor_sync_icache(c);
    pte_t *entry = &leaf[pt_index(c->pos, 0)];
    pte_t old = *entry;
    if (old == 0) {
        table_page(leaf)->private ++;
    } else {
        // Break before make: no hart may use the old page once one sees the new.
        *entry = 0;
        if (leaf_is_counted(old)) {
            c->space->nr_resident--;
            cursor_free_page(c, leaf_page(old));
        }
        if (old & PTE_V)
            mmu_context_flush(&c->space->context, c->pos, c->pos + PAGE_SIZE);
    }
    // Release: the page's content is visible before its translation; the partner is the dependency
    // from the page walk to the access.
    __atomic_store_n(entry, pte, __ATOMIC_RELEASE);
    if (leaf_is_counted(pte))
        c->space->nr_resident++;
    c->pos += PAGE_SIZE;
    return 0;
}

int vm_cursor_map(struct vm_cursor *c, struct page *page, unsigned int prot, bool cow)
{
    return cursor_map_pte(c, pte_make(page_address(page), leaf_bits(prot, cow)));
}

int vm_cursor_map_device(struct vm_cursor *c, paddr_t pa, unsigned int prot, bool cow)
{
    return cursor_map_pte(c, pte_make(pa, leaf_bits(prot, cow) | PTE_SOFT));
}

void vm_space_switch(struct vm_space *s)
{
    mmu_context_switch(s ? &s->context : NULL);
}
