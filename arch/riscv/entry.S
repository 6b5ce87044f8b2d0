// SPDX-License-Identifier: BSD-2-Clause
// Trap entry and exit, and the thread switch.
//
// In the kernel tp is the running arch_thread and sscratch is 0; in user mode sscratch is the
// arch_thread. So one swap at entry tells where the trap came from. A trap from user mode builds
// its frame at the top of the thread's kernel stack, a trap from the kernel on the running stack,
// once it has made sure that there is room: below the stack lies a guard page, and a push onto it
// would fault here again, for ever.
#include <arch/csr.h>
#include <generated/offsets.h>

// What a C function may change, but for sp and tp (psABI, "Integer Register Convention").
.macro for_each_temporary op
    \op ra, FRAME_RA(sp)
    \op gp, FRAME_GP(sp)
    \op t0, FRAME_T0(sp)
    \op t1, FRAME_T1(sp)
    \op t2, FRAME_T2(sp)
    \op a0, FRAME_A0(sp)
    \op a1, FRAME_A0 + 8(sp)
    \op a2, FRAME_A0 + 16(sp)
    \op a3, FRAME_A0 + 24(sp)
    \op a4, FRAME_A0 + 32(sp)
    \op a5, FRAME_A0 + 40(sp)
    \op a6, FRAME_A0 + 48(sp)
    \op a7, FRAME_A0 + 56(sp)
    \op t3, FRAME_T3(sp)
    \op t4, FRAME_T3 + 8(sp)
    \op t5, FRAME_T3 + 16(sp)
    \op t6, FRAME_T3 + 24(sp)
.endm

.macro for_each_saved op
    \op s0, FRAME_S0(sp)
    \op s1, FRAME_S1(sp)
    \op s2, FRAME_S2(sp)
    \op s3, FRAME_S2 + 8(sp)
    \op s4, FRAME_S2 + 16(sp)
    \op s5, FRAME_S2 + 24(sp)
    \op s6, FRAME_S2 + 32(sp)
    \op s7, FRAME_S2 + 40(sp)
    \op s8, FRAME_S2 + 48(sp)
    \op s9, FRAME_S2 + 56(sp)
    \op s10, FRAME_S2 + 64(sp)
    \op s11, FRAME_S2 + 72(sp)
.endm

.macro for_each_register op
    for_each_temporary \op
    for_each_saved \op
.endm

// sstatus, sepc and sscratch as user mode needs them.
.macro load_user_csrs
    ld t0, FRAME_STATUS(sp)
    ld t1, FRAME_PC(sp)
    csrw sstatus, t0
    csrw sepc, t1
    csrw sscratch, tp
.endm

    .section .entry.text, "ax"
    .balign 4
    .global trap_entry
trap_entry:
    csrrw tp, sscratch, tp
    beqz tp, trap_from_kernel
    sd sp, THREAD_SCRATCH(tp)
    ld sp, THREAD_KERNEL_SP(tp)
    addi sp, sp, -FRAME_SIZE
    for_each_register sd
    ld t0, THREAD_SCRATCH(tp)
    csrrw t1, sscratch, zero
    csrr t2, sstatus
    csrr t3, sepc
    csrr t4, scause
    sd t0, FRAME_SP(sp)
    sd t1, FRAME_TP(sp)
    sd t2, FRAME_STATUS(sp)
    sd t4, FRAME_CAUSE(sp)
    li t5, SCAUSE_ECALL_USER
    bne t4, t5, user_trap

    // A system call: straight to it.
    addi t3, t3, 4
    sd t3, FRAME_PC(sp)
    sd a0, FRAME_ORIG_A0(sp)
    csrsi sstatus, SSTATUS_SIE
    mv a0, sp
    call port_syscall
    csrci sstatus, SSTATUS_SIE
    lw t0, THREAD_WORK(tp)
    bnez t0, user_work
    // s0..s11 are as the program left them: C preserves them, and a call that sets others in the
    // frame (execve, rt_sigreturn) changes cause, too (arch/trap.h).
    ld t0, FRAME_CAUSE(sp)
    li t1, SCAUSE_ECALL_USER
    bne t0, t1, user_restore
    load_user_csrs
    for_each_temporary ld
    ld tp, FRAME_TP(sp)
    ld sp, FRAME_SP(sp)
    sret

user_return:
    csrci sstatus, SSTATUS_SIE
    lw t0, THREAD_WORK(tp)
    bnez t0, user_work
user_restore:
    load_user_csrs
    for_each_register ld
    ld tp, FRAME_TP(sp)
    ld sp, FRAME_SP(sp)
    sret

user_work:
    mv a0, sp
    call trap_user_work
    j user_restore

user_trap:
    csrr t5, stval
    sd t3, FRAME_PC(sp)
    sd t5, FRAME_BADADDR(sp)
    mv a0, sp
    call trap_user
    j user_return

    .global thread_enter_user
thread_enter_user:
    ld sp, THREAD_KERNEL_SP(tp)
    addi sp, sp, -FRAME_SIZE
    j user_return

trap_from_kernel:
    csrrw tp, sscratch, zero
    sd t0, THREAD_SCRATCH(tp)
    ld t0, THREAD_STACK_BASE(tp)
    addi sp, sp, -FRAME_SIZE
    bltu sp, t0, stack_overflow
    ld t0, THREAD_SCRATCH(tp)
    for_each_register sd
    addi t0, sp, FRAME_SIZE
    sd t0, FRAME_SP(sp)
    call trap_save_rest
    mv a0, sp
    call trap_kernel
    // backtrace.c knows this address: the frame lies where the callee's frame pointer points.
    .global trap_kernel_return
trap_kernel_return:
    ld t0, FRAME_STATUS(sp)
    ld t1, FRAME_PC(sp)
    csrw sstatus, t0
    csrw sepc, t1
    for_each_register ld
    ld sp, FRAME_SP(sp)
    sret

// The trap came from uaccess perhaps: SUM goes off until the return.
trap_save_rest:
    li t1, SSTATUS_SUM
    csrrc t0, sstatus, t1
    csrr t1, sepc
    csrr t2, scause
    csrr t3, stval
    sd t0, FRAME_STATUS(sp)
    sd t1, FRAME_PC(sp)
    sd t2, FRAME_CAUSE(sp)
    sd t3, FRAME_BADADDR(sp)
    sd tp, FRAME_TP(sp)
    ret

// Nothing returns from here, so this hart's emergency stack becomes the thread's stack.
stack_overflow:
    ld t0, THREAD_HART(tp)
    lw t0, HART_CPU(t0)
    addi t0, t0, 1
    slli t0, t0, 12
    sd ra, THREAD_RA(tp)
    lla ra, emergency_stacks
    add t0, t0, ra
    ld ra, THREAD_RA(tp)
    addi t0, t0, -FRAME_SIZE
    addi sp, sp, FRAME_SIZE
    sd sp, FRAME_SP(t0)
    mv sp, t0
    ld t0, THREAD_SCRATCH(tp)
    for_each_register sd
    call trap_save_rest
    ld a1, THREAD_STACK_BASE(tp)
    li t0, 4096 - FRAME_SIZE
    sub t0, sp, t0
    sd t0, THREAD_STACK_BASE(tp)
    mv a0, sp
    call trap_stack_overflow
    unimp

// a0 prev, a1 next; returns prev in the context of next. The store-conditional drops a reservation
// that prev's load-reserved may have left: next must not succeed by it (unprivileged spec 13.2).
    .global thread_switch
thread_switch:
    sd ra, THREAD_RA(a0)
    addi t0, a0, THREAD_RA
    sc.d zero, ra, (t0)
    sd sp, THREAD_SP(a0)
    sd s0, THREAD_S(a0)
    sd s1, THREAD_S + 8(a0)
    sd s2, THREAD_S + 16(a0)
    sd s3, THREAD_S + 24(a0)
    sd s4, THREAD_S + 32(a0)
    sd s5, THREAD_S + 40(a0)
    sd s6, THREAD_S + 48(a0)
    sd s7, THREAD_S + 56(a0)
    sd s8, THREAD_S + 64(a0)
    sd s9, THREAD_S + 72(a0)
    sd s10, THREAD_S + 80(a0)
    sd s11, THREAD_S + 88(a0)
    mv tp, a1
    ld ra, THREAD_RA(a1)
    ld sp, THREAD_SP(a1)
    ld s0, THREAD_S(a1)
    ld s1, THREAD_S + 8(a1)
    ld s2, THREAD_S + 16(a1)
    ld s3, THREAD_S + 24(a1)
    ld s4, THREAD_S + 32(a1)
    ld s5, THREAD_S + 40(a1)
    ld s6, THREAD_S + 48(a1)
    ld s7, THREAD_S + 56(a1)
    ld s8, THREAD_S + 64(a1)
    ld s9, THREAD_S + 72(a1)
    ld s10, THREAD_S + 80(a1)
    ld s11, THREAD_S + 88(a1)
    ret

// Where a new thread begins: s1 entry, s2 its argument; s0 is 0, the end of a backtrace.
    .global thread_entry
thread_entry:
    mv a0, s2
    jalr s1
    unimp

    .section .page_bss, "aw", @nobits
    .balign 4096
    .global emergency_stacks
emergency_stacks:                   // one page for each of NR_CPUS_MAX
    .skip 8 * 4096
