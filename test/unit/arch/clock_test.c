// SPDX-License-Identifier: BSD-2-Clause
// Conversions of time at the timebases of real boards: exact at any uptime, and an event is never
// programmed before its deadline.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arch/cpu.h>
#include <arch/csr.h>

// The CSRs that clock.c touches.
static uint64_t csr_time, csr_sie, csr_stimecmp;
#undef csr_read
#undef csr_write
#undef csr_set
#undef csr_clear
#define csr_read(csr)     csr_##csr
#define csr_write(csr, v) (csr_stimecmp = (v))
#define csr_set(csr, v)   (csr_##csr |= (v))
#define csr_clear(csr, v) (csr_##csr &= ~(v))

#include "../../../arch/riscv/clock.c"

uint64_t boot_entry_ticks;
static struct cpu_features features;
static uint64_t sbi_ticks;

const struct cpu_features *cpu_features(void)
{
    return &features;
}

int sbi_set_timer(uint64_t ticks)
{
    sbi_ticks = ticks;
    return 0;
}

void panic(const char *fmt, ...)
{
    abort();
}

static const uint32_t timebases[] = {10000000, 4000000, 1000000,    24000000, 3000000,
                                     25000000, 32768,   1000000000, 999999937};

static void test_ticks_to_ns_is_exact(void **state)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(timebases); i++) {
        clock_init(timebases[i]);
        srand(i);
        for (unsigned int n = 0; n < 100000; n++) {
            // Up to 50 years of uptime.
            uint64_t years = 50UL * 365 * 86400;
            uint64_t ticks = ((uint64_t)rand() << 31 | (uint64_t)rand()) % (years * timebases[i]);
            unsigned __int128 ns = (unsigned __int128)ticks * NS_PER_SEC / timebases[i];
            assert_int_equal(clock_ticks_to_ns(ticks), (uint64_t)ns);
        }
    }
}

static void test_event_not_before_deadline(void **state)
{
    for (unsigned int sstc = 0; sstc < 2; sstc++) {
        features.sstc = sstc;
        for (unsigned int i = 0; i < ARRAY_SIZE(timebases); i++) {
            clock_init(timebases[i]);
            for (uint64_t ns = 1; ns < 1UL << 60; ns = ns * 3 + 1) {
                csr_sie = 0;
                clock_event_program(ns);
                uint64_t ticks = sstc ? csr_stimecmp : sbi_ticks;
                assert_true(clock_ticks_to_ns(ticks) >= ns);
                assert_true(ticks == 0 || clock_ticks_to_ns(ticks - 1) < ns);
                assert_int_equal(csr_sie, SIE_STIE);
            }
        }
    }
}

static void test_never(void **state)
{
    clock_event_program(1000);
    sbi_ticks = csr_stimecmp = 42;
    clock_event_program(TIME_NEVER);
    assert_int_equal(csr_sie, 0);
    assert_int_equal(sbi_ticks, 42); // no call into the firmware for it
    assert_int_equal(csr_stimecmp, 42);
}

static void test_realtime(void **state)
{
    clock_init(10000000);
    csr_time = 12345678;
    clock_set_realtime(1700000000UL * NS_PER_SEC);
    assert_int_equal(clock_realtime_ns(), 1700000000UL * NS_PER_SEC);
    csr_time += 10000000;
    assert_int_equal(clock_realtime_ns(), 1700000001UL * NS_PER_SEC);
    assert_int_equal(clock_monotonic_ns() + (uint64_t)clock_realtime_offset(), clock_realtime_ns());
    clock_set_realtime(0); // before the monotonic clock's zero: the offset is negative
    assert_int_equal(clock_realtime_ns(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticks_to_ns_is_exact),
        cmocka_unit_test(test_event_not_before_deadline),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_realtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
