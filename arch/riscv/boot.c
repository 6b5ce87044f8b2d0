// SPDX-License-Identifier: BSD-2-Clause
// The first C code, on the boot hart with the boot tables: what must be there before core begins.
// Runs once.
#include <arch/clock.h>
#include <arch/mmu.h>
#include <arch/port.h>
#include <arch/sbi.h>
#include <lib/dt.h>
#include <string.h>

#include "boot_priv.h"
#include "hart_priv.h"

// Changes once, here, before any function with a guard that returns.
uintptr_t __stack_chk_guard = 0x5f3c9a1e7bd24680;

paddr_t kernel_phys_base;
uint64_t boot_entry_ticks;
hartid_t boot_hart_id;

// Bytes of the firmware's seed, stirred with the time. A NUL byte stays in the guard, so that no
// overrunning string can write it. Without a seed it's only as good as the time.
static uintptr_t boot_make_guard(const void *fdt)
{
    uintptr_t guard = __stack_chk_guard ^ boot_entry_ticks * 0x9e3779b97f4a7c15;
    struct dt_chosen chosen;
    dt_chosen_read(fdt, &chosen);
    const uint8_t *seed = chosen.rng_seed;
    for (size_t i = 0; i < chosen.rng_seed_size; i++)
        guard = (guard ^ seed[i]) * 0x100000001b3;
    return guard << 8;
}

__attribute__((no_stack_protector)) __noreturn void arch_boot(hartid_t hart, paddr_t fdt,
                                                              uint64_t ticks, paddr_t image)
{
    kernel_phys_base = image;
    boot_entry_ticks = ticks;
    boot_hart_id = hart;
    boot_thread.stack_base = (vaddr_t)boot_stack;
    boot_thread.kernel_sp = (vaddr_t)boot_stack + KERNEL_STACK_SIZE;
    boot_thread.hart = &harts[0];
    harts[0].id = hart;
    harts[0].idle = &boot_thread;

    if (fdt < LINEAR_SIZE && dt_check(phys_to_virt(fdt), DT_SIZE_MAX) == 0)
        __stack_chk_guard = boot_make_guard(phys_to_virt(fdt));
    sbi_init();
    hart_setup_self();
    hart_set_online();
    port_main(fdt);
}
