// SPDX-License-Identifier: BSD-2-Clause
// What arch/riscv knows of a thread, embedded as the first field of core's struct thread, and of a
// hart. In the kernel `tp` always points to the running thread's arch_thread, so "current" is one
// register and never races with migration; in user mode `sscratch` keeps it.
//
// The kernel itself isn't preempted: outside port_return_to_user() and explicit sleeps a thread
// stays on its hart, so hart_self() is stable between sleeps.
#pragma once

#include <arch/trap.h>
#include <lib/types.h>

#define KERNEL_STACK_SIZE (4 * PAGE_SIZE)

// Bits of arch_thread.work: why the way back to user mode must call port_return_to_user().
#define THREAD_WORK_RESCHED BIT(0) // somebody better is runnable on this hart
#define THREAD_WORK_SIGNAL  BIT(1) // a signal, stop or exit may be pending
#define THREAD_WORK_RESTORE BIT(2) // saved signal mask to restore (sigsuspend, ppoll)
#define THREAD_WORK_RSEQ    BIT(3) // it has been off its hart: rseq(2)

// Callee-saved registers across thread_switch (RISC-V ELF psABI, "Integer Register Convention").
struct arch_context {
    uint64_t ra, sp;
    uint64_t s[12];
};

// D state. Owned by the thread; live in the hart only while it runs (see arch/fpu.h).
struct arch_fpu {
    uint64_t f[32];
    uint64_t fcsr;
};

struct hart;

struct arch_thread {
    // Offsets of these are known to entry.S (arch/riscv/offsets.c).
    uint64_t kernel_sp;  // top of the kernel stack, where the frame of a user entry ends
    uint64_t scratch;    // entry.S only
    struct hart *hart;   // the hart that runs it, or ran it last
    uint32_t work;       // THREAD_WORK_*, changed atomically, also by other harts
    uint32_t spin_depth; // spinlocks held: may not sleep while non-zero

    struct arch_context context;
    struct arch_fpu fpu;
    void *vstate;       // V registers, allocated on first use; NULL before
    vaddr_t stack_base; // lowest address of the kernel stack, above its guard page
};

// Per-hart data. One cache line or more each; written by its own hart unless noted.
struct hart {
    cpu_t cpu;
    hartid_t id;
    int dt_node;
    bool online;              // written once by the hart itself (release)
    struct arch_thread *idle; // the thread it started with
    struct mmu_context *mmu;  // context whose root is in satp (see arch/tlb.h)
    uint32_t ipi_pending;     // IPI_* bits, set by others, atomic
    uint64_t nr_ipis, nr_timer_irqs, nr_external_irqs, nr_page_faults;
} __attribute__((aligned(64)));

register struct arch_thread *arch_thread_tp __asm__("tp");

static inline struct arch_thread *arch_thread_self(void)
{
    return arch_thread_tp;
}

static inline struct hart *hart_self(void)
{
    return arch_thread_tp->hart;
}

// The harts that take part, in our numbering; stable after boot.
cpu_t cpu_count(void); // usable (found and allowed by maxcpus=)
struct hart *hart_of_cpu(cpu_t cpu);

// Prepare `t` so that the first switch to it calls entry(arg) on its own kernel stack
// [stack_base, stack_base + KERNEL_STACK_SIZE), interrupts off. entry never returns, but may leave
// by thread_enter_user().
void arch_thread_init(struct arch_thread *t, vaddr_t stack_base, void (*entry)(void *), void *arg);
// The calling context, which booted on a thread of arch's own, goes on as `t`. Once, boot hart.
void arch_thread_adopt(struct arch_thread *t);
// Drop what arch allocated for it (V state). `t` doesn't run any more.
void arch_thread_destroy(struct arch_thread *t);
// The frame of its entry from user mode.
struct trap_frame *arch_thread_frame(struct arch_thread *t);
// fork and clone: child's register frame, F/D and V state become copies of the calling thread's.
// 0 or -ENOMEM (V state).
int arch_thread_copy_user(struct arch_thread *child);
// execve: forget F/D and V state of the calling thread.
void arch_thread_reset_user(void);

// Switch from the calling thread `prev` to `next` on this hart. Interrupts off. Saves FP/V state of
// prev if dirty. Returns, later, in prev's context; the result is the thread that ran just before.
struct arch_thread *arch_thread_switch(struct arch_thread *prev, struct arch_thread *next);
// Leave the kernel by the calling thread's frame. Interrupts off.
__noreturn void thread_enter_user(void);

#define IPI_RESCHEDULE BIT(0) // calls port_ipi_reschedule() on the target
#define IPI_FENCE      BIT(1) // full fence (membarrier) on the target
#define IPI_FENCE_I    BIT(2) // fence.i on the target
#define IPI_STOP       BIT(3) // panic or reboot: park for ever

// Send; doesn't wait. The calling hart may be the target.
void hart_send_ipi(cpu_t cpu, uint32_t reasons);
// Make these harts, those that are online, run a full fence, and wait. Interrupts on.
// membarrier(2).
void hart_fence(uint64_t cpus);
// Have the firmware start every other hart (SBI HSM), each on its idle thread: idle[cpu], prepared
// with arch_thread_init() by core. A hart sets `online` and calls port_secondary_main() when it
// comes; this doesn't wait. The cpus that were started, a bit each.
uint64_t hart_start_all(struct arch_thread *const idle[]);
// Sleep until an interrupt is pending; interrupts off on entry and exit.
void hart_wait_for_interrupt(void);

// In loops that wait for another hart: Zihintpause's hint, which harts without it execute as a
// fence.
static inline void hart_relax(void)
{
    __asm__ volatile(".4byte 0x0100000f" ::: "memory");
}
