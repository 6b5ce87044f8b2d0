// SPDX-License-Identifier: BSD-2-Clause
// A terminal beside its lines: what a device without room and writers who wait for room get to
// know, what poll(2) says, and whose the terminal is. Device and job control are played by the
// test.
#include "fs_host.h"

#include <asm/ioctls.h>
#include <asm/poll.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <string.h>

#include "../../../fs/tty_priv.h"

static struct tty tty;
static struct file *reader;
static char sent[64];
static size_t nr_sent;
static int nr_taken;
static struct tty *own_tty;
static pid_t forgotten;

static void device_write(struct tty *t, const char *data, size_t n)
{
    assert_true(nr_sent + n < sizeof(sent));
    memcpy(sent + nr_sent, data, n);
    nr_sent += n;
}

static const struct tty_driver device = {.write = device_write};

// A device that takes no more, and counts how often it was told that input was taken.
static void full_write(struct tty *t, const char *data, size_t n)
{
    fail();
}

static size_t full_room(struct tty *t)
{
    return 0;
}

// A device with little room, whose reader on another hart makes more at every look.
static size_t growing_room(struct tty *t)
{
    static const size_t rooms[] = {3, 40};
    static unsigned int looks;
    return rooms[looks++ % ARRAY_SIZE(rooms)];
}

static const struct tty_driver growing_device = {.write = device_write, .room = growing_room};

static void count_taken(struct tty *t)
{
    nr_taken++;
}

static const struct tty_driver full_device = {
    .write = full_write, .room = full_room, .input_taken = count_taken};

static int job_access(struct tty *t, int signal)
{
    return 0;
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

static void job_forget(struct tty *t, pid_t session)
{
    assert_ptr_equal(t, &tty);
    forgotten = session;
}

static const struct tty_jobs jobs = {
    .check_access = job_access,
    .caller_session = job_id,
    .caller_group = job_id,
    .caller_is_leader = job_leader,
    .caller_tty = job_tty,
    .set_caller_tty = job_set_tty,
    .forget_session = job_forget,
};

static int setup(void **state)
{
    tty_set_jobs(&jobs);
    tty_register(&tty, "ttyT0", 0x440, &device, NULL);
    tty.termios.c_lflag &= ~(tcflag_t)ECHO;
    nr_sent = 0;
    nr_taken = 0;
    own_tty = NULL;
    forgotten = 0;
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

static void assert_reads(const char *text)
{
    char buf[256];
    ssize_t n = host_read(reader, buf, sizeof(buf) - 1);
    assert_true(n >= 0);
    buf[n] = '\0';
    assert_string_equal(buf, text);
}

// poll(2) promises that a read won't wait: without VTIME a raw one waits for VMIN bytes.
static void test_poll_for_minimum(void **state)
{
    type("abc");
    assert_int_equal(tty_file_ops.poll(reader, NULL) & POLLIN, 0);
    set_flags(0);
    tty.termios.c_cc[VMIN] = 4;
    assert_int_equal(tty_file_ops.poll(reader, NULL) & POLLIN, 0);
    tty.termios.c_cc[VTIME] = 1;
    assert_int_equal(tty_file_ops.poll(reader, NULL) & POLLIN, POLLIN);
    tty.termios.c_cc[VTIME] = 0;
    type("d");
    assert_int_equal(tty_file_ops.poll(reader, NULL) & POLLIN, POLLIN);
    tty.termios.c_cc[VMIN] = 0;
    assert_reads("abcd");
    assert_int_equal(tty_file_ops.poll(reader, NULL) & POLLIN, 0);
}

// What comes behind a line that fills the buffer stays in the raw ring until it is read.
static void test_nothing_is_taken_behind_a_full_line(void **state)
{
    static char buf[TTY_BUFFER_SIZE];
    memset(buf, 'x', sizeof(buf));
    type_bytes(buf, TTY_BUFFER_SIZE - 11);
    assert_int_equal(tty_ldisc_room(&tty), 10);
    type_bytes(buf, 10);
    assert_int_equal(tty_ldisc_room(&tty), 1); // an end of the line, or something to be dropped
    type("\r");
    assert_int_equal(tty_ldisc_room(&tty), 0);
    assert_int_equal(host_read(reader, buf, sizeof(buf)), sizeof(buf));
    tty.termios.c_iflag |= PARMRK; // may double a byte
    assert_int_equal(tty_ldisc_room(&tty), (TTY_BUFFER_SIZE - 1) / 2);
    type_bytes(buf, TTY_BUFFER_SIZE - 1);
    assert_int_equal(tty_ldisc_room(&tty), 1);
}

// tcflow(3) to a device that takes nothing now: the character is dropped.
static void test_flow_character_without_room(void **state)
{
    tty.driver = &full_device;
    assert_int_equal(tty_ioctl(reader, TCXONC, TCIOFF), 0);
    assert_int_equal(tty_ioctl(reader, TCXONC, TCION), 0);
    tty.driver = &device;
    assert_int_equal(tty_ioctl(reader, TCXONC, TCIOFF), 0);
    assert_int_equal(tty_ioctl(reader, TCXONC, TCION), 0);
    assert_int_equal(nr_sent, 2);
    assert_memory_equal(sent, "\023\021", 2);
}

// Whoever waits to send must hear that a flush made room.
static void test_flushed_input_makes_room(void **state)
{
    tty.driver = &full_device;
    nr_taken = 0;
    assert_int_equal(tty_input(&tty, "abc", 3), 3);
    assert_int_equal(tty_ioctl(reader, TCFLSH, TCOFLUSH), 0);
    assert_int_equal(nr_taken, 0);
    assert_int_equal(tty_ioctl(reader, TCFLSH, TCIFLUSH), 0);
    assert_int_equal(nr_taken, 1);
    assert_int_equal(tty.raw_head - tty.raw_tail, 0);
    struct termios2 t;
    assert_int_equal(tty_ioctl(reader, TCGETS2, (unsigned long)&t), 0);
    assert_int_equal(tty_ioctl(reader, TCSETS2, (unsigned long)&t), 0);
    assert_int_equal(nr_taken, 1);
    assert_int_equal(tty_ioctl(reader, TCSETSF2, (unsigned long)&t), 0);
    assert_int_equal(nr_taken, 2);
    tty.driver = &device;
}

// What is sent is what there is, however the room changes meanwhile.
static void test_room_grows_between_looks(void **state)
{
    tty.driver = &growing_device;
    assert_int_equal(tty_ldisc_output(&tty, "abcdef", 6), 6);
    tty_ldisc_flush_output(&tty);
    assert_int_equal(nr_sent, 3);
    assert_int_equal(tty.nr_output, 3);
    tty_ldisc_flush_output(&tty);
    assert_int_equal(tty.nr_output, 0);
    assert_memory_equal(sent, "abcdef", 6);
    tty.driver = &device;
}

// Root takes the terminal from another session, which has none then.
static void test_stolen_terminal(void **state)
{
    struct cred user = {0};
    reader->cred = &user;
    tty.session = tty.group = 5;
    assert_int_equal(tty_ioctl(reader, TIOCSCTTY, 0), -EPERM);
    assert_int_equal(forgotten, 0);
    user.cap_effective = ~0ULL;
    assert_int_equal(tty_ioctl(reader, TIOCSCTTY, 1), 0);
    assert_int_equal(forgotten, 5);
    assert_int_equal(tty.session, 7);
    assert_ptr_equal(own_tty, &tty);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_poll_for_minimum),
        TEST(test_nothing_is_taken_behind_a_full_line),
        TEST(test_flow_character_without_room),
        TEST(test_flushed_input_makes_room),
        TEST(test_room_grows_between_looks),
        TEST(test_stolen_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
