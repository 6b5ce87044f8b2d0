// SPDX-License-Identifier: BSD-2-Clause
// The log ring: what dmesg shows when it has come round, and lines that don't fit.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../../arch/riscv/log.c"

bool host_irqs_off;
struct hart host_hart;
static uint64_t now_ns;
static char console[1024];
static unsigned int nr_notified;

uint64_t clock_monotonic_ns(void)
{
    return now_ns;
}

const struct sbi_info *sbi_info(void)
{
    static struct sbi_info info;
    return &info;
}

ssize_t sbi_console_write(const char *buf, size_t n)
{
    memcpy(console, buf, n);
    console[n] = '\0';
    return (ssize_t)n;
}

static void notified(void)
{
    assert_true(host_irqs_off);
    nr_notified++;
}

static int setup(void **state)
{
    next_seq = next_text = 0;
    now_ns = 0;
    log_set_sink(NULL);
    log_set_console_level(0);
    console[0] = '\0';
    return 0;
}

static void test_record(void **state)
{
    now_ns = 12345678901;
    log_set_notify(notified);
    log_set_console_level(7);
    log_warn("disk %d is full\n", 3);
    log_set_notify(NULL);
    assert_string_equal(console, "[   12.345678] disk 3 is full\n");
    assert_int_equal(nr_notified, 1);
    assert_false(host_irqs_off);

    struct log_record r;
    char text[64];
    uint64_t seq = 0;
    assert_int_equal(log_read(&seq, &r, text, sizeof(text)), 0);
    assert_int_equal(r.level, LOG_WARN);
    assert_int_equal(r.time_ns, 12345678901);
    assert_int_equal(r.length, strlen("disk 3 is full"));
    assert_memory_equal(text, "disk 3 is full", r.length);
    assert_int_equal(seq, 1);
    assert_int_equal(log_read(&seq, &r, text, sizeof(text)), -EAGAIN);
    assert_int_equal(log_next_seq(), 1);
}

static void test_level(void **state)
{
    log_set_console_level(LOG_WARN);
    log_warn("not below the level");
    assert_string_equal(console, "");
    log_err("below");
    assert_string_equal(console, "[    0.000000] below\n");
}

static void test_small_buffer(void **state)
{
    log_info("twelve bytes");
    struct log_record r;
    char text[4] = "abc";
    uint64_t seq = 0;
    assert_int_equal(log_read(&seq, &r, text, 2), 0);
    assert_int_equal(r.length, 12);
    assert_memory_equal(text, "twc", 3);
}

static void test_long_line_is_cut(void **state)
{
    char line[2000];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    log_set_console_level(7);
    log_info("%s", line);
    assert_int_equal(strlen(console), LOG_LINE_MAX - 1 + strlen("[    0.000000] \n"));
    struct log_record r;
    uint64_t seq = 0;
    assert_int_equal(log_read(&seq, &r, line, sizeof(line)), 0);
    assert_int_equal(r.length, LOG_LINE_MAX - 1);
}

// Every record that is still there is whole, and a reader who fell behind goes on at the oldest.
static void check_come_round(size_t length, unsigned int nr)
{
    char line[LOG_LINE_MAX];
    setup(NULL);
    for (unsigned int i = 0; i < nr; i++) {
        memset(line, 'a' + (int)(i % 26), length);
        line[length] = '\0';
        log_info("%s", line);
    }
    uint64_t seq = 0;
    struct log_record r;
    assert_int_equal(log_read(&seq, &r, line, sizeof(line)), -EPIPE);
    uint64_t left = nr - seq;
    assert_true(left == LOG_RECORDS || (left + 1) * length > LOG_TEXT_BYTES);
    assert_true(left * length <= LOG_TEXT_BYTES);
    for (; left > 0; left--) {
        uint64_t expected = seq;
        assert_int_equal(log_read(&seq, &r, line, sizeof(line)), 0);
        assert_int_equal(r.seq, expected);
        assert_int_equal(r.length, length);
        for (size_t i = 0; i < length; i++)
            assert_int_equal(line[i], 'a' + (int)(expected % 26));
    }
    assert_int_equal(log_read(&seq, &r, line, sizeof(line)), -EAGAIN);
}

static void test_come_round(void **state)
{
    check_come_round(0, 3000);
    check_come_round(1, 3000);
    check_come_round(97, 2000);
    check_come_round(LOG_LINE_MAX - 1, 1000);
}

static unsigned int nr_sunk;

static void logging_sink(const char *text, size_t n)
{
    nr_sunk++;
    log_info("a driver that logs where it must not");
}

static void test_sink_that_logs(void **state)
{
    log_set_sink(logging_sink);
    log_set_console_level(7);
    log_info("one");
    assert_int_equal(nr_sunk, 1);
    assert_int_equal(log_next_seq(), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_record, setup),
        cmocka_unit_test_setup(test_level, setup),
        cmocka_unit_test_setup(test_small_buffer, setup),
        cmocka_unit_test_setup(test_long_line_is_cut, setup),
        cmocka_unit_test_setup(test_come_round, setup),
        cmocka_unit_test_setup(test_sink_that_logs, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
