// SPDX-License-Identifier: BSD-2-Clause
// The page tables of one user address space and the cursor's work on single pages: open, close,
// query, find, map. vm_table.c has the tables and their locks, vm_unmap.c the work on ranges,
// vm_clone.c fork and mremap, vm_share.c tables that fork shares, vm_huge.c 2 MiB pages.
//
// Life: vm_space_init makes a root whose upper half is the kernel's; tables below come with the
// first page mapped and go with the last; vm_space_destroy drops everything. Nothing is freed
// before cursor_flush() has returned from the flush, and that is the only way to free: so no hart
// can use a translation to a page that somebody else owns.
//
// Locking: what a table says is changed and read under its lock (descents read links without). A
// cursor holds the covering table's from open to close, and those of the tables below as it comes
// to them, to the close: what it saw and did stays so until harts were flushed.
#include <arch/thread.h>
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <string.h>

#include "vm_space_priv.h"

int vm_space_init(struct vm_space *s)
{
    memset(s, 0, sizeof(*s));
    struct page *root = vm_table_alloc_root();
    if (!root)
        return -ENOMEM;
    s->nr_tables = 1;
    mmu_context_init(&s->context, page_address(root));
    return 0;
}

void table_release(struct page *table)
{
    pte_t *entry = page_to_virt(table);
    for (uint64_t used = table->table_used; used > 0; entry++) {
        pte_t pte = *entry;
        if (pte == 0)
            continue;
        used--;
        *entry = 0;
        if (!(pte & PTE_SOFT))
            page_drop(leaf_page(pte));
    }
    table->table_used = table->table_counted = 0;
}

void table_let_go(struct page *table)
{
    bool gone = table->table_links == 0;
    if (gone)
        table_release(table);
    vm_table_unlock(table);
    if (gone)
        vm_table_put(table);
}

// What a level-1 table has at `entry`: a leaf table of our own, one that is shared, or some of at
// most n huge pages. How many entries these were.
static unsigned int destroy_entries(struct vm_space *s, pte_t *entry, unsigned int n)
{
    pte_t pte = *entry;
    if (pte_is_table(pte)) {
        s->nr_resident -= leaf_page(pte)->table_counted;
        table_release(leaf_page(pte));
        vm_table_free(leaf_page(pte));
        s->nr_tables--;
    } else if (pte_is_huge(pte)) {
        unsigned int dropped = huge_drop_run(entry, n);
        s->nr_resident -= (uint64_t)dropped * PT_ENTRIES;
        return dropped;
    } else {
        space_drop_shared(s, pte);
    }
    *entry = 0;
    return 1;
}

// One entry of the root, with all below it.
static void destroy_level1(struct vm_space *s, pte_t *root_entry)
{
    struct page *table = leaf_page(*root_entry);
    pte_t *entry = table_below(*root_entry);

    if (unlikely(!pte_is_table(*root_entry))) {
        s->nr_resident -= 1UL << GIGA_ORDER;
        huge_drop(table, GIGA_ORDER);
        *root_entry = 0;
        return;
    }
    unsigned int used = table->table_used;
    while (used > 0) {
        unsigned int n = *entry ? destroy_entries(s, entry, used) : 0;
        used -= n;
        entry += MAX(n, 1U);
    }
    table->table_used = 0;
    *root_entry = 0;
    s->nr_tables--;
    vm_table_free(table);
}

void vm_space_destroy(struct vm_space *s)
{
    pte_t *root = space_root(s);

    mmu_context_destroy(&s->context);
    for (unsigned int i = 0; i < ARRAY_SIZE(s->root_used); i++)
        for (uint64_t used = s->root_used[i]; used; used &= used - 1)
            destroy_level1(s, &root[i * 64 + (unsigned int)__builtin_ctzl(used)]);
    vm_table_free_root(table_page(root));
    ASSERT(s->nr_tables == 1 && s->nr_resident == 0);
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
    c->unlinked = false;
    c->empty_level = PT_LEVELS;
    c->locked = NULL;
    c->leaf = NULL;
    c->nr_free = 0;
    c->node = vm_table_lock_covering(s, start, end, c, &c->level);
}

#define FREE_HUGE 1UL
#define FREE_GIGA 2UL

void cursor_flush(struct vm_cursor *c)
{
    if (c->flush_start < c->flush_end)
        mmu_context_flush(&c->space->context, c->flush_start, c->flush_end);
    c->flush_start = USER_END;
    c->flush_end = 0;
    for (unsigned int i = 0; i < c->nr_free; i++) {
        struct page *page = (struct page *)(c->free_batch[i] & ~(FREE_HUGE | FREE_GIGA));
        if (unlikely(c->free_batch[i] & (FREE_HUGE | FREE_GIGA)))
            huge_drop(page, c->free_batch[i] & FREE_HUGE ? HUGE_ORDER : GIGA_ORDER);
        else
            page_drop(page);
    }
    c->nr_free = 0;
}

// Tables that this cursor left empty, but whose upper table it doesn't hold.
static __attribute__((noinline)) void space_drop_empty(struct vm_space *s, vaddr_t va,
                                                       unsigned int level)
{
    vaddr_t start = ALIGN_DOWN(va, PT_SIZE(level + 1));
    struct vm_cursor c;

    vm_cursor_open(&c, s, start, start + PT_SIZE(level + 1));
    cursor_drop_if_empty(&c, start);
    vm_cursor_close(&c);
}

void vm_cursor_close(struct vm_cursor *c)
{
    cursor_flush(c);
    if (unlikely(c->unlinked))
        vm_table_drain();
    for (struct page *next, *table = c->locked; table; table = next) {
        next = table->table_next;
        table_let_go(table);
    }
    vm_table_unlock(c->node);
    if (unlikely(c->empty_level < PT_LEVELS))
        space_drop_empty(c->space, c->start, c->empty_level);
}

void vm_cursor_seek(struct vm_cursor *c, vaddr_t pos)
{
    ASSERT(pos >= c->start && pos <= c->end && pos % PAGE_SIZE == 0);
    c->pos = pos;
}

static inline void cursor_free(struct vm_cursor *c, uintptr_t page)
{
    if (c->nr_free == ARRAY_SIZE(c->free_batch))
        cursor_flush(c);
    c->free_batch[c->nr_free++] = page;
}

void cursor_free_page(struct vm_cursor *c, struct page *page)
{
    cursor_free(c, (uintptr_t)page);
}

void cursor_free_huge(struct vm_cursor *c, struct page *block, unsigned int order)
{
    cursor_free(c, (uintptr_t)block | (order == HUGE_ORDER ? FREE_HUGE : FREE_GIGA));
}

void cursor_sync_icache(struct vm_cursor *c)
{
    if (c->icache)
        return;
    c->icache = true;
    mmu_context_flush_icache(&c->space->context);
}

pte_t *cursor_level1(struct vm_cursor *c, vaddr_t va)
{
    if (c->level == 1)
        return page_to_virt(c->node);
    if (c->level == 0)
        return NULL;
    pte_t pte = space_root(c->space)[pt_index(va, 2)];
    if (!pte_is_table(pte))
        return NULL;
    cursor_take(c, leaf_page(pte));
    return table_below(pte);
}

pte_t *cursor_leaf_at(struct vm_cursor *c, vaddr_t va)
{
    vaddr_t base = ALIGN_DOWN(va, PT_SIZE(1));
    if (c->leaf && c->leaf_base == base)
        return c->leaf;
    c->leaf = NULL;
    c->leaf_base = base;
    if (c->level == 0)
        return c->leaf = page_to_virt(c->node);
    const pte_t *level1 = cursor_level1(c, va);
    pte_t pte = level1 ? level1[pt_index(va, 1)] : 0;
    if (pte_is_table(pte)) {
        cursor_take(c, leaf_page(pte));
        c->leaf = table_below(pte);
    }
    return c->leaf;
}

pte_t *cursor_add_table(struct vm_cursor *c, pte_t *table, unsigned int index)
{
    struct page *p = vm_table_alloc();
    if (!p)
        return NULL;
    vm_table_lock_new(p, c);
    cursor_keep(c, p);
    atomic_add_relaxed(&c->space->nr_tables, 1);
    table_page(table)->table_used++;
    pte_t *fresh = page_to_virt(p);
    // Released: a hart that walks to the table finds it empty, not as it was (page walks are
    // ordered by address dependency), and a descent finds it locked.
    atomic_store_release(&table[index], pte_make(virt_to_phys(fresh), PTE_V));
    return fresh;
}

pte_t *cursor_make_level1(struct vm_cursor *c, vaddr_t va)
{
    unsigned int top = pt_index(va, 2);
    pte_t *level1 = cursor_level1(c, va);
    if (level1)
        return level1;
    ASSERT(space_root(c->space)[top] == 0); // owned by whoever maps
    level1 = cursor_add_table(c, space_root(c->space), top);
    if (level1)
        c->space->root_used[top / 64] |= BIT(top % 64);
    return level1;
}

pte_t *cursor_make_leaf(struct vm_cursor *c, vaddr_t va)
{
    pte_t *leaf = cursor_leaf_at(c, va);
    if (leaf)
        return leaf;
    pte_t *level1 = cursor_make_level1(c, va);
    if (!level1)
        return NULL;
    ASSERT(level1[pt_index(va, 1)] == 0); // owned by whoever maps
    return c->leaf = cursor_add_table(c, level1, pt_index(va, 1));
}

static unsigned int pte_order(pte_t leaf_pte)
{
    return leaf_pte & PTE_N ? NAPOT_ORDER : 0;
}

// The PTE at pos wherever it is: in a leaf table, in one that is shared, or of 2 MiB or 1 GiB.
static pte_t cursor_pte(struct vm_cursor *c, unsigned int *order)
{
    const pte_t *leaf = cursor_leaf_at(c, c->pos);
    *order = leaf ? pte_order(leaf[pt_index(c->pos, 0)]) : 0;
    if (leaf)
        return leaf[pt_index(c->pos, 0)];
    const pte_t *level1 = cursor_level1(c, c->pos);
    if (!level1) {
        const pte_t *giga = cursor_giga(c, c->pos);
        *order = GIGA_ORDER;
        return giga ? *giga : 0;
    }
    pte_t pte = level1[pt_index(c->pos, 1)];
    // Whoever unshares it meanwhile adds PTE_COW to its entries and nothing else.
    if (pte_is_shared(pte)) {
        pte = atomic_load(&table_below(pte)[pt_index(c->pos, 0)]);
        *order = pte_order(pte);
        return pte;
    }
    *order = HUGE_ORDER;
    return pte;
}

void vm_cursor_query(struct vm_cursor *c, struct vm_mapping *m)
{
    pte_t pte = cursor_pte(c, &m->order);
    m->present = pte != 0;
    if (!m->present)
        return;
    m->cow = pte & PTE_COW;
    m->prot = 0;
    if (pte & PTE_V)
        m->prot = (pte & PTE_R ? VM_READ : 0) | (pte & PTE_W ? VM_WRITE : 0) |
                  (pte & PTE_X ? VM_EXEC : 0);
    m->pa = pte_paddr(pte);
    m->page = pte & PTE_SOFT ? NULL : page_of(m->pa);
    m->huge = m->order != 0;
    if (unlikely(m->huge)) {
        size_t size = PAGE_SIZE << m->order;
        m->pa = ALIGN_DOWN(m->pa, size) + c->pos % size;
    }
    m->accessed = pte & PTE_A;
    m->dirty = pte & PTE_D;
}

// Entries of the 2 MiB around pos in whatever table holds them; NULL: nothing, or a huge page.
static const pte_t *cursor_peek_leaf(struct vm_cursor *c, const pte_t *level1, bool *huge)
{
    const pte_t *leaf = cursor_leaf_at(c, c->pos);
    pte_t pte = level1 ? level1[pt_index(c->pos, 1)] : 0;
    *huge = !leaf && (level1 ? pte_is_huge(pte) : cursor_giga(c, c->pos) != NULL);
    return leaf ? leaf : pte_is_shared(pte) ? table_below(pte) : NULL;
}

bool vm_cursor_find(struct vm_cursor *c)
{
    while (c->pos < c->end) {
        bool huge;
        const pte_t *level1 = cursor_level1(c, c->pos), *leaf = cursor_peek_leaf(c, level1, &huge);
        vaddr_t next = c->level == 0 ? c->end : cursor_next_span(level1, c->pos, c->end);
        if (huge)
            return true;
        for (; leaf && c->pos < next; c->pos += PAGE_SIZE)
            if (atomic_load(&leaf[pt_index(c->pos, 0)]))
                return true;
        c->pos = next;
    }
    return false;
}

// leaf_is_counted() without a branch.
static void leaf_residence(const pte_t *entry, uint8_t *vec, size_t nr)
{
    for (uint8_t *end = vec + nr; vec < end; vec++, entry++) {
        pte_t pte = atomic_load(entry);
        *vec = (uint8_t)((pte != 0) & (~pte / PTE_SOFT));
    }
}

void vm_cursor_residence(struct vm_cursor *c, uint8_t *vec)
{
    while (c->pos < c->end) {
        bool huge;
        const pte_t *level1 = cursor_level1(c, c->pos), *leaf = cursor_peek_leaf(c, level1, &huge);
        vaddr_t next = c->level == 0 ? c->end : cursor_next_span(level1, c->pos, c->end);
        size_t nr = (next - c->pos) >> PAGE_SHIFT;
        if (leaf)
            leaf_residence(&leaf[pt_index(c->pos, 0)], vec, nr);
        else
            memset(vec, huge, nr);
        vec += nr;
        c->pos = next;
    }
}

static int cursor_map_pte(struct vm_cursor *c, pte_t pte)
{
    ASSERT(c->pos < c->end);
    pte_t *leaf = cursor_make_leaf(c, c->pos);
    if (!leaf)
        return -ENOMEM;
    if (pte & PTE_X)
        cursor_sync_icache(c);
    pte_t *entry = &leaf[pt_index(c->pos, 0)];
    struct page *table = table_page(leaf);
    pte_t old = *entry;
    int64_t counted = leaf_is_counted(pte) - leaf_is_counted(old);
    if (old == 0) {
        table->table_used++;
    } else {
        // Break before make: no hart may use the old page once one sees the new.
        *entry = 0;
        if (leaf_is_counted(old))
            cursor_free_page(c, leaf_page(old));
        if (old & PTE_V)
            mmu_context_flush(&c->space->context, c->pos, c->pos + PAGE_SIZE);
    }
    // Release: the page's content is visible before its translation; the partner is the dependency
    // from the page walk to the access.
    atomic_store_release(entry, pte);
    if (counted != 0) {
        table->table_counted = (uint16_t)(table->table_counted + counted);
        atomic_add_relaxed(&c->space->nr_resident, (uint64_t)counted);
    }
    c->pos += PAGE_SIZE;
    return 0;
}

int vm_cursor_map(struct vm_cursor *c, struct page *page, unsigned int prot, bool cow)
{
    return cursor_map_pte(c, pte_make(page_address(page), leaf_bits(prot, cow)));
}

void vm_cursor_map_absent(struct vm_cursor *c, struct page *const *pages, unsigned int nr,
                          unsigned int prot, bool cow)
{
    pte_t *leaf = cursor_leaf_at(c, c->pos), *entry = &leaf[pt_index(c->pos, 0)];
    const pte_t bits = leaf_bits(prot, cow);
    unsigned int mapped = 0;

    ASSERT(leaf && pt_index(c->pos, 0) + nr <= PT_ENTRIES && nr * PAGE_SIZE <= c->end - c->pos);
    if (bits & PTE_X)
        cursor_sync_icache(c);
    for (unsigned int i = 0; i < nr; i++) {
        if (!pages[i] || entry[i] != 0)
            continue;
        page_hold(pages[i]);
        // Release: as in cursor_map_pte().
        atomic_store_release(&entry[i], pte_make(page_address(pages[i]), bits));
        mapped++;
    }
    struct page *table = table_page(leaf);
    table->table_used = (uint16_t)(table->table_used + mapped);
    table->table_counted = (uint16_t)(table->table_counted + mapped);
    atomic_add_relaxed(&c->space->nr_resident, mapped);
    c->pos += nr * PAGE_SIZE;
}

int vm_cursor_map_device(struct vm_cursor *c, paddr_t pa, unsigned int prot, bool cow)
{
    return cursor_map_pte(c, pte_make(pa, leaf_bits(prot, cow) | PTE_SOFT));
}

void vm_space_switch(struct vm_space *s)
{
    mmu_context_switch(s ? &s->context : NULL);
}
