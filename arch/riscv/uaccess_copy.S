// SPDX-License-Identifier: BSD-2-Clause
// Copies between kernel and user memory. Every access that may fault has a line in the exception
// table; SUM is on from the first to the last access only. A fault that port_uaccess_fault() can't
// resolve goes from a word loop to the byte loop, which then stops at the exact byte.
//
// Words are copied aligned on both sides: where the two sides differ in alignment, pairs of aligned
// loads are shifted together, since misaligned accesses are emulated by the firmware on many harts.
// An aligned word that holds a wanted byte never reaches into another page.
#include <arch/csr.h>
#include "extable_priv.h"

    .section .text.uaccess, "ax"

// 64 bytes at \offset from a1 to a0. A fault leaves both as they are: the byte loop begins there.
.macro copy_64_bytes offset
    for_each_of_8 ld, a1, \offset
    for_each_of_8 sd, a0, \offset
.endm
.macro for_each_of_8 op, base, offset
    copy_word \op, t0, \offset, \base
    copy_word \op, t1, \offset + 8, \base
    copy_word \op, t2, \offset + 16, \base
    copy_word \op, t3, \offset + 24, \base
    copy_word \op, t4, \offset + 32, \base
    copy_word \op, t5, \offset + 40, \base
    copy_word \op, a4, \offset + 48, \base
    copy_word \op, a5, \offset + 56, \base
.endm
.macro copy_word op, reg, offset, base
    extable_fault .Lcopy_bytes
    \op \reg, \offset(\base)
.endm

// size_t uaccess_copy(void *dst, const void *src, size_t n): how many bytes are left.
// a0 dst, a1 src, a2 end of dst, a3 dst's end for the loop in progress.
    .balign 4
    .global uaccess_copy
uaccess_copy:
    li t6, SSTATUS_SUM
    csrs sstatus, t6
    add a2, a0, a2
    sub t0, a2, a0
    sltiu t0, t0, 8
    bnez t0, .Lcopy_bytes

    // dst to a word boundary.
    addi a3, a0, 7
    andi a3, a3, -8
    beq a0, a3, 2f
1:  extable_fault .Lcopy_done
    lb t0, (a1)
    addi a1, a1, 1
    extable_fault .Lcopy_done
    sb t0, (a0)
    addi a0, a0, 1
    bltu a0, a3, 1b
2:  andi t0, a1, 7
    bnez t0, .Lcopy_shifted

    // Both aligned: 128 bytes a turn, 64 more, then words.
    addi a3, a2, -63
    bgeu a0, a3, 5f
    addi a3, a2, -127
    bgeu a0, a3, 4f
3:  copy_64_bytes 0
    copy_64_bytes 64
    addi a1, a1, 128
    addi a0, a0, 128
    bltu a0, a3, 3b
4:  addi a3, a2, -63
    bgeu a0, a3, 5f
    copy_64_bytes 0
    addi a1, a1, 64
    addi a0, a0, 64
5:  addi a3, a2, -7
    bgeu a0, a3, .Lcopy_bytes
6:  extable_fault .Lcopy_bytes
    ld t0, (a1)
    addi a1, a1, 8
    extable_fault .Lcopy_bytes_back
    sd t0, (a0)
    addi a0, a0, 8
    bltu a0, a3, 6b
    j .Lcopy_bytes

// dst is aligned, src is t0 bytes past a word. t1 holds the word that begins before src.
.Lcopy_shifted:
    addi a3, a2, -7
    bgeu a0, a3, .Lcopy_bytes
    slli t2, t0, 3              // bits of t1 that are used up
    neg t3, t2                  // 64 - t2, as shifts count
    sub a4, a1, t0
    extable_fault .Lcopy_bytes
    ld t1, (a4)
7:  extable_fault .Lcopy_bytes
    ld t4, 8(a4)
    srl t1, t1, t2
    sll t5, t4, t3
    or t5, t5, t1
    extable_fault .Lcopy_bytes
    sd t5, (a0)
    mv t1, t4
    addi a4, a4, 8
    addi a1, a1, 8
    addi a0, a0, 8
    bltu a0, a3, 7b
    j .Lcopy_bytes

.Lcopy_bytes_back:
    addi a1, a1, -8
.Lcopy_bytes:
    bgeu a0, a2, .Lcopy_done
8:  extable_fault .Lcopy_done
    lb t0, (a1)
    addi a1, a1, 1
    extable_fault .Lcopy_done
    sb t0, (a0)
    addi a0, a0, 1
    bltu a0, a2, 8b
.Lcopy_done:
    csrc sstatus, t6
    sub a0, a2, a0
    ret

// size_t uaccess_clear(void *dst, size_t n): how many bytes are left.
    .balign 4
    .global uaccess_clear
uaccess_clear:
    li t6, SSTATUS_SUM
    csrs sstatus, t6
    add a2, a0, a1
    addi a3, a0, 7
    andi a3, a3, -8
    bgeu a3, a2, .Lclear_bytes
1:  bgeu a0, a3, 2f
    extable_fault .Lclear_done
    sb zero, (a0)
    addi a0, a0, 1
    j 1b
2:  addi a3, a2, -31
    bgeu a0, a3, 4f
3:  extable_fault .Lclear_bytes
    sd zero, (a0)
    extable_fault .Lclear_bytes
    sd zero, 8(a0)
    extable_fault .Lclear_bytes
    sd zero, 16(a0)
    extable_fault .Lclear_bytes
    sd zero, 24(a0)
    addi a0, a0, 32
    bltu a0, a3, 3b
4:  addi a3, a2, -7
5:  bgeu a0, a3, .Lclear_bytes
    extable_fault .Lclear_bytes
    sd zero, (a0)
    addi a0, a0, 8
    j 5b
.Lclear_bytes:
    bgeu a0, a2, .Lclear_done
    extable_fault .Lclear_done
    sb zero, (a0)
    addi a0, a0, 1
    j .Lclear_bytes
.Lclear_done:
    csrc sstatus, t6
    sub a0, a2, a0
    ret

// ssize_t uaccess_string(char *dst, const char *src, size_t n): length without NUL; n: there is
// none in n bytes; -1: a fault. n isn't 0.
    .balign 4
    .global uaccess_string
uaccess_string:
    li t6, SSTATUS_SUM
    csrs sstatus, t6
    mv a3, a0
    add a2, a0, a2
1:  extable_fault .Lstring_fault
    lbu t0, (a1)
    addi a1, a1, 1
    sb t0, (a0)
    beqz t0, 2f
    addi a0, a0, 1
    bltu a0, a2, 1b
2:  csrc sstatus, t6
    sub a0, a0, a3
    ret
.Lstring_fault:
    csrc sstatus, t6
    li a0, -1
    ret

// int uaccess_store_u16(uint16_t *addr, uint16_t value): 0 or -1.
    .balign 4
    .global uaccess_store_u16
uaccess_store_u16:
    li t6, SSTATUS_SUM
    csrs sstatus, t6
    extable_fault .Lword_fault
    sh a1, (a0)
    csrc sstatus, t6
    li a0, 0
    ret

// int uaccess_load_u32(const uint32_t *addr, uint32_t *value): 0 or -1. Never sleeps.
    .balign 4
    .global uaccess_load_u32
uaccess_load_u32:
    li t6, SSTATUS_SUM
    csrs sstatus, t6
    extable_nofault .Lword_fault
    lw t0, (a0)
    csrc sstatus, t6
    sw t0, (a1)
    li a0, 0
    ret

// int uaccess_cmpxchg_u32(uint32_t *addr, uint32_t expected, uint32_t desired, uint32_t *old):
// 0 exchanged, 1 differs, -1 a fault. Never sleeps. Sequentially consistent: lr.aqrl + sc.rl.
    .balign 4
    .global uaccess_cmpxchg_u32
uaccess_cmpxchg_u32:
    li t6, SSTATUS_SUM
    csrs sstatus, t6
    sext.w a1, a1
1:  extable_nofault .Lword_fault
    lr.w.aqrl t0, (a0)
    bne t0, a1, 2f
    extable_nofault .Lword_fault
    sc.w.rl t1, a2, (a0)
    bnez t1, 1b
2:  csrc sstatus, t6
    sw t0, (a3)
    xor a0, t0, a1
    snez a0, a0
    ret
.Lword_fault:
    csrc sstatus, t6
    li a0, -1
    ret
