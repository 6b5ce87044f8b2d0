// SPDX-License-Identifier: BSD-2-Clause
// The Linux riscv64 Image header, and the way of each hart from physical addresses to C.
//
// The boot hart enters at _start as Linux does (Linux Documentation/arch/riscv/boot.rst): a0 hart id,
// a1 device tree, satp 0, S-mode, interrupts off. It builds boot tables (linear map of the first
// 128 GiB by 1 GiB leaves, image by 2 MiB leaves) and jumps to its virtual address. Other harts
// enter at hart_secondary_entry, started by SBI HSM: a0 hart id, a1 their idle thread, and load the
// final tables. Everything before the jump is PC-relative: the image may lie at any 2 MiB boundary.
#include <arch/csr.h>
#include <generated/offsets.h>

// Load satp and go on at the virtual address of the next line. The physical PC isn't mapped in the
// new tables, so the next fetch faults to stvec, which is that line. satp ignores a mode that the
// hart doesn't have, hence the fall-through.
.macro enter_virtual satp
    lla t0, 1f
    lla t1, _start
    sub t0, t0, t1
    li t1, ASM_KERNEL_BASE
    add t0, t0, t1
    csrw stvec, t0
    sfence.vma
    csrw satp, \satp
    lla a0, message_no_sv39
    j boot_fail
    .balign 4
1:
.endm

    .section .head.text, "ax"
    .global _start
_start:
    .option push
    .option norvc
    .option norelax
    j boot_entry
    .word 0
    .quad 0x200000                  // text_offset
    .quad __image_size              // image_size, with bss
    .quad 0                         // flags: little endian
    .word 2, 0                      // version 0.2
    .quad 0
    .ascii "RISCV\0\0\0"
    .ascii "RSC\x05"
    .word 0                         // no PE header
    .option pop
    .org 64                         // an error if the header were longer

boot_entry:
    csrw sie, zero
    fence.i                         // what was at these addresses before may be in the cache
    rdtime s2
    mv s0, a0
    mv s1, a1

    lla t0, _start
    slli t1, t0, 64 - 21
    lla a0, message_misaligned
    bnez t1, boot_fail

    lla t0, __bss_start
    lla t1, __image_end
1:  sd zero, (t0)
    addi t0, t0, 8
    bltu t0, t1, 1b

    // Linear map.
    lla s3, boot_root
    li t0, ASM_LINEAR_INDEX * 8
    add t0, t0, s3
    li t1, ASM_PTE_RW
    li t2, ASM_LINEAR_ENTRIES
    li t3, 1 << 28                  // 1 GiB in a PTE
1:  sd t1, (t0)
    add t1, t1, t3
    addi t0, t0, 8
    addi t2, t2, -1
    bnez t2, 1b

    // Image.
    lla t0, boot_image_table
    srli t1, t0, 2
    ori t1, t1, ASM_PTE_TABLE
    li t2, ASM_IMAGE_INDEX * 8
    add t2, t2, s3
    sd t1, (t2)
    lla t1, _start
    lla t2, __image_end
    li t4, 1 << 21
    li t5, ASM_PTE_RWX
1:  srli t3, t1, 2
    or t3, t3, t5
    sd t3, (t0)
    addi t0, t0, 8
    add t1, t1, t4
    bltu t1, t2, 1b

    srli s3, s3, 12
    li t0, SATP_MODE_SV39
    or s3, s3, t0
    lla s4, _start                   // where the image lies
    enter_virtual s3

    lla t0, trap_entry
    csrw stvec, t0
    csrw sscratch, zero
    lla tp, boot_thread
    // As on every thread's stack, the top is a frame: all zero, no unit is on.
    lla sp, boot_stack + ASM_STACK_SIZE - FRAME_SIZE
    mv a0, s0
    mv a1, s1
    mv a2, s2
    mv a3, s4
    mv s0, zero                     // the end of a backtrace
    call arch_boot
    unimp

    .global hart_secondary_entry
hart_secondary_entry:
    csrw sie, zero
    fence.i
    mv s1, a1
    lla t0, kernel_satp
    ld s3, (t0)
    enter_virtual s3
    lla t0, trap_entry
    csrw stvec, t0
    csrw sscratch, zero
    mv tp, s1
    ld sp, THREAD_SP(tp)
    mv s0, zero
    call hart_secondary_start
    unimp

// a0: a message. Before there is a console driver or a stack: SBI's legacy putchar, then DBCN's
// write_byte, of which any firmware has at least one.
boot_fail:
    mv s2, a0
1:  lbu a0, (s2)
    beqz a0, 3f
    li a7, 1
    ecall
    beqz a0, 2f
    lbu a0, (s2)
    li a7, 0x4442434e
    li a6, 2
    ecall
2:  addi s2, s2, 1
    j 1b
3:  wfi
    j 3b

    .section .rodata, "a"
message_misaligned:
    .asciz "Vireo: the kernel image must be loaded at a 2 MiB boundary; stopped.\n"
message_no_sv39:
    .asciz "Vireo: this hart has no Sv39 virtual memory; stopped.\n"

    .section .page_bss, "aw", @nobits
    .balign 4096
boot_root:
    .skip 4096
boot_image_table:
    .skip 4096
    .global boot_stack_guard, boot_stack
boot_stack_guard:                   // unmapped by mmu.c
    .skip 4096
boot_stack:
    .skip ASM_STACK_SIZE
