// SPDX-License-Identifier: BSD-2-Clause
// Sv39 page-table entries and the kernel's own address space (privileged spec 12.4).
//
//   0xffffffc000000000  linear map: all RAM, physical + LINEAR_BASE, largest pages, RW
//   0xffffffe000000000  vmap area: kernel stacks with guard pages, device registers
//   0xffffffff80000000  kernel image: text RX, rodata R, data RW
//
// The root's upper half is shared by every space: its 256 entries are filled once at boot (with
// next-level tables) and never change after, so no space needs to be told of a kernel mapping.
#pragma once

#include <lib/types.h>

#define LINEAR_BASE 0xffffffc000000000UL
#define LINEAR_SIZE (1UL << 37)
#define VMAP_BASE   0xffffffe000000000UL
#define VMAP_SIZE   (1UL << 34)
#define KERNEL_BASE 0xffffffff80000000UL

#define USER_BASE 0x10000UL      // nothing is mapped below
#define USER_END  0x4000000000UL // 256 GiB, exclusive

typedef uint64_t pte_t;

#define PTE_V    BIT(0)
#define PTE_R    BIT(1)
#define PTE_W    BIT(2) // W without R is reserved
#define PTE_X    BIT(3)
#define PTE_U    BIT(4)
#define PTE_G    BIT(5)
#define PTE_A    BIT(6)
#define PTE_D    BIT(7)
#define PTE_COW  BIT(8) // software: shared, copy on write
#define PTE_SOFT BIT(9) // software: free for mm

#define PTE_N BIT(63) // Svnapot: one of a run of PTEs that map one block

#define PTE_PPN_SHIFT   10
#define PTE_LEAF        (PTE_R | PTE_W | PTE_X)
#define PT_ENTRIES      512
#define PT_LEVELS       3 // level 2 is the root, level 0 holds 4 KiB leaves
#define PT_SHIFT(level) (PAGE_SHIFT + 9 * (level))
#define PT_SIZE(level)  (1UL << PT_SHIFT(level))

static inline paddr_t pte_paddr(pte_t pte)
{
    return ((pte >> PTE_PPN_SHIFT) & ((1UL << 44) - 1)) << PAGE_SHIFT;
}

static inline pte_t pte_make(paddr_t pa, uint64_t bits)
{
    return ((pa >> PAGE_SHIFT) << PTE_PPN_SHIFT) | bits;
}

static inline bool pte_is_leaf(pte_t pte)
{
    return (pte & PTE_V) && (pte & PTE_LEAF);
}

static inline bool pte_is_table(pte_t pte)
{
    return (pte & (PTE_V | PTE_LEAF)) == PTE_V;
}

static inline unsigned int pt_index(vaddr_t va, unsigned int level)
{
    return (va >> PT_SHIFT(level)) & (PT_ENTRIES - 1);
}

static inline void *phys_to_virt(paddr_t pa)
{
    return (void *)(pa + LINEAR_BASE);
}

// Only for addresses in the linear map.
static inline paddr_t virt_to_phys(const void *p)
{
    return (paddr_t)p - LINEAR_BASE;
}

// Physical address of something in the kernel image.
paddr_t kernel_image_paddr(const void *p);
// The image in memory, bss included, half-open.
void kernel_image_range(paddr_t *start, paddr_t *end);
paddr_t kernel_root(void);

// Boot only. Build the final kernel tables: image by right (W^X) and, for each call of add_ram, a
// linear mapping of [start, end) with the largest pages that fit. alloc gives zeroed pages that
// are already reachable through the boot linear map (the first 128 GiB).
void mmu_init(paddr_t (*alloc_page)(void));
void mmu_map_ram(paddr_t start, paddr_t end);
// Leave the boot tables: load the final root on this hart. Secondary harts start with it.
void mmu_enable(void);

// Map or unmap pages in the vmap area; va and size page-aligned. `bits` are PTE_R/W/X. Tables come
// from port_alloc. map: 0 or -ENOMEM (nothing mapped). unmap: flushes every hart before it returns;
// may not be called with interrupts off. Callers own the range (mm/vmap.h).
int mmu_map_kernel(vaddr_t va, paddr_t pa, size_t size_bytes, uint64_t bits);
void mmu_unmap_kernel(vaddr_t va, size_t size_bytes);
