// SPDX-License-Identifier: BSD-2-Clause
// The page of user code. The two words are what gcc's and LLVM's unwinders look for at a signal
// frame, so they may not be compressed.
    .section .vdso, "a"
    .balign 4096
    .global vdso_page, vdso_sigreturn
vdso_page:
    .option norvc
    .word 0x00100073                // ebreak: nobody calls the page's start
vdso_sigreturn:
    li a7, 139                      // rt_sigreturn
    ecall
    .balign 4096, 0
