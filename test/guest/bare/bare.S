// SPDX-License-Identifier: BSD-2-Clause
// The bare-metal test's assembly: entry of both harts, a trap handler that steps over the access that
// faulted, and accesses of four bytes each so that it can.

    .section .text.start, "ax"
    .globl start
start:
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
    la      sp, second_stack_end
    la      t0, trap
    csrw    stvec, t0
    call    bare_second
3:  j       3b

// tp tells the access that it trapped.
    .balign 4
trap:
    csrrw   t0, sepc, t0
    addi    t0, t0, 4
    csrrw   t0, sepc, t0
    li      tp, 1
    sret

// int bare_load(va): the byte there, or -1 when it faults.
    .option push
    .option norvc
    .globl bare_load
bare_load:
    mv      t1, tp
    li      tp, 0
    lbu     a0, 0(a0)
    beqz    tp, 4f
    li      a0, -1
4:  mv      tp, t1
    ret

// int bare_store(va): 0, or -1 when it faults. Stores what is there already.
    .globl bare_store
bare_store:
    mv      t1, tp
    li      tp, 0
    amoor.d t0, zero, (a0)
    li      a0, 0
    beqz    tp, 5f
    li      a0, -1
5:  mv      tp, t1
    ret

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
