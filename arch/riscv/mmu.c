// SPDX-License-Identifier: BSD-2-Clause
// The kernel's own Sv39 tables. Built once at boot behind the boot tables; afterwards only entries
// below the vmap area change, under kernel_lock. Every space's root shares the upper half, whose
// tables live for ever, so a change is seen everywhere.
//
// The image is mapped twice: by right at KERNEL_BASE, and in the linear map, where text and rodata
// are read-only, so that nothing is ever both writable and executable, whatever the address.
#include <arch/csr.h>
#include <arch/mmu.h>
#include <arch/port.h>
#include <arch/tlb.h>
#include <errno.h>
#include <lib/assert.h>
#include <string.h>

#include "boot_priv.h"
#include "mmu_priv.h"
#include "raw_lock_priv.h"

#define PTE_KERNEL (PTE_V | PTE_G | PTE_A | PTE_D)

static pte_t root[PT_ENTRIES] __attribute__((aligned(4096)));
static paddr_t (*early_alloc)(void);
static struct raw_lock kernel_lock;

uint64_t kernel_satp; // for head.S on the other harts

paddr_t kernel_image_paddr(const void *p)
{
    return (paddr_t)p - KERNEL_BASE + kernel_phys_base;
}

void kernel_image_range(paddr_t *start, paddr_t *end)
{
    *start = kernel_image_paddr(__image_start);
    *end = kernel_image_paddr(__image_end);
}

paddr_t kernel_root(void)
{
    return kernel_image_paddr(root);
}

static pte_t *table_of(pte_t pte)
{
    return phys_to_virt(pte_paddr(pte));
}

// The entry for `va` at `level` while booting; tables on the way are made.
static pte_t *boot_entry(vaddr_t va, unsigned int level)
{
    pte_t *table = root;
    for (unsigned int l = PT_LEVELS - 1; l > level; l--) {
        pte_t *pte = &table[pt_index(va, l)];
        if (*pte == 0)
            *pte = pte_make(early_alloc(), PTE_V);
        ASSERT(pte_is_table(*pte));
        table = table_of(*pte);
    }
    return &table[pt_index(va, level)];
}

// Map [pa, end) at va with leaves as large as alignment and room allow.
static void boot_map(vaddr_t va, paddr_t pa, paddr_t end, uint64_t bits)
{
    while (pa < end) {
        unsigned int level = PT_LEVELS - 1;
        while (level > 0 && (!IS_ALIGNED(va | pa, PT_SIZE(level)) || end - pa < PT_SIZE(level)))
            level--;
        *boot_entry(va, level) = pte_make(pa, PTE_KERNEL | bits);
        va += PT_SIZE(level);
        pa += PT_SIZE(level);
    }
}

static void boot_map_image(const char *start, const char *end, uint64_t bits)
{
    boot_map((vaddr_t)start, kernel_image_paddr(start), kernel_image_paddr(end), bits);
}

void mmu_init(paddr_t (*alloc_page)(void))
{
    early_alloc = alloc_page;
    kernel_satp = SATP_MODE_SV39 | kernel_root() >> PAGE_SHIFT;
    boot_map_image(__image_start, __rodata_start, PTE_R | PTE_X);
    boot_map_image(__rodata_start, __data_start, PTE_R);
    boot_map_image(__data_start, boot_stack_guard, PTE_R | PTE_W);
    boot_map_image(boot_stack_guard + PAGE_SIZE, __image_end, PTE_R | PTE_W);
    // Tables for the whole vmap area, so that the root never changes again.
    for (vaddr_t va = VMAP_BASE; va < VMAP_BASE + VMAP_SIZE; va += PT_SIZE(2))
        boot_entry(va, 1);
}

// Linear map of [start, end) where it overlaps [from, to).
static void boot_map_linear(paddr_t start, paddr_t end, paddr_t from, paddr_t to, uint64_t bits)
{
    start = MAX(start, from);
    end = MIN(end, to);
    if (start < end)
        boot_map(start + LINEAR_BASE, start, end, bits);
}

void mmu_map_ram(paddr_t start, paddr_t end)
{
    ASSERT(IS_ALIGNED(start | end, PAGE_SIZE));
    end = MIN(end, LINEAR_SIZE);
    paddr_t constant_start = kernel_image_paddr(__image_start);
    paddr_t constant_end = kernel_image_paddr(__data_start);
    boot_map_linear(start, end, 0, constant_start, PTE_R | PTE_W);
    boot_map_linear(start, end, constant_start, constant_end, PTE_R);
    boot_map_linear(start, end, constant_end, LINEAR_SIZE, PTE_R | PTE_W);
}

// The boot tables had the same addresses with larger leaves and more rights.
void mmu_enable(void)
{
    csr_write(satp, kernel_satp);
    __asm__ volatile("sfence.vma" ::: "memory");
}

// The level-0 entry of a vmap address, or NULL where its table is missing. kernel_lock held, or the
// mapping is the caller's.
static pte_t *vmap_entry(vaddr_t va)
{
    pte_t *middle = &table_of(root[pt_index(va, 2)])[pt_index(va, 1)];
    return pte_is_table(*middle) ? &table_of(*middle)[pt_index(va, 0)] : NULL;
}

// port_alloc() takes locks of mm, so the page comes first and is given back if somebody was faster.
static int vmap_make_table(vaddr_t va)
{
    void *page = port_alloc(PAGE_SIZE);
    if (!page)
        return -ENOMEM;
    ASSERT(IS_ALIGNED((uintptr_t)page, PAGE_SIZE));
    irq_flags_t flags = raw_lock(&kernel_lock);
    pte_t *middle = &table_of(root[pt_index(va, 2)])[pt_index(va, 1)];
    bool used = *middle == 0;
    if (used)
        *middle = pte_make(virt_to_phys(page), PTE_V);
    raw_unlock(&kernel_lock, flags);
    if (!used)
        port_free(page);
    return 0;
}

static void vmap_check_range(vaddr_t va, size_t size_bytes)
{
    ASSERT(IS_ALIGNED(va | size_bytes, PAGE_SIZE) && va >= VMAP_BASE && size_bytes > 0 &&
           va - VMAP_BASE + size_bytes <= VMAP_SIZE);
}

int mmu_map_kernel(vaddr_t va, paddr_t pa, size_t size_bytes, uint64_t bits)
{
    vmap_check_range(va, size_bytes);
    bool new_tables = false;
    for (vaddr_t at = va & ~(PT_SIZE(1) - 1); at < va + size_bytes; at += PT_SIZE(1)) {
        irq_flags_t flags = raw_lock(&kernel_lock);
        bool missing = vmap_entry(at) == NULL;
        raw_unlock(&kernel_lock, flags);
        if (missing && vmap_make_table(at) != 0)
            return -ENOMEM;
        new_tables |= missing;
    }
    irq_flags_t flags = raw_lock(&kernel_lock);
    for (size_t done = 0; done < size_bytes; done += PAGE_SIZE) {
        pte_t *pte = vmap_entry(va + done);
        ASSERT(*pte == 0);
        *pte = pte_make(pa + done, PTE_KERNEL | bits);
    }
    raw_unlock(&kernel_lock, flags);
    // A hart may have cached that nothing was there. The kernel can't take a fault for that: the
    // range may be the stack that the trap would be saved on. Flushes by address don't reach what
    // was cached of upper levels.
    if (new_tables)
        tlb_flush_kernel(VMAP_BASE, VMAP_BASE + VMAP_SIZE);
    else
        tlb_flush_kernel(va, va + size_bytes);
    return 0;
}

void mmu_unmap_kernel(vaddr_t va, size_t size_bytes)
{
    vmap_check_range(va, size_bytes);
    irq_flags_t flags = raw_lock(&kernel_lock);
    for (size_t done = 0; done < size_bytes; done += PAGE_SIZE) {
        pte_t *pte = vmap_entry(va + done);
        ASSERT(pte && *pte != 0);
        *pte = 0;
    }
    raw_unlock(&kernel_lock, flags);
    tlb_flush_kernel(va, va + size_bytes);
}

bool mmu_kernel_paddr(vaddr_t va, paddr_t *pa)
{
    if (va < LINEAR_BASE)
        return false;
    uint64_t satp = csr_read(satp);
    const pte_t *table = phys_to_virt((satp & SATP_PPN_MASK) << PAGE_SHIFT);
    for (int level = PT_LEVELS - 1; level >= 0; level--) {
        pte_t pte = table[pt_index(va, (unsigned int)level)];
        if (pte_is_leaf(pte)) {
            *pa = pte_paddr(pte) | (va & (PT_SIZE(level) - 1));
            return true;
        }
        if (!pte_is_table(pte))
            return false;
        table = table_of(pte);
    }
    return false;
}
