// SPDX-License-Identifier: BSD-2-Clause
// Entry of a newlib program: the kernel put argc, argv, envp and the auxiliary vector at sp
// (riscv64 psABI, "Process Initialization").

    .globl _start
    .type _start, @function
_start:
    .option push
    .option norelax
    lla     gp, __global_pointer$
    .option pop
    mv      a0, sp
    andi    sp, sp, -16
    li      fp, 0
    li      ra, 0
    call    port_start
    .size _start, . - _start
