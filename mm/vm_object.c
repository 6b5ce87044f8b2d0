// SPDX-License-Identifier: BSD-2-Clause
// Objects: pages by index, filled on demand, written back, dropped by truncate. See vm_object.h for
// the life of an object.
//
// Locking: o->lock guards tree, size and the list of mappings, and is held while a fault puts a
// page of the object into a page table; so truncate, which holds it too, sees either no page there
// or a PTE that it can find through the mapping. fill and write_back run with it held
// (vm_object_run.c). It isn't held while user memory is touched (vm_object_io.c): that may fault on
// the same object.
#include <errno.h>
#include <lib/assert.h>
#include <mm/slab.h>
#include <mm/vm_map.h>
#include <string.h>

#include "page_priv.h"
#include "radix_priv.h"
#include "vm_hugetlb_priv.h"
#include "vm_map_priv.h"
#include "vm_object_priv.h"

void vm_object_init(struct vm_object *o, const struct vm_object_ops *ops, uint64_t size_bytes)
{
    memset(o, 0, sizeof(*o));
    refcount_init(&o->refs);
    o->ops = ops;
    mutex_init(&o->lock);
    o->size_bytes = size_bytes;
    list_init(&o->mappings);
}

static void shared_release(struct vm_object *o)
{
    kfree(o);
}

static const struct vm_object_ops shared_ops = {.release = shared_release};

struct vm_object *vm_object_create_shared(uint64_t size_bytes)
{
    struct vm_object *o = kmalloc(sizeof(*o));
    if (o)
        vm_object_init(o, &shared_ops, size_bytes);
    return o;
}

void vm_object_get(struct vm_object *o)
{
    refcount_get(&o->refs);
}

static bool commits_pages(const struct vm_object *o)
{
    return vm_object_is_memory(o) && o->nr_committed == 0;
}

int vm_object_commit(struct vm_object *o)
{
    uint64_t pages = DIV_ROUND_UP(o->size_bytes, PAGE_SIZE);
    ASSERT(o->nr_pages == 0 && vm_object_is_memory(o));
    if (!vm_map_may_commit(VM_WRITE, pages))
        return -ENOMEM;
    o->nr_committed = pages;
    vm_commit(VM_WRITE, (int64_t)pages);
    return 0;
}

// The object gives up its reference; PTEs may still hold theirs.
static void drop_page(void *ctx, struct page *page)
{
    struct vm_object *o = ctx;
    page->object = NULL;
    if (commits_pages(o))
        vm_commit(VM_WRITE, -1);
    if (unlikely(o->huge)) {
        o->nr_pages -= HUGE_PAGES;
    } else {
        o->nr_pages--;
        page_account_cached(-1);
    }
    page_put(page);
}

void vm_object_put(struct vm_object *o)
{
    if (!o || !refcount_put(&o->refs))
        return;
    ASSERT(list_is_empty(&o->mappings));
    radix_remove(o, 0, UINT64_MAX, drop_page, o);
    if (o->nr_promised > 0)
        vm_hugetlb_unpromise(o->nr_promised);
    vm_commit(VM_WRITE, -(int64_t)o->nr_committed);
    o->ops->release(o);
}

int vm_object_insert_locked(struct vm_object *o, uint64_t index, struct page *page)
{
    int err = radix_put(o, index, page);
    if (err != 0)
        return err;
    page->object = o;
    page->index = index;
    o->nr_pages++;
    page_account_cached(1);
    return 0;
}

// A page of zeros.
static int object_add_page(struct vm_object *o, uint64_t index, struct page **page)
{
    if (commits_pages(o) && !vm_map_may_commit(VM_WRITE, 1))
        return -ENOMEM;
    struct page *p = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER);
    if (!p)
        return -ENOMEM;
    int err = vm_object_insert_locked(o, index, p);
    if (err != 0) {
        page_put(p);
        return err;
    }
    if (commits_pages(o))
        vm_commit(VM_WRITE, 1);
    page_get(p);
    *page = p;
    return 0;
}

int vm_object_page_locked(struct vm_object *o, uint64_t index, bool create, struct page **page)
{
    mutex_assert_held(&o->lock);
    if (unlikely(o->huge))
        return vm_hugetlb_object_page(o, index, create, page);
    struct page *p = radix_get(o, index);
    if (p) {
        page_get(p);
        *page = p;
        return 0;
    }
    if (!create)
        return -ENOENT;
    return o->ops->fill ? vm_object_fill_run(o, index, 1, true, page)
                        : object_add_page(o, index, page);
}

int vm_object_page(struct vm_object *o, uint64_t index, bool create, struct page **page)
{
    mutex_lock(&o->lock);
    int err = vm_object_page_locked(o, index, create, page);
    mutex_unlock(&o->lock);
    return err;
}

// Where pages [first, end) of the object appear in region `r`; false: nowhere.
static bool region_overlap(const struct vm_region *r, uint64_t first, uint64_t end, vaddr_t *from,
                           vaddr_t *to)
{
    uint64_t region_first = r->offset >> PAGE_SHIFT;
    uint64_t region_end = region_first + ((r->end - r->start) >> PAGE_SHIFT);
    first = MAX(first, region_first);
    end = MIN(end, region_end);
    if (first >= end)
        return false;
    *from = r->start + ((first - region_first) << PAGE_SHIFT);
    *to = r->start + ((end - region_first) << PAGE_SHIFT);
    return true;
}

void vm_object_unmap_locked(struct vm_object *o, uint64_t first, uint64_t end)
{
    struct vm_region *r;
    struct vm_cursor c;
    vaddr_t from, to;

    mutex_assert_held(&o->lock);
    list_for_each_entry (r, &o->mappings, object_node) {
        if (!region_overlap(r, first, end, &from, &to))
            continue;
        vm_cursor_open(&c, &r->map->space, from, to);
        vm_cursor_unmap(&c, to - from);
        vm_cursor_close(&c);
    }
}

void vm_object_write_protect_locked(struct vm_object *o)
{
    struct vm_region *r;
    struct vm_cursor c;

    mutex_assert_held(&o->lock);
    list_for_each_entry (r, &o->mappings, object_node) {
        if (!(r->flags & VM_SHARED) || !(r->flags & VM_WRITE))
            continue;
        vm_cursor_open(&c, &r->map->space, r->start, r->end);
        vm_cursor_protect(&c, r->end - r->start, vm_rights_until_written(r->flags & VM_PROT_MASK));
        vm_cursor_close(&c);
    }
}

bool vm_object_is_shared_writable(struct vm_object *o)
{
    const struct vm_region *r;
    bool found = false;

    mutex_lock(&o->lock);
    list_for_each_entry (r, &o->mappings, object_node)
        found = found || ((r->flags & VM_SHARED) && (r->flags & VM_MAYWRITE));
    mutex_unlock(&o->lock);
    return found;
}

void vm_object_drop(struct vm_object *o, uint64_t first, uint64_t end)
{
    mutex_lock(&o->lock);
    if (o->huge) {
        vm_hugetlb_object_drop(o, first << PAGE_SHIFT, end << PAGE_SHIFT, drop_page);
    } else {
        vm_object_unmap_locked(o, first, end);
        radix_remove(o, first, end, drop_page, o);
    }
    mutex_unlock(&o->lock);
}

void vm_object_punch_huge(struct vm_object *o, uint64_t offset, uint64_t end)
{
    mutex_lock(&o->lock);
    vm_hugetlb_object_drop(o, offset, end, drop_page);
    mutex_unlock(&o->lock);
}

void vm_object_resize(struct vm_object *o, uint64_t size_bytes)
{
    mutex_lock(&o->lock);
    uint64_t old_end = vm_object_end_index(o);
    bool shrinks = size_bytes < o->size_bytes;
    o->size_bytes = size_bytes;
    if (shrinks) {
        uint64_t end = vm_object_end_index(o), tail = size_bytes % PAGE_SIZE;
        if (end < old_end)
            vm_object_unmap_locked(o, end, UINT64_MAX);
        radix_remove(o, end, UINT64_MAX, drop_page, o);
        if (unlikely(o->huge))
            vm_hugetlb_object_trim(o);
        struct page *last = tail ? radix_get(o, end - 1) : NULL;
        if (last)
            memset((char *)page_to_virt(last) + tail, 0, PAGE_SIZE - tail);
    }
    mutex_unlock(&o->lock);
}

struct clean_walk {
    uint64_t indexes[32];
    unsigned int nr;
};

static int find_clean(void *ctx, uint64_t index, struct page *page)
{
    struct clean_walk *w = ctx;
    if (!(page->flags & PAGE_DIRTY) && page_has_one_owner(page))
        w->indexes[w->nr++] = index;
    return w->nr == ARRAY_SIZE(w->indexes);
}

void vm_object_drop_clean(struct vm_object *o)
{
    struct clean_walk w;
    uint64_t from = 0;

    mutex_lock(&o->lock);
    do {
        w.nr = 0;
        radix_for_each(o, from, UINT64_MAX, find_clean, &w);
        for (unsigned int i = 0; i < w.nr; i++)
            radix_remove(o, w.indexes[i], w.indexes[i] + 1, drop_page, o);
        if (w.nr > 0)
            from = w.indexes[w.nr - 1] + 1;
    } while (w.nr == ARRAY_SIZE(w.indexes));
    mutex_unlock(&o->lock);
}
