// SPDX-License-Identifier: BSD-2-Clause
// Host tests of sync: every host thread is a hart's thread of its own.
#pragma once

#include <lib/types.h>
#include <sched.h>

struct arch_thread {
    uint32_t spin_depth;
};

struct arch_thread *arch_thread_self(void);

static inline void hart_relax(void)
{
    sched_yield();
}
