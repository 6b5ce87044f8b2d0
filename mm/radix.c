// SPDX-License-Identifier: BSD-2-Clause
// Radix tree from page index to page: nodes of 32 slots, as high as the largest index needs. A tree
// of height 0 is the page at index 0 itself, so that a small file costs no node. Inner nodes are
// freed with their last child. The object's lock guards everything.
#include <lib/assert.h>
#include <errno.h>
#include <mm/slab.h>

#include "radix_priv.h"

#define RADIX_BITS  5
#define RADIX_SLOTS (1U << RADIX_BITS)
#define RADIX_MAX   13 // height for 64 bits

struct radix_node {
    void *slots[RADIX_SLOTS];
    unsigned int count; // slots in use
};

static struct slab_cache *radix_nodes;

void radix_init(void)
{
    radix_nodes = slab_cache_create("radix_node", sizeof(struct radix_node), 8);
}

// Does a tree of this height hold `index`?
static inline bool radix_reaches(unsigned int height, uint64_t index)
{
    return height >= RADIX_MAX || index >> (height * RADIX_BITS) == 0;
}

static inline unsigned int radix_slot(uint64_t index, unsigned int height)
{
    return (index >> ((height - 1) * RADIX_BITS)) & (RADIX_SLOTS - 1);
}

struct page *radix_get(const struct vm_object *o, uint64_t index)
{
    if (!radix_reaches(o->height, index))
        return NULL;
    void *at = o->root;
    for (unsigned int height = o->height; height > 0 && at; height--)
        at = ((struct radix_node *)at)->slots[radix_slot(index, height)];
    return at;
}

void radix_get_some(const struct vm_object *o, uint64_t first, unsigned int nr, struct page **pages)
{
    for (unsigned int i = 0, part; i < nr; i += part) {
        uint64_t index = first + i;
        struct radix_node *node = (void *)o->root;
        part = MIN(nr - i, RADIX_SLOTS - (unsigned int)(index % RADIX_SLOTS));
        if (o->height == 0 || !radix_reaches(o->height, index)) {
            for (unsigned int k = 0; k < part; k++)
                pages[i + k] = radix_get(o, index + k);
            continue;
        }
        for (unsigned int height = o->height; height > 1 && node; height--)
            node = node->slots[radix_slot(index, height)];
        for (unsigned int k = 0; k < part; k++)
            pages[i + k] = node ? node->slots[index % RADIX_SLOTS + k] : NULL;
    }
}

// Make the tree one level higher.
static int radix_raise(struct vm_object *o)
{
    if (o->root) {
        struct radix_node *n = slab_zalloc(radix_nodes);
        if (!n)
            return -ENOMEM;
        n->slots[0] = o->root;
        n->count = 1;
        o->root = n;
    }
    o->height++;
    return 0;
}

int radix_put(struct vm_object *o, uint64_t index, struct page *page)
{
    while (!radix_reaches(o->height, index))
        if (radix_raise(o) != 0)
            return -ENOMEM;
    void **link = (void **)&o->root;
    struct radix_node *parent = NULL;
    for (unsigned int height = o->height; height > 0; height--) {
        if (!*link) {
            struct radix_node *n = slab_zalloc(radix_nodes);
            if (!n)
                return -ENOMEM;
            *link = n;
            if (parent)
                parent->count++;
        }
        parent = *link;
        link = &parent->slots[radix_slot(index, height)];
    }
    ASSERT(!*link);
    *link = page;
    if (parent)
        parent->count++;
    return 0;
}

struct radix_removal {
    uint64_t first, end;
    void (*fn)(void *ctx, struct page *page);
    void *ctx;
};

// Remove what lies in the range below `at`, whose first index is `base`. True: `at` is gone.
// Depth is at most RADIX_MAX.
static bool radix_remove_below(void *at, unsigned int height, uint64_t base,
                               const struct radix_removal *r)
{
    if (height == 0) {
        r->fn(r->ctx, at);
        return true;
    }
    struct radix_node *n = at;
    unsigned int shift = (height - 1) * RADIX_BITS;
    for (unsigned int i = 0; i < RADIX_SLOTS; i++) {
        uint64_t from = base + ((uint64_t)i << shift), last = from + ((1UL << shift) - 1);
        if (!n->slots[i] || last < r->first || from >= r->end)
            continue;
        if (radix_remove_below(n->slots[i], height - 1, from, r)) {
            n->slots[i] = NULL;
            n->count--;
        }
    }
    if (n->count > 0)
        return false;
    slab_free(radix_nodes, n);
    return true;
}

void radix_remove(struct vm_object *o, uint64_t first, uint64_t end,
                  void (*fn)(void *ctx, struct page *page), void *ctx)
{
    struct radix_removal r = {first, end, fn, ctx};
    if (!o->root || (o->height == 0 && first > 0) || first >= end)
        return;
    if (radix_remove_below(o->root, o->height, 0, &r)) {
        o->root = NULL;
        o->height = 0;
    }
}

struct radix_walk {
    uint64_t first, end;
    int (*fn)(void *ctx, uint64_t index, struct page *page);
    void *ctx;
};

static int radix_walk_below(void *at, unsigned int height, uint64_t base,
                            const struct radix_walk *w)
{
    if (height == 0)
        return w->fn(w->ctx, base, at);
    const struct radix_node *n = at;
    unsigned int shift = (height - 1) * RADIX_BITS;
    unsigned int i =
        w->first <= base ? 0 : (unsigned int)MIN((w->first - base) >> shift, RADIX_SLOTS);
    for (; i < RADIX_SLOTS; i++) {
        uint64_t from = base + ((uint64_t)i << shift);
        if (from >= w->end)
            break;
        int err = n->slots[i] ? radix_walk_below(n->slots[i], height - 1, from, w) : 0;
        if (err != 0)
            return err;
    }
    return 0;
}

int radix_for_each(const struct vm_object *o, uint64_t first, uint64_t end,
                   int (*fn)(void *ctx, uint64_t index, struct page *page), void *ctx)
{
    struct radix_walk w = {first, end, fn, ctx};
    if (!o->root || (o->height == 0 && first > 0) || first >= end)
        return 0;
    return radix_walk_below(o->root, o->height, 0, &w);
}
