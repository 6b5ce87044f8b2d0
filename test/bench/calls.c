// SPDX-License-Identifier: BSD-2-Clause
// The way into the kernel and back, and calls that do little more.
#include "bench.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <time.h>

static int fd, other;
static char byte[1];

static void loop_getppid(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        syscall(SYS_getppid);
    bench_stop();
}

static void open_zero(void)
{
    fd = MUST(open("/dev/zero", O_RDONLY));
}

static void open_null(void)
{
    fd = MUST(open("/dev/null", O_WRONLY));
}

static void loop_read(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(read(fd, byte, 1));
    bench_stop();
}

static void loop_write(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(write(fd, byte, 1));
    bench_stop();
}

static void loop_clock_vdso(long n)
{
    struct timespec now;
    bench_start();
    for (long i = 0; i < n; i++)
        clock_gettime(CLOCK_MONOTONIC, &now);
    bench_stop();
}

static void loop_clock_call(long n)
{
    struct timespec now;
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now));
    bench_stop();
}

static void loop_fstat(long n)
{
    struct stat info;
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(fstat(fd, &info));
    bench_stop();
}

static void make_file(void)
{
    fd = MUST(open("/tmp/calls", O_RDWR | O_CREAT, 0600));
}

static void loop_open(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        close(MUST(open("/tmp/calls", O_RDONLY)));
    bench_stop();
}

static void loop_dup(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        close(MUST(dup(fd)));
    bench_stop();
}

static void loop_lseek(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(lseek(fd, 0, SEEK_SET));
    bench_stop();
}

static void loop_fcntl(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(fcntl(fd, F_GETFL));
    bench_stop();
}

static void loop_uname(long n)
{
    struct utsname name;
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(uname(&name));
    bench_stop();
}

static void loop_getrandom(long n)
{
    char bytes[32];
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(syscall(SYS_getrandom, bytes, sizeof(bytes), 0));
    bench_stop();
}

static void loop_yield(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        sched_yield();
    bench_stop();
}

static void make_pipes(void)
{
    int ends[2];
    for (int i = 0; i < 64; i++)
        MUST(pipe(ends));
    MUST(write(ends[1], "x", 1));
}

static void loop_poll(long n)
{
    struct pollfd fds[64];
    for (int i = 0; i < 64; i++)
        fds[i] = (struct pollfd){.fd = 3 + 2 * i, .events = POLLIN};
    fds[0].fd = 3 + 2 * 63; // the one that is ready
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(poll(fds, (nfds_t)bench_arg, 0));
    bench_stop();
}

static void loop_select(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        fd_set set;
        FD_ZERO(&set);
        for (int j = 0; j < 64; j++)
            FD_SET(3 + 2 * j, &set);
        struct timeval no_wait = {0, 0};
        MUST(select(131, &set, NULL, NULL, &no_wait));
    }
    bench_stop();
}

static void make_epoll(void)
{
    make_pipes();
    fd = MUST(epoll_create1(0));
    for (int i = 0; i < 64; i++) {
        struct epoll_event event = {.events = EPOLLIN};
        MUST(epoll_ctl(fd, EPOLL_CTL_ADD, 3 + 2 * i, &event));
    }
}

static void loop_epoll(long n)
{
    struct epoll_event events[4];
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(epoll_wait(fd, events, 4, 0));
    bench_stop();
}

static void loop_epoll_ctl(long n)
{
    struct epoll_event event = {.events = EPOLLIN};
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(epoll_ctl(fd, EPOLL_CTL_DEL, 3, &event));
        MUST(epoll_ctl(fd, EPOLL_CTL_ADD, 3, &event));
    }
    bench_stop();
}

static void make_eventfd(void)
{
    fd = MUST(eventfd(0, 0));
}

static void loop_eventfd(long n)
{
    uint64_t value = 1;
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(write(fd, &value, 8));
        MUST(read(fd, &value, 8));
    }
    bench_stop();
}

static void make_timerfd(void)
{
    fd = MUST(timerfd_create(CLOCK_MONOTONIC, 0));
}

static void loop_timerfd(long n)
{
    struct itimerspec in_an_hour = {.it_value.tv_sec = 3600};
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(timerfd_settime(fd, 0, &in_an_hour, NULL));
    bench_stop();
}

// One that is due already, and its reading.
static void loop_timerfd_read(long n)
{
    struct itimerspec long_ago = {.it_value.tv_nsec = 1};
    uint64_t count;
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(timerfd_settime(fd, TFD_TIMER_ABSTIME, &long_ago, NULL));
        MUST(read(fd, &count, sizeof(count)));
    }
    bench_stop();
}

static timer_t timer;

static void make_timer(void)
{
    MUST(timer_create(CLOCK_MONOTONIC, NULL, &timer));
}

static void loop_timer(long n)
{
    struct itimerspec in_an_hour = {.it_value.tv_sec = 3600};
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(timer_settime(timer, 0, &in_an_hour, NULL));
    bench_stop();
}

static void loop_timer_create(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(timer_create(CLOCK_MONOTONIC, NULL, &timer));
        MUST(timer_delete(timer));
    }
    bench_stop();
}

static void make_pipe(void)
{
    int ends[2];
    MUST(pipe(ends));
    fd = ends[0];
    other = ends[1];
}

static void loop_pipe(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(write(other, byte, 1));
        MUST(read(fd, byte, 1));
    }
    bench_stop();
}

const struct bench bench_calls[] = {
    {"calls/getppid", NULL, loop_getppid},
    {"calls/read-zero", open_zero, loop_read},
    {"calls/write-null", open_null, loop_write},
    {"calls/clock_gettime-vdso", NULL, loop_clock_vdso},
    {"calls/clock_gettime", NULL, loop_clock_call},
    {"calls/fstat", make_file, loop_fstat},
    {"calls/open-close", make_file, loop_open, .several = true},
    {"calls/dup-close", make_file, loop_dup},
    {"calls/lseek", make_file, loop_lseek},
    {"calls/fcntl-getfl", make_file, loop_fcntl},
    {"calls/uname", NULL, loop_uname},
    {"calls/getrandom-32", NULL, loop_getrandom},
    {"calls/sched_yield-alone", NULL, loop_yield},
    {"calls/poll-1", make_pipes, loop_poll, 1},
    {"calls/poll-64", make_pipes, loop_poll, 64},
    {"calls/select-64", make_pipes, loop_select},
    {"calls/epoll_wait-64", make_epoll, loop_epoll},
    {"calls/epoll_ctl-del-add", make_epoll, loop_epoll_ctl},
    {"calls/eventfd-write-read", make_eventfd, loop_eventfd},
    {"calls/timerfd_settime", make_timerfd, loop_timerfd},
    {"calls/timerfd-expire-read", make_timerfd, loop_timerfd_read},
    {"calls/timer_settime", make_timer, loop_timer},
    {"calls/timer_create-delete", NULL, loop_timer_create},
    {"calls/pipe-write-read", make_pipe, loop_pipe},
    {0},
};
