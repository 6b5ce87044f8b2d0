// SPDX-License-Identifier: BSD-2-Clause
// The kernel's page tables for host tests: a list of what is mapped where.
#include <errno.h>

#include <lib/assert.h>

#include "host_vmap.h"
#include "host.h"

struct host_kernel_mapping host_kernel_mappings[HOST_KERNEL_MAPPINGS];
unsigned int host_nr_kernel_mappings;
bool host_map_kernel_fails;

int mmu_map_kernel(vaddr_t va, paddr_t pa, size_t size_bytes, uint64_t bits)
{
    if (host_map_kernel_fails)
        return -ENOMEM;
    ASSERT(va % PAGE_SIZE == 0 && pa % PAGE_SIZE == 0 && size_bytes % PAGE_SIZE == 0);
    ASSERT(va >= VMAP_BASE && va + size_bytes <= VMAP_BASE + VMAP_SIZE);
    for (unsigned int i = 0; i < host_nr_kernel_mappings; i++) {
        const struct host_kernel_mapping *m = &host_kernel_mappings[i];
        ASSERT(va + size_bytes <= m->va || va >= m->va + m->size);
    }
    ASSERT(host_nr_kernel_mappings < HOST_KERNEL_MAPPINGS);
    host_kernel_mappings[host_nr_kernel_mappings++] =
        (struct host_kernel_mapping){va, pa, size_bytes, bits};
    return 0;
}

void mmu_unmap_kernel(vaddr_t va, size_t size_bytes)
{
    for (unsigned int i = 0; i < host_nr_kernel_mappings; i++)
        if (host_kernel_mappings[i].va == va) {
            ASSERT(host_kernel_mappings[i].size == size_bytes);
            host_kernel_mappings[i] = host_kernel_mappings[--host_nr_kernel_mappings];
            return;
        }
    panic("unmapping what isn't mapped");
}
