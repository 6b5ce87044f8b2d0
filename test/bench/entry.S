# SPDX-License-Identifier: BSD-2-Clause
# A kernel that does nothing but tell the time of its entry: what the firmware took is then known, and
# is not counted as the boot of those that follow. Prints "@entry ", 16 hex digits, and powers off.
    .globl _start
_start:
    rdtime s0
    lla s1, text
next_character:
    lbu a0, (s1)
    beqz a0, digits
    addi s1, s1, 1
    call put
    j next_character
digits:
    li s2, 60
next_digit:
    srl a0, s0, s2
    andi a0, a0, 15
    addi a0, a0, '0'
    li t0, '9'
    ble a0, t0, print_digit
    addi a0, a0, 'a' - '9' - 1
print_digit:
    call put
    addi s2, s2, -4
    bgez s2, next_digit
    li a0, '\n'
    call put
    li a0, 0            # SBI system reset: shutdown
    li a1, 0
    li a6, 0
    li a7, 0x53525354
    ecall
    j .
put:
    li a7, 1            # SBI legacy console putchar
    ecall
    ret
text:
    .asciz "@entry "
