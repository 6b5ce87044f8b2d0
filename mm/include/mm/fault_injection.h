// SPDX-License-Identifier: BSD-2-Clause
// Lack of memory on order, for tests: in a kernel built with FAULTS=1 the nth allocation that a
// thread's system calls make fails, once, as the thread asked by /proc/fail-nth. Otherwise nothing.
#pragma once

#include <lib/types.h>

#ifdef FAULT_INJECTION
bool allocation_fails(void); // this one, of the calling thread?
#else
static inline bool allocation_fails(void)
{
    return false;
}
#endif

// n 0: none.
void fault_injection_set(uint32_t n);
uint32_t fault_injection_left(void); // allocations to go; 0: it has failed
