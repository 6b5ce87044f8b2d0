// SPDX-License-Identifier: BSD-2-Clause
// See mm/fault_injection.h; only with FAULTS=1. One thread at a time: the one that asked last.
// What page faults in user mode allocate isn't counted: the test couldn't tell.
#include <arch/csr.h>
#include <arch/thread.h>
#include <lib/atomic.h>
#include <mm/fault_injection.h>

static const struct arch_thread *armed; // atomic
static uint32_t left;                   // only the armed thread uses it

bool allocation_fails(void)
{
    struct arch_thread *self = arch_thread_self();
    if (atomic_load(&armed) != self || left == 0 ||
        arch_thread_frame(self)->cause != SCAUSE_ECALL_USER)
        return false;
    return --left == 0;
}

void fault_injection_set(uint32_t n)
{
    left = n;
    atomic_store(&armed, (const struct arch_thread *)arch_thread_self());
}

uint32_t fault_injection_left(void)
{
    return left;
}
