// SPDX-License-Identifier: BSD-2-Clause
// The pools of huge pages for MAP_HUGETLB: of 2 MiB, of 1 GiB, and of 64 KiB where the harts have
// Svnapot. Each has as many as nr_hugepages of /sys/kernel/mm/hugepages (and, of 2 MiB,
// /proc/sys/vm) asked for and were to be had. A block that a pool lends out is marked PAGE_HUGETLB;
// it comes back when its last reference goes, unless the pool has become smaller. mmap takes the
// pages of a private mapping at once, so that it fails and not a later access; to objects, which
// are of 2 MiB pages (vm_hugetlb_object.c), free pages are promised, which nobody else gets. Only
// what was given back (madvise), copied after fork or mapped with MAP_NORESERVE is taken unpromised
// by faults.
//
// hugetlb_lock guards everything; below it is the page allocator's alone.
#include <arch/cpu.h>
#include <errno.h>
#include <lib/assert.h>
#include <lib/list.h>
#include <sync/port.h>
#include <sync/spinlock.h>

#include "page_priv.h"
#include "vm_hugetlb_priv.h"

struct pool {
    struct list_node free; // not empty only after the first page came
    struct vm_hugetlb_stats now;
    uint64_t wanted;
};

static struct spinlock hugetlb_lock = SPINLOCK_INIT;
static struct pool pool_64k = {.free = LIST_INIT(pool_64k.free)};
static struct pool pool_2m = {.free = LIST_INIT(pool_2m.free)};
static struct pool pool_1g = {.free = LIST_INIT(pool_1g.free)};

static struct pool *pool_of(unsigned int order)
{
    return order == NAPOT_ORDER ? &pool_64k : order == HUGE_ORDER ? &pool_2m : &pool_1g;
}

bool vm_hugetlb_exists(unsigned int order)
{
    return order == HUGE_ORDER || order == GIGA_ORDER ||
           (order == NAPOT_ORDER && cpu_features()->svnapot);
}

static struct page *take_locked(struct pool *pool, bool promised)
{
    struct vm_hugetlb_stats *now = &pool->now;
    if (!promised && now->nr_free == now->nr_promised)
        return NULL;
    ASSERT(now->nr_promised <= now->nr_free && (!promised || now->nr_promised > 0));
    now->nr_promised -= promised;
    struct page *block = list_first_entry(&pool->free, struct page, list);
    list_remove(&block->list);
    block->refs = 1;
    pool->now.nr_free--;
    return block;
}

// True: the pool keeps it; in any case if it stays promised.
static bool give_locked(struct pool *pool, struct page *block, bool promised)
{
    pool->now.nr_promised += promised;
    if (!promised && pool->now.nr_total > pool->wanted) {
        pool->now.nr_total--;
        return false;
    }
    list_add_head(&pool->free, &block->list);
    pool->now.nr_free++;
    return true;
}

bool vm_hugetlb_give(struct page *block)
{
    block->flags = 0;
    spin_lock(&hugetlb_lock);
    bool kept = give_locked(pool_of(block->order), block, false);
    spin_unlock(&hugetlb_lock);
    return kept;
}

void vm_hugetlb_give_back(struct page *block, bool promised)
{
    if (!promised) {
        page_put(block);
        return;
    }
    block->flags = 0;
    block->refs = 0;
    spin_lock(&hugetlb_lock);
    give_locked(pool_of(block->order), block, true);
    spin_unlock(&hugetlb_lock);
}

int vm_hugetlb_promise(uint64_t nr)
{
    spin_lock(&hugetlb_lock);
    bool enough = pool_2m.now.nr_free - pool_2m.now.nr_promised >= nr;
    if (enough)
        pool_2m.now.nr_promised += nr;
    spin_unlock(&hugetlb_lock);
    return enough ? 0 : -ENOMEM;
}

static bool pool_grow(struct pool *pool, unsigned int order)
{
    struct page *block = page_alloc(order, PAGE_ALLOC_USER);
    if (!block)
        return false;
    spin_lock(&hugetlb_lock);
    pool->now.nr_total++;
    bool kept = give_locked(pool, block, false);
    spin_unlock(&hugetlb_lock);
    if (!kept)
        page_put(block);
    return kept;
}

static bool pool_shrink(struct pool *pool)
{
    spin_lock(&hugetlb_lock);
    struct page *block = pool->now.nr_total > pool->wanted ? take_locked(pool, false) : NULL;
    if (block)
        pool->now.nr_total--;
    spin_unlock(&hugetlb_lock);
    if (block)
        page_put(block);
    return block != NULL;
}

void vm_hugetlb_unpromise(uint64_t nr)
{
    spin_lock(&hugetlb_lock);
    ASSERT(pool_2m.now.nr_promised >= nr);
    pool_2m.now.nr_promised -= nr;
    spin_unlock(&hugetlb_lock);
    while (pool_shrink(&pool_2m))
        ;
}

void vm_hugetlb_set(unsigned int order, uint64_t nr_pages)
{
    struct pool *pool = pool_of(order);
    struct vm_hugetlb_stats now;

    spin_lock(&hugetlb_lock);
    pool->wanted = nr_pages;
    spin_unlock(&hugetlb_lock);
    while (pool_shrink(pool))
        ;
    do
        vm_hugetlb_stats(order, &now);
    while (now.nr_total < nr_pages && pool_grow(pool, order) && port_relax(PARK_KILLABLE) == 0);
    // What can't be had isn't waited for.
    spin_lock(&hugetlb_lock);
    pool->wanted = MIN(pool->wanted, pool->now.nr_total);
    spin_unlock(&hugetlb_lock);
}

void vm_hugetlb_stats(unsigned int order, struct vm_hugetlb_stats *stats)
{
    spin_lock(&hugetlb_lock);
    *stats = pool_of(order)->now;
    spin_unlock(&hugetlb_lock);
}

struct page *vm_hugetlb_take(unsigned int order, bool promised)
{
    spin_lock(&hugetlb_lock);
    struct page *block = take_locked(pool_of(order), promised);
    spin_unlock(&hugetlb_lock);
    if (!block)
        return NULL;
    ASSERT(block->order == order);
    block->flags = PAGE_HUGETLB;
    block->object = NULL;
    return block;
}

// Of 1 GiB it takes long: others may run in between.
void vm_hugetlb_fill(struct page *block, const char *from)
{
    const size_t size = PAGE_SIZE << block->order;
    char *linear = phys_to_virt(page_address(block));

    for (size_t at = 0; at < size; at += PAGE_SIZE) {
        if (from)
            page_copy(linear + at, from + at);
        else
            page_clear(linear + at);
        if (at % PT_SIZE(1) == 0)
            port_relax(PARK_UNINTERRUPTIBLE);
    }
}

int vm_hugetlb_map_new(struct vm_cursor *c, unsigned int order, unsigned int prot)
{
    vm_cursor_make_room(c, order);
    if (!vm_cursor_fits_huge(c, order))
        return 0; // somebody was here first
    struct page *block = vm_hugetlb_take(order, false);
    if (!block)
        return -EFAULT;
    vm_hugetlb_fill(block, NULL);
    int err = vm_cursor_map_huge(c, block, prot, false);
    if (err != 0)
        page_put(block);
    return err;
}

int vm_hugetlb_populate(struct vm_map *m, vaddr_t start, vaddr_t end, unsigned int flags)
{
    const unsigned int order = vm_hugetlb_order(flags);
    struct vm_hugetlb_stats now;
    struct vm_cursor c;
    int err = 0;

    vm_hugetlb_stats(order, &now);
    if (now.nr_free - now.nr_promised < (end - start) >> (PAGE_SHIFT + order))
        return -ENOMEM;
    for (vaddr_t va = start; va < end && err == 0; va += PAGE_SIZE << order) {
        vm_cursor_open(&c, &m->space, va, va + (PAGE_SIZE << order));
        err = vm_hugetlb_map_new(&c, order, flags & VM_PROT_MASK);
        vm_cursor_close(&c);
    }
    return err == -EFAULT ? -ENOMEM : err;
}

int vm_hugetlb_copy(struct vm_cursor *c, const struct vm_mapping *from, unsigned int prot)
{
    struct page *block = vm_hugetlb_take(from->order, false);
    if (!block)
        return -EFAULT;
    vm_hugetlb_fill(block, phys_to_virt(ALIGN_DOWN(from->pa, PAGE_SIZE << from->order)));
    vm_cursor_replace_huge(c, block, prot);
    return 0;
}
