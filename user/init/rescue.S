// SPDX-License-Identifier: BSD-2-Clause
// The rescue init's ELF file as read-only data of the kernel (core/main.c).

    .section .rodata.rescue, "a"
    .balign 4096
    .globl rescue_init_start
rescue_init_start:
    .incbin RESCUE_INIT
    .globl rescue_init_end
rescue_init_end:
