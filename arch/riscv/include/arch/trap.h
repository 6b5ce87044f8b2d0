// SPDX-License-Identifier: BSD-2-Clause
// The registers of interrupted code, saved at the top of the thread's kernel stack at every entry
// from user mode (and on the running stack at a trap out of the kernel). The order up to `t6` is
// that of Linux's user_regs_struct, so that signal frames and ptrace copy it as it is.
#pragma once

#include <lib/types.h>

struct trap_frame {
    uint64_t pc;
    uint64_t ra, sp, gp, tp;
    uint64_t t0, t1, t2;
    uint64_t s0, s1;
    uint64_t a0, a1, a2, a3, a4, a5, a6, a7;
    uint64_t s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;
    uint64_t t3, t4, t5, t6;
    uint64_t status;  // sstatus
    uint64_t cause;   // scause; TRAP_CAUSE_NONE once a syscall must not restart or set s0..s11
    uint64_t badaddr; // stval
    uint64_t orig_a0; // a0 at a syscall's entry, for restarts
};

#define TRAP_CAUSE_NONE UINT64_MAX

_Static_assert(sizeof(struct trap_frame) % 16 == 0, "the stack stays 16-byte aligned");

static inline bool trap_frame_is_user(const struct trap_frame *frame)
{
    return (frame->status & (1UL << 8)) == 0; // SPP
}

// First entry of a thread into user mode: clears the frame, sets pc, sp and status (interrupts on,
// FP off until first use).
void trap_frame_init_user(struct trap_frame *frame, vaddr_t pc, vaddr_t sp);
