// SPDX-License-Identifier: BSD-2-Clause
// What each hart of VisionFive 2's twin can and can't do, tried on all of them, one after the other, from
// reset on (as -bios, at 0x40000000). For each try a name and "-" when it works, else the cause of its
// trap as a hexadecimal digit, to UART0: "hart 1: satp=- time=2 ... end".

#define UART       0x10000000
#define UART_LSR   0x14
#define MPRV       (1 << 17)
#define MPP_S      (1 << 11)
#define MPP        (3 << 11)
#define FS         (3 << 13)
#define PTE_RWX    0xf  // valid, too
#define PTE_A      0x40
#define PTE_D      0x80
#define SATP_SV39  8
#define SATP_SV48  9

    .option norvc

    .macro  put_string text
    .pushsection .rodata
text\@: .asciz "\text"
    .popsection
    la      a0, text\@
    call    put_text
    .endm

    .macro  try name, instructions:vararg
    put_string " \name="
    li      s11, -1
    \instructions
    call    put_result
    .endm

    // As S-mode would: a semicolon would end the macro's argument.
    .macro  try_mprv name, instruction:vararg
    put_string " \name="
    li      s11, -1
    csrs    mstatus, s9
    \instruction
    csrc    mstatus, s8
    call    put_result
    .endm

    .section .text.start, "ax"
    .globl start
start:
    csrr    s0, mhartid
    la      t0, turn
1:  lw      t1, 0(t0)
    bne     t1, s0, 1b
    fence
    la      t0, trap
    csrw    mtvec, t0
    li      s8, MPRV
    li      s9, FS
    csrs    mstatus, s9
    put_string "hart "
    addi    a0, s0, '0'
    call    put_character
    put_string ":"
    la      s1, word
    try     satp, csrr t0, satp
    try     time, csrr t0, time
    try     menvcfg, csrr t0, 0x30a
    try     mcountinhibit, csrr t0, mcountinhibit
    try     mhpmcounter3, csrr t0, mhpmcounter3
    try     mhpmcounter5, csrr t0, mhpmcounter5
    try     float, fmv.x.w t0, f0
    try     zba, .word 0x20a52533 // sh1add a0, a0, a0
    try     misaligned_load, lw t0, 1(s1)
    try     misaligned_store, sw t0, 1(s1)
    try     misaligned_load_of_8, ld t0, 4(s1)
    csrr    t0, misa
    srli    t0, t0, 'S' - 'A'
    andi    t0, t0, 1
    beqz    t0, done

    // satp: which bits of ASID hold, and is there a fourth level?
    li      t0, (SATP_SV39 << 60) | (0xffff << 44)
    csrw    satp, t0
    csrr    s4, satp
    slli    s4, s4, 4
    srli    s4, s4, 48
    put_string " asid="
    call    put_zero_or_not
    li      t0, SATP_SV48 << 60
    csrw    satp, t0
    csrr    s4, satp
    srli    s4, s4, 60
    addi    s4, s4, -SATP_SV39
    put_string " sv39_only="
    call    put_zero_or_not

    // S-mode may use all memory and every counter.
    li      t0, -1
    csrw    mcounteren, t0
    csrw    pmpaddr0, t0
    li      t0, 0x1f
    csrw    pmpcfg0, t0

    // A page whose A, then D bit is clear, through MPRV.
    la      s2, root
    srli    t0, s2, 12
    li      t1, SATP_SV39 << 60
    or      t0, t0, t1
    csrw    satp, t0
    li      s9, MPRV | MPP_S
    li      s3, (0x40000000 >> 2) | PTE_RWX
    sd      s3, 8(s2)
    sfence.vma
    try_mprv load_without_a, lw t0, 0(s1)
    ori     s3, s3, PTE_A
    sd      s3, 8(s2)
    sfence.vma
    try_mprv load_with_a, lw t0, 0(s1)
    try_mprv store_without_d, sw zero, 0(s1)
    ori     s3, s3, PTE_D
    sd      s3, 8(s2)
    sfence.vma
    try_mprv store_with_d, sw zero, 0(s1)
    csrw    satp, zero

    // The same questions from S-mode.
    li      t0, MPP
    csrc    mstatus, t0
    li      t0, MPP_S
    csrs    mstatus, t0
    la      t0, supervisor
    csrw    mepc, t0
    mret

supervisor:
    try     s_cycle, csrr t0, cycle
    try     s_time, csrr t0, time
    try     s_menvcfg, csrr t0, 0x30a
    try     s_senvcfg, csrr t0, 0x10a
    try     s_stimecmp, csrr t0, 0x14d
    try     s_misaligned_load, lw t0, 1(s1)

done:
    put_string " end\n"
    la      t0, turn
    addi    t1, s0, 1
    fence
    sw      t1, 0(t0)
2:  j       2b

// s4 == 0: "-", else "x".
put_zero_or_not:
    li      a0, '-'
    beqz    s4, put_character
    li      a0, 'x'
    j       put_character

// s11: the cause, or -1.
put_result:
    li      a0, '-'
    bltz    s11, put_character
    la      t0, digits
    add     t0, t0, s11
    lbu     a0, 0(t0)
put_character:
    li      t0, UART
3:  lbu     t1, UART_LSR(t0)
    andi    t1, t1, 0x20
    beqz    t1, 3b
    sb      a0, 0(t0)
    ret

put_text:
    mv      a2, a0
    mv      a3, ra
4:  lbu     a0, 0(a2)
    beqz    a0, 5f
    call    put_character
    addi    a2, a2, 1
    j       4b
5:  mv      ra, a3
    ret

// Steps over what trapped; all of it is four bytes long.
    .balign 4
trap:
    csrr    s11, mcause
    csrr    s10, mepc
    addi    s10, s10, 4
    csrw    mepc, s10
    // Back to where it came from: mret leaves MPRV only on the way to M.
    mret

    .section .rodata
digits: .ascii "0123456789abcdef"

    .section .data
    .balign 8
turn:   .dword 0
word:   .dword 0, 0

    .section .bss
    .balign 4096
root:   .skip 4096
