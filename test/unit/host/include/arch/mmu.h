// SPDX-License-Identifier: BSD-2-Clause
// Host tests: the kernel's header with its two address conversions replaced: RAM is one block of
// host memory, which stands for the physical addresses from HOST_RAM_BASE on.
#pragma once

#define phys_to_virt arch_phys_to_virt
#define virt_to_phys arch_virt_to_phys
#include_next <arch/mmu.h>
#undef phys_to_virt
#undef virt_to_phys

#define HOST_RAM_BASE 0x80000000UL

extern char *host_ram;

static inline void *phys_to_virt(paddr_t pa)
{
    return host_ram + (pa - HOST_RAM_BASE);
}

static inline paddr_t virt_to_phys(const void *p)
{
    return (paddr_t)((const char *)p - host_ram) + HOST_RAM_BASE;
}
