// SPDX-License-Identifier: BSD-2-Clause
// Backtraces. With frame pointers the caller's fp and the return address lie at fp - 16 and fp - 8
// (psABI, "Frame Pointer Convention"). Every fp is looked up in the kernel's tables before it is
// used, so a corrupt chain ends the trace and nothing else. Stateless; any context.
#include <arch/backtrace.h>
#include <arch/ksym.h>
#include <arch/log.h>
#include <arch/trap.h>

#include "boot_priv.h"
#include "mmu_priv.h"

#define BACKTRACE_DEPTH 32

extern const char trap_kernel_return[];

const char *backtrace_symbol(uintptr_t pc, size_t *offset)
{
    uintptr_t start = (uintptr_t)__image_start;
    if (pc < start || pc >= (uintptr_t)__rodata_start || ksym_count == 0)
        return NULL;
    uint32_t target = (uint32_t)(pc - start);
    uint64_t low = 0, high = ksym_count;
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        if (ksym_table[middle].offset <= target)
            low = middle;
        else
            high = middle;
    }
    if (ksym_table[low].offset > target)
        return NULL;
    *offset = target - ksym_table[low].offset;
    return ksym_names + ksym_table[low].name;
}

// `after`: 1 for a return address, which may lie beyond the end of a function that ends in the
// call.
static void backtrace_print_line(uintptr_t pc, unsigned int after)
{
    size_t offset;
    const char *name = backtrace_symbol(pc - after, &offset);
    if (name)
        log_write(LOG_EMERG, "  %016lx %s+%#zx", pc, name, offset + after);
    else
        log_write(LOG_EMERG, "  %016lx", pc);
}

static bool backtrace_is_readable(uintptr_t fp, size_t below, size_t above)
{
    paddr_t pa;
    return fp % 8 == 0 && mmu_kernel_paddr(fp - below, &pa) &&
           mmu_kernel_paddr(fp + above - 1, &pa);
}

void backtrace_print(uintptr_t pc, uintptr_t fp)
{
    log_write(LOG_EMERG, "backtrace:");
    backtrace_print_line(pc, 0);
    for (int depth = 0; depth < BACKTRACE_DEPTH; depth++) {
        if (!backtrace_is_readable(fp, 16, 0))
            return;
        uintptr_t ra = ((const uintptr_t *)fp)[-1];
        uintptr_t next = ((const uintptr_t *)fp)[-2];
        if (ra == 0)
            return;
        backtrace_print_line(ra, 1);
        if (ra == (uintptr_t)trap_kernel_return &&
            backtrace_is_readable(fp, 0, sizeof(struct trap_frame))) {
            const struct trap_frame *frame = (const struct trap_frame *)fp;
            backtrace_print_line(frame->pc, 0);
            next = frame->s0;
        }
        if (next <= fp)
            return;
        fp = next;
    }
}
