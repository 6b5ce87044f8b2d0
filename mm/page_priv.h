// SPDX-License-Identifier: BSD-2-Clause
// What mm's own files share about physical pages: the ranges of RAM, the early allocator's
// leftovers and the fast forms of the address conversions.
#pragma once

#include <lib/assert.h>
#include <lib/atomic.h>
#include <mm/page.h>

#define PAGE_RANGES_MAX 16

// Contiguous RAM and the array that describes it. Filled at boot, constant after.
struct page_range {
    paddr_t start, end; // page-aligned, half-open
    uint64_t size;      // end - start once the array is there, 0 before
    struct page *pages;
};

extern struct page_range page_ranges[PAGE_RANGES_MAX];
extern unsigned int page_nr_ranges;

// One page of zeros, mapped wherever untouched private memory is only read. Never counted.
extern paddr_t page_zero_frame;

// Early memory: what is still free when page_init() takes over. Half-open, page-aligned ranges.
unsigned int page_early_nr_free(void);
void page_early_free_range(unsigned int index, paddr_t *start, paddr_t *end);
// Contiguous, zeroed; panics when there is none.
paddr_t page_early_alloc_pages(uint64_t nr_pages);

struct page *page_of_other(paddr_t pa);
paddr_t page_address_other(const struct page *p);

// Most machines have one range: it is tried in line, the others by a call.
static inline struct page *page_of(paddr_t pa)
{
    const struct page_range *r = &page_ranges[0];
    uint64_t offset = pa - r->start;
    return likely(offset < r->size) ? r->pages + (offset >> PAGE_SHIFT) : page_of_other(pa);
}

static inline paddr_t page_address(const struct page *p)
{
    const struct page_range *r = &page_ranges[0];
    uint64_t offset = (uint64_t)((const char *)p - (const char *)r->pages) / sizeof(*p)
                      << PAGE_SHIFT;
    return likely(offset < r->size) ? r->start + offset : page_address_other(p);
}

void page_account_slab(int nr);
// This hart's pages, to the lists of all. True: more than the reserve is free.
bool page_give_back(void);

// page_get and page_put in line, for the loops over page tables.
static inline void page_hold(struct page *p)
{
    uint32_t before = atomic_add_relaxed(&p->refs, 1);
    ASSERT(before != 0);
}

void page_free_last(struct page *p); // refs are down to 0

static inline void page_drop(struct page *p)
{
    uint32_t before = __atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL);
    ASSERT(before != 0);
    if (before == 1)
        page_free_last(p);
}

// The block becomes blocks of 2^order pages, each with as many references as it had.
void page_dissolve(struct page *block, unsigned int order);

void page_clear(void *linear);
void page_copy(void *linear_dst, const void *linear_src);
