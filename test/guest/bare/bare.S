// SPDX-License-Identifier: BSD-2-Clause
// The bare-metal test's assembly: entry of both harts, a trap handler that steps over the access that
// faulted, accesses of four bytes each so that it can, and a visit to user mode.

    .section .text.start, "ax"
    .globl start
start:
    addi    tp, a0, 1
    la      sp, stack_end
    la      t0, trap
    csrw    stvec, t0
    la      t0, bss_start
    la      t1, bss_end
1:  sd      zero, 0(t0)
    addi    t0, t0, 8
    bltu    t0, t1, 1b
    call    bare_main
2:  j       2b

    .globl start_second
start_second:
    addi    tp, a0, 1
    la      sp, second_stack_end
    la      t0, trap
    csrw    stvec, t0
    call    bare_second
3:  j       3b

// An access that traps is stepped over, with t2 set. The call of user mode goes back to t3.
    .balign 4
trap:
    csrr    t0, scause
    addi    t0, t0, -8
    beqz    t0, 4f
    csrr    t0, sepc
    addi    t0, t0, 4
    csrw    sepc, t0
    li      t2, 1
    sret
4:  csrw    sepc, t3
    li      t0, 0x100
    csrs    sstatus, t0
    sret

// void bare_visit_user(void): to user mode and back, as from a system call. tp is this hart's thread.
    .globl bare_visit_user
bare_visit_user:
    csrw    sscratch, tp
    la      t0, user_code
    li      t1, 0x100000000
    add     t0, t0, t1
    csrw    sepc, t0
    la      t3, 5f
    li      t0, 0x100
    csrc    sstatus, t0
    sret
5:  ret
user_code:
    ecall

// int bare_load(va): the byte there, or -1 when it faults.
    .option push
    .option norvc
    .globl bare_load
bare_load:
    li      t2, 0
    lbu     a0, 0(a0)
    beqz    t2, 6f
    li      a0, -1
6:  ret

// int bare_store(va): 0, or -1 when it faults. Stores what is there already.
    .globl bare_store
bare_store:
    li      t2, 0
    amoor.d t0, zero, (a0)
    li      a0, 0
    beqz    t2, 7f
    li      a0, -1
7:  ret

// Two functions of two instructions, to be copied: return 'A', return 'B'.
    .globl code_a, code_b
code_a:
    li      a0, 'A'
    ret
code_b:
    li      a0, 'B'
    ret
    .option pop

    .bss
    .balign 16
    .skip   8192
stack_end:
    .skip   8192
second_stack_end:
