// SPDX-License-Identifier: BSD-2-Clause
// The pool of 2 MiB pages for MAP_HUGETLB: as many as /proc/sys/vm/nr_hugepages asked for and were
// to be had. A block that the pool lends out is marked PAGE_HUGETLB; it comes back when its last
// reference goes, unless the pool has become smaller. mmap takes the pages of a private mapping at
// once, so that it fails and not a later access; to objects (vm_hugetlb_object.c) free pages are
// promised, which nobody else gets. Only what was given back (madvise), copied after fork or mapped
// with MAP_NORESERVE is taken unpromised by faults.
//
// hugetlb_lock guards everything; below it is the page allocator's alone.
#include <errno.h>
#include <lib/assert.h>
#include <lib/list.h>
#include <sync/spinlock.h>

#include "vm_hugetlb_priv.h"
#include "vm_space_priv.h"

static struct spinlock hugetlb_lock = SPINLOCK_INIT;
static struct list_node hugetlb_free = LIST_INIT(hugetlb_free);
static struct vm_hugetlb_stats pool;
static uint64_t wanted;

static struct page *take_locked(bool promised)
{
    if (!promised && pool.nr_free == pool.nr_promised)
        return NULL;
    ASSERT(pool.nr_promised <= pool.nr_free && (!promised || pool.nr_promised > 0));
    pool.nr_promised -= promised;
    struct page *block = list_first_entry(&hugetlb_free, struct page, list);
    list_remove(&block->list);
    block->refs = 1;
    pool.nr_free--;
    return block;
}

// True: the pool keeps it; in any case if it stays promised.
static bool give_locked(struct page *block, bool promised)
{
    pool.nr_promised += promised;
    if (!promised && pool.nr_total > wanted) {
        pool.nr_total--;
        return false;
    }
    list_add_head(&hugetlb_free, &block->list);
    pool.nr_free++;
    return true;
}

bool vm_hugetlb_give(struct page *block)
{
    block->flags = 0;
    spin_lock(&hugetlb_lock);
    bool kept = give_locked(block, false);
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
    give_locked(block, true);
    spin_unlock(&hugetlb_lock);
}

int vm_hugetlb_promise(uint64_t nr)
{
    spin_lock(&hugetlb_lock);
    bool enough = pool.nr_free - pool.nr_promised >= nr;
    if (enough)
        pool.nr_promised += nr;
    spin_unlock(&hugetlb_lock);
    return enough ? 0 : -ENOMEM;
}

static bool pool_grow(void)
{
    struct page *block = page_alloc(HUGE_ORDER, PAGE_ALLOC_USER);
    if (!block)
        return false;
    spin_lock(&hugetlb_lock);
    pool.nr_total++;
    bool kept = give_locked(block, false);
    spin_unlock(&hugetlb_lock);
    if (!kept)
        page_put(block);
    return kept;
}

static bool pool_shrink(void)
{
    spin_lock(&hugetlb_lock);
    struct page *block = pool.nr_total > wanted ? take_locked(false) : NULL;
    if (block)
        pool.nr_total--;
    spin_unlock(&hugetlb_lock);
    if (block)
        page_put(block);
    return block != NULL;
}

void vm_hugetlb_unpromise(uint64_t nr)
{
    spin_lock(&hugetlb_lock);
    ASSERT(pool.nr_promised >= nr);
    pool.nr_promised -= nr;
    spin_unlock(&hugetlb_lock);
    while (pool_shrink())
        ;
}

void vm_hugetlb_set(uint64_t nr_pages)
{
    struct vm_hugetlb_stats now;

    spin_lock(&hugetlb_lock);
    wanted = nr_pages;
    spin_unlock(&hugetlb_lock);
    while (pool_shrink())
        ;
    do
        vm_hugetlb_stats(&now);
    while (now.nr_total < nr_pages && pool_grow());
    // What can't be had isn't waited for.
    spin_lock(&hugetlb_lock);
    wanted = MIN(wanted, pool.nr_total);
    spin_unlock(&hugetlb_lock);
}

void vm_hugetlb_stats(struct vm_hugetlb_stats *stats)
{
    spin_lock(&hugetlb_lock);
    *stats = pool;
    spin_unlock(&hugetlb_lock);
}

struct page *vm_hugetlb_take(bool promised)
{
    spin_lock(&hugetlb_lock);
    struct page *block = take_locked(promised);
    spin_unlock(&hugetlb_lock);
    if (!block)
        return NULL;
    ASSERT(block->order == HUGE_ORDER);
    block->flags = PAGE_HUGETLB;
    block->object = NULL;
    return block;
}

void vm_hugetlb_clear(struct page *block)
{
    char *linear = phys_to_virt(page_address(block));
    for (size_t at = 0; at < PT_SIZE(1); at += PAGE_SIZE)
        page_clear(linear + at);
}

void vm_hugetlb_copy_content(struct page *block, const struct page *from)
{
    for (size_t at = 0; at < PT_SIZE(1); at += PAGE_SIZE)
        page_copy((char *)phys_to_virt(page_address(block)) + at,
                  (const char *)phys_to_virt(page_address(from)) + at);
}

static int map_one(struct vm_map *m, vaddr_t va, unsigned int prot)
{
    struct vm_cursor c;
    struct page *block = vm_hugetlb_take(false);
    if (!block)
        return -ENOMEM;
    vm_hugetlb_clear(block);
    vm_cursor_open(&c, &m->space, va, va + PT_SIZE(1));
    int err = vm_cursor_fits_huge(&c) ? vm_cursor_map_huge(&c, block, prot, false) : -ENOMEM;
    vm_cursor_close(&c);
    if (err != 0)
        page_put(block);
    return err;
}

int vm_hugetlb_populate(struct vm_map *m, vaddr_t start, vaddr_t end, unsigned int prot)
{
    struct vm_hugetlb_stats now;

    vm_hugetlb_stats(&now);
    if (now.nr_free - now.nr_promised < (end - start) >> PT_SHIFT(1))
        return -ENOMEM;
    int err = 0;
    for (vaddr_t va = start; va < end && err == 0; va += PT_SIZE(1))
        err = map_one(m, va, prot);
    return err;
}

int vm_hugetlb_copy(struct vm_cursor *c, const struct page *from, unsigned int prot)
{
    struct page *block = vm_hugetlb_take(false);
    if (!block)
        return -EFAULT;
    vm_hugetlb_copy_content(block, from);
    cursor_replace_huge(c, block, prot);
    return 0;
}
