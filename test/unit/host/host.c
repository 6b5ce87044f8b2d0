// SPDX-License-Identifier: BSD-2-Clause
// RAM, boot, panic, log, the device tree's ranges and failing allocations for host tests.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/log.h>
#include <lib/assert.h>
#include <lib/dt.h>
#include <mm/slab.h>
#include <mm/vmap.h>

#include "../../mm/slab_priv.h"
#include "../../mm/vm_space_priv.h"
#include "host.h"

char *host_ram;
bool host_irqs_off;
struct hart host_hart;

struct host_range host_memory[24], host_reserved[24];
unsigned int host_nr_memory, host_nr_reserved;

jmp_buf host_panic_jump;
bool host_panic_expected;
char host_panic_text[256];

uint64_t host_fail_at, host_nr_allocs;
bool host_fail_all;

static paddr_t host_kernel_root;

void panic(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(host_panic_text, sizeof(host_panic_text), fmt, args);
    va_end(args);
    if (host_panic_expected)
        longjmp(host_panic_jump, 1);
    fprintf(stderr, "panic: %s\n", host_panic_text);
    abort();
}

const struct cpu_features *cpu_features(void)
{
    static const struct cpu_features features = {
        .zicboz = true, .zicboz_block = 64, .svnapot = true};
    return &features;
}

uint64_t host_nr_block_clears;

void cpu_zero_page(void *page)
{
    host_nr_block_clears++;
    memset(page, 0, PAGE_SIZE);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    va_list args;
    if (level > LOG_WARN && !getenv("HOST_LOG"))
        return;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

int dt_for_each_memory(const void *fdt, dt_range_fn fn, void *ctx)
{
    (void)fdt;
    for (unsigned int i = 0; i < host_nr_memory; i++) {
        int err =
            fn(ctx, host_memory[i].start, host_memory[i].end - host_memory[i].start, "memory");
        if (err != 0)
            return err;
    }
    return 0;
}

int dt_for_each_reserved(const void *fdt, dt_range_fn fn, void *ctx)
{
    (void)fdt;
    for (unsigned int i = 0; i < host_nr_reserved; i++) {
        int err =
            fn(ctx, host_reserved[i].start, host_reserved[i].end - host_reserved[i].start, "r");
        if (err != 0)
            return err;
    }
    return 0;
}

size_t dt_size(const void *fdt)
{
    (void)fdt;
    return 0;
}

void dt_chosen_read(const void *fdt, struct dt_chosen *chosen)
{
    (void)fdt;
    memset(chosen, 0, sizeof(*chosen));
}

void kernel_image_range(paddr_t *start, paddr_t *end)
{
    *start = *end = 0;
}

paddr_t kernel_root(void)
{
    return host_kernel_root;
}

void host_start(size_t pages)
{
    host_ram = aligned_alloc(PAGE_SIZE << PAGE_ORDER_MAX, pages * PAGE_SIZE);
    assert_non_null(host_ram);
    memset(host_ram, 0xa5, MIN(pages, 32768UL) * PAGE_SIZE); // more is only touched when used
    host_memory[0] = (struct host_range){HOST_RAM_BASE, HOST_RAM_BASE + pages * PAGE_SIZE};
    host_nr_memory = 1;
    page_early_init(NULL, 0);
    host_kernel_root = page_early_alloc();
    pte_t *root = phys_to_virt(host_kernel_root);
    for (unsigned int i = PT_ENTRIES / 2; i < PT_ENTRIES; i++)
        root[i] = pte_make((paddr_t)i << PAGE_SHIFT, PTE_V);
    page_init();
    slab_init();
    vmap_init();
}

uint64_t host_free_pages(void)
{
    struct page_stats stats;
    slab_reclaim();
    vm_space_reclaim();
    page_stats(&stats);
    return stats.free;
}

void host_fail(uint64_t n, bool all)
{
    host_fail_at = n;
    host_fail_all = all;
    host_nr_allocs = 0;
}

static bool fails_now(void)
{
    host_nr_allocs++;
    return host_fail_at != 0 &&
           (host_nr_allocs == host_fail_at || (host_fail_all && host_nr_allocs > host_fail_at));
}

// The linker puts these in front of mm's allocators wherever another file calls them.
struct page *__real_page_alloc(unsigned int order, unsigned int flags);
struct page *__wrap_page_alloc(unsigned int order, unsigned int flags);
void *__real_slab_alloc(struct slab_cache *c);
void *__wrap_slab_alloc(struct slab_cache *c);
void *__real_slab_zalloc(struct slab_cache *c);
void *__wrap_slab_zalloc(struct slab_cache *c);

struct page *__wrap_page_alloc(unsigned int order, unsigned int flags)
{
    return fails_now() ? NULL : __real_page_alloc(order, flags);
}

void *__wrap_slab_alloc(struct slab_cache *c)
{
    return fails_now() ? NULL : __real_slab_alloc(c);
}

void *__wrap_slab_zalloc(struct slab_cache *c)
{
    return fails_now() ? NULL : __real_slab_zalloc(c);
}
