// SPDX-License-Identifier: BSD-2-Clause
// Inside arch/riscv: walking the kernel's own tables.
#pragma once

#include <lib/types.h>

// Where a kernel address lies; false if it isn't mapped. Any context; the caller knows that the
// mapping stays.
bool mmu_kernel_paddr(vaddr_t va, paddr_t *pa);
