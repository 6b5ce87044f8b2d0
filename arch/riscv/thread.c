// SPDX-License-Identifier: BSD-2-Clause
// The arch side of a thread's life: made, switched to, copied by fork, reset by execve. A thread's
// fields are its own; core guards creation and destruction.
#include <arch/csr.h>
#include <arch/fpu.h>
#include <arch/irq.h>
#include <arch/port.h>
#include <arch/thread.h>
#include <errno.h>
#include <string.h>

#include "fpu_priv.h"
#include "thread_priv.h"

// Runs from head.S to the first switch.
struct arch_thread boot_thread;

void arch_thread_init(struct arch_thread *t, vaddr_t stack_base, void (*entry)(void *), void *arg)
{
    memset(t, 0, sizeof(*t));
    t->stack_base = stack_base;
    t->kernel_sp = stack_base + KERNEL_STACK_SIZE;
    t->hart = hart_self();
    // A kernel thread has a frame too: all zero, it says that no unit is on.
    struct trap_frame *frame = arch_thread_frame(t);
    memset(frame, 0, sizeof(*frame));
    t->context.ra = (uintptr_t)thread_entry;
    t->context.sp = (uintptr_t)frame;
    t->context.s[1] = (uintptr_t)entry;
    t->context.s[2] = (uintptr_t)arg;
}

void arch_thread_destroy(struct arch_thread *t)
{
    if (t->vstate)
        port_free(t->vstate);
    t->vstate = NULL;
}

struct trap_frame *arch_thread_frame(struct arch_thread *t)
{
    return (struct trap_frame *)t->kernel_sp - 1;
}

void trap_frame_init_user(struct trap_frame *frame, vaddr_t pc, vaddr_t sp)
{
    memset(frame, 0, sizeof(*frame));
    frame->pc = pc;
    frame->sp = sp;
    frame->status = SSTATUS_SPIE | SSTATUS_UXL;
    frame->cause = TRAP_CAUSE_NONE;
}

int arch_thread_copy_user(struct arch_thread *child)
{
    struct arch_thread *self = arch_thread_self();
    size_t vsize = vector_state_size();
    if (vsize > 0) {
        child->vstate = port_alloc(vsize);
        if (!child->vstate)
            return -ENOMEM;
    }
    fpu_save_self(); // and marks clean, so that the copied frame tells the child to load
    child->fpu = self->fpu;
    if (vsize > 0)
        memcpy(child->vstate, self->vstate, vsize);
    *arch_thread_frame(child) = *arch_thread_frame(self);
    return 0;
}

void arch_thread_reset_user(void)
{
    struct arch_thread *self = arch_thread_self();
    irq_flags_t flags = irq_save();
    arch_thread_frame(self)->status &= ~(SSTATUS_FS | SSTATUS_VS);
    irq_restore(flags);
    memset(&self->fpu, 0, sizeof(self->fpu));
    arch_thread_destroy(self);
}

// Out of line: callers read tp again afterwards.
__attribute__((noinline)) void arch_thread_adopt(struct arch_thread *t)
{
    irq_flags_t flags = irq_save();
    *t = *arch_thread_self();
    t->hart->idle = t;
    __asm__ volatile("mv tp, %0" ::"r"(t) : "memory");
    irq_restore(flags);
}

struct arch_thread *arch_thread_switch(struct arch_thread *prev, struct arch_thread *next)
{
    next->hart = prev->hart;
    fpu_switch(prev, next);
    return thread_switch(prev, next);
}
