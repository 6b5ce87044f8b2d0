// SPDX-License-Identifier: BSD-2-Clause
// Physical pages: a binary buddy allocator with per-hart caches of single pages, and one
// `struct page` for every page of RAM. Blocks are 2^order pages, naturally aligned.
#pragma once

#include <arch/mmu.h>
#include <lib/list.h>
#include <lib/types.h>

#define PAGE_ORDER_MAX 10 // 4 MiB

// Blocks that one PTE (or one run of PTEs) maps: 64 KiB with Svnapot, 2 MiB, 1 GiB. The last are
// above PAGE_ORDER_MAX: they are to be had where all of their memory happens to be free.
#define NAPOT_ORDER 4
#define HUGE_ORDER  (PT_SHIFT(1) - PAGE_SHIFT)
#define GIGA_ORDER  (PT_SHIFT(2) - PAGE_SHIFT)

#define PAGE_ALLOC_ZERO BIT(0) // filled with zeros
#define PAGE_ALLOC_USER BIT(1) // for user memory: fails while the kernel's reserve is reached

enum page_kind { PAGE_RESERVED, PAGE_FREE, PAGE_USED, PAGE_SLAB };

// 32 bytes: one hundred and twenty-eighth of the memory it describes.
struct page {
    union {
        uint32_t refs; // atomic. Users of an allocated page: PTEs, objects, pins
        struct {       // PAGE_SLAB: objects handed out; index of the first free one
            uint16_t slab_used, slab_free;
        };
    };
    uint8_t kind;   // enum page_kind
    uint8_t order;  // of the block, in its first page
    uint16_t flags; // PAGE_DIRTY; guarded by the object's lock
    union {
        struct list_node list; // free lists, slab lists, page tables on their way out
        struct {
            struct vm_object *object; // page cache: whose, and which page of it
            uint64_t index;
        };
        struct { // page tables (vm_table.c)
            struct page *table_next;
            uint16_t table_used;    // entries that aren't 0; the root's isn't kept
            uint16_t table_counted; // those of a leaf table that hold a page's reference
            uint32_t table_links;   // entries of upper tables that lead here
        };
    };
    union {
        struct slab_cache *slab;
        uint64_t private; // whoever allocated it; page tables: the lock
    };
};

#define PAGE_DIRTY   BIT(0) // differs from what the object's write_back last wrote
#define PAGE_HUGETLB BIT(2) // a block that goes back to the pool of huge pages
#define TABLE_STRAY  BIT(1) // a page table that no walk reaches; guarded by its lock

// Boot: before page_init() early pages come from the largest free range found in the tree.
// Describe RAM and what of it is taken; then page_init() builds the page array and frees the rest.
void page_early_init(const void *fdt, paddr_t fdt_base);
paddr_t
page_early_alloc(void); // one zeroed page; panics when out of memory: "give the machine more"
void page_init(void);
// Give a reserved range back (initramfs after unpacking, init text).
void page_release_range(paddr_t start, paddr_t end);

// A block with one reference, or NULL. Any context but interrupt handlers with locks of mm held.
struct page *page_alloc(unsigned int order, unsigned int flags);
// For the idle: clear a page that a PAGE_ALLOC_ZERO on this hart will take. Interrupts off. False:
// there are enough, or memory is short.
bool page_prepare_zeroed(void);
// Give back what is kept to be fast: kernel stacks, and what this hart has at hand. Not with locks
// of mm held; may sleep. True: user memory is to be had now.
bool page_reclaim(void);
void page_get(struct page *p);
void page_put(struct page *p); // frees the block with the last reference
static inline bool page_has_one_owner(const struct page *p)
{
    return __atomic_load_n(&p->refs, __ATOMIC_ACQUIRE) == 1;
}

paddr_t page_to_phys(const struct page *p);
void *page_to_virt(const struct page *p);
struct page *phys_to_page(paddr_t pa); // NULL: not RAM
struct page *virt_to_page(const void *linear);

struct page_stats {
    // In pages. total: given to the allocator so far; reserved: the rest of RAM.
    uint64_t total, free, reserved, slab, page_tables, cached;
};
void page_stats(struct page_stats *stats);
void page_account_tables(int nr); // page tables taken or given back, for page_stats
void page_account_cached(int nr); // object pages likewise
