// SPDX-License-Identifier: BSD-2-Clause
// epoll and eventfd: levels, edges, one shots, files that close, sleepers that wake.
#include "ktap.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

static int ep, fds[2];

static void setup(void)
{
    ep = epoll_create1(EPOLL_CLOEXEC);
    CHECK(ep >= 0);
    CHECK_EQ(pipe(fds), 0);
}

static void control(int op, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.u64 = 0x100000000ull + (unsigned)fd};
    CHECK_EQ(epoll_ctl(ep, op, fd, &e), 0);
}

// The events of `fd`, which must be the only one ready within the time; 0: none.
static uint32_t ready(int fd, int timeout_ms)
{
    struct epoll_event e[8];
    int n = epoll_wait(ep, e, 8, timeout_ms);
    CHECK(n == 0 || n == 1);
    if (n == 0)
        return 0;
    CHECK_EQ(e[0].data.u64, 0x100000000ull + (unsigned)fd);
    return e[0].events;
}

TEST(errors)
{
    struct epoll_event e = {.events = EPOLLIN};
    setup();
    CHECK_ERRNO(epoll_create1(1), EINVAL);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &e), EBADF);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
    CHECK_ERRNO(epoll_ctl(fds[0], EPOLL_CTL_ADD, fds[1], &e), EINVAL);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &e), ENOENT);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_DEL, fds[0], &e), ENOENT);
    CHECK_ERRNO(epoll_ctl(ep, 77, fds[0], &e), EINVAL);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], NULL), EFAULT);
    CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e), 0);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e), EEXIST);
    int file = open("/tmp/epoll-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0);
    unlink("/tmp/epoll-file");
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, file, &e), EPERM);
    CHECK_ERRNO(epoll_wait(ep, &e, 0, 0), EINVAL);
    CHECK_ERRNO(epoll_wait(fds[0], &e, 1, 0), EINVAL);
    CHECK_ERRNO(read(ep, &e, 1), EINVAL);
}

TEST(levels)
{
    setup();
    control(EPOLL_CTL_ADD, fds[0], EPOLLIN);
    CHECK_EQ(ready(fds[0], 0), 0);
    CHECK_EQ(write(fds[1], "ab", 2), 2);
    CHECK_EQ(ready(fds[0], 0), EPOLLIN);
    CHECK_EQ(ready(fds[0], 0), EPOLLIN); // still
    char buf[2];
    CHECK_EQ(read(fds[0], buf, 2), 2);
    CHECK_EQ(ready(fds[0], 0), 0);
    control(EPOLL_CTL_ADD, fds[1], EPOLLOUT);
    CHECK_EQ(ready(fds[1], 0), EPOLLOUT);
    control(EPOLL_CTL_MOD, fds[1], 0);
    CHECK_EQ(ready(fds[1], 0), 0);
    close(fds[0]);
    CHECK_EQ(ready(fds[1], 0), EPOLLERR); // always told
}

TEST(edges)
{
    char buf[8];
    setup();
    control(EPOLL_CTL_ADD, fds[0], EPOLLIN | EPOLLET);
    CHECK_EQ(write(fds[1], "a", 1), 1);
    CHECK_EQ(ready(fds[0], 0), EPOLLIN);
    CHECK_EQ(ready(fds[0], 0), 0);
    CHECK_EQ(read(fds[0], buf, 8), 1);
    CHECK_EQ(ready(fds[0], 0), 0);
    CHECK_EQ(write(fds[1], "b", 1), 1);
    CHECK_EQ(ready(fds[0], 0), EPOLLIN);
    control(EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLET); // asks anew
    CHECK_EQ(ready(fds[0], 0), EPOLLIN);
    CHECK_EQ(write(fds[1], "c", 1), 1); // though "b" is still there
    CHECK_EQ(ready(fds[0], 0), EPOLLIN);
    CHECK_EQ(ready(fds[0], 0), 0);
}

TEST(one_shots)
{
    setup();
    control(EPOLL_CTL_ADD, fds[0], EPOLLIN | EPOLLONESHOT);
    CHECK_EQ(write(fds[1], "a", 1), 1);
    CHECK_EQ(ready(fds[0], 0), EPOLLIN);
    CHECK_EQ(write(fds[1], "a", 1), 1);
    CHECK_EQ(ready(fds[0], 0), 0);
    control(EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLONESHOT);
    CHECK_EQ(ready(fds[0], 0), EPOLLIN);
}

TEST(closed_files_leave)
{
    setup();
    control(EPOLL_CTL_ADD, fds[0], EPOLLIN);
    int copy = dup(fds[0]);
    CHECK_EQ(write(fds[1], "a", 1), 1);
    close(fds[0]);
    CHECK_EQ(ready(fds[0], 0), EPOLLIN); // the copy keeps the file
    close(copy);
    CHECK_EQ(ready(fds[0], 0), 0);
    CHECK_EQ(pipe(fds), 0);
    control(EPOLL_CTL_ADD, fds[0], EPOLLIN);
    CHECK_EQ(write(fds[1], "a", 1), 1);
    CHECK_EQ(ready(fds[0], 0), EPOLLIN);
    control(EPOLL_CTL_DEL, fds[0], 0);
    CHECK_EQ(ready(fds[0], 0), 0);
}

TEST(sleepers_wake)
{
    setup();
    control(EPOLL_CTL_ADD, fds[0], EPOLLIN);
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(ready(fds[0], 100), 0);
    CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 100000000);
    for (int i = 0; i < 20; i++) {
        char byte;
        pid_t pid = fork();
        if (pid == 0) {
            sleep_ms(i);
            write(fds[1], "x", 1);
            _exit(0);
        }
        CHECK_EQ(ready(fds[0], 5000), EPOLLIN);
        CHECK_EQ(read(fds[0], &byte, 1), 1);
        waitpid(pid, NULL, 0);
    }
}

TEST(epolls_in_epolls)
{
    struct epoll_event e = {.events = EPOLLIN};
    setup();
    control(EPOLL_CTL_ADD, fds[0], EPOLLIN);
    int outer = epoll_create1(0);
    CHECK_EQ(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &e), 0);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, outer, &e), ELOOP);
    CHECK_EQ(epoll_wait(outer, &e, 1, 0), 0);
    CHECK_EQ(write(fds[1], "a", 1), 1);
    CHECK_EQ(epoll_wait(outer, &e, 1, 1000), 1);
    CHECK_EQ(ready(fds[0], 0), EPOLLIN);
    close(ep);
    CHECK_EQ(epoll_wait(outer, &e, 1, 0), 0);
}

TEST(hundred_files_in_turns)
{
    enum { FILES = 100 };
    int events[FILES];
    struct epoll_event e[7];
    uint64_t one = 1, value;
    setup();
    for (int i = 0; i < FILES; i++) {
        events[i] = eventfd(0, EFD_NONBLOCK);
        CHECK(events[i] >= 0);
        struct epoll_event interest = {.events = EPOLLIN, .data.fd = events[i]};
        CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, events[i], &interest), 0);
        CHECK_EQ(write(events[i], &one, 8), 8);
    }
    int seen = 0;
    while (seen < FILES) { // few at a time: nobody is forgotten, nobody comes twice
        int n = epoll_wait(ep, e, 7, 1000);
        CHECK(n > 0 && n <= 7);
        for (int i = 0; i < n; i++)
            CHECK_EQ(read(e[i].data.fd, &value, 8), 8);
        seen += n;
    }
    CHECK_EQ(epoll_wait(ep, e, 7, 0), 0);
}

TEST(eventfd_counts)
{
    uint64_t value = 5;
    int fd = eventfd(3, EFD_NONBLOCK);
    CHECK_EQ(write(fd, &value, 8), 8);
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 8);
    CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
    CHECK_ERRNO(read(fd, &value, 7), EINVAL);
    value = UINT64_MAX;
    CHECK_ERRNO(write(fd, &value, 8), EINVAL);
    value = UINT64_MAX - 1;
    CHECK_EQ(write(fd, &value, 8), 8);
    value = 1;
    CHECK_ERRNO(write(fd, &value, 8), EAGAIN);
    int semaphore = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(read(semaphore, &value, 8), 8);
        CHECK_EQ(value, 1);
    }
    CHECK_ERRNO(read(semaphore, &value, 8), EAGAIN);
    CHECK_ERRNO(eventfd(0, 0x10), EINVAL);
}
