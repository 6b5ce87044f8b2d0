// SPDX-License-Identifier: BSD-2-Clause
// The page allocator: binary buddies under one spinlock, and in front of them a stack of single
// pages for each hart, which only that hart touches (with interrupts off) and which gives and takes
// by the batch; and a smaller one of pages of zeros, which the hart fills when it has nothing else
// to do. A page is born with one reference and freed by the last page_put().
//
// Free blocks: the first page has kind PAGE_FREE, its order, and hangs in buddy.free[order]; the
// others of the block are PAGE_USED with no references, so that nobody merges with them. Pages in a
// hart's stack are PAGE_USED as well.
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/log.h>
#include <arch/thread.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <mm/fault_injection.h>
#include <string.h>
#include <sync/spinlock.h>

#include "page_priv.h"
#include "vm_hugetlb_priv.h"

// A hart keeps enough for a small process to come and go without the buddy lock; less where memory
// is short (page_init).
#define HART_CACHE_MAX 255
#define HART_CACHE_MIN 63
#define HART_BATCH     32
#define HART_ZEROED    63 // what an exec or two take

// Pages of the kernel's reserve: user memory isn't served from the last ones, so that the kernel
// can go on (and kill the process) when they are reached.
#define RESERVE_MIN 128
#define RESERVE_MAX 1024

static struct {
    struct spinlock lock; // taken with interrupts off; guards the rest and every free page's fields
    struct list_node free[PAGE_ORDER_MAX + 1];
    uint64_t nr_free;  // pages in the lists; read without the lock as a hint
    uint64_t nr_total; // pages ever handed to the allocator
    uint64_t reserve;
} buddy;

struct hart_cache {
    uint64_t count, nr_zeroed;
    struct page *pages[HART_CACHE_MAX], *zeroed[HART_ZEROED];
} __attribute__((aligned(64)));

static struct hart_cache hart_caches[NR_CPUS_MAX];
static uint64_t hart_cache_limit = HART_CACHE_MIN;

static bool clear_by_block; // Zicboz

static int64_t nr_slab, nr_tables, nr_cached;

paddr_t page_zero_frame;

static inline void clear_64_bytes(uint64_t *p)
{
    p[0] = p[1] = p[2] = p[3] = p[4] = p[5] = p[6] = p[7] = 0;
}

static inline void copy_64_bytes(uint64_t *to, const uint64_t *from)
{
    uint64_t a = from[0], b = from[1], c = from[2], d = from[3];
    uint64_t e = from[4], f = from[5], g = from[6], h = from[7];
    to[0] = a, to[1] = b, to[2] = c, to[3] = d;
    to[4] = e, to[5] = f, to[6] = g, to[7] = h;
}

// Most of a fault is this: few turns of the loops.
void page_clear(void *linear)
{
    uint64_t *p = linear, *end = p + PAGE_SIZE / sizeof(*p);
    if (clear_by_block) {
        cpu_zero_page(linear);
        return;
    }
    for (; p < end; p += 64) {
        clear_64_bytes(p), clear_64_bytes(p + 8), clear_64_bytes(p + 16), clear_64_bytes(p + 24);
        clear_64_bytes(p + 32), clear_64_bytes(p + 40), clear_64_bytes(p + 48);
        clear_64_bytes(p + 56);
    }
}

void page_copy(void *linear_dst, const void *linear_src)
{
    uint64_t *to = linear_dst;
    const uint64_t *from = linear_src, *end = from + PAGE_SIZE / sizeof(*from);
    for (; from < end; from += 32, to += 32) {
        copy_64_bytes(to, from), copy_64_bytes(to + 8, from + 8);
        copy_64_bytes(to + 16, from + 16), copy_64_bytes(to + 24, from + 24);
    }
}

struct page *page_of_other(paddr_t pa)
{
    for (unsigned int i = 1; i < page_nr_ranges; i++) {
        const struct page_range *r = &page_ranges[i];
        if (pa - r->start < r->size)
            return r->pages + ((pa - r->start) >> PAGE_SHIFT);
    }
    return NULL;
}

paddr_t page_address_other(const struct page *p)
{
    for (unsigned int i = 1; i < page_nr_ranges; i++) {
        const struct page_range *r = &page_ranges[i];
        if (p >= r->pages && p < r->pages + (r->size >> PAGE_SHIFT))
            return r->start + ((paddr_t)(p - r->pages) << PAGE_SHIFT);
    }
    panic("%p is no page", (const void *)p);
}

paddr_t page_to_phys(const struct page *p)
{
    return page_address(p);
}

void *page_to_virt(const struct page *p)
{
    return phys_to_virt(page_address(p));
}

struct page *phys_to_page(paddr_t pa)
{
    return page_of(pa);
}

struct page *virt_to_page(const void *linear)
{
    return page_of(virt_to_phys(linear));
}

static const struct page_range *range_of(const struct page *p)
{
    const struct page_range *r = page_ranges;
    while (p < r->pages || p >= r->pages + (r->size >> PAGE_SHIFT))
        r++;
    return r;
}

static void buddy_free_locked(struct page *p, unsigned int order)
{
    const struct page_range *r = range_of(p);
    uint64_t first = r->start >> PAGE_SHIFT, nr = r->size >> PAGE_SHIFT;
    uint64_t pfn = first + (uint64_t)(p - r->pages);

    buddy.nr_free += 1UL << order;
    for (; order < PAGE_ORDER_MAX; order++) {
        uint64_t index = (pfn ^ 1UL << order) - first;
        struct page *b = r->pages + index;
        // A block is in one range as a whole: beyond it there is nothing to merge with.
        if (index >= nr || b->kind != PAGE_FREE || b->order != order)
            break;
        list_remove(&b->list);
        b->kind = PAGE_USED;
        pfn &= ~(1UL << order);
    }
    p = r->pages + (pfn - first);
    p->kind = PAGE_FREE;
    p->order = (uint8_t)order;
    list_add_head(&buddy.free[order], &p->list);
}

// The smallest free block of at least this order, as it is; or NULL.
static struct page *buddy_take_locked(unsigned int order)
{
    spin_assert_held(&buddy.lock);
    while (order <= PAGE_ORDER_MAX && list_is_empty(&buddy.free[order]))
        order++;
    if (order > PAGE_ORDER_MAX)
        return NULL;
    struct page *p = list_first_entry(&buddy.free[order], struct page, list);
    list_remove(&p->list);
    p->kind = PAGE_USED;
    buddy.nr_free -= 1UL << order;
    return p;
}

// Cut p down to `order`, giving the upper halves back.
static void buddy_cut_locked(struct page *p, unsigned int order)
{
    while (p->order > order) {
        p->order--;
        struct page *half = p + (1UL << p->order);
        half->kind = PAGE_FREE;
        half->order = p->order;
        list_add_head(&buddy.free[p->order], &half->list);
        buddy.nr_free += 1UL << p->order;
    }
}

// All blocks of the largest order of which a larger one consists, if they are free: the first.
static struct page *buddy_take_all_locked(struct page *first, unsigned int order)
{
    const size_t step = 1UL << PAGE_ORDER_MAX, nr = 1UL << order;
    for (size_t i = 0; i < nr; i += step)
        if (first[i].kind != PAGE_FREE || first[i].order != PAGE_ORDER_MAX)
            return NULL;
    for (size_t i = 0; i < nr; i += step) {
        list_remove(&first[i].list);
        first[i].kind = PAGE_USED;
    }
    first->order = (uint8_t)order;
    buddy.nr_free -= nr;
    return first;
}

// Above the largest order of the lists: where all of it happens to be free.
static struct page *buddy_alloc_large_locked(unsigned int order)
{
    const size_t size = PAGE_SIZE << order;
    if (buddy.nr_free < buddy.reserve + (1UL << order))
        return NULL;
    for (unsigned int i = 0; i < page_nr_ranges; i++) {
        const struct page_range *r = &page_ranges[i];
        for (paddr_t at = ALIGN_UP(r->start, size); at + size <= r->end; at += size) {
            struct page *block = buddy_take_all_locked(page_of(at), order);
            if (block)
                return block;
        }
    }
    return NULL;
}

static struct page *buddy_alloc_locked(unsigned int order)
{
    if (unlikely(order > PAGE_ORDER_MAX))
        return buddy_alloc_large_locked(order);
    struct page *p = buddy_take_locked(order);
    if (p)
        buddy_cut_locked(p, order);
    return p;
}

// Interrupts off. Takes blocks, the smallest first, and splits them without going through the
// lists.
static void hart_cache_refill(struct hart_cache *cache)
{
    struct page *p;
    spin_lock(&buddy.lock);
    while (cache->count < HART_BATCH && (p = buddy_take_locked(0)) != NULL) {
        unsigned int order = p->order;
        while (cache->count + (1UL << order) > HART_BATCH)
            order--;
        buddy_cut_locked(p, order);
        for (uint64_t i = 1UL << order; i > 0; i--) {
            p[i - 1].order = 0; // lowest address on top, to be used first
            cache->pages[cache->count++] = &p[i - 1];
        }
    }
    spin_unlock(&buddy.lock);
}

// Interrupts off. The coldest pages go, the most recent stay.
static void hart_cache_drain(struct hart_cache *cache, uint64_t nr)
{
    spin_lock(&buddy.lock);
    for (uint64_t i = 0; i < nr; i++)
        buddy_free_locked(cache->pages[i], 0);
    spin_unlock(&buddy.lock);
    cache->count -= nr;
    memmove(cache->pages, cache->pages + nr, cache->count * sizeof(cache->pages[0]));
}

bool page_give_back(void)
{
    irq_flags_t flags = irq_save();
    struct hart_cache *cache = &hart_caches[hart_self()->cpu];
    hart_cache_drain(cache, cache->count);
    spin_lock(&buddy.lock);
    while (cache->nr_zeroed > 0)
        buddy_free_locked(cache->zeroed[--cache->nr_zeroed], 0);
    bool enough = buddy.nr_free > buddy.reserve + HART_BATCH;
    spin_unlock(&buddy.lock);
    irq_restore(flags);
    return enough;
}

static struct page *page_alloc_block(unsigned int order)
{
    irq_flags_t flags = spin_lock_irqsave(&buddy.lock);
    struct page *p = buddy_alloc_locked(order);
    spin_unlock_irqrestore(&buddy.lock, flags);
    if (p)
        return p;
    // Single pages kept by this hart may be what keeps a block from being whole.
    page_give_back();
    flags = spin_lock_irqsave(&buddy.lock);
    p = buddy_alloc_locked(order);
    spin_unlock_irqrestore(&buddy.lock, flags);
    return p;
}

static struct page *page_alloc_refill(void)
{
    irq_flags_t flags = irq_save();
    struct hart_cache *cache = &hart_caches[hart_self()->cpu];
    struct page *p = NULL;
    if (cache->count == 0)
        hart_cache_refill(cache);
    if (cache->count > 0)
        p = cache->pages[--cache->count];
    else if (cache->nr_zeroed > 0)
        p = cache->zeroed[--cache->nr_zeroed];
    irq_restore(flags);
    return p;
}

static inline void page_born(struct page *p)
{
    p->refs = 1;
    p->flags = 0;
    p->object = NULL;
    p->private = 0;
}

static __attribute__((noinline)) struct page *page_alloc_slow(unsigned int order,
                                                              unsigned int flags)
{
    ASSERT(order <= GIGA_ORDER);
    if ((flags & PAGE_ALLOC_USER) && atomic_load(&buddy.nr_free) < buddy.reserve)
        return NULL;
    struct page *p = order == 0 ? page_alloc_refill() : page_alloc_block(order);
    if (!p)
        return NULL;
    page_born(p);
    char *linear = page_to_virt(p);
    for (size_t i = 0; (flags & PAGE_ALLOC_ZERO) && i < 1UL << order; i++)
        page_clear(linear + (i << PAGE_SHIFT));
    return p;
}

// The usual case costs a few loads and stores: a single page that this hart has at hand.
struct page *page_alloc(unsigned int order, unsigned int flags)
{
    if (unlikely(allocation_fails()))
        return NULL;
    irq_flags_t irq = irq_save();
    struct hart_cache *cache = &hart_caches[hart_self()->cpu];
    if (unlikely(order != 0 || cache->count == 0 || atomic_load(&buddy.nr_free) < buddy.reserve)) {
        irq_restore(irq);
        return page_alloc_slow(order, flags);
    }
    struct page *p;
    if ((flags & PAGE_ALLOC_ZERO) && cache->nr_zeroed > 0) {
        p = cache->zeroed[--cache->nr_zeroed];
        flags = 0;
    } else {
        p = cache->pages[--cache->count];
    }
    irq_restore(irq);
    page_born(p);
    if (flags & PAGE_ALLOC_ZERO)
        page_clear(phys_to_virt(page_address(p)));
    return p;
}

bool page_prepare_zeroed(void)
{
    struct hart_cache *cache = &hart_caches[hart_self()->cpu];
    if (cache->nr_zeroed == HART_ZEROED || atomic_load(&buddy.nr_free) < 4 * buddy.reserve)
        return false;
    struct page *p = page_alloc(0, 0);
    if (!p)
        return false;
    page_clear(phys_to_virt(page_address(p)));
    p->refs = 0;
    cache->zeroed[cache->nr_zeroed++] = p;
    return true;
}

static void buddy_free_block(struct page *p)
{
    const unsigned int order = MIN(p->order, PAGE_ORDER_MAX);
    const size_t nr = 1UL << p->order;

    spin_lock(&buddy.lock);
    for (size_t i = 0; i < nr; i += 1UL << order)
        buddy_free_locked(p + i, order);
    spin_unlock(&buddy.lock);
}

static __attribute__((noinline)) void page_free_slow(struct page *p)
{
    ASSERT(p->kind == PAGE_USED);
    if (p->order == NAPOT_ORDER) // it may be the ninth page that counts: vm_huge.c
        p = page_of(ALIGN_DOWN(page_address(p), PAGE_SIZE << NAPOT_ORDER));
    if ((p->flags & PAGE_HUGETLB) && vm_hugetlb_give(p))
        return;
    irq_flags_t flags = irq_save();
    struct hart_cache *cache = &hart_caches[hart_self()->cpu];
    if (p->order == 0) {
        hart_cache_drain(cache, HART_BATCH);
        cache->pages[cache->count++] = p;
    } else {
        buddy_free_block(p);
    }
    irq_restore(flags);
}

void page_free_last(struct page *p)
{
    irq_flags_t flags = irq_save();
    struct hart_cache *cache = &hart_caches[hart_self()->cpu];
    if (unlikely(p->kind != PAGE_USED || p->order != 0 || cache->count >= hart_cache_limit)) {
        irq_restore(flags);
        page_free_slow(p);
        return;
    }
    cache->pages[cache->count++] = p;
    irq_restore(flags);
}

void page_dissolve(struct page *block, unsigned int order)
{
    uint32_t refs = atomic_load(&block->refs);
    ASSERT(!(block->flags & PAGE_HUGETLB));
    for (uint64_t i = 1UL << order; i < 1UL << block->order; i += 1UL << order) {
        page_born(&block[i]);
        block[i].refs = refs;
        block[i].order = (uint8_t)order;
    }
    block->order = (uint8_t)order;
}

void page_get(struct page *p)
{
    page_hold(p);
}

void page_put(struct page *p)
{
    page_drop(p);
}

// Give reserved pages to the allocator in the largest aligned blocks. [start, end) inside one
// range.
static void page_add_pages(paddr_t start, paddr_t end)
{
    irq_flags_t flags = spin_lock_irqsave(&buddy.lock);
    while (start < end) {
        unsigned int order = 0;
        while (order < PAGE_ORDER_MAX && IS_ALIGNED(start, PAGE_SIZE << (order + 1)) &&
               start + (PAGE_SIZE << (order + 1)) <= end)
            order++;
        struct page *p = page_of(start);
        for (size_t i = 0; i < 1UL << order; i++) {
            ASSERT(p[i].kind == PAGE_RESERVED);
            p[i].kind = PAGE_USED;
        }
        buddy.nr_total += 1UL << order;
        buddy_free_locked(p, order);
        start += PAGE_SIZE << order;
    }
    spin_unlock_irqrestore(&buddy.lock, flags);
}

void page_release_range(paddr_t start, paddr_t end)
{
    start = ALIGN_UP(start, PAGE_SIZE);
    end = ALIGN_DOWN(end, PAGE_SIZE);
    for (unsigned int i = 0; i < page_nr_ranges; i++) {
        paddr_t from = MAX(start, page_ranges[i].start), to = MIN(end, page_ranges[i].end);
        if (from < to)
            page_add_pages(from, to);
    }
}

void page_init(void)
{
    paddr_t start, end;

    clear_by_block = cpu_features()->zicboz;
    spin_init(&buddy.lock);
    for (unsigned int i = 0; i <= PAGE_ORDER_MAX; i++)
        list_init(&buddy.free[i]);
    page_zero_frame = page_early_alloc();
    for (unsigned int i = 0; i < page_nr_ranges; i++) {
        struct page_range *r = &page_ranges[i];
        uint64_t bytes = ((r->end - r->start) >> PAGE_SHIFT) * sizeof(struct page);
        // Zeroed: kind is PAGE_RESERVED, no references.
        r->pages = phys_to_virt(page_early_alloc_pages(DIV_ROUND_UP(bytes, PAGE_SIZE)));
        r->size = r->end - r->start;
    }
    for (unsigned int i = 0; i < page_early_nr_free(); i++) {
        page_early_free_range(i, &start, &end);
        page_release_range(start, end);
    }
    hart_cache_limit = MIN(MAX(buddy.nr_total / 128, HART_CACHE_MIN), HART_CACHE_MAX);
    buddy.reserve = MIN(MAX(buddy.nr_total / 128, RESERVE_MIN), RESERVE_MAX);
    log_info("mm: %lu KiB free in %u range%s", (unsigned long)(buddy.nr_free << (PAGE_SHIFT - 10)),
             page_nr_ranges, page_nr_ranges == 1 ? "" : "s");
}

void page_account_tables(int nr)
{
    atomic_add_relaxed(&nr_tables, nr);
}

void page_account_cached(int nr)
{
    atomic_add_relaxed(&nr_cached, nr);
}

void page_account_slab(int nr)
{
    atomic_add_relaxed(&nr_slab, nr);
}

void page_stats(struct page_stats *stats)
{
    uint64_t ram = 0;
    for (unsigned int i = 0; i < page_nr_ranges; i++)
        ram += (page_ranges[i].end - page_ranges[i].start) >> PAGE_SHIFT;
    stats->total = buddy.nr_total;
    stats->reserved = ram - buddy.nr_total;
    stats->free = atomic_load(&buddy.nr_free);
    for (unsigned int i = 0; i < NR_CPUS_MAX; i++)
        stats->free += atomic_load(&hart_caches[i].count) + atomic_load(&hart_caches[i].nr_zeroed);
    stats->slab = (uint64_t)atomic_load(&nr_slab);
    stats->page_tables = (uint64_t)atomic_load(&nr_tables);
    stats->cached = (uint64_t)atomic_load(&nr_cached);
}
