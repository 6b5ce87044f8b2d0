// SPDX-License-Identifier: BSD-2-Clause
// Pseudo-terminals, and through them the line discipline byte for byte: what is echoed, what is
// read, who is signalled, what happens when one side goes.
#include "ktap.h"
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <termios.h>

static int master, slave;
static char slave_name[64];

static void open_pair(void)
{
    mkdir("/dev/pts", 0755);
    if (access("/dev/pts/ptmx", F_OK) != 0)
        CHECK_EQ(mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666"), 0);
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    CHECK(master >= 0);
    int number = -1;
    CHECK_EQ(ioctl(master, TIOCGPTN, &number), 0);
    snprintf(slave_name, sizeof(slave_name), "/dev/pts/%d", number);
    CHECK_ERRNO(open(slave_name, O_RDWR | O_NOCTTY), EIO); // locked
    CHECK_EQ(unlockpt(master), 0);
    slave = open(slave_name, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
}

static void type(const char *keys)
{
    CHECK_EQ(write(master, keys, strlen(keys)), strlen(keys));
}

// What the screen shows within a while.
static void check_screen(const char *want)
{
    char got[512];
    size_t n = 0, size = strlen(want);
    struct pollfd p = {master, POLLIN, 0};
    while (n < size && poll(&p, 1, 3000) == 1) {
        ssize_t done = read(master, got + n, sizeof(got) - n);
        CHECK(done > 0);
        n += done;
    }
    if (n != size || memcmp(got, want, n) != 0) {
        note("screen shows %zu bytes, want %zu:", n, size);
        for (size_t i = 0; i < n; i++)
            note("  %zu: %02x", i, (unsigned char)got[i]);
        ktap_fail();
    }
    CHECK_EQ(poll(&p, 1, 50), 0);
}

static void check_read(const char *want)
{
    char got[512];
    ssize_t n = read(slave, got, sizeof(got));
    CHECK_EQ(n, strlen(want));
    CHECK_EQ(memcmp(got, want, n), 0);
}

static void check_nothing_to_read(void)
{
    struct pollfd p = {slave, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 50), 0);
}

static void change(tcflag_t set_input, tcflag_t clear_input, tcflag_t set_local,
                   tcflag_t clear_local)
{
    struct termios t;
    CHECK_EQ(tcgetattr(slave, &t), 0);
    t.c_iflag = (t.c_iflag | set_input) & ~clear_input;
    t.c_lflag = (t.c_lflag | set_local) & ~clear_local;
    CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
}

TEST(a_pair)
{
    struct stat st;
    open_pair();
    CHECK_EQ(isatty(slave), 1);
    CHECK_EQ(fstat(slave, &st), 0);
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(st.st_rdev >> 8, 136);
    CHECK_EQ(strcmp(ptsname(master), slave_name), 0);
    CHECK_EQ(strcmp(ttyname(slave), slave_name), 0);
    CHECK_EQ(write(slave, "out\n", 4), 4);
    check_screen("out\r\n");
    struct winsize size = {.ws_row = 20, .ws_col = 70};
    CHECK_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
    memset(&size, 0, sizeof(size));
    CHECK_EQ(ioctl(slave, TIOCGWINSZ, &size), 0);
    CHECK_EQ(size.ws_row * 100 + size.ws_col, 2070);
    close(slave);
    close(master);
    CHECK_ERRNO(open(slave_name, O_RDWR), ENOENT);
}

TEST(editing)
{
    open_pair();
    type("ab\177c\r");
    check_screen("ab\b \bc\r\n");
    check_read("ac\n");
    type("one\025two\r");
    check_screen("one\b \b\b \b\b \btwo\r\n");
    check_read("two\n");
    type("foo bar\027baz\r");
    check_screen("foo bar\b \b\b \b\b \bbaz\r\n");
    check_read("foo baz\n");
    type("a\001\177\177\r");
    check_screen("a^A\b \b\b \b\b \b\r\n");
    check_read("\n");
    type("ab\t\177\r");
    check_screen("ab\t\b\b\b\b\b\b\r\n");
    check_read("ab\n");
    type("xy\022z\r");
    check_screen("xy^R\r\nxyz\r\n");
    check_read("xyz\n");
    type("\026\003\r");
    check_screen("^\b^C\r\n");
    check_read("\003\n");
    change(IUTF8, 0, 0, 0);
    type("\303\244\177\r");
    check_screen("\303\244\b \b\r\n");
    check_read("\n");
}

TEST(lines_and_ends)
{
    char byte;
    open_pair();
    type("half");
    check_nothing_to_read();
    type("\004"); // ends the line without an end
    check_read("half");
    type("\004");
    CHECK_EQ(read(slave, &byte, 1), 0);
    type("one\rtwo\r");
    int waiting = -1;
    sleep_ms(50);
    CHECK_EQ(ioctl(slave, FIONREAD, &waiting), 0);
    CHECK_EQ(waiting, 8);
    CHECK_EQ(read(slave, &byte, 1), 1);
    CHECK_EQ(byte, 'o');
    check_read("ne\n");
    check_read("two\n");
    CHECK_EQ(tcflush(slave, TCIFLUSH), 0);
    type("gone\r");
    sleep_ms(50);
    CHECK_EQ(tcflush(slave, TCIFLUSH), 0);
    check_nothing_to_read();
}

TEST(modes)
{
    open_pair();
    change(0, 0, 0, ECHO);
    type("quiet\r");
    check_read("quiet\n");
    check_screen("");
    change(0, 0, ECHONL, 0);
    type("x\r");
    check_screen("\r\n");
    check_read("x\n");
    change(0, ICRNL, ECHO, 0);
    type("a\rb\n");
    check_screen("a^Mb\r\n");
    check_read("a\rb\n");
    change(IGNCR, 0, 0, 0);
    type("a\rb\n");
    check_read("ab\n");
    change(ICRNL, IGNCR, 0, ECHOKE);
    check_screen("ab\r\n");
    type("abc\025\r");
    check_screen("abc^U\r\n\r\n");
    check_read("\n");
    change(0, 0, 0, ECHOCTL);
    type("\001\r");
    check_screen("\001\r\n");
    check_read("\001\n");
}

TEST(raw_and_back)
{
    char buf[16];
    struct termios t;
    open_pair();
    type("typed");
    sleep_ms(50);
    check_screen("typed");
    CHECK_EQ(tcgetattr(slave, &t), 0);
    struct termios cooked = t;
    cfmakeraw(&t);
    CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
    check_read("typed"); // what was being edited is there now
    type("\003\r\004");
    CHECK_EQ(read(slave, buf, 16), 3);
    CHECK_EQ(memcmp(buf, "\003\r\004", 3), 0);
    t.c_cc[VMIN] = 3;
    CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
    if (fork() == 0) {
        for (int i = 0; i < 4; i++) {
            sleep_ms(30);
            type("x");
        }
        _exit(0);
    }
    CHECK_EQ(read(slave, buf, 16), 3);
    CHECK_EQ(read(slave, buf, 1), 1); // never waits for more than it may read
    t.c_cc[VMIN] = 0;
    t.c_cc[VTIME] = 2;
    CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(read(slave, buf, 16), 0);
    CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 190000000);
    type("late");
    sleep_ms(50);
    CHECK_EQ(tcsetattr(slave, TCSANOW, &cooked), 0);
    check_read("late"); // a line as it is
}

static volatile int seen;

static void on_signal(int number)
{
    seen = number;
}

// A child with the terminal as its own, as login(1) and terminal emulators make it.
static pid_t child_on_terminal(void (*body)(void))
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid != 0)
        return pid;
    close(master);
    close(slave);
    CHECK_EQ(setsid(), getpid());
    slave = open(slave_name, O_RDWR); // the first terminal of a leader becomes his
    CHECK(slave >= 0);
    CHECK_EQ(tcgetsid(slave), getpid());
    CHECK_EQ(tcgetpgrp(slave), getpid());
    int own = open("/dev/tty", O_RDWR);
    CHECK(own >= 0);
    close(own);
    body();
    _exit(0);
}

static void wait_for_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_signal}; // no SA_RESTART
    CHECK_EQ(sigaction(SIGINT, &action, NULL), 0);
    CHECK_EQ(write(slave, "ready\n", 6), 6);
    char byte;
    CHECK_ERRNO(read(slave, &byte, 1), EINTR);
    _exit(seen == SIGINT ? 7 : 1);
}

TEST(interrupt_from_the_keyboard)
{
    int status;
    open_pair();
    pid_t pid = child_on_terminal(wait_for_interrupt);
    check_screen("ready\r\n");
    CHECK_EQ(tcgetpgrp(master), pid);
    sleep_ms(50);
    type("\003");
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 7 << 8);
    check_screen("^C");
}

static void wait_for_ever(void)
{
    CHECK_EQ(write(slave, "ready\n", 6), 6);
    for (;;)
        pause();
}

TEST(quit_and_suspend_keys)
{
    int status;
    open_pair();
    pid_t pid = child_on_terminal(wait_for_ever);
    check_screen("ready\r\n");
    type("\032"); // an orphaned group isn't stopped by the keyboard
    check_screen("^Z");
    CHECK_EQ(waitpid(pid, &status, WNOHANG | WUNTRACED), 0);
    type("\034");
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WTERMSIG(status), SIGQUIT);
}

TEST(closing_the_master_hangs_up)
{
    int status;
    char byte;
    open_pair();
    pid_t pid = child_on_terminal(wait_for_ever);
    check_screen("ready\r\n");
    close(master);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WTERMSIG(status), SIGHUP);
    CHECK_EQ(read(slave, &byte, 1), 0);
    CHECK_ERRNO(write(slave, "x", 1), EIO);
    struct pollfd p = {slave, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK(p.revents & POLLHUP);
}

TEST(closing_the_terminal_ends_the_master)
{
    char byte;
    open_pair();
    CHECK_EQ(write(slave, "bye", 3), 3);
    close(slave);
    char bye[8];
    CHECK_EQ(read(master, bye, sizeof(bye)), 3); // first what was written
    CHECK_ERRNO(read(master, &byte, 1), EIO);
    struct pollfd p = {master, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK(p.revents & POLLHUP);
    slave = open(slave_name, O_RDWR | O_NOCTTY); // and it goes on when somebody opens it again
    CHECK(slave >= 0);
    CHECK_EQ(write(slave, "back", 4), 4);
    check_screen("back");
}

static uint8_t pattern(long i)
{
    return (uint8_t)(i * 7 + (i >> 8));
}

static void pump(int from, int to, long bytes)
{
    uint8_t buf[1000];
    pid_t pid = fork();
    if (pid == 0) {
        for (long i = 0; i < bytes;) {
            long n = 0;
            while (n < (long)sizeof(buf) && i + n < bytes) {
                buf[n] = pattern(i + n);
                n++;
            }
            if (write(to, buf, n) != n)
                _exit(1);
            i += n;
        }
        _exit(0);
    }
    for (long i = 0; i < bytes;) {
        ssize_t n = read(from, buf, sizeof(buf));
        CHECK(n > 0);
        for (ssize_t k = 0; k < n; k++)
            CHECK_EQ(buf[k], pattern(i + k));
        i += n;
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

TEST_SECONDS(nothing_is_lost_in_raw_mode, 60)
{
    struct termios t;
    open_pair();
    CHECK_EQ(tcgetattr(slave, &t), 0);
    cfmakeraw(&t);
    CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
    pump(master, slave, 200000);
    pump(slave, master, 200000);
}

TEST(full_buffers_refuse)
{
    static char block[4096];
    struct termios t;
    open_pair();
    CHECK_EQ(tcgetattr(slave, &t), 0);
    cfmakeraw(&t);
    CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
    CHECK_EQ(fcntl(slave, F_SETFL, O_NONBLOCK), 0);
    CHECK_ERRNO(read(slave, block, 1), EAGAIN);
    while (write(slave, block, sizeof(block)) > 0)
        ;
    CHECK_EQ(errno, EAGAIN);
    struct pollfd p = {slave, POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 0), 0);
    CHECK_EQ(tcflow(slave, TCIOFF), 0); // no room for the character either: it is dropped
    CHECK_EQ(tcflow(slave, TCION), 0);
    CHECK(read(master, block, sizeof(block)) > 0);
    CHECK_EQ(poll(&p, 1, 2000), 1);
}

static void echo_off(void)
{
    change(0, 0, 0, ECHO);
}

// Lines and ends of file behind a line that fills the buffer wait until it is read.
TEST(what_follows_a_full_line_is_kept)
{
    static char line[4300], got[8192];
    open_pair();
    echo_off();
    memset(line, 'x', 4095);
    strcpy(line + 4095, "\nsecond\n\004");
    type(line);
    CHECK_EQ(read(slave, got, sizeof(got)), 4096);
    CHECK_EQ(memcmp(got, line, 4096), 0);
    check_read("second\n");
    CHECK_EQ(read(slave, got, sizeof(got)), 0);
    memset(line, 'y', 4200); // too long: dropped, but for what fits
    strcpy(line + 4200, "\nthird\n");
    type(line);
    CHECK_EQ(read(slave, got, sizeof(got)), 4096);
    CHECK_EQ(got[4095], '\n');
    check_read("third\n");
}

// Whoever waits on the master to send goes on when the input is flushed.
TEST(flush_wakes_the_writer)
{
    static char block[20000];
    struct termios t;
    int status;
    open_pair();
    echo_off();
    CHECK_EQ(tcgetattr(slave, &t), 0);
    cfmakeraw(&t);
    CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(write(master, block, sizeof(block)) == sizeof(block) ? 0 : 1);
    // Nobody reads: each flush lets no more through than the buffers hold.
    for (int i = 0; i < 100 && waitpid(pid, &status, WNOHANG) == 0; i++) {
        sleep_ms(20);
        CHECK_EQ(tcflush(slave, TCIFLUSH), 0);
    }
    CHECK_ERRNO(waitpid(pid, &status, WNOHANG), ECHILD);
    CHECK_EQ(status, 0);
}

TEST(poll_waits_for_the_minimum)
{
    struct termios t;
    open_pair();
    CHECK_EQ(tcgetattr(slave, &t), 0);
    cfmakeraw(&t);
    t.c_cc[VMIN] = 4;
    CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
    type("abc");
    check_nothing_to_read();
    type("d");
    struct pollfd p = {slave, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 3000), 1);
    check_read("abcd");
}

static void read_until_q(void)
{
    char byte = 0;
    while (byte != 'q')
        CHECK_EQ(read(master, &byte, 1), 1);
    _exit(0);
}

// Two who wait for one byte: the slower one goes on waiting.
TEST(two_readers_of_a_master)
{
    int status;
    open_pair();
    pid_t readers[2];
    for (int i = 0; i < 2; i++) {
        readers[i] = fork();
        if (readers[i] == 0)
            read_until_q();
    }
    for (int i = 0; i < 300; i++) {
        CHECK_EQ(write(slave, "x", 1), 1);
        usleep(1000);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(write(slave, "q", 1), 1);
        CHECK(wait(&status) > 0);
        CHECK_EQ(status, 0);
    }
}

static volatile sig_atomic_t hung_up;

static void on_hang_up(int number)
{
    hung_up++;
}

// Has the terminal until another session takes it, and then ends: not the end of that session.
static void lose_terminal(void)
{
    signal(SIGHUP, SIG_IGN);
    CHECK_EQ(write(slave, "mine\n", 5), 5);
    for (int i = 0; i < 3000; i++) {
        int own = open("/dev/tty", O_RDWR);
        if (own < 0) {
            CHECK_EQ(errno, ENXIO);
            _exit(0);
        }
        close(own);
        sleep_ms(1);
    }
    _exit(1);
}

TEST(stolen_terminal)
{
    int status;
    open_pair();
    pid_t first = child_on_terminal(lose_terminal);
    check_screen("mine\r\n");
    pid_t second = fork();
    if (second == 0) {
        CHECK_EQ(setsid(), getpid());
        CHECK_ERRNO(ioctl(slave, TIOCSCTTY, 0), EPERM);
        signal(SIGHUP, on_hang_up);
        CHECK_EQ(ioctl(slave, TIOCSCTTY, 1), 0);
        CHECK_EQ(tcgetsid(slave), getpid());
        for (int i = 0; i < 3000 && kill(first, 0) == 0; i++)
            sleep_ms(1);
        CHECK_EQ(hung_up, 0);
        CHECK_EQ(tcgetpgrp(slave), getpid());
        _exit(0);
    }
    CHECK_EQ(waitpid(first, &status, 0), first);
    CHECK_EQ(status, 0);
    CHECK_EQ(waitpid(second, &status, 0), second);
    CHECK_EQ(status, 0);
}
