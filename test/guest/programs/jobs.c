// SPDX-License-Identifier: BSD-2-Clause
// Process groups, sessions, the controlling terminal, stops, and what termios does to input and
// output. Runs on a terminal that is the controlling one (the console).
#include "ktap.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int terminal(void)
{
    int fd = open("/dev/tty", O_RDWR);
    if (fd < 0)
        SKIP("no controlling terminal");
    return fd;
}

TEST(groups_and_sessions)
{
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(setpgid(0, 0), 0);
        CHECK_EQ(getpgid(0), getpid());
        pid_t child = fork();
        if (child == 0) {
            CHECK_EQ(getpgrp(), getppid());
            CHECK_EQ(setsid(), getpid());
            CHECK_EQ(getsid(0), getpid());
            CHECK_EQ(getpgrp(), getpid());
            CHECK_ERRNO(setsid(), EPERM);
            CHECK_ERRNO(setpgid(0, 0), EPERM);
            CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
            _exit(0);
        }
        int status;
        CHECK_EQ(waitpid(child, &status, 0), child);
        _exit(status != 0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

TEST(setpgid_errors)
{
    CHECK_ERRNO(setpgid(0, -1), EINVAL);
    CHECK_ERRNO(setpgid(1, 1), ESRCH);
    CHECK_ERRNO(setpgid(0x3ffffff, 0), ESRCH);
    CHECK_ERRNO(setpgid(0, 0x3ffffff), EPERM);
    CHECK_ERRNO(getpgid(0x3ffffff), ESRCH);
    CHECK_ERRNO(getsid(0x3ffffff), ESRCH);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/busybox", "sleep", "10", NULL);
        _exit(1);
    }
    sleep_ms(200);
    CHECK_ERRNO(setpgid(pid, pid), EACCES);
    kill(pid, SIGKILL);
}

TEST(kill_reaches_a_whole_group)
{
    int status;
    pid_t leader = fork();
    if (leader == 0) {
        setpgid(0, 0);
        for (int i = 0; i < 3; i++)
            if (fork() == 0)
                break;
        for (;;)
            pause();
    }
    setpgid(leader, leader);
    sleep_ms(100);
    CHECK_EQ(kill(-leader, SIGTERM), 0);
    CHECK_EQ(waitpid(leader, &status, 0), leader);
    CHECK_EQ(WTERMSIG(status), SIGTERM);
    int64_t end = now_ns(CLOCK_MONOTONIC) + 5000000000;
    while (kill(-leader, 0) == 0 && now_ns(CLOCK_MONOTONIC) < end)
        sleep_ms(5);
    CHECK_ERRNO(kill(-leader, 0), ESRCH);
}

TEST(stop_and_continue_are_reported)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(kill(pid, i & 1 ? SIGTSTP : SIGSTOP), 0);
        CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
        CHECK(WIFSTOPPED(status));
        CHECK_EQ(WSTOPSIG(status), i & 1 ? SIGTSTP : SIGSTOP);
        CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
        CHECK_EQ(kill(pid, SIGCONT), 0);
        CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
        CHECK(WIFCONTINUED(status));
    }
    kill(pid, SIGSTOP);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    kill(pid, SIGTERM);
    sleep_ms(30);
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    kill(pid, SIGCONT);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WTERMSIG(status), SIGTERM);
    pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
}

TEST(orphaned_group_ignores_tstp_and_gets_hup_when_stopped)
{
    int fds[2];
    char byte = 0;
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        raise(SIGTSTP); // an orphaned group does not stop
        pid_t member = fork();
        if (member == 0) {
            setpgid(0, 0);
            write(fds[1], "s", 1);
            raise(SIGSTOP);
            for (;;)
                pause();
        }
        setpgid(member, member);
        waitpid(member, NULL, WUNTRACED);
        write(fds[1], (char *)&member, sizeof(member));
        _exit(0);
    }
    int status;
    pid_t member;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(read(fds[0], &member, sizeof(member)), sizeof(member));
    // Its parent ended while it was stopped: SIGHUP and SIGCONT end it.
    int64_t end = now_ns(CLOCK_MONOTONIC) + 5000000000;
    while (kill(member, 0) == 0 && now_ns(CLOCK_MONOTONIC) < end)
        sleep_ms(5);
    CHECK_ERRNO(kill(member, 0), ESRCH);
}

TEST(foreground_group_of_the_terminal)
{
    int tty = terminal();
    signal(SIGTTOU, SIG_IGN);
    pid_t before = tcgetpgrp(tty);
    CHECK(before > 0);
    CHECK_EQ(tcsetpgrp(tty, getpgrp()), 0);
    CHECK_EQ(tcgetpgrp(tty), getpgrp());
    CHECK_EQ(tcgetsid(tty), getsid(0));
    CHECK_ERRNO(tcsetpgrp(tty, 0x3ffffff), ESRCH);
    CHECK_ERRNO(tcsetpgrp(tty, -1), EINVAL);
    CHECK_EQ(tcsetpgrp(tty, before), 0);
    int null = open("/dev/null", O_RDWR);
    CHECK_ERRNO(tcgetpgrp(null), ENOTTY);
    CHECK_EQ(isatty(null), 0);
    CHECK_EQ(isatty(tty), 1);
}

TEST(background_access_stops)
{
    int tty = terminal(), status;
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        setpgid(0, 0);
        read(tty, &byte, 1);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(WSTOPSIG(status), SIGTTIN);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        tcsetpgrp(tty, getpid());
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK_EQ(WSTOPSIG(status), SIGTTOU);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    pid = fork();
    if (pid == 0) {
        char byte;
        setpgid(0, 0);
        signal(SIGTTIN, SIG_IGN);
        _exit(read(tty, &byte, 1) == -1 && errno == EIO ? 0 : 1);
    }
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK_EQ(status, 0);
}

TEST(termios_is_kept)
{
    int tty = terminal();
    struct termios before, changed, after;
    signal(SIGTTOU, SIG_IGN);
    CHECK_EQ(tcgetattr(tty, &before), 0);
    changed = before;
    changed.c_lflag &= ~(ICANON | ECHO);
    changed.c_cc[VMIN] = 3;
    changed.c_cc[VTIME] = 7;
    changed.c_cc[VINTR] = 5;
    CHECK_EQ(tcsetattr(tty, TCSADRAIN, &changed), 0);
    CHECK_EQ(tcgetattr(tty, &after), 0);
    CHECK_EQ(after.c_lflag, changed.c_lflag);
    CHECK_EQ(memcmp(after.c_cc, changed.c_cc, NCCS), 0);
    CHECK_EQ(tcsetattr(tty, TCSAFLUSH, &before), 0);
    CHECK_ERRNO(ioctl(tty, TCGETS, (void *)8), EFAULT);
    CHECK_ERRNO(ioctl(tty, 0x54fe, 0), ENOTTY);
}

TEST(window_size_and_its_signal)
{
    int tty = terminal();
    static volatile int seen;
    void on_winch(int number)
    {
        seen = number;
    }
    struct winsize before, now;
    signal(SIGTTOU, SIG_IGN);
    pid_t foreground = tcgetpgrp(tty);
    CHECK_EQ(tcsetpgrp(tty, getpgrp()), 0);
    signal(SIGWINCH, on_winch);
    CHECK_EQ(ioctl(tty, TIOCGWINSZ, &before), 0);
    now = (struct winsize){.ws_row = 11, .ws_col = 222};
    CHECK_EQ(ioctl(tty, TIOCSWINSZ, &now), 0);
    CHECK_EQ(seen, SIGWINCH);
    memset(&now, 0, sizeof(now));
    CHECK_EQ(ioctl(tty, TIOCGWINSZ, &now), 0);
    CHECK_EQ(now.ws_row * 1000 + now.ws_col, 11222);
    CHECK_EQ(ioctl(tty, TIOCSWINSZ, &before), 0);
    CHECK_EQ(tcsetpgrp(tty, foreground), 0);
}

TEST(raw_read_times_out)
{
    int tty = terminal();
    struct termios before, raw;
    char byte;
    signal(SIGTTOU, SIG_IGN);
    pid_t foreground = tcgetpgrp(tty);
    CHECK_EQ(tcsetpgrp(tty, getpgrp()), 0);
    CHECK_EQ(tcgetattr(tty, &before), 0);
    raw = before;
    raw.c_lflag &= ~(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 2;
    CHECK_EQ(tcsetattr(tty, TCSANOW, &raw), 0);
    int64_t start = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(read(tty, &byte, 1), 0);
    int64_t took = now_ns(CLOCK_MONOTONIC) - start;
    struct pollfd wait = {tty, POLLIN, 0};
    CHECK_EQ(poll(&wait, 1, 50), 0);
    int waiting = -1;
    CHECK_EQ(ioctl(tty, FIONREAD, &waiting), 0);
    CHECK_EQ(waiting, 0);
    CHECK_EQ(fcntl(tty, F_SETFL, O_NONBLOCK), 0);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    CHECK_EQ(tcsetattr(tty, TCSANOW, &raw), 0);
    CHECK_ERRNO(read(tty, &byte, 1), EAGAIN);
    CHECK_EQ(tcsetattr(tty, TCSANOW, &before), 0);
    CHECK_EQ(tcsetpgrp(tty, foreground), 0);
    CHECK(took >= 150000000 && took < 3000000000);
}

TEST(output_is_flow_controlled_and_drained)
{
    int tty = terminal();
    signal(SIGTTOU, SIG_IGN);
    CHECK_EQ(tcdrain(tty), 0);
    CHECK_EQ(tcflow(tty, TCOOFF), 0);
    CHECK_EQ(tcflow(tty, TCOON), 0);
    CHECK_EQ(tcflush(tty, TCIFLUSH), 0);
    CHECK_EQ(tcsendbreak(tty, 0), 0);
}
