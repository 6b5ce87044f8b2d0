// SPDX-License-Identifier: BSD-2-Clause
// The page that the vDSO's code reads, and where rt_sigreturn lies in the code. Shared by the
// kernel and code for user mode. The ratio is written once, at boot; the offset is one word, so
// readers need no lock and see either the old wall clock or the new.
#pragma once

#define VDSO_SIGRETURN_OFFSET 0x100 // after the ELF header and program headers

#ifndef __ASSEMBLER__
#include <lib/types.h>

struct vdso_data {
    // ns since boot = ticks * ratio_ns / ratio_ticks; + realtime_offset: since 1970
    uint64_t ratio_ns, ratio_ticks;
    int64_t realtime_offset;
};

union vdso_data_page {
    struct vdso_data data;
    char page[PAGE_SIZE]; // user memory: nothing else of the kernel's may lie in it
};

// Exact for any count of ticks.
static inline uint64_t vdso_ticks_to_ns(const struct vdso_data *d, uint64_t ticks)
{
    if (d->ratio_ticks == 1)
        return ticks * d->ratio_ns;
    return ticks / d->ratio_ticks * d->ratio_ns +
           ticks % d->ratio_ticks * d->ratio_ns / d->ratio_ticks;
}
#endif
