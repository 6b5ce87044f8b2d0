// SPDX-License-Identifier: BSD-2-Clause
// What maps need on threads of the host, beside what cursors do (test/unit/space): objects come
// from malloc(), so that ThreadSanitizer sees one that is used after it was freed.
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/tlb.h>
#include <lib/assert.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/uio.h>
#include <mm/vm_space.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sync/port.h>

struct slab_cache {
    size_t size;
};

struct slab_cache *slab_cache_create(const char *name, size_t size_bytes, size_t align)
{
    struct slab_cache *c = malloc(sizeof(*c));
    ASSERT(c && align <= 64);
    c->size = ALIGN_UP(size_bytes, align);
    return c;
}

void *slab_alloc(struct slab_cache *c)
{
    void *p = aligned_alloc(64, ALIGN_UP(c->size, 64));
    if (p)
        memset(p, 0x5a, c->size);
    return p;
}

void *slab_zalloc(struct slab_cache *c)
{
    void *p = slab_alloc(c);
    return p ? memset(p, 0, c->size) : NULL;
}

void slab_free(struct slab_cache *c, void *p)
{
    memset(p, 0xdb, c->size);
    free(p);
}

void slab_reclaim(void)
{
}

void *kmalloc(size_t size_bytes)
{
    return malloc(size_bytes);
}

void kfree(void *p)
{
    free(p);
}

void page_get(struct page *p)
{
    __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
}

void page_account_cached(int nr)
{
    (void)nr;
}

void page_stats(struct page_stats *stats)
{
    *stats = (struct page_stats){.total = 1 << 20, .free = 1 << 20};
}

uint64_t port_memlock_limit(void)
{
    return UINT64_MAX;
}

int port_relax(enum park_mode mode)
{
    sched_yield();
    return 0;
}

// Between the map's lock and the cursor's is where an edit can go wrong: others get a chance there.
void __real_vm_cursor_open(struct vm_cursor *c, struct vm_space *s, vaddr_t start, vaddr_t end);
void __wrap_vm_cursor_open(struct vm_cursor *c, struct vm_space *s, vaddr_t start, vaddr_t end);

void __wrap_vm_cursor_open(struct vm_cursor *c, struct vm_space *s, vaddr_t start, vaddr_t end)
{
    static __thread unsigned int opened;
    if (++opened % 8 == 0)
        sched_yield();
    __real_vm_cursor_open(c, s, start, end);
}

void mmu_context_flush_local(struct mmu_context *ctx, vaddr_t addr)
{
    (void)ctx;
    (void)addr;
}

const struct cpu_features *cpu_features(void)
{
    static const struct cpu_features none;
    return &none;
}

// Nobody reads or writes files here.
size_t uio_copy_in(struct uio *u, void *dst, size_t n)
{
    panic("uio_copy_in");
}

size_t uio_copy_out(struct uio *u, const void *src, size_t n)
{
    panic("uio_copy_out");
}

size_t uio_zero_out(struct uio *u, size_t n)
{
    panic("uio_zero_out");
}
