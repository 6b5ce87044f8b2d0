// SPDX-License-Identifier: BSD-2-Clause
// long linux_syscall(nr, a0 .. a5): the number goes to a7, the rest moves down.

    .globl linux_syscall
    .type linux_syscall, @function
linux_syscall:
    mv      a7, a0
    mv      a0, a1
    mv      a1, a2
    mv      a2, a3
    mv      a3, a4
    mv      a4, a5
    mv      a5, a6
    ecall
    ret
    .size linux_syscall, . - linux_syscall
