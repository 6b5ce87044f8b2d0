// SPDX-License-Identifier: BSD-2-Clause
// What the entry leaves for the rest of arch/riscv. Constant after boot.
#pragma once

#include <lib/types.h>

// Larger than any tree a firmware passes; only keeps a corrupt header from leading far away.
#define DT_SIZE_MAX (4UL << 20)

extern paddr_t kernel_phys_base; // where __image_start lies
extern uint64_t boot_entry_ticks;
extern hartid_t boot_hart_id;

// Linker script and head.S.
extern char __image_start[], __rodata_start[], __data_start[], __image_end[];
extern char boot_stack_guard[], boot_stack[];

__noreturn void arch_boot(hartid_t hart, paddr_t fdt, uint64_t ticks, paddr_t image);
