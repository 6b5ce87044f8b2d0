// SPDX-License-Identifier: BSD-2-Clause
// Host tests of cursors: every host thread is a hart with a thread of its own.
#pragma once

#include <lib/types.h>
#include <sched.h>

struct arch_thread {
    uint32_t spin_depth;
};

struct hart {
    cpu_t cpu;
};

extern __thread struct hart host_hart;

struct arch_thread *arch_thread_self(void);

static inline struct hart *hart_self(void)
{
    return &host_hart;
}

static inline void hart_relax(void)
{
    sched_yield();
}
