// SPDX-License-Identifier: BSD-2-Clause
// Where signal handlers return to. The two words are what gcc's and LLVM's unwinders look for at a
// signal frame, so they may not be compressed.
    .section .text.sigreturn, "ax"
    .option norvc
    .global __vdso_rt_sigreturn
    .type __vdso_rt_sigreturn, @function
__vdso_rt_sigreturn:
    li a7, 139                      // rt_sigreturn
    ecall
    .size __vdso_rt_sigreturn, . - __vdso_rt_sigreturn
