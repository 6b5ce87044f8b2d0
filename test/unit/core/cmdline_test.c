// SPDX-License-Identifier: BSD-2-Clause
// The command line: Linux's words, quotes, what goes to init, and every kind of nonsense, which
// must leave a line in the log and the rest of the words intact.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arch/log.h>
#include <stdio.h>
#include <string.h>

// glibc got it after Debian 12.
static size_t bounded_copy(char *dst, const char *src, size_t size)
{
    return (size_t)snprintf(dst, size, "%s", src);
}
#define strlcpy bounded_copy

#include "../../../core/cmdline.c"

static unsigned int warnings;

void log_write(enum log_level level, const char *fmt, ...)
{
    warnings += level <= LOG_WARN;
}

static int setup(void **state)
{
    memset(&cmdline, 0, sizeof(cmdline));
    cmdline.loglevel = -1;
    cmdline.maxcpus = NR_CPUS_MAX;
    nr_argv = 1;
    nr_envp = 0;
    warnings = 0;
    return 0;
}

static void linux_words(void **state)
{
    cmdline_parse(
        "console=ttyS0,115200 earlycon ro quiet maxcpus=2 panic=5 rdinit=/bin/x root=/dev/vda");
    assert_string_equal(cmdline.console, "ttyS0,115200");
    assert_int_equal(cmdline.loglevel, 4);
    assert_int_equal(cmdline.maxcpus, 2);
    assert_int_equal(cmdline.panic_seconds, 5);
    assert_string_equal(cmdline.init, "/bin/x");
    assert_null(cmdline.init_argv[1]);
    assert_string_equal(cmdline.init_envp[0], "HOME=/");
    assert_string_equal(cmdline.init_envp[1], "TERM=linux");
    assert_null(cmdline.init_envp[2]);
    assert_int_equal(warnings, 0);
}

static void unknown_words_go_to_init(void **state)
{
    cmdline_parse(" single  FOO=bar -- -x init=/y  quiet ");
    assert_string_equal(cmdline.init_argv[1], "single");
    assert_string_equal(cmdline.init_argv[2], "-x");
    assert_string_equal(cmdline.init_argv[3], "init=/y");
    assert_string_equal(cmdline.init_argv[4], "quiet");
    assert_null(cmdline.init_argv[5]);
    assert_string_equal(cmdline.init_envp[2], "FOO=bar");
    assert_null(cmdline.init);
    assert_int_equal(cmdline.loglevel, -1);
}

static void quotes_keep_spaces(void **state)
{
    cmdline_parse("MSG=\"a b\" \"c d\" rdinit=\"/my init\" x\"y");
    assert_string_equal(cmdline.init_envp[2], "MSG=a b");
    assert_string_equal(cmdline.init_argv[1], "c d");
    assert_string_equal(cmdline.init, "/my init");
    assert_string_equal(cmdline.init_argv[2], "xy");
}

static void bad_numbers_are_ignored(void **state)
{
    cmdline_parse("loglevel=9x maxcpus=-1 panic= loglevel maxcpus=99999999999999999999 console");
    assert_int_equal(cmdline.loglevel, -1);
    assert_int_equal(cmdline.maxcpus, NR_CPUS_MAX);
    assert_int_equal(cmdline.panic_seconds, 0);
    assert_null(cmdline.console);
    assert_int_equal(warnings, 6);
}

static void too_much_is_cut_and_said(void **state)
{
    char text[4 * sizeof(cmdline.text)];
    for (size_t i = 0; i + 4 < sizeof(text); i += 4)
        memcpy(text + i, "w=1 ", 5);
    cmdline_parse(text);
    assert_true(warnings > 1);
    assert_null(cmdline.init_envp[ARRAY_SIZE(cmdline.init_envp) - 1]);
    assert_null(cmdline.init_argv[ARRAY_SIZE(cmdline.init_argv) - 1]);
}

static void empty(void **state)
{
    cmdline_parse("");
    assert_null(cmdline.init_argv[1]);
    assert_int_equal(warnings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(linux_words, setup),
        cmocka_unit_test_setup(unknown_words_go_to_init, setup),
        cmocka_unit_test_setup(quotes_keep_spaces, setup),
        cmocka_unit_test_setup(bad_numbers_are_ignored, setup),
        cmocka_unit_test_setup(too_much_is_cut_and_said, setup),
        cmocka_unit_test_setup(empty, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
