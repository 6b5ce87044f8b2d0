// SPDX-License-Identifier: BSD-2-Clause
// The F/D registers as a block of memory (struct arch_fpu). sstatus.FS must not be off.
#include <generated/offsets.h>

// Instructions that the rest of the kernel is built without.
    .attribute arch, "rv64gc"

.macro for_each_float op
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \op f\n, 8 * \n(a0)
    .endr
.endm

    .text
    .global float_save, float_load
float_save:
    for_each_float fsd
    frcsr t0
    sd t0, FPU_FCSR(a0)
    ret

float_load:
    for_each_float fld
    ld t0, FPU_FCSR(a0)
    fscsr t0
    ret
