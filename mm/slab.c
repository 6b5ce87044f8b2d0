// SPDX-License-Identifier: BSD-2-Clause
// Slabs. A slab is a block of pages cut into equal objects; its first `struct page` says how many
// are handed out and which is the first free one, and each free object holds the index of the next.
// In front of the slabs every hart keeps a small stack of objects that only it touches (interrupts
// off), filled and emptied by the batch.
//
// Locking: cache->lock (interrupts off) guards the slab lists and the slab_* fields of the pages.
// It may be held when the page allocator's lock is taken.
#include <arch/irq.h>
#include <arch/thread.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <lib/list.h>
#include <mm/fault_injection.h>
#include <mm/slab.h>
#include <string.h>
#include <sync/spinlock.h>

#include "page_priv.h"
#include "slab_priv.h"

#define SLAB_MAGAZINE  14
#define SLAB_BATCH     7
#define SLAB_ORDER_MAX 3
#define SLAB_END       UINT16_MAX // no next object
#define SLAB_KEEP      1          // empty slabs kept per cache

struct slab_magazine {
    uint64_t count;
    void *objects[SLAB_MAGAZINE];
};

struct slab_cache {
    struct slab_magazine harts[NR_CPUS_MAX];
    const char *name;
    uint32_t size;    // of an object with its padding
    uint16_t objects; // in a slab
    uint8_t order;
    struct spinlock lock;        // guards what follows
    struct list_node partial;    // slabs with a free object
    unsigned int nr_empty;       // of them, without any object handed out
    uint64_t nr_slabs, nr_taken; // taken: out of slabs, those in the harts' stacks included
    struct list_node all;        // in slab_caches
};

static struct slab_cache cache_of_caches;
static struct list_node slab_caches = LIST_INIT(slab_caches);
static struct spinlock slab_caches_lock = SPINLOCK_INIT;

static void slab_cache_setup(struct slab_cache *c, const char *name, size_t size, size_t align)
{
    align = MAX(align, (size_t)16);
    size = ALIGN_UP(MAX(size, (size_t)16), align);
    ASSERT(align <= PAGE_SIZE && size <= PAGE_SIZE << SLAB_ORDER_MAX);
    memset(c, 0, sizeof(*c));
    c->name = name;
    c->size = (uint32_t)size;
    // The smallest block that wastes at most an eighth.
    while (c->order < SLAB_ORDER_MAX &&
           (PAGE_SIZE << c->order) % size > (PAGE_SIZE << c->order) / 8)
        c->order++;
    c->objects = (uint16_t)((PAGE_SIZE << c->order) / size);
    spin_init(&c->lock);
    list_init(&c->partial);
    irq_flags_t flags = spin_lock_irqsave(&slab_caches_lock);
    list_add_tail(&slab_caches, &c->all);
    spin_unlock_irqrestore(&slab_caches_lock, flags);
}

struct slab_cache *slab_cache_create(const char *name, size_t size_bytes, size_t align)
{
    struct slab_cache *c = slab_alloc(&cache_of_caches);
    if (!c)
        panic("out of memory at boot for the %s cache: give the machine more memory", name);
    slab_cache_setup(c, name, size_bytes, align);
    return c;
}

static inline void *slab_object(const struct slab_cache *c, struct page *slab, unsigned int i)
{
    return (char *)page_to_virt(slab) + (size_t)i * c->size;
}

static struct page *slab_grow_locked(struct slab_cache *c)
{
    struct page *slab = page_alloc(c->order, 0);
    if (!slab)
        return NULL;
    for (size_t i = 0; i < 1UL << c->order; i++) {
        slab[i].kind = PAGE_SLAB;
        slab[i].slab = c;
    }
    for (unsigned int i = 0; i < c->objects; i++)
        *(uint16_t *)slab_object(c, slab, i) = (uint16_t)(i + 1 < c->objects ? i + 1 : SLAB_END);
    slab->slab_used = 0;
    slab->slab_free = 0;
    list_add_head(&c->partial, &slab->list);
    c->nr_empty++;
    c->nr_slabs++;
    page_account_slab(1 << c->order);
    return slab;
}

static void slab_release_locked(struct slab_cache *c, struct page *slab)
{
    list_remove(&slab->list);
    c->nr_empty--;
    c->nr_slabs--;
    for (size_t i = 0; i < 1UL << c->order; i++)
        slab[i].kind = PAGE_USED;
    slab->refs = 1;
    page_account_slab(-(1 << c->order));
    page_put(slab);
}

static void *slab_take_locked(struct slab_cache *c)
{
    struct page *slab;
    if (list_is_empty(&c->partial))
        slab = slab_grow_locked(c);
    else
        slab = list_first_entry(&c->partial, struct page, list);
    if (!slab)
        return NULL;
    void *p = slab_object(c, slab, slab->slab_free);
    slab->slab_free = *(uint16_t *)p;
    c->nr_taken++;
    if (slab->slab_used++ == 0)
        c->nr_empty--;
    if (slab->slab_free == SLAB_END)
        list_remove(&slab->list);
    return p;
}

static void slab_give_locked(struct slab_cache *c, void *p)
{
    paddr_t block = ALIGN_DOWN(virt_to_phys(p), PAGE_SIZE << c->order);
    struct page *slab = page_of(block);
    uint32_t offset = (uint32_t)(virt_to_phys(p) - block);
    ASSERT(slab->slab_used > 0 && offset % c->size == 0);
    if (slab->slab_free == SLAB_END)
        list_add_head(&c->partial, &slab->list);
    *(uint16_t *)p = slab->slab_free;
    slab->slab_free = (uint16_t)(offset / c->size);
    c->nr_taken--;
    if (--slab->slab_used == 0) {
        c->nr_empty++;
        if (c->nr_empty > SLAB_KEEP)
            slab_release_locked(c, slab);
    }
}

// Interrupts off.
static void slab_refill(struct slab_cache *c, struct slab_magazine *m)
{
    spin_lock(&c->lock);
    while (m->count < SLAB_BATCH) {
        void *p = slab_take_locked(c);
        if (!p)
            break;
        m->objects[m->count++] = p;
    }
    spin_unlock(&c->lock);
}

// Interrupts off. Gives the oldest `nr` back.
static void slab_spill(struct slab_cache *c, struct slab_magazine *m, unsigned int nr)
{
    spin_lock(&c->lock);
    for (unsigned int i = 0; i < nr; i++)
        slab_give_locked(c, m->objects[i]);
    spin_unlock(&c->lock);
    m->count -= nr;
    memmove(m->objects, m->objects + nr, m->count * sizeof(m->objects[0]));
}

void *slab_alloc(struct slab_cache *c)
{
    if (unlikely(allocation_fails()))
        return NULL;
    irq_flags_t flags = irq_save();
    struct slab_magazine *m = &c->harts[hart_self()->cpu];
    void *p = NULL;
    if (unlikely(m->count == 0))
        slab_refill(c, m);
    if (likely(m->count > 0))
        p = m->objects[--m->count];
    irq_restore(flags);
    return p;
}

void *slab_zalloc(struct slab_cache *c)
{
    void *p = slab_alloc(c);
    if (p)
        memset(p, 0, c->size);
    return p;
}

void slab_free(struct slab_cache *c, void *p)
{
    ASSERT(virt_to_page(p)->slab == c);
    irq_flags_t flags = irq_save();
    struct slab_magazine *m = &c->harts[hart_self()->cpu];
    if (unlikely(m->count == SLAB_MAGAZINE))
        slab_spill(c, m, SLAB_BATCH);
    m->objects[m->count++] = p;
    irq_restore(flags);
}

size_t slab_object_size(const struct slab_cache *c)
{
    return c->size;
}

bool slab_info(unsigned int index, struct slab_info *info)
{
    struct slab_cache *c;
    bool found = false;
    irq_flags_t flags = spin_lock_irqsave(&slab_caches_lock);
    list_for_each_entry (c, &slab_caches, all) {
        if (index-- != 0)
            continue;
        spin_lock(&c->lock);
        *info = (struct slab_info){.name = c->name,
                                   .nr_active = c->nr_taken,
                                   .nr_slabs = c->nr_slabs,
                                   .size = c->size,
                                   .slab_objects = c->objects,
                                   .slab_pages = 1U << c->order};
        spin_unlock(&c->lock);
        for (unsigned int i = 0; i < NR_CPUS_MAX; i++)
            info->nr_active -= atomic_load(&c->harts[i].count);
        found = true;
        break;
    }
    spin_unlock_irqrestore(&slab_caches_lock, flags);
    return found;
}

void slab_reclaim(void)
{
    struct slab_cache *c;
    irq_flags_t flags = spin_lock_irqsave(&slab_caches_lock);
    list_for_each_entry (c, &slab_caches, all) {
        struct slab_magazine *m = &c->harts[hart_self()->cpu];
        slab_spill(c, m, (unsigned int)m->count);
        spin_lock(&c->lock);
        struct page *slab, *tmp;
        list_for_each_entry_safe (slab, tmp, &c->partial, list)
            if (slab->slab_used == 0)
                slab_release_locked(c, slab);
        spin_unlock(&c->lock);
    }
    spin_unlock_irqrestore(&slab_caches_lock, flags);
}

void slab_init(void)
{
    slab_cache_setup(&cache_of_caches, "slab_cache", sizeof(struct slab_cache), 64);
    kmalloc_init();
    vm_caches_init();
}
