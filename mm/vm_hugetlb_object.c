// SPDX-License-Identifier: BSD-2-Clause
// Objects of 2 MiB pages: shared memory with MAP_HUGETLB or SHM_HUGETLB. A block stands in the
// object's tree at the index of its first 4 KiB and counts as one page, whose references its first
// frame keeps. Each mapping of it is one entry of level 1, never a part.
//
// o->lock guards everything, o->nr_promised included: blocks that the pool keeps for the object.
#include <errno.h>
#include <lib/assert.h>
#include <string.h>

#include "page_priv.h"
#include "radix_priv.h"
#include "vm_hugetlb_priv.h"
#include "vm_object_priv.h"

void vm_object_make_huge(struct vm_object *o)
{
    ASSERT(o->size_bytes % PT_SIZE(1) == 0);
    o->huge = true;
}

static int count_block(void *ctx, uint64_t index, struct page *block)
{
    *(uint64_t *)ctx += 1;
    return 0;
}

int vm_object_promise(struct vm_object *o, uint64_t end_bytes)
{
    uint64_t there = 0, wanted = DIV_ROUND_UP(end_bytes, PT_SIZE(1));
    int err = 0;

    mutex_lock(&o->lock);
    radix_for_each(o, 0, wanted * HUGE_PAGES, count_block, &there);
    if (wanted - there > o->nr_promised)
        err = vm_hugetlb_promise(wanted - there - o->nr_promised);
    if (err == 0)
        o->nr_promised = MAX(o->nr_promised, wanted - there);
    mutex_unlock(&o->lock);
    return err;
}

static int add_block(struct vm_object *o, uint64_t index, struct page **block)
{
    bool promised = o->nr_promised > 0;
    struct page *b = vm_hugetlb_take(HUGE_ORDER, promised);
    if (!b)
        return -EFAULT;
    int err = radix_put(o, index, b);
    if (err != 0) {
        vm_hugetlb_give_back(b, promised);
        return err;
    }
    vm_hugetlb_fill(b, NULL);
    o->nr_promised -= promised;
    o->nr_pages += HUGE_PAGES;
    b->object = o;
    b->index = index;
    *block = b;
    return 0;
}

int vm_hugetlb_object_page(struct vm_object *o, uint64_t index, bool create, struct page **block)
{
    mutex_assert_held(&o->lock);
    index = ALIGN_DOWN(index, HUGE_PAGES);
    *block = radix_get(o, index);
    int err = *block ? 0 : create ? add_block(o, index, block) : -ENOENT;
    if (err == 0)
        page_get(*block);
    return err;
}

static void clear_part(struct vm_object *o, uint64_t offset, uint64_t end)
{
    const struct page *block = radix_get(o, ALIGN_DOWN(offset >> PAGE_SHIFT, HUGE_PAGES));
    if (block && offset < end)
        memset((char *)phys_to_virt(page_address(block)) + offset % PT_SIZE(1), 0, end - offset);
}

void vm_hugetlb_object_drop(struct vm_object *o, uint64_t offset, uint64_t end,
                            void (*drop)(void *ctx, struct page *block))
{
    uint64_t inner = ALIGN_UP(offset, PT_SIZE(1)), inner_end = ALIGN_DOWN(end, PT_SIZE(1));

    mutex_assert_held(&o->lock);
    clear_part(o, offset, MIN(inner, end));
    if (inner_end >= inner)
        clear_part(o, inner_end, end);
    if (inner < inner_end) {
        vm_object_unmap_locked(o, inner >> PAGE_SHIFT, inner_end >> PAGE_SHIFT);
        radix_remove(o, inner >> PAGE_SHIFT, inner_end >> PAGE_SHIFT, drop, o);
    }
}

void vm_hugetlb_object_trim(struct vm_object *o)
{
    uint64_t wanted = o->size_bytes >> PT_SHIFT(1), there = 0;

    mutex_assert_held(&o->lock);
    radix_for_each(o, 0, wanted * HUGE_PAGES, count_block, &there);
    if (o->nr_promised <= wanted - there)
        return;
    vm_hugetlb_unpromise(o->nr_promised - (wanted - there));
    o->nr_promised = wanted - there;
}
