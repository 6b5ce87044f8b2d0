// SPDX-License-Identifier: BSD-2-Clause
// Layout of a process: see shared/abi/address-space.md "A process".
#pragma once

#include <arch/mmu.h>

#define LAYOUT_STACK_RANDOM  (1UL << 33) // 8 GiB of offsets below USER_END
#define LAYOUT_MMAP_RANDOM   (1UL << 33)
#define LAYOUT_BRK_RANDOM    (1UL << 25)
#define LAYOUT_PIE_BASE      (USER_END / 3 * 2) // ET_DYN programs without an interpreter's say
#define LAYOUT_STACK_GUARD   (256 * PAGE_SIZE)  // gap kept below a growing stack
#define LAYOUT_STACK_DEFAULT (8UL << 20)        // RLIMIT_STACK
