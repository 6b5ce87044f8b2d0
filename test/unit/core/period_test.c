// SPDX-License-Identifier: BSD-2-Clause
// Timers that repeat: how many periods passed, where the next begins, and numbers at the edge. What
// would break: overruns counted wrong, a timer that fires for ever or never again.

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../core/period_priv.h"

static uint64_t deadline;

static void test_none_has_passed(void **state)
{
    deadline = 100;
    assert_int_equal(period_forward(&deadline, 10, 99), 0);
    assert_int_equal(deadline, 100);
}

static void test_counts_and_goes_on(void **state)
{
    deadline = 100;
    assert_int_equal(period_forward(&deadline, 10, 100), 1);
    assert_int_equal(deadline, 110);
    assert_int_equal(period_forward(&deadline, 10, 119), 1);
    assert_int_equal(deadline, 120);
    assert_int_equal(period_forward(&deadline, 10, 150), 4);
    assert_int_equal(deadline, 160);
}

static void test_edges(void **state)
{
    deadline = 0;
    assert_int_equal(period_forward(&deadline, 1, UINT64_MAX - 1), UINT64_MAX);
    assert_int_equal(deadline, UINT64_MAX);
    deadline = 5;
    assert_int_equal(period_forward(&deadline, UINT64_MAX, 5), 1);
    assert_int_equal(deadline, TIME_NEVER);
    deadline = 10;
    assert_int_equal(period_forward(&deadline, UINT64_MAX / 2, UINT64_MAX - 5), 2);
    assert_int_equal(deadline, TIME_NEVER);
    assert_int_equal(period_forward(&deadline, 7, UINT64_MAX - 1), 0);
}

static void test_left(void **state)
{
    assert_int_equal(period_left(100, 0, 40), 60);
    assert_int_equal(period_left(100, 0, 100), 0);
    assert_int_equal(period_left(100, 0, 500), 0);
    assert_int_equal(period_left(100, 30, 500), 20);
    assert_int_equal(period_left(100, 30, 100), 30);
    assert_int_equal(period_left(TIME_NEVER, 0, 1), UINT64_MAX - 1);
}

// Against counting one by one.
static void test_random(void **state)
{
    srand(5);
    for (int i = 0; i < 20000; i++) {
        uint64_t start = (uint64_t)rand() % 1000, interval = 1 + (uint64_t)rand() % 50,
                 now = (uint64_t)rand() % 3000, next = start, nr = 0;
        for (; next <= now; next += interval)
            nr++;
        deadline = start;
        assert_int_equal(period_left(start, interval, now), next - now);
        assert_int_equal(period_forward(&deadline, interval, now), nr);
        assert_int_equal(deadline, next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_has_passed), cmocka_unit_test(test_counts_and_goes_on),
        cmocka_unit_test(test_edges),           cmocka_unit_test(test_left),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
