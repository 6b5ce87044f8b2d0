// SPDX-License-Identifier: BSD-2-Clause
// What mm's own files share about physical pages: the ranges of RAM, the early allocator's
// leftovers and the fast forms of the address conversions.
#pragma once

#include <mm/page.h>

#define PAGE_RANGES_MAX 16

// Contiguous RAM and the array that describes it. Filled at boot, constant after.
struct page_range {
    paddr_t start, end; // page-aligned, half-open
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

static inline struct page *page_of(paddr_t pa)
{
    for (unsigned int i = 0; i < page_nr_ranges; i++) {
        const struct page_range *r = &page_ranges[i];
        if (pa - r->start < r->end - r->start)
            return r->pages + ((pa - r->start) >> PAGE_SHIFT);
    }
    return NULL;
}

static inline paddr_t page_address(const struct page *p)
{
    for (unsigned int i = 0; i < page_nr_ranges; i++) {
        const struct page_range *r = &page_ranges[i];
        uint64_t index = (uint64_t)(p - r->pages);
        if (index < (r->end - r->start) >> PAGE_SHIFT)
            return r->start + (index << PAGE_SHIFT);
    }
    return 0;
}

void page_account_slab(int nr);

void page_clear(void *linear);
void page_copy(void *linear_dst, const void *linear_src);
