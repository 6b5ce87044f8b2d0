// SPDX-License-Identifier: BSD-2-Clause
// Host tests: one hart at a time; a test changes which one by host_hart.
#pragma once

#include <lib/types.h>

#define KERNEL_STACK_SIZE (4 * PAGE_SIZE)

struct hart {
    cpu_t cpu;
};

extern struct hart host_hart;

static inline struct hart *hart_self(void)
{
    return &host_hart;
}

static inline cpu_t cpu_count(void)
{
    return NR_CPUS_MAX;
}

static inline void hart_relax(void)
{
}
