// SPDX-License-Identifier: BSD-2-Clause
// The linked vDSO (vdso_calls.c, vdso_sigreturn.S, vdso.ld) as pages of the kernel's read-only data.
    .section .vdso, "a"
    .balign 4096
    .global vdso_page, vdso_end
vdso_page:
    .incbin VDSO_IMAGE
    .balign 4096, 0
vdso_end:
