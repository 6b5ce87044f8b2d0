// SPDX-License-Identifier: BSD-2-Clause
// A model of the MMU for host tests. Its TLB keeps every translation until it is flushed, so a
// flush that mm forgets shows: as an entry that says more than the page table (host_check_tlb), or
// as a page that is freed while the TLB still reaches it (__wrap_page_put).
#include <errno.h>
#include <string.h>

#include <arch/tlb.h>
#include <arch/uaccess.h>
#include <lib/assert.h>

#include "host.h"

#define TLB_MAX 8192

struct tlb_entry {
    const struct mmu_context *ctx;
    vaddr_t va;
    pte_t pte;
};

static struct tlb_entry tlb[TLB_MAX];
static unsigned int tlb_used;

bool host_svadu;
int host_fault_code;
uint64_t host_nr_faults, host_nr_flushes, host_nr_icache_flushes;
struct vm_map *host_current;
const int user_efault = -EFAULT;

void mmu_context_init(struct mmu_context *ctx, paddr_t root)
{
    memset(ctx, 0, sizeof(*ctx));
    ctx->root = root;
}

static void tlb_drop(const struct mmu_context *ctx, vaddr_t start, vaddr_t end)
{
    for (unsigned int i = 0; i < tlb_used;)
        if (tlb[i].ctx == ctx && tlb[i].va >= start && tlb[i].va < end)
            tlb[i] = tlb[--tlb_used];
        else
            i++;
}

// Its ASID isn't used again before a flush, so nothing reaches the entries.
void mmu_context_destroy(struct mmu_context *ctx)
{
    tlb_drop(ctx, 0, USER_END);
}

void mmu_context_switch(struct mmu_context *ctx)
{
    (void)ctx;
}

void mmu_context_flush(struct mmu_context *ctx, vaddr_t start, vaddr_t end)
{
    ASSERT(start < end && (start | end) % PAGE_SIZE == 0);
    host_nr_flushes++;
    tlb_drop(ctx, start, end);
}

void mmu_context_flush_local(struct mmu_context *ctx, vaddr_t addr)
{
    tlb_drop(ctx, addr & PAGE_MASK, (addr & PAGE_MASK) + PAGE_SIZE);
}

void mmu_context_flush_icache(struct mmu_context *ctx)
{
    (void)ctx;
    host_nr_icache_flushes++;
}

// The leaf, and the 4 KiB PTE that says the same: of a larger leaf the part at va.
static pte_t *walk(const struct mmu_context *ctx, vaddr_t va, pte_t *part)
{
    pte_t *table = phys_to_virt(ctx->root), *entry = NULL;
    for (unsigned int level = 2;; level--) {
        entry = &table[pt_index(va, level)];
        if (!(*entry & PTE_V))
            return NULL;
        if (level == 0 || !pte_is_table(*entry)) {
            const bool run = *entry & PTE_N;
            const size_t size = run ? PAGE_SIZE << NAPOT_ORDER : PT_SIZE(level);
            // Privileged spec 6.1: the page number of a run of 64 KiB ends in 1000.
            ASSERT(pte_paddr(*entry) % size == (run ? size / 2 : 0) && (!run || level == 0));
            paddr_t pa = ALIGN_DOWN(pte_paddr(*entry), size) + (va & PAGE_MASK) % size;
            *part = pte_make(pa, *entry & (pte_make(1UL << PAGE_SHIFT, 0) - 1));
            return entry;
        }
        ASSERT(level > 0);
        table = phys_to_virt(pte_paddr(*entry));
    }
}

static bool permits(pte_t pte, enum vm_access access)
{
    const uint64_t need[] = {
        [VM_ACCESS_READ] = PTE_R, [VM_ACCESS_WRITE] = PTE_W, [VM_ACCESS_EXEC] = PTE_X};
    ASSERT(!(pte & PTE_W) || (pte & PTE_R)); // reserved
    return (pte & PTE_V) && (pte & PTE_U) && (pte & need[access]);
}

// One translation as the hardware does it. False: page fault.
static bool translate(const struct mmu_context *ctx, vaddr_t va, enum vm_access access, paddr_t *pa)
{
    va &= PAGE_MASK;
    for (unsigned int i = 0; i < tlb_used; i++)
        if (tlb[i].ctx == ctx && tlb[i].va == va) {
            *pa = pte_paddr(tlb[i].pte);
            return permits(tlb[i].pte, access);
        }
    pte_t part = 0, *pte = walk(ctx, va, &part);
    if (!pte || !permits(*pte, access))
        return false;
    pte_t marks = PTE_A | (access == VM_ACCESS_WRITE ? PTE_D : 0);
    if ((*pte & marks) != marks) {
        if (!host_svadu)
            return false;
        *pte |= marks;
        part |= marks;
    }
    ASSERT(tlb_used < TLB_MAX);
    tlb[tlb_used++] = (struct tlb_entry){ctx, va, part};
    *pa = pte_paddr(part);
    return true;
}

void host_check_tlb(void)
{
    for (unsigned int i = 0; i < tlb_used; i++) {
        const pte_t rights = PTE_V | PTE_R | PTE_W | PTE_X;
        pte_t now = 0;
        if (!walk(tlb[i].ctx, tlb[i].va, &now) || (tlb[i].pte & rights & ~now) ||
            pte_paddr(now) != pte_paddr(tlb[i].pte))
            fail_msg("stale translation of %#lx: TLB %#lx, table %#lx", (long)tlb[i].va,
                     (long)tlb[i].pte, (long)now);
    }
}

static void check_unreachable(const struct page *p)
{
    paddr_t start = ALIGN_DOWN(page_to_phys(p), PAGE_SIZE << p->order);
    paddr_t end = start + (PAGE_SIZE << p->order);
    for (unsigned int i = 0; i < tlb_used; i++)
        if (pte_paddr(tlb[i].pte) >= start && pte_paddr(tlb[i].pte) < end)
            fail_msg("page %#lx is freed while the TLB reaches it", (long)start);
}

// The two ways to free a page, where mm's other files call them.
void __real_page_put(struct page *p);
void __wrap_page_put(struct page *p);
void __real_page_free_last(struct page *p);
void __wrap_page_free_last(struct page *p);

void __wrap_page_put(struct page *p)
{
    if (p->refs == 1)
        check_unreachable(p);
    __real_page_put(p);
}

void __wrap_page_free_last(struct page *p)
{
    check_unreachable(p);
    __real_page_free_last(p);
}

// The byte at va, or NULL with the signal in *signal.
static char *user_byte(struct vm_map *m, vaddr_t va, enum vm_access access, int *signal)
{
    paddr_t pa;
    for (int tries = 0; tries < 4; tries++) {
        if (va < USER_END && translate(&m->space.context, va, access, &pa))
            return (char *)phys_to_virt(pa) + va % PAGE_SIZE;
        host_nr_faults++;
        struct vm_fault_result result = vm_map_fault(m, va, access);
        if (result.signal != 0) {
            *signal = result.signal;
            host_fault_code = result.code;
            return NULL;
        }
    }
    fail_msg("the fault at %#lx is resolved again and again", (long)va);
    return NULL;
}

// Bytes not copied.
static size_t user_copy(struct vm_map *m, vaddr_t va, void *buf, size_t size, enum vm_access access,
                        int *signal)
{
    char *kernel = buf;
    while (size > 0) {
        size_t part = PAGE_SIZE - va % PAGE_SIZE < size ? PAGE_SIZE - va % PAGE_SIZE : size;
        char *user = user_byte(m, va, access, signal);
        if (!user)
            return size;
        if (access == VM_ACCESS_WRITE)
            memcpy(user, kernel, part);
        else if (access == VM_ACCESS_READ)
            memcpy(kernel, user, part);
        va += part;
        kernel += part;
        size -= part;
    }
    return 0;
}

int host_user_read(struct vm_map *m, vaddr_t va, void *buf, size_t size)
{
    int signal = 0;
    user_copy(m, va, buf, size, VM_ACCESS_READ, &signal);
    return signal;
}

int host_user_write(struct vm_map *m, vaddr_t va, const void *buf, size_t size)
{
    int signal = 0;
    user_copy(m, va, (void *)(uintptr_t)buf, size, VM_ACCESS_WRITE, &signal);
    return signal;
}

int host_user_fetch(struct vm_map *m, vaddr_t va)
{
    int signal = 0;
    user_byte(m, va, VM_ACCESS_EXEC, &signal);
    return signal;
}

size_t user_copy_in_partial(void *dst, vaddr_t src, size_t n)
{
    int signal;
    return user_copy(host_current, src, dst, n, VM_ACCESS_READ, &signal);
}

size_t user_copy_out_partial(vaddr_t dst, const void *src, size_t n)
{
    int signal;
    return user_copy(host_current, dst, (void *)(uintptr_t)src, n, VM_ACCESS_WRITE, &signal);
}

size_t user_clear_partial(vaddr_t dst, size_t n)
{
    static const char zeros[PAGE_SIZE];
    while (n > 0) {
        size_t part = n < PAGE_SIZE ? n : PAGE_SIZE;
        size_t left = user_copy_out_partial(dst, zeros, part);
        dst += part - left;
        n -= part - left;
        if (left > 0)
            break;
    }
    return n;
}
