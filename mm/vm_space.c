// SPDX-License-Identifier: BSD-2-Clause
// The page tables of one user address space and the cursor's work on single pages: open, close,
// query, find, map. vm_unmap.c has the work on ranges, vm_clone.c fork and mremap.
//
// Life: vm_space_init makes a root whose upper half is the kernel's; tables below come with the
// first page mapped and go with the last; vm_space_destroy drops everything. A cursor holds
// space->lock from open to close. Nothing is freed before cursor_flush() has returned from the
// flush, and that is the only way to free: so no hart can use a translation to a page that somebody
// else owns.
#include <arch/thread.h>
#include <errno.h>
#include <lib/assert.h>
#include <string.h>

#include "vm_space_priv.h"

// Tables that are empty again wait here for the next space that needs one: fork and exit take and
// give about ten each time, and clearing them would be most of the work. Roots keep the kernel's
// half. Touched by their own hart only; nothing here runs in interrupts or sleeps on the way.
#define TABLES_KEPT 12
#define ROOTS_KEPT  3

static struct table_stack {
    unsigned int nr_tables, nr_roots;
    struct page *tables[TABLES_KEPT], *roots[ROOTS_KEPT];
} __attribute__((aligned(64))) table_stacks[NR_CPUS_MAX];

static struct page *table_alloc(void)
{
    struct table_stack *stack = &table_stacks[hart_self()->cpu];
    if (stack->nr_tables > 0)
        return stack->tables[--stack->nr_tables];
    struct page *p = page_alloc(0, PAGE_ALLOC_ZERO);
    if (p)
        page_account_tables(1);
    return p;
}

// All entries are 0.
static void table_free(struct page *table)
{
    struct table_stack *stack = &table_stacks[hart_self()->cpu];
    if (stack->nr_tables < TABLES_KEPT) {
        stack->tables[stack->nr_tables++] = table;
        return;
    }
    page_account_tables(-1);
    page_put(table);
}

static struct page *root_alloc(void)
{
    struct table_stack *stack = &table_stacks[hart_self()->cpu];
    if (stack->nr_roots > 0)
        return stack->roots[--stack->nr_roots];
    struct page *p = table_alloc();
    if (p) {
        pte_t *root = page_to_virt(p);
        const pte_t *kernel = phys_to_virt(kernel_root());
        memcpy(root + PT_ENTRIES / 2, kernel + PT_ENTRIES / 2, PT_ENTRIES / 2 * sizeof(pte_t));
    }
    return p;
}

// The lower half is 0.
static void root_free(struct page *p)
{
    struct table_stack *stack = &table_stacks[hart_self()->cpu];
    if (stack->nr_roots < ROOTS_KEPT) {
        stack->roots[stack->nr_roots++] = p;
        return;
    }
    page_account_tables(-1);
    page_put(p);
}

void vm_space_reclaim(void)
{
    struct table_stack *stack = &table_stacks[hart_self()->cpu];
    page_account_tables(-(int)(stack->nr_tables + stack->nr_roots));
    while (stack->nr_tables > 0)
        page_put(stack->tables[--stack->nr_tables]);
    while (stack->nr_roots > 0)
        page_put(stack->roots[--stack->nr_roots]);
}

int vm_space_init(struct vm_space *s)
{
    memset(s, 0, sizeof(*s));
    mutex_init(&s->lock);
    struct page *root = root_alloc();
    if (!root)
        return -ENOMEM;
    s->nr_tables = 1;
    mmu_context_init(&s->context, page_address(root));
    return 0;
}

pte_t *space_add_table(struct vm_space *s, pte_t *entry, pte_t *table)
{
    struct page *p = table_alloc();
    if (!p)
        return NULL;
    s->nr_tables++;
    pte_t *fresh = page_to_virt(p);
    // Released: a hart that walks to the table finds it empty, not as it was (page walks are
    // ordered by address dependency).
    __atomic_store_n(entry, pte_make(virt_to_phys(fresh), PTE_V), __ATOMIC_RELEASE);
    if (table)
        table_page(table)->private ++;
    return fresh;
}

pte_t *space_make_leaf(struct vm_space *s, vaddr_t va)
{
    unsigned int top = pt_index(va, 2);
    pte_t *entry = &space_root(s)[top];
    pte_t *level1 = *entry ? table_below(*entry) : space_add_table(s, entry, NULL);
    if (!level1)
        return NULL;
    s->root_used[top / 64] |= BIT(top % 64);
    entry = &level1[pt_index(va, 1)];
    return *entry ? table_below(*entry) : space_add_table(s, entry, level1);
}

// Give a table back with the references of whatever it still maps.
static void table_release(struct vm_space *s, struct page *table)
{
    pte_t *entry = page_to_virt(table);
    uint64_t used = table->private, counted = 0;
    for (; used > 0; entry++) {
        pte_t pte = *entry;
        if (pte == 0)
            continue;
        used--;
        *entry = 0;
        if (!(pte & PTE_SOFT)) {
            counted++;
            page_drop(leaf_page(pte));
        }
    }
    table->private = 0;
    s->nr_resident -= counted;
    s->nr_tables--;
    table_free(table);
}

// One entry of the root, with all below it.
static void destroy_level1(struct vm_space *s, pte_t *root_entry)
{
    struct page *table = leaf_page(*root_entry);
    pte_t *entry = table_below(*root_entry);
    for (; table->private > 0; entry++)
        if (*entry) {
            table_release(s, leaf_page(*entry));
            *entry = 0;
            table->private --;
        }
    *root_entry = 0;
    s->nr_tables--;
    table_free(table);
}

void vm_space_destroy(struct vm_space *s)
{
    pte_t *root = space_root(s);

    mmu_context_destroy(&s->context);
    for (unsigned int i = 0; i < ARRAY_SIZE(s->root_used); i++)
        for (uint64_t used = s->root_used[i]; used; used &= used - 1)
            destroy_level1(s, &root[i * 64 + (unsigned int)__builtin_ctzl(used)]);
    root_free(table_page(root));
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
        page_drop(c->free_batch[i]);
    c->nr_free = 0;
    while (!list_is_empty(&c->free_tables)) {
        struct page *table = list_first_entry(&c->free_tables, struct page, list);
        list_remove(&table->list);
        table_release(c->space, table);
    }
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
