// SPDX-License-Identifier: BSD-2-Clause
// See cursor_host.h. The allocator is one lock and two stacks: ThreadSanitizer then knows of every
// page who had it before, and sees whoever reads it after that.
#include <lib/assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cursor_host.h"

char *host_ram;
__thread struct hart host_hart;
__thread void (*host_flush_hook)(const struct mmu_context *ctx, vaddr_t start, vaddr_t end);
struct page_range page_ranges[PAGE_RANGES_MAX];
paddr_t page_zero_frame;

#define RAM_PAGES (HOST_PAGES + HOST_BLOCKS * PT_ENTRIES)

static struct page pages[RAM_PAGES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // guards the rest
static struct page *free_pages[RAM_PAGES], *free_blocks[HOST_BLOCKS];
static unsigned int nr_pages, nr_blocks;

struct page *page_of_other(paddr_t pa)
{
    panic("%#lx isn't RAM", (unsigned long)pa);
}

paddr_t page_address_other(const struct page *p)
{
    panic("%p is no page", (const void *)p);
}

static uint64_t *content(const struct page *p)
{
    return phys_to_virt(page_address(p));
}

void *page_to_virt(const struct page *p)
{
    return content(p);
}

paddr_t kernel_root(void)
{
    return HOST_RAM_BASE;
}

// The first page is the kernel's root, the second the one of zeros.
void host_ram_start(void)
{
    host_ram = aligned_alloc(PT_SIZE(1), RAM_PAGES * PAGE_SIZE);
    ASSERT(host_ram);
    memset(host_ram, 0, 2 * PAGE_SIZE);
    page_zero_frame = HOST_RAM_BASE + PAGE_SIZE;
    page_ranges[0] = (struct page_range){.start = HOST_RAM_BASE,
                                         .end = HOST_RAM_BASE + RAM_PAGES * PAGE_SIZE,
                                         .size = RAM_PAGES * PAGE_SIZE,
                                         .pages = pages};
    for (unsigned int i = HOST_BLOCKS * PT_ENTRIES; i-- > PT_ENTRIES;)
        if (i % PT_ENTRIES == 0)
            free_blocks[nr_blocks++] = &pages[i];
    for (unsigned int i = RAM_PAGES; i-- > HOST_BLOCKS * PT_ENTRIES;)
        free_pages[nr_pages++] = &pages[i];
}

uint64_t host_ram_free(void)
{
    vm_space_reclaim();
    return nr_pages + nr_blocks * PT_ENTRIES;
}

struct page *page_alloc(unsigned int order, unsigned int flags)
{
    pthread_mutex_lock(&lock);
    struct page *p = NULL;
    if (order == 0 && nr_pages > 0)
        p = free_pages[--nr_pages];
    else if (order == HUGE_ORDER && nr_blocks > 0)
        p = free_blocks[--nr_blocks];
    pthread_mutex_unlock(&lock);
    if (!p)
        return NULL;
    memset(p, 0, sizeof(*p));
    p->order = (uint8_t)order;
    p->refs = 1;
    for (unsigned int i = 0; i < 1U << order; i++)
        memset(content(p + i), 0, flags & PAGE_ALLOC_ZERO ? PAGE_SIZE : 8);
    return p;
}

void page_free_last(struct page *p)
{
    for (unsigned int i = 0; i < 1U << p->order; i++)
        *content(p + i) = HOST_FREED;
    pthread_mutex_lock(&lock);
    if (p->order == 0)
        free_pages[nr_pages++] = p;
    else
        free_blocks[nr_blocks++] = p;
    pthread_mutex_unlock(&lock);
}

void page_put(struct page *p)
{
    page_drop(p);
}

void page_dissolve(struct page *block, unsigned int order)
{
    ASSERT(order == 0);
    uint32_t refs = __atomic_load_n(&block->refs, __ATOMIC_RELAXED);
    for (unsigned int i = 1; i < 1U << block->order; i++) {
        memset(&block[i], 0, sizeof(*block));
        block[i].refs = refs;
    }
    block->order = 0;
}

void page_account_tables(int nr)
{
    (void)nr;
}

void mmu_context_init(struct mmu_context *ctx, paddr_t root)
{
    memset(ctx, 0, sizeof(*ctx));
    ctx->root = root;
}

void mmu_context_destroy(struct mmu_context *ctx)
{
    (void)ctx;
}

void mmu_context_switch(struct mmu_context *ctx)
{
    (void)ctx;
}

void mmu_context_flush(struct mmu_context *ctx, vaddr_t start, vaddr_t end)
{
    ASSERT(start < end);
    __atomic_add_fetch(&ctx->tlb_gen, 1, __ATOMIC_RELAXED);
    if (host_flush_hook)
        host_flush_hook(ctx, start, end);
    // The caller holds tables: let the others run into that, now and then, most of all when one was
    // taken out. Each time costs a turn of whatever else the host does: with one a flush, a run of
    // 0.6 s of CPU took a minute beside six busy programs (12,900 switches of 4.6 ms), and that was
    // all it waited for.
    static __thread unsigned int flushes;
    flushes += end == USER_END ? 2 : 1;
    if (flushes >= 16) {
        flushes = 0;
        sched_yield();
    }
}

void mmu_context_flush_icache(struct mmu_context *ctx)
{
    (void)ctx;
}

void page_clear(void *linear)
{
    memset(linear, 0, PAGE_SIZE);
}

void page_copy(void *linear_dst, const void *linear_src)
{
    memcpy(linear_dst, linear_src, PAGE_SIZE);
}
