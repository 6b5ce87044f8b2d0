// SPDX-License-Identifier: BSD-2-Clause
// Time. ns = ticks * ratio_ns / ratio_ticks with the fraction reduced, so that conversions are
// exact at any timebase and nothing drifts. The ratio is constant after clock_init(); the wall
// clock's offset is one atomic word; the event belongs to each hart.
#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/csr.h>
#include <arch/sbi.h>
#include <lib/assert.h>
#include <lib/atomic.h>

#include "boot_priv.h"
#include "vdso_data_priv.h"

static uint32_t timebase = 10000000;
// The conversion is user mode's, too: vdso_calls.c.
extern union vdso_data_page vdso_data_page;
__attribute__((aligned(PAGE_SIZE))) union vdso_data_page vdso_data_page = {
    .data = {.ratio_ns = 100, .ratio_ticks = 1}};
static struct vdso_data *const d = &vdso_data_page.data;

static uint64_t clock_gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void clock_init(uint32_t timebase_hz)
{
    ASSERT(timebase_hz != 0);
    uint64_t common = clock_gcd(NS_PER_SEC, timebase_hz);
    timebase = timebase_hz;
    d->ratio_ns = NS_PER_SEC / common;
    d->ratio_ticks = timebase_hz / common;
}

uint32_t clock_timebase(void)
{
    return timebase;
}

uint64_t clock_ticks(void)
{
    return csr_read(time);
}

uint64_t clock_ticks_to_ns(uint64_t ticks)
{
    return vdso_ticks_to_ns(d, ticks);
}

// Rounded up: an event never comes before its deadline.
static uint64_t clock_ns_to_ticks(uint64_t ns)
{
    return ns / d->ratio_ns * d->ratio_ticks +
           DIV_ROUND_UP(ns % d->ratio_ns * d->ratio_ticks, d->ratio_ns);
}

uint64_t clock_monotonic_ns(void)
{
    return clock_ticks_to_ns(clock_ticks());
}

int64_t clock_realtime_offset(void)
{
    return atomic_load(&d->realtime_offset);
}

uint64_t clock_realtime_ns(void)
{
    return clock_monotonic_ns() + (uint64_t)clock_realtime_offset();
}

void clock_set_realtime(uint64_t ns)
{
    atomic_store(&d->realtime_offset, (int64_t)(ns - clock_monotonic_ns()));
}

uint64_t clock_entry_ticks(void)
{
    return boot_entry_ticks;
}

void clock_delay_us(unsigned int us)
{
    uint64_t end = clock_ticks() + clock_ns_to_ticks(us * NS_PER_US);
    while (clock_ticks() < end)
        continue;
}

// A passed deadline leaves the interrupt pending, so "never" and "already told" are sie.STIE off.
void clock_event_program(uint64_t deadline_ns)
{
    if (deadline_ns == TIME_NEVER) {
        csr_clear(sie, SIE_STIE);
        return;
    }
    uint64_t ticks = clock_ns_to_ticks(deadline_ns);
    if (cpu_features()->sstc) {
        csr_write(0x14d, ticks); // stimecmp, by number: the assembler is older than Sstc
    } else {
        int err = sbi_set_timer(ticks);
        if (err != 0)
            panic("SBI set_timer failed: %d. The kernel needs Sstc or a working TIME extension",
                  err);
    }
    csr_set(sie, SIE_STIE);
}
