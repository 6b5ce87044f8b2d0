// SPDX-License-Identifier: BSD-2-Clause
// What arch/riscv asks of core (arch/port.h) about traps and memory, and sync about faults. System
// calls: syscall.c; timer: timer.c; interrupts: irq.c, sched.c; boot: main.c.
#include <arch/csr.h>
#include <arch/port.h>
#include <arch/thread.h>
#include <core/oom.h>
#include <core/process.h>
#include <core/rseq.h>
#include <core/sched.h>
#include <core/signal.h>
#include <errno.h>
#include <lib/atomic.h>
#include <mm/slab.h>
#include <mm/vm_map.h>
#include <sync/port.h>

static struct vm_fault_result fault_resolve(vaddr_t addr, enum vm_access access)
{
    struct thread *self = thread_self();
    self->minor_faults++;
    return vm_map_fault(self->process->map, addr, access);
}

void port_user_fault(struct trap_frame *frame, vaddr_t addr, enum vm_access access)
{
    struct vm_fault_result r = fault_resolve(addr, access);
    if (likely(r.signal == 0))
        return;
    if (r.signal == SIGKILL)
        oom_end_one(); // and the access is tried again
    else
        signal_force_self(r.signal, r.code, addr);
}

int port_uaccess_fault(vaddr_t addr, enum vm_access access)
{
    struct process *p = process_self();
    if (!p->map)
        return -EFAULT;
    struct vm_fault_result r = fault_resolve(addr, access);
    while (r.signal == SIGKILL && !signal_is_fatal_pending(thread_self())) {
        oom_end_one();
        r = fault_resolve(addr, access);
    }
    return r.signal == 0 ? 0 : -EFAULT;
}

int port_user_fault_in(vaddr_t addr, bool write)
{
    return addr < USER_END ? port_uaccess_fault(addr, write ? VM_ACCESS_WRITE : VM_ACCESS_READ)
                           : -EFAULT;
}

void port_user_exception(struct trap_frame *frame)
{
    switch (frame->cause) {
    case SCAUSE_ILLEGAL:
        signal_force_self(SIGILL, ILL_ILLOPC, frame->pc);
        break;
    case SCAUSE_BREAKPOINT:
        signal_force_self(SIGTRAP, TRAP_BRKPT, frame->pc);
        break;
    case SCAUSE_FETCH_ACCESS: // mapped, but the machine refuses: no fault handling will help
    case SCAUSE_LOAD_ACCESS:
    case SCAUSE_STORE_ACCESS:
        signal_force_self(SIGSEGV, SEGV_ACCERR, frame->badaddr);
        break;
    case SCAUSE_FETCH_MISALIGNED:
    case SCAUSE_LOAD_MISALIGNED:
    case SCAUSE_STORE_MISALIGNED:
        signal_force_self(SIGBUS, BUS_ADRALN, frame->badaddr);
        break;
    default:
        signal_force_self(SIGILL, ILL_ILLTRP, frame->pc);
    }
}

void port_return_to_user(struct trap_frame *frame)
{
    // Acquire: what a sender did before he set a bit is seen; signal_deliver() clears its own.
    uint32_t work = atomic_load_acquire(&thread_self()->arch.work);
    if (work & THREAD_WORK_RESCHED)
        sched_preempt();
    if (work & THREAD_WORK_RSEQ) {
        atomic_fetch_and(&thread_self()->arch.work, ~(uint32_t)THREAD_WORK_RSEQ);
        rseq_resume(frame);
    }
    if (work & (THREAD_WORK_SIGNAL | THREAD_WORK_RESTORE))
        signal_deliver(frame);
}

void *port_alloc(size_t size_bytes)
{
    return kzalloc(size_bytes);
}

void port_free(void *p)
{
    kfree(p);
}
