// SPDX-License-Identifier: BSD-2-Clause
// What mmu_map_kernel was asked for.
#pragma once

#include <arch/mmu.h>

#define HOST_KERNEL_MAPPINGS 1024

struct host_kernel_mapping {
    vaddr_t va;
    paddr_t pa;
    size_t size;
    uint64_t bits;
};

extern struct host_kernel_mapping host_kernel_mappings[HOST_KERNEL_MAPPINGS];
extern unsigned int host_nr_kernel_mappings;
extern bool host_map_kernel_fails;
