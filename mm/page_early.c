// SPDX-License-Identifier: BSD-2-Clause
// Early memory: which RAM the device tree describes, minus what is taken (reserved-memory, the
// header's reservation block, the kernel image, the tree itself, the initramfs). Until page_init()
// single pages come from the top of the largest range that is left; then the page allocator takes
// over what remains. Boot hart only, no locking.
#include <arch/log.h>
#include <arch/mmu.h>
#include <lib/assert.h>
#include <lib/dt.h>
#include <string.h>

#include "page_priv.h"

#define EARLY_RANGES_MAX 64

struct early_range {
    paddr_t start, end;
};

struct page_range page_ranges[PAGE_RANGES_MAX];
unsigned int page_nr_ranges;

static struct early_range early_free[EARLY_RANGES_MAX];
static unsigned int early_nr_free;

static void early_remove_at(unsigned int i)
{
    early_nr_free--;
    for (; i < early_nr_free; i++)
        early_free[i] = early_free[i + 1];
}

// Take [start, end), widened to whole pages, out of what is free.
static void early_reserve(paddr_t start, paddr_t end)
{
    if (start >= end)
        return;
    start = ALIGN_DOWN(start, PAGE_SIZE);
    end =
        end > UINT64_MAX - PAGE_SIZE ? ALIGN_DOWN(UINT64_MAX, PAGE_SIZE) : ALIGN_UP(end, PAGE_SIZE);
    for (unsigned int i = 0; i < early_nr_free;) {
        struct early_range *r = &early_free[i];
        if (end <= r->start || start >= r->end) {
            i++;
        } else if (start <= r->start && end >= r->end) {
            early_remove_at(i);
        } else if (start <= r->start) {
            r->start = end;
            i++;
        } else {
            if (end < r->end) {
                if (early_nr_free < EARLY_RANGES_MAX)
                    early_free[early_nr_free++] = (struct early_range){end, r->end};
                else
                    log_warn("mm: too many reserved ranges, RAM at %#lx is lost", (long)end);
            }
            r->end = start;
            i++;
        }
    }
}

// Keep page_ranges sorted; a node that touches or overlaps another is joined with it.
static void early_add_ram(paddr_t start, paddr_t end)
{
    for (unsigned int i = 0; i < page_nr_ranges;) {
        struct page_range *r = &page_ranges[i];
        if (end < r->start || start > r->end) {
            i++;
            continue;
        }
        start = MIN(start, r->start);
        end = MAX(end, r->end);
        page_nr_ranges--;
        for (unsigned int j = i; j < page_nr_ranges; j++)
            page_ranges[j] = page_ranges[j + 1];
    }
    if (page_nr_ranges == PAGE_RANGES_MAX) {
        log_warn("mm: too many memory ranges, ignoring RAM at %#lx", (long)start);
        return;
    }
    unsigned int i = page_nr_ranges++;
    for (; i > 0 && page_ranges[i - 1].start > start; i--)
        page_ranges[i] = page_ranges[i - 1];
    page_ranges[i] = (struct page_range){.start = start, .end = end};
}

static int early_memory(void *ctx, paddr_t base, uint64_t size, const char *name)
{
    (void)ctx;
    if (base >= LINEAR_SIZE || size > UINT64_MAX - base) {
        log_warn("mm: %s at %#lx is out of reach of the linear map", name, (long)base);
        return 0;
    }
    paddr_t start = ALIGN_UP(base, PAGE_SIZE);
    paddr_t end = ALIGN_DOWN(MIN(base + size, (paddr_t)LINEAR_SIZE), PAGE_SIZE);
    if (start < end)
        early_add_ram(start, end);
    return 0;
}

static int early_reserved(void *ctx, paddr_t base, uint64_t size, const char *name)
{
    (void)ctx;
    (void)name;
    early_reserve(base, size > UINT64_MAX - base ? UINT64_MAX : base + size);
    return 0;
}

void page_early_init(const void *fdt, paddr_t fdt_base)
{
    struct dt_chosen chosen;
    paddr_t start, end;

    page_nr_ranges = 0;
    early_nr_free = 0;
    dt_for_each_memory(fdt, early_memory, NULL);
    if (page_nr_ranges == 0)
        panic("no usable /memory node in the device tree: check the firmware's device tree");
    for (unsigned int i = 0; i < page_nr_ranges; i++)
        early_free[early_nr_free++] =
            (struct early_range){page_ranges[i].start, page_ranges[i].end};

    early_reserve(0, PAGE_SIZE); // physical 0 means "none" in many places
    dt_for_each_reserved(fdt, early_reserved, NULL);
    kernel_image_range(&start, &end);
    early_reserve(start, end);
    early_reserve(fdt_base, fdt_base + dt_size(fdt));
    dt_chosen_read(fdt, &chosen);
    early_reserve(chosen.initrd_start, chosen.initrd_end);
}

paddr_t page_early_alloc_pages(uint64_t nr_pages)
{
    struct early_range *best = NULL;
    for (unsigned int i = 0; i < early_nr_free; i++)
        if (!best || early_free[i].end - early_free[i].start > best->end - best->start)
            best = &early_free[i];
    uint64_t size_bytes = nr_pages << PAGE_SHIFT;
    if (!best || best->end - best->start < size_bytes)
        panic("out of memory at boot: %lu KiB more are needed, give the machine more memory or a "
              "smaller initramfs",
              (unsigned long)(size_bytes >> 10));
    best->end -= size_bytes;
    memset(phys_to_virt(best->end), 0, size_bytes);
    return best->end;
}

paddr_t page_early_alloc(void)
{
    return page_early_alloc_pages(1);
}

unsigned int page_early_nr_free(void)
{
    return early_nr_free;
}

void page_early_free_range(unsigned int index, paddr_t *start, paddr_t *end)
{
    *start = early_free[index].start;
    *end = early_free[index].end;
}
