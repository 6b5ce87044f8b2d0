// SPDX-License-Identifier: BSD-2-Clause
// The line discipline: what keys do to the line, the screen and the processes; what output becomes;
// what readers get. The device, job control and the passing of time are played by the test.
#include "fs_host.h"

#include <asm/signal.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "../../../fs/tty_priv.h"

static struct tty tty;
static struct file *reader;
static char screen[65536];
static size_t screen_length;
static int last_signal, nr_signals;
static int access_result;
static struct tty *own_tty;

static void device_write(struct tty *t, const char *data, size_t n)
{
    assert_true(screen_length + n < sizeof(screen));
    memcpy(screen + screen_length, data, n);
    screen_length += n;
    screen[screen_length] = '\0';
}

static const struct tty_driver device = {.write = device_write};

static void job_signal(pid_t group, int signal)
{
    assert_int_equal(group, 7);
    last_signal = signal;
    nr_signals++;
}

static int job_access(struct tty *t, int signal)
{
    return access_result;
}

static pid_t job_id(void)
{
    return 7;
}

static bool job_leader(void)
{
    return true;
}

static struct tty *job_tty(void)
{
    return own_tty;
}

static void job_set_tty(struct tty *t)
{
    own_tty = t;
}

static const struct tty_jobs jobs = {
    .signal_group = job_signal,
    .check_access = job_access,
    .caller_session = job_id,
    .caller_group = job_id,
    .caller_is_leader = job_leader,
    .caller_tty = job_tty,
    .set_caller_tty = job_set_tty,
};

static int setup(void **state)
{
    memset(&tty, 0, sizeof(tty));
    tty_set_jobs(&jobs);
    tty_register(&tty, "ttyT0", 0x440, &device, NULL);
    tty.group = 7;
    screen_length = 0;
    screen[0] = '\0';
    last_signal = nr_signals = access_result = 0;
    own_tty = NULL;
    host_park = NULL;
    reader = host_file(&tty_file_ops, NULL, O_RDWR | O_NOCTTY);
    reader->private = &tty;
    return 0;
}

static int teardown(void **state)
{
    file_put(reader);
    return 0;
}

// Type bytes, as the tty thread takes them in.
static void type_bytes(const char *keys, size_t n)
{
    mutex_lock(&tty.lock);
    for (size_t i = 0; i < n; i++)
        tty_ldisc_receive(&tty, (unsigned char)keys[i]);
    tty_ldisc_flush_output(&tty);
    mutex_unlock(&tty.lock);
}

static void type(const char *keys)
{
    type_bytes(keys, strlen(keys));
}

static void set_flags(tcflag_t lflag)
{
    tcflag_t old = tty.termios.c_lflag;
    mutex_lock(&tty.lock);
    tty.termios.c_lflag = lflag;
    tty_ldisc_mode_changed(&tty, old);
    mutex_unlock(&tty.lock);
}

#define assert_screen(text)                                                                        \
    do {                                                                                           \
        assert_string_equal(screen, text);                                                         \
        screen_length = 0;                                                                         \
        screen[0] = '\0';                                                                          \
    } while (0)

static void assert_reads(const char *text)
{
    char buf[256];
    ssize_t n = host_read(reader, buf, sizeof(buf) - 1);
    assert_true(n >= 0);
    buf[n] = '\0';
    assert_string_equal(buf, text);
}

static void assert_nothing_to_read(void)
{
    char c;
    reader->flags |= O_NONBLOCK;
    assert_int_equal(host_read(reader, &c, 1), -EAGAIN);
    reader->flags &= ~(uint32_t)O_NONBLOCK;
}

static void test_line(void **state)
{
    type("ls");
    assert_nothing_to_read();
    type(" -l\r");
    assert_screen("ls -l\r\n");
    assert_reads("ls -l\n");
    assert_nothing_to_read();
}

static void test_two_lines_are_two_reads(void **state)
{
    type("one\rtwo\r");
    assert_reads("one\n");
    assert_reads("two\n");
}

static void test_part_of_a_line(void **state)
{
    char buf[3];
    type("abcde\r");
    assert_int_equal(host_read(reader, buf, 3), 3);
    assert_memory_equal(buf, "abc", 3);
    assert_reads("de\n");
}

static void test_erase(void **state)
{
    type("ab\x7f\x7f\x7f"
         "c\r");
    assert_screen("ab\b \b\b \bc\r\n");
    assert_reads("c\n");
}

static void test_erase_control_character(void **state)
{
    type("\001\x7f\r");
    assert_screen("^A\b \b\b \b\r\n");
    assert_reads("\n");
}

static void test_erase_tab(void **state)
{
    type("abc\t\x7f"
         "d\r");
    assert_screen("abc\t\b\b\b\b\bd\r\n");
    assert_reads("abcd\n");
}

static void test_erase_tab_after_prompt(void **state)
{
    assert_int_equal(host_write(reader, "$ ", 2), 2);
    type("\t\x7f");
    assert_screen("$ \t\b\b\b\b\b\b"); // from column 8 back to 2
}

static void test_erase_utf8(void **state)
{
    tty.termios.c_iflag |= IUTF8;
    type("a\xc3\xa4\x7f\r");
    assert_screen("a\xc3\xa4\b \b\r\n");
    assert_reads("a\n");
}

static void test_kill(void **state)
{
    type("abc\025d\r");
    assert_screen("abc\b \b\b \b\b \bd\r\n");
    assert_reads("d\n");
    tty.termios.c_lflag &= ~(tcflag_t)ECHOKE;
    type("abc\025d\r");
    assert_screen("abc^U\r\nd\r\n");
    assert_reads("d\n");
}

static void test_word_erase(void **state)
{
    type("cp a_1 bc. \027\r");
    assert_reads("cp a_1 \n");
    type("x  \027\027y\r");
    assert_reads("y\n");
}

static void test_reprint(void **state)
{
    type("ab\022"
         "c\r");
    assert_screen("ab^R\r\nabc\r\n");
    assert_reads("abc\n");
}

static void test_literal_next(void **state)
{
    type("\026\003\026\n\r");
    assert_int_equal(nr_signals, 0);
    assert_screen("^\b^C^\b^J\r\n");
    assert_reads("\003\n\n");
}

static void test_end_of_file(void **state)
{
    type("ab\004");
    assert_reads("ab");
    assert_nothing_to_read();
    type("\004");
    assert_reads("");
    assert_nothing_to_read();
}

static void test_other_line_ends(void **state)
{
    tty.termios.c_cc[VEOL] = ';';
    type("a;b\r");
    assert_reads("a;");
    assert_reads("b\n");
}

static void test_signals(void **state)
{
    type("done\rtyping\003");
    assert_int_equal(last_signal, SIGINT);
    assert_screen("done\r\ntyping^C");
    assert_nothing_to_read(); // both lines are gone
    type("\034");
    assert_int_equal(last_signal, SIGQUIT);
    type("\032");
    assert_int_equal(last_signal, SIGTSTP);
    tty.termios.c_lflag |= NOFLSH;
    type("ab\003c\r");
    assert_int_equal(nr_signals, 4);
    assert_reads("abc\n");
    tty.termios.c_lflag &= ~(tcflag_t)ISIG;
    type("\003\r");
    assert_int_equal(nr_signals, 4);
    assert_reads("\003\n");
}

static void test_stop_output(void **state)
{
    type("\023");
    reader->flags |= O_NONBLOCK;
    assert_int_equal(host_write(reader, "x", 1), -EAGAIN);
    type("y"); // echoed later
    assert_screen("");
    type("\021");
    assert_screen("y");
    assert_int_equal(host_write(reader, "x", 1), 1);
    assert_screen("x");
    tty.termios.c_iflag |= IXANY;
    type("\023z");
    assert_screen("z");
}

static void test_interrupt_ends_stop(void **state)
{
    type("\023\003");
    assert_false(tty.stopped);
    assert_screen("^C");
}

static void test_input_mapping(void **state)
{
    tty.termios.c_iflag = IGNCR | INLCR;
    tty.termios.c_cc[VEOL] = '\r';
    type("a\rb\n");
    assert_reads("ab\r");
    tty.termios.c_iflag = ISTRIP | ICRNL;
    type("\xe1\r");
    assert_reads("a\n");
    tty.termios.c_iflag = IUCLC | ICRNL;
    type("AbC\r");
    assert_reads("abc\n");
}

static void test_echo_off(void **state)
{
    tty.termios.c_lflag &= ~(tcflag_t)ECHO;
    type("secret\x7f\x7f\r");
    assert_screen("");
    assert_reads("secr\n");
    tty.termios.c_lflag |= ECHONL;
    type("x\r");
    assert_screen("\r\n");
}

static void test_output(void **state)
{
    host_write(reader, "a\nb\tc\n", 6);
    assert_screen("a\r\nb\tc\r\n");
    tty.termios.c_oflag = OPOST | XTABS;
    tty.column = 0;
    host_write(reader, "ab\tc\b\td\r\t", 9);
    assert_screen("ab      c\b        d\r        "); // backspaced onto the stop, the next is 8 on
    tty.termios.c_oflag = OPOST | OCRNL;
    host_write(reader, "a\rb", 3);
    assert_screen("a\nb");
    tty.termios.c_oflag = OPOST | ONOCR;
    tty.column = 0;
    host_write(reader, "\ra\r\r", 4);
    assert_screen("a\r");
    tty.termios.c_oflag = OPOST | OLCUC;
    host_write(reader, "Ab", 2);
    assert_screen("AB");
    tty.termios.c_oflag = ONLCR; // without OPOST nothing happens
    host_write(reader, "a\n\t", 3);
    assert_screen("a\n\t");
}

static void test_long_output(void **state)
{
    static char text[20000], want[40001];
    size_t n = 0;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = i % 3 == 0 ? '\n' : 'x';
        if (text[i] == '\n')
            want[n++] = '\r';
        want[n++] = text[i];
    }
    assert_int_equal(host_write(reader, text, sizeof(text)), sizeof(text));
    assert_int_equal(screen_length, n);
    assert_memory_equal(screen, want, n);
}

static void test_raw(void **state)
{
    set_flags(0);
    tty.termios.c_iflag = 0;
    type("a\r\003\x7f");
    assert_screen("");
    assert_int_equal(nr_signals, 0);
    assert_reads("a\r\003\x7f");
}

static void test_change_of_mode_keeps_input(void **state)
{
    tcflag_t cooked = tty.termios.c_lflag;
    type("half");
    set_flags(0);
    assert_reads("half");
    type("raw");
    set_flags(cooked);
    assert_reads("raw"); // a line, though without an end
    type("x\r");
    assert_reads("x\n");
}

static int park_types_x(uint64_t deadline_ns)
{
    type("x");
    return 0;
}

static int park_times_out(uint64_t deadline_ns)
{
    assert_int_not_equal(deadline_ns, TIME_NEVER);
    host_now_ns = deadline_ns;
    return -ETIMEDOUT;
}

static int park_interrupted(uint64_t deadline_ns)
{
    return -EINTR;
}

static void test_min_and_time(void **state)
{
    char buf[8];
    set_flags(0);
    tty.termios.c_cc[VMIN] = 3;
    host_park = park_types_x;
    assert_int_equal(host_read(reader, buf, 8), 3);
    assert_int_equal(host_read(reader, buf, 2), 2); // never more than asked for
    tty.termios.c_cc[VTIME] = 5;
    host_park = park_times_out;
    type("ab");
    uint64_t before = host_now_ns;
    assert_int_equal(host_read(reader, buf, 8), 2); // gap between bytes
    assert_int_equal(host_now_ns - before, 500000000);
    tty.termios.c_cc[VMIN] = 0;
    assert_int_equal(host_read(reader, buf, 8), 0); // and from the start of the read
    tty.termios.c_cc[VTIME] = 0;
    host_park = NULL;
    assert_int_equal(host_read(reader, buf, 8), 0); // polling read
    reader->flags |= O_NONBLOCK;
    assert_int_equal(host_read(reader, buf, 8), 0);
}

static void test_interrupted_read(void **state)
{
    char buf[8];
    host_park = park_interrupted;
    assert_int_equal(host_read(reader, buf, 8), -ERESTARTSYS);
    set_flags(0);
    tty.termios.c_cc[VMIN] = 3;
    type("a");
    assert_int_equal(host_read(reader, buf, 8), 1); // what came is kept
}

static void test_background(void **state)
{
    char c;
    access_result = -ERESTARTSYS;
    assert_int_equal(host_read(reader, &c, 1), -ERESTARTSYS);
    assert_int_equal(host_write(reader, "x", 1), 1); // TOSTOP is off
    tty.termios.c_lflag |= TOSTOP;
    assert_int_equal(host_write(reader, "x", 1), -ERESTARTSYS);
}

static void test_full_line_can_be_ended(void **state)
{
    static char buf[8192];
    for (int i = 0; i < 5000; i++)
        type("x");
    assert_nothing_to_read();
    type("\x7f\x7fyz\r");
    ssize_t n = host_read(reader, buf, sizeof(buf));
    assert_int_equal(n, TTY_BUFFER_SIZE);
    assert_memory_equal(buf + n - 3, "yz\n", 3);
}

static void test_raw_ring_waits_for_readers(void **state)
{
    static char buf[3000];
    set_flags(0);
    tty.termios.c_iflag = 0;
    assert_int_equal(tty_ldisc_room(&tty), TTY_BUFFER_SIZE - 1);
    memset(buf, 'a', sizeof(buf));
    type_bytes(buf, sizeof(buf));
    assert_int_equal(tty_ldisc_room(&tty), TTY_BUFFER_SIZE - 1 - sizeof(buf));
    assert_int_equal(host_read(reader, buf, sizeof(buf)), sizeof(buf));
    assert_int_equal(tty_ldisc_room(&tty), TTY_BUFFER_SIZE - 1);
    // From the interrupt: as much as the ring holds, the rest is counted.
    size_t taken = 0;
    for (int i = 0; i < 3; i++)
        taken += tty_input(&tty, buf, sizeof(buf));
    assert_int_equal(taken, TTY_RAW_SIZE);
    assert_int_equal(tty.nr_overruns, 3 * sizeof(buf) - TTY_RAW_SIZE);
}

static void test_hang_up(void **state)
{
    char c;
    tty_hang_up(&tty);
    assert_int_equal(host_read(reader, &c, 1), 0);
    assert_int_equal(host_write(reader, "x", 1), -EIO);
}

static void test_controlling_terminal(void **state)
{
    struct file *f = host_file(&tty_file_ops, NULL, O_RDWR);
    assert_int_equal(tty_open_file(f, &tty), 0);
    assert_ptr_equal(own_tty, &tty);
    assert_int_equal(tty.session, 7);
    tty_disassociate(&tty, 8); // somebody else's session
    assert_int_equal(tty.session, 7);
    tty_disassociate(&tty, 7);
    assert_int_equal(tty.session, 0);
    assert_int_equal(tty.group, 0);
    file_put(f);
}

// Any bytes under any settings: the buffers stay within bounds (ASan watches), what is read came in
// the order typed, and nothing is left locked.
static void test_random(void **state)
{
    char buf[600];
    srandom(1);
    for (int round = 0; round < 3000; round++) {
        if (random() % 8 == 0) {
            tty.termios.c_iflag = (tcflag_t)random();
            tty.termios.c_oflag = (tcflag_t)random();
            set_flags((tcflag_t)random());
        }
        for (int i = 0; i < 300; i++)
            buf[i] = (char)(random() % 4 ? 'a' + random() % 26 : random());
        type_bytes(buf, (size_t)(random() % 300));
        assert_true(tty.head - tty.tail <= TTY_BUFFER_SIZE);
        assert_true(tty.nr_output <= TTY_OUTPUT_SIZE);
        if (tty.termios.c_lflag & ICANON) {
            assert_true(tty.head - tty.canonical <= TTY_BUFFER_SIZE);
            assert_true(tty.canonical - tty.tail <= TTY_BUFFER_SIZE);
        }
        screen_length = 0;
        reader->flags |= O_NONBLOCK;
        assert_true(host_read(reader, buf, (size_t)(random() % 600)) >= -EAGAIN);
        host_write(reader, buf, 100);
        screen_length = 0;
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_line),
        TEST(test_two_lines_are_two_reads),
        TEST(test_part_of_a_line),
        TEST(test_erase),
        TEST(test_erase_control_character),
        TEST(test_erase_tab),
        TEST(test_erase_tab_after_prompt),
        TEST(test_erase_utf8),
        TEST(test_kill),
        TEST(test_word_erase),
        TEST(test_reprint),
        TEST(test_literal_next),
        TEST(test_end_of_file),
        TEST(test_other_line_ends),
        TEST(test_signals),
        TEST(test_stop_output),
        TEST(test_interrupt_ends_stop),
        TEST(test_input_mapping),
        TEST(test_echo_off),
        TEST(test_output),
        TEST(test_long_output),
        TEST(test_raw),
        TEST(test_change_of_mode_keeps_input),
        TEST(test_min_and_time),
        TEST(test_interrupted_read),
        TEST(test_background),
        TEST(test_full_line_can_be_ended),
        TEST(test_raw_ring_waits_for_readers),
        TEST(test_hang_up),
        TEST(test_controlling_terminal),
        TEST(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
