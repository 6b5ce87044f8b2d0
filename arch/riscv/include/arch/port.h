// SPDX-License-Identifier: BSD-2-Clause
// Upward port: what arch/riscv asks of core. Declared here, defined in core, nowhere else.
#pragma once

#include <arch/trap.h>

enum vm_access { VM_ACCESS_READ, VM_ACCESS_WRITE, VM_ACCESS_EXEC };

// Boot hart, on its first kernel stack with the linear map up; `fdt` is the tree's physical
// address.
__noreturn void port_main(paddr_t fdt);
// Another hart, on its idle thread's stack, interrupts off.
__noreturn void port_secondary_main(void);

// ecall from user mode. Interrupts on. Sets frame->a0 and pc (already past the ecall).
void port_syscall(struct trap_frame *frame);
// Page or access fault out of user mode. Interrupts on, may sleep; delivers a signal if it must.
void port_user_fault(struct trap_frame *frame, vaddr_t addr, enum vm_access access);
// Any other exception out of user mode (SCAUSE_*): illegal instruction, breakpoint, misaligned.
void port_user_exception(struct trap_frame *frame);
// Fault on a user address inside uaccess. Interrupts on, may sleep. 0: retry; -EFAULT: give up.
int port_uaccess_fault(vaddr_t addr, enum vm_access access);
// Before a return to user mode while arch_thread.work is non-zero; interrupts on, called until it
// is zero. May switch threads, push a signal frame or end the thread.
void port_return_to_user(struct trap_frame *frame);

// Interrupt context, interrupts off, must not sleep.
void port_irq_external(void);
void port_timer(void); // the deadline of clock_event_program() has passed
void port_ipi_reschedule(void);

// Memory for arch before or after mm is up: a zeroed page for page tables, V state.
void *port_alloc(size_t size_bytes); // NULL when there is none; may sleep if > PAGE_SIZE
void port_free(void *p);
