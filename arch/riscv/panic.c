// SPDX-License-Identifier: BSD-2-Clause
// The end: one hart tells why, the others stop. Works with any lock held, on any stack with half a
// page left.
#include <arch/backtrace.h>
#include <arch/clock.h>
#include <arch/irq.h>
#include <arch/log.h>
#include <arch/panic.h>
#include <arch/sbi.h>
#include <arch/thread.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <stdarg.h>
#include <stdio.h>

#include "hart_priv.h"
#include "log_priv.h"
#include "panic_priv.h"

static uint32_t panic_owner; // cpu + 1 of the hart that panics, 0: none; atomic
static int panic_timeout;
static char panic_text[256]; // the owner's

void panic_set_timeout(int seconds)
{
    panic_timeout = seconds;
}

// Only the first hart comes back from here; a panic inside the panic ends the machine at once.
static void panic_enter(void)
{
    irq_disable();
    uint32_t self = hart_self()->cpu + 1, owner = 0;
    if (!atomic_compare_exchange(&panic_owner, &owner, self)) {
        if (owner != self)
            hart_park();
        static const char again[] = "panic: another panic on the way; stopped\n";
        sbi_console_write(again, sizeof(again) - 1);
        hart_park();
    }
    hart_stop_others();
    log_enter_panic();
}

static void panic_print_registers(const struct trap_frame *f)
{
    log_write(LOG_EMERG, "pc %016lx status %016lx cause %lx address %016lx", f->pc, f->status,
              f->cause, f->badaddr);
    log_write(LOG_EMERG, "ra %016lx sp %016lx gp %016lx tp %016lx", f->ra, f->sp, f->gp, f->tp);
    log_write(LOG_EMERG, "t0 %016lx t1 %016lx t2 %016lx s0 %016lx", f->t0, f->t1, f->t2, f->s0);
    log_write(LOG_EMERG, "s1 %016lx a0 %016lx a1 %016lx a2 %016lx", f->s1, f->a0, f->a1, f->a2);
    log_write(LOG_EMERG, "a3 %016lx a4 %016lx a5 %016lx a6 %016lx", f->a3, f->a4, f->a5, f->a6);
    log_write(LOG_EMERG, "a7 %016lx s2 %016lx s3 %016lx s4 %016lx", f->a7, f->s2, f->s3, f->s4);
    log_write(LOG_EMERG, "s5 %016lx s6 %016lx s7 %016lx s8 %016lx", f->s5, f->s6, f->s7, f->s8);
    log_write(LOG_EMERG, "s9 %016lx s10 %016lx s11 %016lx", f->s9, f->s10, f->s11);
    log_write(LOG_EMERG, "t3 %016lx t4 %016lx t5 %016lx t6 %016lx", f->t3, f->t4, f->t5, f->t6);
}

static __noreturn void panic_end(void)
{
    if (panic_timeout == 0) {
        log_write(LOG_EMERG, "stopped: panic=SECONDS on the command line would reboot");
        hart_park();
    }
    if (panic_timeout > 0) {
        log_write(LOG_EMERG, "rebooting in %d seconds", panic_timeout);
        uint64_t end = clock_monotonic_ns() + (uint64_t)panic_timeout * NS_PER_SEC;
        while (clock_monotonic_ns() < end)
            continue;
    }
    int err = sbi_system_reset(SBI_RESET_COLD_REBOOT, true);
    log_write(LOG_EMERG, "the firmware can't reboot (%d); stopped", err);
    hart_park();
}

static __noreturn void panic_finish(const struct trap_frame *frame, uintptr_t pc, uintptr_t fp)
{
    struct hart *hart = hart_self();
    log_write(LOG_EMERG, "Kernel panic: %s", panic_text);
    log_write(LOG_EMERG, "cpu %u (hart %lu), thread %p", hart->cpu, hart->id,
              (void *)arch_thread_self());
    if (frame)
        panic_print_registers(frame);
    backtrace_print(pc, fp);
    panic_end();
}

void panic(const char *fmt, ...)
{
    panic_enter();
    va_list args;
    va_start(args, fmt);
    vsnprintf(panic_text, sizeof(panic_text), fmt, args);
    va_end(args);
    const uintptr_t *fp = __builtin_frame_address(0);
    panic_finish(NULL, (uintptr_t)__builtin_return_address(0), fp[-2]);
}

void panic_trap(const struct trap_frame *frame, const char *fmt, ...)
{
    panic_enter();
    va_list args;
    va_start(args, fmt);
    vsnprintf(panic_text, sizeof(panic_text), fmt, args);
    va_end(args);
    panic_finish(frame, frame->pc, frame->s0);
}

__noreturn void __stack_chk_fail(void);
void __stack_chk_fail(void)
{
    panic("stack smashed: a function wrote beyond its local arrays");
}
