// SPDX-License-Identifier: BSD-2-Clause
// Offsets for assembly: never linked. The compiler prints `->NAME VALUE` lines, from which
// flash/offsets.sh makes <generated/offsets.h>.
#include <arch/mmu.h>
#include <arch/thread.h>

#define DEFINE(name, value) __asm__ volatile("\n->" #name " %0" ::"i"((long)(value)))
#define FRAME(name, field)  DEFINE(FRAME_##name, offsetof(struct trap_frame, field))

void offsets(void);
void offsets(void)
{
    FRAME(PC, pc);
    FRAME(RA, ra);
    FRAME(SP, sp);
    FRAME(GP, gp);
    FRAME(TP, tp);
    FRAME(T0, t0);
    FRAME(T1, t1);
    FRAME(T2, t2);
    FRAME(S0, s0);
    FRAME(S1, s1);
    FRAME(A0, a0);
    FRAME(S2, s2);
    FRAME(T3, t3);
    FRAME(STATUS, status);
    FRAME(CAUSE, cause);
    FRAME(BADADDR, badaddr);
    FRAME(ORIG_A0, orig_a0);
    DEFINE(FRAME_SIZE, sizeof(struct trap_frame));

    DEFINE(THREAD_KERNEL_SP, offsetof(struct arch_thread, kernel_sp));
    DEFINE(THREAD_SCRATCH, offsetof(struct arch_thread, scratch));
    DEFINE(THREAD_HART, offsetof(struct arch_thread, hart));
    DEFINE(THREAD_WORK, offsetof(struct arch_thread, work));
    DEFINE(THREAD_RA, offsetof(struct arch_thread, context.ra));
    DEFINE(THREAD_SP, offsetof(struct arch_thread, context.sp));
    DEFINE(THREAD_S, offsetof(struct arch_thread, context.s));
    DEFINE(THREAD_STACK_BASE, offsetof(struct arch_thread, stack_base));
    DEFINE(HART_CPU, offsetof(struct hart, cpu));
    DEFINE(FPU_FCSR, offsetof(struct arch_fpu, fcsr));

    DEFINE(ASM_KERNEL_BASE, KERNEL_BASE);
    DEFINE(ASM_LINEAR_INDEX, pt_index(LINEAR_BASE, 2));
    DEFINE(ASM_LINEAR_ENTRIES, LINEAR_SIZE >> PT_SHIFT(2));
    DEFINE(ASM_IMAGE_INDEX, pt_index(KERNEL_BASE, 2));
    DEFINE(ASM_PTE_TABLE, PTE_V);
    DEFINE(ASM_PTE_RW, PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | PTE_G);
    DEFINE(ASM_PTE_RWX, PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D | PTE_G);
    DEFINE(ASM_STACK_SIZE, KERNEL_STACK_SIZE);
}
