// SPDX-License-Identifier: BSD-2-Clause
// membarrier(2). A command interrupts harts, which fence there: the private ones those that run the
// process's space now, the global ones all. Registrations are the process's and go with its map
// (core/exec_commit.c).
#include <arch/thread.h>
#include <core/process.h>
#include <errno.h>
#include <lib/atomic.h>
#include <linux/membarrier.h>

#include "syscalls_priv.h"

// Younger than Debian 12's headers.
#define CMD_GET_REGISTRATIONS (1 << 9)

#define MEMBARRIER_REGISTERS                                                                       \
    (MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |        \
     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE |                                         \
     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)
#define MEMBARRIER_ALL                                                                             \
    (MEMBARRIER_REGISTERS | MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |              \
     MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |               \
     MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ | CMD_GET_REGISTRATIONS)

// Who isn't running it now has passed a fence when we return: a hart that comes fences after it
// published itself, partner (B) in arch/riscv/tlb.c, and either we see it or it sees what we wrote;
// one that left did so by a release, and what it did before is seen by our acquire.
static void fence_process(const struct process *p)
{
    atomic_fence();
    hart_fence(atomic_load_acquire(&p->map->space.context.running));
}

// Each thread that is in a restartable sequence now starts it over. A hart that runs one takes the
// interrupt of hart_fence(), and looks at the work bit before it is in user mode again.
static void abort_sequences(struct process *p)
{
    struct thread *t;
    spin_lock(&p->lock);
    list_for_each_entry (t, &p->threads, process_node)
        if (t->rseq != 0)
            atomic_fetch_or(&t->arch.work, THREAD_WORK_RSEQ);
    spin_unlock(&p->lock);
    fence_process(p);
}

static long membarrier_private(struct process *p, int command)
{
    // The bit that registers for a command follows the command's.
    if (!(atomic_load(&p->membarrier) & (uint32_t)command << 1))
        return -EPERM;
    if (command == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ)
        abort_sequences(p);
    else
        fence_process(p);
    if (command == MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE)
        mmu_context_flush_icache(&p->map->space.context);
    return 0;
}

_Static_assert(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED == MEMBARRIER_CMD_PRIVATE_EXPEDITED << 1 &&
                   MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE ==
                       MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE << 1 &&
                   MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ ==
                       MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ << 1,
               "what membarrier_private() relies on");

// MEMBARRIER_CMD_FLAG_CPU names one hart to interrupt; all are.
long sys_membarrier(int command, unsigned int flags, int unused_cpu)
{
    struct process *p = process_self();
    unsigned int known =
        command == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ ? MEMBARRIER_CMD_FLAG_CPU : 0;
    if (flags & ~known)
        return -EINVAL;
    switch (command) {
    case MEMBARRIER_CMD_QUERY:
        return MEMBARRIER_ALL;
    case CMD_GET_REGISTRATIONS:
        return atomic_load(&p->membarrier);
    case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
        atomic_fetch_or(&p->membarrier, (uint32_t)command);
        return 0;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
        return membarrier_private(p, command);
    case MEMBARRIER_CMD_GLOBAL:
    case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
        hart_fence(UINT64_MAX);
        return 0;
    default:
        return -EINVAL;
    }
}
