// SPDX-License-Identifier: BSD-2-Clause
// What a trap means, once entry.S has saved the registers. System calls don't come here: entry.S
// calls port_syscall() itself.
#include <arch/clock.h>
#include <arch/csr.h>
#include <arch/fpu.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <arch/port.h>
#include <arch/thread.h>
#include <lib/assert.h>
#include <lib/atomic.h>

#include "extable_priv.h"
#include "hart_priv.h"
#include "panic_priv.h"
#include "trap_priv.h"

static const char *trap_name(uint64_t cause)
{
    static const char *const names[] = {
        [SCAUSE_FETCH_MISALIGNED] = "misaligned fetch",
        [SCAUSE_FETCH_ACCESS] = "fetch access fault",
        [SCAUSE_ILLEGAL] = "illegal instruction",
        [SCAUSE_BREAKPOINT] = "breakpoint",
        [SCAUSE_LOAD_MISALIGNED] = "misaligned load",
        [SCAUSE_LOAD_ACCESS] = "load access fault",
        [SCAUSE_STORE_MISALIGNED] = "misaligned store",
        [SCAUSE_STORE_ACCESS] = "store access fault",
        [SCAUSE_FETCH_PAGE_FAULT] = "fetch page fault",
        [SCAUSE_LOAD_PAGE_FAULT] = "load page fault",
        [SCAUSE_STORE_PAGE_FAULT] = "store page fault",
    };
    return cause < ARRAY_SIZE(names) && names[cause] ? names[cause] : "unknown exception";
}

static bool trap_is_page_fault(uint64_t cause)
{
    return cause == SCAUSE_FETCH_PAGE_FAULT || cause == SCAUSE_LOAD_PAGE_FAULT ||
           cause == SCAUSE_STORE_PAGE_FAULT;
}

static enum vm_access trap_access(uint64_t cause)
{
    switch (cause) {
    case SCAUSE_FETCH_PAGE_FAULT:
        return VM_ACCESS_EXEC;
    case SCAUSE_STORE_PAGE_FAULT:
        return VM_ACCESS_WRITE;
    default:
        return VM_ACCESS_READ;
    }
}

static void trap_interrupt(uint64_t cause)
{
    struct hart *hart = hart_self();
    switch (cause & ~SCAUSE_INTERRUPT) {
    case SCAUSE_IRQ_TIMER:
        hart->nr_timer_irqs++;
        clock_event_program(TIME_NEVER);
        port_timer();
        break;
    case SCAUSE_IRQ_SOFTWARE:
        hart->nr_ipis++;
        hart_handle_ipi();
        break;
    case SCAUSE_IRQ_EXTERNAL:
        hart->nr_external_irqs++;
        port_irq_external();
        break;
    default:
        panic("interrupt %lu, which nobody enabled", cause & ~SCAUSE_INTERRUPT);
    }
}

void trap_user(struct trap_frame *frame)
{
    uint64_t cause = frame->cause;
    if (cause & SCAUSE_INTERRUPT) {
        trap_interrupt(cause);
        return;
    }
    irq_enable();
    if (trap_is_page_fault(cause)) {
        hart_self()->nr_page_faults++;
        port_user_fault(frame, frame->badaddr, trap_access(cause));
    } else if (cause != SCAUSE_ILLEGAL || !fpu_handle_illegal(frame)) {
        port_user_exception(frame);
    }
}

void trap_user_work(struct trap_frame *frame)
{
    struct arch_thread *t = arch_thread_self();
    // Acquire: partner is the release with which core sets a bit after what the bit announces.
    while (atomic_load_acquire(&t->work) != 0) {
        irq_enable();
        port_return_to_user(frame);
        irq_disable();
    }
}

// A user access of uaccess_copy.S faulted.
static void trap_uaccess(struct trap_frame *frame, const struct extable_line *line)
{
    if (line->kind == EXTABLE_FAULT && trap_is_page_fault(frame->cause) &&
        frame->badaddr < USER_END) {
        if (!(frame->status & SSTATUS_SPIE) || arch_thread_self()->spin_depth != 0)
            panic_trap(frame,
                       "user memory at %#lx accessed with %s, where the kernel may not sleep",
                       frame->badaddr,
                       frame->status & SSTATUS_SPIE ? "a spinlock held" : "interrupts off");
        hart_self()->nr_page_faults++;
        irq_enable();
        int err = port_uaccess_fault(frame->badaddr, trap_access(frame->cause));
        irq_disable();
        if (err == 0)
            return;
    }
    frame->pc = extable_fixup(line);
}

void trap_kernel(struct trap_frame *frame)
{
    if (frame->cause & SCAUSE_INTERRUPT) {
        trap_interrupt(frame->cause);
        return;
    }
    const struct extable_line *line = extable_find(frame->pc);
    bool is_user_address = frame->badaddr < USER_END;
    if (line && (line->kind == EXTABLE_NOFAULT || is_user_address)) {
        trap_uaccess(frame, line);
        return;
    }
    panic_trap(frame, "%s in the kernel: pc %#lx, address %#lx", trap_name(frame->cause), frame->pc,
               frame->badaddr);
}

void trap_stack_overflow(struct trap_frame *frame, vaddr_t stack_base)
{
    panic_trap(frame, "kernel stack overflow: sp %#lx is below or too near the stack's end %#lx",
               frame->sp, stack_base);
}
