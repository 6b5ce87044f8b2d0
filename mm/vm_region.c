// SPDX-License-Identifier: BSD-2-Clause
// Regions and their tree: ordered by address, each node knowing the free bytes below it and the
// largest such gap in its subtree, so that a place for a mapping is found in O(log n).
//
// Life: created outside the tree with references to object and file, inserted, resized, split and
// merged under the map's write lock; detached under it, and destroyed when no hart has its pages. A
// region's borders also change only under its object's lock, because truncate walks the object's
// list of regions without the map's.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <mm/slab.h>

#include "vm_map_priv.h"

static struct slab_cache *vm_regions;
unsigned int vm_regions_max = 65530; // as Linux's

void vm_region_init(void)
{
    vm_regions = slab_cache_create("vm_region", sizeof(struct vm_region), 16);
}

static inline struct vm_region *region_of(struct rb_node *n)
{
    return n ? rb_entry(n, struct vm_region, node) : NULL;
}

struct vm_region *vm_region_next(const struct vm_region *r)
{
    return region_of(rb_next(&r->node));
}

struct vm_region *vm_region_prev(const struct vm_region *r)
{
    return region_of(rb_prev(&r->node));
}

struct vm_region *vm_region_find(const struct vm_map *m, vaddr_t addr)
{
    struct rb_node *n = m->regions.node;
    struct vm_region *best = NULL;
    while (n) {
        struct vm_region *r = rb_entry(n, struct vm_region, node);
        if (r->end > addr) {
            best = r;
            if (r->start <= addr)
                break;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return best;
}

static void region_augment(struct rb_node *n)
{
    struct vm_region *r = rb_entry(n, struct vm_region, node);
    vaddr_t max = r->gap;
    if (n->left)
        max = MAX(max, rb_entry(n->left, struct vm_region, node)->gap_max);
    if (n->right)
        max = MAX(max, rb_entry(n->right, struct vm_region, node)->gap_max);
    r->gap_max = max;
}

// Where free space below r ends: a stack keeps a guard gap for itself.
static inline vaddr_t region_floor(const struct vm_region *r)
{
    if (!(r->flags & VM_GROWSDOWN))
        return r->start;
    return r->start > LAYOUT_STACK_GUARD ? r->start - LAYOUT_STACK_GUARD : 0;
}

static void region_update_gap(struct vm_region *r)
{
    if (!r)
        return;
    const struct vm_region *prev = vm_region_prev(r);
    vaddr_t below = prev ? prev->end : USER_BASE, floor = region_floor(r);
    vaddr_t gap = floor > below ? floor - below : 0;
    if (gap == r->gap)
        return;
    r->gap = gap;
    // As far up as it matters, which is seldom far.
    for (struct rb_node *n = &r->node; n; n = n->parent) {
        vaddr_t before = rb_entry(n, struct vm_region, node)->gap_max;
        region_augment(n);
        if (rb_entry(n, struct vm_region, node)->gap_max == before)
            return;
    }
}

static void region_account(const struct vm_region *r, unsigned int flags, int64_t pages)
{
    struct vm_map *m = r->map;
    m->total_pages += (uint64_t)pages;
    m->peak_pages = MAX(m->peak_pages, m->total_pages);
    if (flags & VM_GROWSDOWN)
        m->stack_pages += (uint64_t)pages;
    else if ((flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
        m->data_pages += (uint64_t)pages;
    if (flags & VM_LOCKED)
        m->locked_pages += (uint64_t)pages;
    vm_commit(flags, pages);
}

static inline int64_t region_pages(const struct vm_region *r)
{
    return (int64_t)((r->end - r->start) >> PAGE_SHIFT);
}

static inline void region_lock_object(const struct vm_region *r)
{
    if (r->object)
        mutex_lock(&r->object->lock);
}

static inline void region_unlock_object(const struct vm_region *r)
{
    if (r->object)
        mutex_unlock(&r->object->lock);
}

struct vm_region *vm_region_create(const struct vm_region *like, vaddr_t start, vaddr_t end)
{
    struct vm_region *r = slab_alloc(vm_regions);
    if (!r)
        return NULL;
    // Not the links, which vm_region_insert() sets: another map's thread may be moving those of
    // `like`, as it only needs the object for that.
    r->start = start;
    r->end = end;
    r->flags = like->flags;
    r->object = like->object;
    r->offset = like->offset;
    r->file = like->file;
    r->file_ops = like->file_ops;
    r->name = like->name;
    (void)vm_backing_get(r);
    return r;
}

struct vm_backing vm_backing_get(const struct vm_region *r)
{
    if (r->object)
        vm_object_get(r->object);
    if (r->file)
        r->file_ops->get(r->file);
    return (struct vm_backing){r->object, r->file, r->file_ops};
}

void vm_backing_put(const struct vm_backing *b)
{
    if (b->file)
        b->file_ops->put(b->file);
    vm_object_put(b->object);
}

void vm_region_destroy(struct vm_region *r)
{
    const struct vm_backing b = {r->object, r->file, r->file_ops};
    slab_free(vm_regions, r);
    vm_backing_put(&b);
}

void vm_region_insert(struct vm_map *m, struct vm_region *r)
{
    struct rb_node **link = &m->regions.node, *parent = NULL;
    while (*link) {
        parent = *link;
        const struct vm_region *at = rb_entry(parent, struct vm_region, node);
        // vm_region_split() inserts the upper part before it cuts the lower one.
        ASSERT(r->end <= at->start || r->start > at->start);
        link = r->end <= at->start ? &parent->left : &parent->right;
    }
    r->map = m;
    r->gap = r->gap_max = 0;
    rb_insert(&m->regions, parent, link, &r->node, region_augment);
    region_update_gap(r);
    region_update_gap(vm_region_next(r));
    m->nr_regions++;
    region_account(r, r->flags, region_pages(r));
    region_lock_object(r);
    if (r->object)
        list_add_tail(&r->object->mappings, &r->object_node);
    region_unlock_object(r);
    if (r->object && r->object->ops->mapped)
        r->object->ops->mapped(r->object, r);
}

void vm_region_detach(struct vm_region *r)
{
    struct vm_region *next = vm_region_next(r);
    region_lock_object(r);
    if (r->object)
        list_remove(&r->object_node);
    region_unlock_object(r);
    if (r->object && r->object->ops->unmapped)
        r->object->ops->unmapped(r->object, r);
    rb_erase(&r->map->regions, &r->node, region_augment);
    region_update_gap(next);
    r->map->nr_regions--;
    region_account(r, r->flags, -region_pages(r));
}

void vm_region_remove(struct vm_region *r)
{
    vm_region_detach(r);
    vm_region_destroy(r);
}

void vm_region_resize(struct vm_region *r, vaddr_t start, vaddr_t end)
{
    ASSERT(start < end);
    region_account(r, r->flags, -region_pages(r));
    region_lock_object(r);
    if (r->object)
        r->offset += start - r->start;
    r->start = start;
    r->end = end;
    region_unlock_object(r);
    region_account(r, r->flags, region_pages(r));
    region_update_gap(r);
    region_update_gap(vm_region_next(r));
}

void vm_region_set_flags(struct vm_region *r, unsigned int flags)
{
    region_account(r, r->flags, -region_pages(r));
    r->flags = flags;
    region_account(r, r->flags, region_pages(r));
}

int vm_region_split(struct vm_region *r, vaddr_t addr, struct vm_region **high)
{
    ASSERT(r->start < addr && addr < r->end && addr % PAGE_SIZE == 0);
    if (r->map->nr_regions >= atomic_load(&vm_regions_max))
        return -ENOMEM;
    if (addr % vm_region_page_size(r->flags) != 0)
        return -EINVAL;
    struct vm_region *rest = vm_region_create(r, addr, r->end);
    if (!rest)
        return -ENOMEM;
    if (r->object)
        rest->offset += addr - r->start;
    // In this order truncate, which holds only the object's lock, always finds the whole range.
    vm_region_insert(r->map, rest);
    vm_region_resize(r, r->start, addr);
    if (high)
        *high = rest;
    return 0;
}

static bool region_can_follow(const struct vm_region *low, const struct vm_region *high)
{
    return low->end == high->start && low->flags == high->flags && low->object == high->object &&
           low->file == high->file && low->name == high->name &&
           !(low->object && low->object->ops->unmapped) &&
           (!low->object || low->offset + (low->end - low->start) == high->offset);
}

// Join high to low; in this order for the same reason as in vm_region_split().
static void region_absorb(struct vm_region *low, struct vm_region *high)
{
    vm_region_resize(low, low->start, high->end);
    vm_region_remove(high);
}

struct vm_region *vm_region_merge(struct vm_region *r)
{
    struct vm_region *next = vm_region_next(r), *prev = vm_region_prev(r);
    if (next && region_can_follow(r, next))
        region_absorb(r, next);
    if (prev && region_can_follow(prev, r)) {
        region_absorb(prev, r);
        r = prev;
    }
    return r;
}

void vm_region_merge_range(struct vm_map *m, vaddr_t start, vaddr_t end)
{
    struct vm_region *r = vm_region_find(m, start > 0 ? start - 1 : 0);
    while (r && r->start <= end)
        r = vm_region_next(vm_region_merge(r));
}

int vm_region_isolate(struct vm_map *m, vaddr_t start, vaddr_t end)
{
    struct vm_region *r = vm_region_find(m, start), *first = NULL;
    if (r && r->start < start && start < r->end) {
        int err = vm_region_split(r, start, &first);
        if (err != 0)
            return err;
    }
    r = vm_region_find(m, end - 1);
    if (r && r->start < end && end < r->end) {
        int err = vm_region_split(r, end, NULL);
        if (err != 0) {
            // Undone even where regions aren't merged.
            if (first)
                region_absorb(vm_region_prev(first), first);
            return err;
        }
    }
    return 0;
}

// Highest place for `size` bytes in the gaps of this subtree, below `high`; 0: none. Recursion as
// deep as the tree: twice the logarithm of vm_regions_max at most.
static vaddr_t gap_search(const struct rb_node *n, size_t size, vaddr_t high)
{
    const struct vm_region *r = n ? rb_entry(n, struct vm_region, node) : NULL;
    if (!r || r->gap_max < size)
        return 0;
    // Gaps to the right all begin at or above r's end.
    if (r->end < high && high - r->end >= size) {
        vaddr_t found = gap_search(n->right, size, high);
        if (found)
            return found;
    }
    vaddr_t top = region_floor(r), low = top - r->gap;
    top = MIN(top, high);
    if (r->gap >= size && top > low && top - low >= size)
        return top - size;
    return gap_search(n->left, size, high);
}

static vaddr_t gap_below(const struct vm_map *m, size_t size, vaddr_t high)
{
    const struct vm_region *last = region_of(rb_last(&m->regions));
    vaddr_t low = last ? last->end : USER_BASE;
    if (high > low && high - low >= size)
        return high - size;
    return gap_search(m->regions.node, size, high);
}

vaddr_t vm_region_find_gap(const struct vm_map *m, size_t size)
{
    vaddr_t found = gap_below(m, size, m->mmap_base);
    return found ? found : gap_below(m, size, USER_END);
}

vaddr_t vm_region_find_aligned_gap(const struct vm_map *m, size_t size, size_t align)
{
    vaddr_t found = gap_below(m, size + align - PAGE_SIZE, m->mmap_base);
    return found ? ALIGN_UP(found, align) : vm_region_find_gap(m, size);
}

bool vm_region_is_free(const struct vm_map *m, vaddr_t start, vaddr_t end)
{
    const struct vm_region *next = vm_region_find(m, start);
    return !next || end <= region_floor(next);
}

uint64_t vm_region_locked_in(const struct vm_map *m, vaddr_t start, vaddr_t end)
{
    uint64_t pages = 0;
    for (const struct vm_region *r = vm_region_find(m, start); r && r->start < end;
         r = vm_region_next(r))
        if (r->flags & VM_LOCKED)
            pages += (MIN(r->end, end) - MAX(r->start, start)) >> PAGE_SHIFT;
    return pages;
}

uint64_t vm_region_pages_in(const struct vm_map *m, vaddr_t start, vaddr_t end)
{
    uint64_t pages = 0;
    for (const struct vm_region *r = vm_region_find(m, start); r && r->start < end;
         r = vm_region_next(r))
        pages += (MIN(r->end, end) - MAX(r->start, start)) >> PAGE_SHIFT;
    return pages;
}
