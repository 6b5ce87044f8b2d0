// SPDX-License-Identifier: BSD-2-Clause
// timerfd and signalfd.
#include "timer.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#ifndef TFD_TIMER_CANCEL_ON_SET
#define TFD_TIMER_CANCEL_ON_SET 2
#endif

static int timerfd(clockid_t clock, int flags)
{
    int fd = timerfd_create(clock, flags);
    CHECK(fd >= 0);
    return fd;
}

static void arm(int fd, int flags, struct itimerspec set)
{
    CHECK_EQ(timerfd_settime(fd, flags, &set, NULL), 0);
}

static int poll_ms(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};
    int n = poll(&p, 1, ms);
    CHECK(n >= 0);
    return n == 1 ? p.revents : 0;
}

TEST(timerfd_counts)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
    for (unsigned i = 0; i < 3; i++) {
        int fd = timerfd(clocks[i], 0);
        uint64_t n = 0;
        CHECK_EQ(poll_ms(fd, 0), 0);
        int64_t begin = now_ns(CLOCK_MONOTONIC);
        arm(fd, 0, every(20 * MS, 10 * MS));
        CHECK_EQ(read(fd, &n, 8), 8);
        CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 20 * MS);
        CHECK(n >= 1);
        uint64_t first = n;
        sleep_ms(55);
        CHECK_EQ(poll_ms(fd, 0), POLLIN);
        CHECK_EQ(read(fd, &n, 8), 8);
        CHECK(first + n >= 6 && n < 300);
        CHECK_EQ(read(fd, &n, 8), 8); // the next one
        CHECK(n >= 1);
        arm(fd, 0, every(0, 0));
        CHECK_EQ(poll_ms(fd, 30), 0);
        arm(fd, 0, every(MS, 0));
        CHECK_EQ(poll_ms(fd, 5000), POLLIN);
        CHECK_EQ(read(fd, &n, 8), 8);
        CHECK_EQ(n, 1);
        CHECK_EQ(poll_ms(fd, 20), 0);
        close(fd);
    }
}

TEST(timerfd_tells_what_is_left)
{
    struct itimerspec now, set = every(100000 * MS, 5 * MS);
    int fd = timerfd(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    CHECK_EQ(timerfd_gettime(fd, &now), 0);
    CHECK_EQ(now.it_value.tv_sec + now.it_value.tv_nsec, 0);
    arm(fd, 0, set);
    CHECK_EQ(timerfd_gettime(fd, &now), 0);
    CHECK(now.it_value.tv_sec >= 98 && now.it_value.tv_sec <= 100);
    CHECK_EQ(now.it_interval.tv_nsec, 5 * MS);
    uint64_t n;
    CHECK_ERRNO(read(fd, &n, 8), EAGAIN);
    set = every(5 * MS, 1000000 * MS);
    CHECK_EQ(timerfd_settime(fd, 0, &set, &now), 0);
    CHECK(now.it_value.tv_sec >= 98);
    sleep_ms(20);
    CHECK_EQ(timerfd_gettime(fd, &now), 0); // of the next period, unread
    CHECK(now.it_value.tv_sec >= 990);
    CHECK_EQ(read(fd, &n, 8), 8);
    CHECK_EQ(n, 1);
    char link[64], text[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, text, sizeof(text) - 1);
    CHECK(length > 0);
    text[length] = 0;
    CHECK_EQ(strcmp(text, "anon_inode:[timerfd]"), 0);
}

TEST(timerfd_of_one_nanosecond_leaves_the_machine_alive)
{
    int fd = timerfd(CLOCK_MONOTONIC, 0);
    uint64_t n, sum = 0;
    arm(fd, 0, every(1, 1));
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(read(fd, &n, 8), 8);
        sum += n;
    }
    CHECK((int64_t)sum <= now_ns(CLOCK_MONOTONIC) - begin + 1000 * MS);
    CHECK(sum > 10000);
    close(fd); // while it fires
}

TEST(timerfd_in_epoll)
{
    int fd = timerfd(CLOCK_MONOTONIC, 0), epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    uint64_t n;
    CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    arm(fd, 0, every(10 * MS, 10 * MS));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(epoll_wait(epoll, &event, 1, 5000), 1);
        CHECK_EQ(read(fd, &n, 8), 8);
    }
    CHECK_EQ(epoll_wait(epoll, &event, 1, 5000), 1);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 50), 0); // unread: it stands still
}

TEST(timerfd_read_is_interrupted)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    int fd = timerfd(CLOCK_MONOTONIC, 0);
    uint64_t n;
    arm(fd, 0, every(20000 * MS, 0));
    start(make(CLOCK_MONOTONIC, SIGUSR1, 0), 50 * MS, 0);
    CHECK_ERRNO(read(fd, &n, 8), EINTR);
}

TEST(timerfd_hears_of_the_clock_being_set)
{
    struct timespec real, mono;
    uint64_t n;
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    int fd = timerfd(CLOCK_REALTIME, 0), plain = timerfd(CLOCK_REALTIME, 0),
        relative = timerfd(CLOCK_REALTIME, TFD_NONBLOCK), distant = timerfd(CLOCK_REALTIME, 0);
    struct itimerspec set = {{0, 0}, {real.tv_sec + 500, 0}};
    arm(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, set);
    arm(plain, TFD_TIMER_ABSTIME, set);
    set.it_value.tv_sec = real.tv_sec + 5000;
    arm(distant, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, set);
    arm(relative, 0, every(500000 * MS, 0));
    CHECK_EQ(poll_ms(fd, 0), 0);
    struct timespec later = {real.tv_sec + 501, 0};
    CHECK_EQ(clock_settime(CLOCK_REALTIME, &later), 0);
    CHECK_EQ(poll_ms(fd, 5000), POLLIN);
    CHECK_ERRNO(read(fd, &n, 8), ECANCELED);
    CHECK_EQ(read(plain, &n, 8), 8); // its time has come
    CHECK_EQ(n, 1);
    CHECK_ERRNO(read(relative, &n, 8), EAGAIN);   // not by this clock
    CHECK_ERRNO(read(distant, &n, 8), ECANCELED); // and it is still to come
    CHECK_EQ(timerfd_gettime(distant, &set), 0);
    CHECK(set.it_value.tv_sec > 4000);
    timer_t timer = make(CLOCK_REALTIME, SIGUSR1, 0);
    block(SIGUSR1);
    set.it_value.tv_sec = real.tv_sec + 1500;
    CHECK_EQ(timer_settime(timer, TIMER_ABSTIME, &set, NULL), 0);
    later.tv_sec = real.tv_sec + 1501;
    CHECK_EQ(clock_settime(CLOCK_REALTIME, &later), 0);
    CHECK_EQ(wait_for(SIGUSR1, NULL, 5000), SIGUSR1);
    // Set while it wasn't armed: told at once, and armed nevertheless.
    set.it_value.tv_sec = later.tv_sec + 500;
    CHECK_ERRNO(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &set, NULL),
                ECANCELED);
    CHECK_EQ(timerfd_gettime(fd, &set), 0);
    CHECK(set.it_value.tv_sec > 400);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    real.tv_sec += now.tv_sec - mono.tv_sec;
    CHECK_EQ(clock_settime(CLOCK_REALTIME, &real), 0);
}

TEST(timerfd_errors)
{
    struct itimerspec set = every(MS, 0);
    uint64_t n;
    CHECK_ERRNO(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    CHECK_ERRNO(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    int fd = timerfd(CLOCK_MONOTONIC, 0), fds[2];
    CHECK_ERRNO(read(fd, &n, 7), EINVAL);
    CHECK_ERRNO(write(fd, &n, 8), EINVAL);
    CHECK_ERRNO(pread(fd, &n, 8, 0), ESPIPE);
    CHECK_ERRNO(timerfd_settime(fd, 64, &set, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_timerfd_settime, fd, 0, 8, NULL), EFAULT);
    CHECK_ERRNO(timerfd_settime(99, 0, &set, NULL), EBADF);
    CHECK_EQ(pipe(fds), 0);
    CHECK_ERRNO(timerfd_settime(fds[0], 0, &set, NULL), EINVAL);
    CHECK_ERRNO(timerfd_gettime(fds[0], &set), EINVAL);
    CHECK_ERRNO(timerfd_gettime(99, &set), EBADF);
    CHECK_ERRNO(syscall(SYS_timerfd_gettime, fd, 8), EFAULT);
    set.it_value.tv_nsec = -1;
    CHECK_ERRNO(timerfd_settime(fd, 0, &set, NULL), EINVAL);
    CHECK_EQ(setuid(12345), 0);
    CHECK_ERRNO(timerfd_create(CLOCK_REALTIME_ALARM, 0), EPERM);
}

static int signal_file(int number, int flags)
{
    sigset_t set = set_of(number);
    int fd = signalfd(-1, &set, flags);
    CHECK(fd >= 0);
    return fd;
}

TEST(signalfd_reads_what_was_sent)
{
    struct signalfd_siginfo info[3];
    block(SIGUSR1);
    block(SIGRTMIN);
    int fd = signal_file(SIGUSR1, SFD_NONBLOCK | SFD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_ERRNO(read(fd, info, sizeof(info)), EAGAIN);
    CHECK_EQ(poll_ms(fd, 0), 0);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK_EQ(poll_ms(fd, 0), POLLIN);
    CHECK_EQ(read(fd, info, sizeof(info)), sizeof(info[0]));
    CHECK_EQ(info[0].ssi_signo, SIGUSR1);
    CHECK_EQ(info[0].ssi_code, SI_USER);
    CHECK_EQ(info[0].ssi_pid, getpid());
    CHECK_EQ(info[0].ssi_uid, getuid());
    CHECK_ERRNO(read(fd, info, sizeof(info)), EAGAIN);
    sigset_t both = set_of(SIGUSR1);
    sigaddset(&both, SIGRTMIN);
    CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5}), 0);
    CHECK_ERRNO(read(fd, info, sizeof(info)), EAGAIN); // not in the mask
    CHECK_EQ(signalfd(fd, &both, 0), fd);
    CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 6}), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(read(fd, info, 2 * sizeof(info[0]) + 5), 2 * sizeof(info[0]));
    CHECK_EQ(info[0].ssi_signo, SIGUSR1);
    CHECK_EQ(info[0].ssi_code, SI_TKILL);
    CHECK_EQ(info[1].ssi_signo, SIGRTMIN);
    CHECK_EQ(info[1].ssi_code, SI_QUEUE);
    CHECK_EQ(info[1].ssi_int, 5);
    CHECK_EQ(info[1].ssi_pid, getpid());
    CHECK_EQ(read(fd, info, sizeof(info)), sizeof(info[0]));
    CHECK_EQ(info[0].ssi_int, 6);
}

TEST(signalfd_of_timer_and_child)
{
    struct signalfd_siginfo info;
    block(SIGUSR1);
    block(SIGCHLD);
    int fd = signal_file(SIGUSR1, 0), children = signal_file(SIGCHLD, 0);
    timer_t timer = make(CLOCK_MONOTONIC, SIGUSR1, 99);
    start(timer, 5 * MS, 5 * MS);
    CHECK_EQ(read(fd, &info, sizeof(info)), sizeof(info));
    CHECK_EQ(info.ssi_code, SI_TIMER);
    CHECK_EQ(info.ssi_int, 99);
    sleep_ms(40);
    CHECK_EQ(read(fd, &info, sizeof(info)), sizeof(info));
    CHECK(info.ssi_overrun >= 4);
    CHECK_EQ(timer_delete(timer), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(7);
    CHECK_EQ(poll_ms(children, 5000), POLLIN);
    CHECK_EQ(read(children, &info, sizeof(info)), sizeof(info));
    CHECK_EQ(info.ssi_signo, SIGCHLD);
    CHECK_EQ(info.ssi_code, CLD_EXITED);
    CHECK_EQ(info.ssi_pid, pid);
    CHECK_EQ(info.ssi_status, 7);
}

TEST(signalfd_wakes_those_who_wait)
{
    struct signalfd_siginfo info;
    int status;
    block(SIGUSR1);
    int fd = signal_file(SIGUSR1, 0);
    pid_t pid = fork(); // gets its own signals through it
    if (pid == 0) {
        int epoll = epoll_create1(0);
        struct epoll_event event = {.events = EPOLLIN};
        CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
        for (int i = 0; i < 200; i++) {
            if (i % 3 == 0)
                CHECK_EQ(poll_ms(fd, 10000), POLLIN);
            if (i % 3 == 1)
                CHECK_EQ(epoll_wait(epoll, &event, 1, 10000), 1);
            CHECK_EQ(read(fd, &info, sizeof(info)), sizeof(info));
            CHECK_EQ(info.ssi_pid, getppid());
            kill(getppid(), SIGUSR1);
        }
        _exit(0);
    }
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(kill(pid, SIGUSR1), 0);
        CHECK_EQ(read(fd, &info, sizeof(info)), sizeof(info));
        CHECK_EQ(info.ssi_pid, pid);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

static void *wait_in_thread(void *fd)
{
    struct signalfd_siginfo info;
    return read(*(int *)fd, &info, sizeof(info)) == sizeof(info) ? fd : NULL;
}

TEST(signalfd_read_in_a_thread)
{
    pthread_t thread;
    void *result;
    block(SIGUSR1);
    int fd = signal_file(SIGUSR1, 0);
    CHECK_EQ(pthread_create(&thread, NULL, wait_in_thread, &fd), 0);
    sleep_ms(30);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == &fd);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    handle(SIGUSR1);
    CHECK_EQ(close(fd), 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); // it waited, and is delivered
    CHECK_EQ(count, 1);
}

TEST(signalfd_errors)
{
    sigset_t set = set_of(SIGUSR1);
    struct signalfd_siginfo info;
    int fd = signal_file(SIGUSR1, SFD_NONBLOCK), fds[2];
    CHECK_ERRNO(read(fd, &info, sizeof(info) - 1), EINVAL);
    CHECK_ERRNO(write(fd, &info, sizeof(info)), EINVAL);
    CHECK_ERRNO(signalfd(-1, &set, 1), EINVAL);
    CHECK_ERRNO(signalfd(99, &set, 0), EBADF);
    CHECK_EQ(pipe(fds), 0);
    CHECK_ERRNO(signalfd(fds[0], &set, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_signalfd4, -1, 8, 8, 0), EFAULT);
    sigfillset(&set); // SIGKILL and SIGSTOP are let out quietly
    CHECK(signalfd(fd, &set, 0) == fd);
}
