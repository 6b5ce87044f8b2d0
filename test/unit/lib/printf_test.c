// SPDX-License-Identifier: BSD-2-Clause
// Our formatting against the C library's: a difference would show in every log line and /proc file.

#include <lib/types.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define snprintf  vireo_snprintf
#define vsnprintf vireo_vsnprintf
int vireo_snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int vireo_vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
#include "../../../lib/printf.c"
#undef snprintf
#undef vsnprintf

#define CHECK(...)                                                                                 \
    do {                                                                                           \
        char expected[256], got[256];                                                              \
        int n = snprintf(expected, sizeof(expected), __VA_ARGS__);                                 \
        assert_int_equal(vireo_snprintf(got, sizeof(got), __VA_ARGS__), n);                        \
        assert_string_equal(got, expected);                                                        \
    } while (0)

static void test_integers(void **state)
{
    CHECK("%d %i %u", -1, 0, 4000000000U);
    CHECK("%ld %lu %lld", LONG_MIN, ULONG_MAX, LLONG_MAX);
    CHECK("%hhd %hhu %hd %hu", -1, 255, -2, 65535);
    CHECK("%zu %td %jd", (size_t)7, (ptrdiff_t)-7, (intmax_t)INTMAX_MIN);
    CHECK("%x %X %o %#x %#X %#o %#x", 48879U, 48879U, 511U, 48879U, 48879U, 511U, 0U);
    CHECK("%d", INT_MIN);
}

static void test_width_and_precision(void **state)
{
    CHECK("[%5d] [%-5d] [%05d] [%+d] [% d]", 42, 42, 42, 42, 42);
    CHECK("[%5d] [%-5d] [%05d] [%+d] [% d]", -42, -42, -42, -42, -42);
    CHECK("[%8.3d] [%-8.3d] [%.0d] [%.3u]", 7, 7, 5, 12U);
    CHECK("[%*d] [%-*d] [%*d] [%.*d]", 6, 1, 6, 2, -6, 3, 4, 5);
    CHECK("[%016lx] [%#10x] [%-#10x]", 0xabcUL, 0x1fU, 0x1fU);
}

static void test_text(void **state)
{
    CHECK("%s|%10s|%-10s|%.2s|%c|%%", "abc", "abc", "abc", "abc", 'x');
    CHECK("%10.2s|%.*s|", "abcdef", 3, "abcdef");
    CHECK("%5c|%-5c|", 'a', 'b');
}

static void test_truncation(void **state)
{
    char buf[8];

    memset(buf, '#', sizeof(buf));
    assert_int_equal(vireo_snprintf(buf, 4, "%s", "abcdef"), 6);
    assert_string_equal(buf, "abc");
    assert_int_equal(buf[4], '#');
    memset(buf, '#', sizeof(buf));
    assert_int_equal(vireo_snprintf(buf, 0, "%d", 12345), 5);
    assert_int_equal(buf[0], '#');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_width_and_precision),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
