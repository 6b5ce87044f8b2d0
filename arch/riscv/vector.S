// SPDX-License-Identifier: BSD-2-Clause
// The V registers as a block of memory: struct vector_state, then 32 registers of vlenb bytes.
// sstatus.VS must not be off. vl and vtype are restored last: the loads change them.

// Instructions that the rest of the kernel is built without.
    .attribute arch, "rv64gcv"

    .text
    .global vector_save, vector_load, vector_vlenb

// a0 struct vector_state
vector_save:
    csrr t0, vstart
    csrr t1, vl
    csrr t2, vtype
    csrr t3, vcsr
    sd t0, (a0)
    sd t1, 8(a0)
    sd t2, 16(a0)
    sd t3, 24(a0)
    addi a0, a0, 32
    vsetvli t4, zero, e8, m8, ta, ma
    vse8.v v0, (a0)
    add a0, a0, t4
    vse8.v v8, (a0)
    add a0, a0, t4
    vse8.v v16, (a0)
    add a0, a0, t4
    vse8.v v24, (a0)
    // As they were: the thread may go on with them.
    vsetvl zero, t1, t2
    csrw vstart, t0
    ret

vector_load:
    addi a1, a0, 32
    vsetvli t4, zero, e8, m8, ta, ma
    vle8.v v0, (a1)
    add a1, a1, t4
    vle8.v v8, (a1)
    add a1, a1, t4
    vle8.v v16, (a1)
    add a1, a1, t4
    vle8.v v24, (a1)
    ld t1, 8(a0)
    ld t2, 16(a0)
    ld t3, 24(a0)
    ld t0, (a0)
    vsetvl zero, t1, t2
    csrw vcsr, t3
    csrw vstart, t0
    ret

vector_vlenb:
    csrr a0, vlenb
    ret
