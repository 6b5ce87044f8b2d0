// SPDX-License-Identifier: BSD-2-Clause
// Power off and reboot. Ways are registered at boot by drivers, one of each kind; SBI is the last.
#include <arch/clock.h>
#include <arch/irq.h>
#include <arch/log.h>
#include <arch/sbi.h>
#include <arch/thread.h>
#include <core/reset.h>
#include <lib/atomic.h>

#define RESET_WAIT_US 500000

struct reset_way {
    void (*fn)(void *arg);
    void *arg;
};

static struct reset_way ways[2];

void reset_register(enum reset_kind kind, void (*fn)(void *arg), void *arg)
{
    ways[kind].arg = arg;
    atomic_store_release(&ways[kind].fn, fn); // pairs with reset_machine
}

static void reset_stop_others(void)
{
    for (cpu_t cpu = 0; cpu < cpu_count(); cpu++)
        if (cpu != hart_self()->cpu && atomic_load_acquire(&hart_of_cpu(cpu)->online))
            hart_send_ipi(cpu, IPI_STOP);
}

__noreturn void reset_machine(enum reset_kind kind)
{
    log_info("reboot: %s", kind == RESET_POWEROFF ? "Power down" : "Restarting system");
    irq_disable();
    reset_stop_others();
    void (*fn)(void *) = atomic_load_acquire(&ways[kind].fn);
    if (fn) {
        fn(ways[kind].arg);
        clock_delay_us(RESET_WAIT_US);
        log_err("reboot: the board's register didn't do it, trying the firmware");
    }
    int err = sbi_system_reset(kind == RESET_POWEROFF ? SBI_RESET_SHUTDOWN : SBI_RESET_COLD_REBOOT,
                               false);
    log_err("reboot: the firmware can't (%d): the machine is halted, switch it off", err);
    for (;;)
        hart_wait_for_interrupt();
}
