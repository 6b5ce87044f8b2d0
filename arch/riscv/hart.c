// SPDX-License-Identifier: BSD-2-Clause
// Harts at run time: started by SBI HSM, told things by inter-processor interrupts, stopped by a
// panic. hart.ipi_pending is the mailbox: senders set bits, the target takes them all.
#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/csr.h>
#include <arch/irq.h>
#include <arch/log.h>
#include <arch/mmu.h>
#include <arch/port.h>
#include <arch/sbi.h>
#include <arch/thread.h>
#include <lib/assert.h>
#include <lib/atomic.h>

#include "hart_priv.h"

#define SCOUNTEREN_TM BIT(1) // user programs may read the time
#define SENVCFG_CBZE  BIT(7) // and use cbo.zero

extern const char hart_secondary_entry[];

static uint64_t online_mask; // bit per cpu; set by the hart itself, never cleared
// hart_fence(): how many fences were asked of a hart, and how many it has done.
static uint64_t fence_wanted[NR_CPUS_MAX], fence_done[NR_CPUS_MAX];

uint64_t hart_online_mask(void)
{
    // Acquire: partner is the release in hart_set_online().
    return atomic_load_acquire(&online_mask);
}

void hart_set_online(void)
{
    struct hart *hart = hart_self();
    atomic_store_release(&hart->online, true);
    atomic_fetch_or(&online_mask, BIT(hart->cpu));
    // Kernel mappings that changed before this hart was told of changes.
    __asm__ volatile("sfence.vma" ::: "memory");
}

void hart_setup_self(void)
{
    csr_write(sie, SIE_SSIE | SIE_SEIE);
    csr_clear(sstatus, SSTATUS_SUM | SSTATUS_MXR | SSTATUS_FS | SSTATUS_VS | SSTATUS_SIE);
    csr_write(scounteren, SCOUNTEREN_TM);
    if (cpu_features()->zicboz)
        csr_set(senvcfg, SENVCFG_CBZE);
}

__noreturn void hart_park(void)
{
    csr_write(sie, 0);
    while (true)
        __asm__ volatile("wfi" ::: "memory");
}

void hart_send_ipi(cpu_t cpu, uint32_t reasons)
{
    // Release: what the sender wrote before is seen by the target's handler, which acquires. If
    // bits were there already, their sender's interrupt is still to be taken and brings ours too.
    if (atomic_fetch_or(&harts[cpu].ipi_pending, reasons) != 0)
        return;
    int err = sbi_send_ipi(BIT(cpu));
    if (err != 0)
        panic("SBI send_ipi to hart %lu failed: %d", harts[cpu].id, err);
}

// The interrupt is acknowledged before the mailbox is emptied: a sender that finds it empty then
// sends a new one.
void hart_handle_ipi(void)
{
    struct hart *hart = hart_self();
    csr_clear(sip, SIE_SSIE);
    uint32_t reasons = atomic_exchange(&hart->ipi_pending, 0);
    if (reasons & IPI_STOP)
        hart_park();
    if (reasons & IPI_FENCE) {
        uint64_t wanted = atomic_load_acquire(&fence_wanted[hart->cpu]);
        atomic_fence(); // partner: the fences in hart_fence()
        atomic_store_release(&fence_done[hart->cpu], wanted);
    }
    if (reasons & IPI_FENCE_I)
        __asm__ volatile("fence.i" ::: "memory");
    if (reasons & IPI_RESCHEDULE)
        port_ipi_reschedule();
}

void hart_fence(uint64_t cpus)
{
    ASSERT(irq_is_enabled());
    uint64_t ticket[NR_CPUS_MAX], told = 0;
    uint64_t others = cpus & hart_online_mask() & ~BIT(hart_self()->cpu);
    atomic_fence(); // partner: the fence in hart_handle_ipi()
    for (cpu_t cpu = 0; cpu < NR_CPUS_MAX; cpu++) {
        if (!(others & BIT(cpu)))
            continue;
        ticket[cpu] = atomic_add_fetch(&fence_wanted[cpu], 1);
        if (atomic_fetch_or(&harts[cpu].ipi_pending, IPI_FENCE) == 0) // as in hart_send_ipi()
            told |= BIT(cpu);
    }
    int err = told != 0 ? sbi_send_ipi(told) : 0;
    if (err != 0)
        panic("SBI send_ipi to cpus %#lx failed: %d", told, err);
    for (cpu_t cpu = 0; cpu < NR_CPUS_MAX; cpu++)
        while ((others & BIT(cpu)) && atomic_load_acquire(&fence_done[cpu]) < ticket[cpu])
            hart_relax();
    atomic_fence();
}

void hart_stop_others(void)
{
    uint64_t others = hart_online_mask() & ~BIT(hart_self()->cpu);
    for (cpu_t cpu = 0; cpu < NR_CPUS_MAX; cpu++)
        if (others & BIT(cpu))
            atomic_fetch_or(&harts[cpu].ipi_pending, IPI_STOP);
    // In a panic already: an error here changes nothing.
    if (others != 0)
        (void)sbi_send_ipi(others);
}

// Called by head.S on the idle thread's stack.
__noreturn void hart_secondary_start(void);
void hart_secondary_start(void)
{
    hart_setup_self();
    hart_set_online();
    port_secondary_main();
}

static bool hart_start(cpu_t cpu, struct arch_thread *idle)
{
    struct hart *hart = &harts[cpu];
    hart->idle = idle;
    idle->hart = hart;
    // Release: the new hart reads its idle thread; the firmware's start call is the partner.
    atomic_fence();
    int err = sbi_hart_start(hart->id, kernel_image_paddr(hart_secondary_entry), (uintptr_t)idle);
    if (err != 0) {
        log_err("cpu %u: the firmware can't start hart %lu (%d)", cpu, hart->id, err);
        return false;
    }
    return true;
}

uint64_t hart_start_all(struct arch_thread *const idle[])
{
    uint64_t started = 0;
    for (cpu_t cpu = 1; cpu < hart_count; cpu++)
        if (hart_start(cpu, idle[cpu]))
            started |= BIT(cpu);
    return started;
}

void hart_wait_for_interrupt(void)
{
    __asm__ volatile("wfi" ::: "memory");
}
