// SPDX-License-Identifier: BSD-2-Clause
// Pipes and waiting on several descriptors: capacity, atomic writes, ends that close, poll, select,
// epoll.
#include "ktap.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>

static int fds[2];

static void make_pipe(int flags)
{
    CHECK_EQ(pipe2(fds, flags), 0);
}

TEST(capacity_and_nonblocking)
{
    static char block[4096];
    long total = 0, n;
    make_pipe(O_NONBLOCK);
    CHECK_ERRNO(read(fds[0], block, 1), EAGAIN);
    while ((n = write(fds[1], block, sizeof(block))) > 0)
        total += n;
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(total, 65536);
    int waiting;
    CHECK_EQ(ioctl(fds[0], FIONREAD, &waiting), 0);
    CHECK_EQ(waiting, 65536);
    CHECK_EQ(read(fds[0], block, 4095), 4095);
    CHECK_ERRNO(write(fds[1], block, 4096), EAGAIN);
    CHECK_ERRNO(pipe2(fds, 0x7), EINVAL);
}

TEST(end_of_file_and_zero_length)
{
    char byte;
    make_pipe(0);
    CHECK_EQ(write(fds[1], "", 0), 0);
    CHECK_EQ(read(fds[0], &byte, 0), 0);
    CHECK_EQ(write(fds[1], "z", 1), 1);
    close(fds[1]);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(read(fds[0], &byte, 1), 0);
    CHECK_ERRNO(write(fds[0], "x", 1), EBADF);
}

TEST_SECONDS(writes_up_to_pipe_buf_are_atomic, 60)
{
    make_pipe(0);
    for (int worker = 0; worker < 4; worker++)
        if (fork() == 0) {
            char block[500];
            memset(block, 'a' + worker, sizeof(block));
            for (int i = 0; i < 500; i++)
                if (write(fds[1], block, sizeof(block)) != sizeof(block))
                    _exit(1);
            _exit(0);
        }
    close(fds[1]);
    char block[500];
    for (int i = 0; i < 2000; i++) {
        for (size_t have = 0; have < sizeof(block);) {
            ssize_t n = read(fds[0], block + have, sizeof(block) - have);
            CHECK(n > 0);
            have += n;
        }
        for (int j = 1; j < 500; j++)
            CHECK_EQ(block[j], block[0]);
    }
    CHECK_EQ(read(fds[0], block, 1), 0);
}

TEST_SECONDS(ten_megabytes_pass_whole, 60)
{
    make_pipe(0);
    enum { WORDS = 10 << 17 };
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        long chunk[1000];
        for (long i = 0; i < WORDS;) {
            int n = 0;
            while (n < 1000 && i < WORDS)
                chunk[n++] = i++;
            if (write(fds[1], chunk, n * 8) != n * 8)
                _exit(1);
        }
        _exit(0);
    }
    close(fds[1]);
    long expected = 0, buffer[777];
    size_t held = 0;
    ssize_t n;
    while ((n = read(fds[0], (char *)buffer + held, sizeof(buffer) - held)) > 0) {
        held += n;
        size_t whole = held / 8;
        for (size_t i = 0; i < whole; i++)
            CHECK_EQ(buffer[i], expected++);
        memmove(buffer, buffer + whole, held - whole * 8);
        held -= whole * 8;
    }
    CHECK_EQ(expected, WORDS);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

TEST(poll_tells_readiness)
{
    make_pipe(0);
    struct pollfd set[3] = {{fds[0], POLLIN, 0}, {fds[1], POLLOUT, 0}, {-1, POLLIN, 9}};
    CHECK_EQ(poll(set, 3, 0), 1);
    CHECK_EQ(set[0].revents, 0);
    CHECK_EQ(set[1].revents, POLLOUT);
    CHECK_EQ(set[2].revents, 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(poll(set, 3, -1), 2);
    CHECK_EQ(set[0].revents, POLLIN);
    close(fds[1]);
    set[1].fd = -1;
    CHECK_EQ(poll(set, 3, 0), 1);
    CHECK_EQ(set[0].revents, POLLIN | POLLHUP);
    set[1].fd = 77;
    CHECK_EQ(poll(set, 3, 0), 2);
    CHECK_EQ(set[1].revents, POLLNVAL);
    struct pollfd file = {open("/etc/passwd", O_RDONLY), POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&file, 1, 0), 1);
    CHECK_EQ(file.revents, POLLIN | POLLOUT);
    CHECK_ERRNO(poll((void *)8, 1, 0), EFAULT);
    make_pipe(0);
    close(fds[0]);
    struct pollfd broken = {fds[1], POLLOUT, 0};
    CHECK_EQ(poll(&broken, 1, 0), 1);
    CHECK_EQ(broken.revents, POLLOUT | POLLERR);
}

TEST(poll_waits_and_wakes)
{
    make_pipe(0);
    struct pollfd set = {fds[0], POLLIN, 0};
    int64_t start = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(poll(&set, 1, 100), 0);
    int64_t took = now_ns(CLOCK_MONOTONIC) - start;
    CHECK(took >= 100000000 && took < 2000000000);
    if (fork() == 0) {
        sleep_ms(50);
        write(fds[1], "w", 1);
        _exit(0);
    }
    CHECK_EQ(poll(&set, 1, 10000), 1);
    CHECK_EQ(set.revents, POLLIN);
}

TEST(select_sets_and_timeout)
{
    fd_set in, out;
    make_pipe(0);
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(fds[0], &in);
    FD_SET(fds[1], &out);
    struct timeval none = {0, 0}, some = {0, 50000};
    CHECK_EQ(select(fds[1] + 1, &in, &out, NULL, &none), 1);
    CHECK(!FD_ISSET(fds[0], &in) && FD_ISSET(fds[1], &out));
    FD_SET(fds[0], &in);
    CHECK_EQ(select(fds[0] + 1, &in, NULL, NULL, &some), 0);
    CHECK_EQ(some.tv_sec + some.tv_usec, 0);
    FD_ZERO(&in);
    FD_SET(40, &in);
    CHECK_ERRNO(select(41, &in, NULL, NULL, &none), EBADF);
    CHECK_ERRNO(select(-1, &in, NULL, NULL, &none), EINVAL);
}

TEST_SECONDS(fifty_pipes_in_one_poll, 60)
{
    struct pollfd set[50];
    int ends[50];
    for (int i = 0; i < 50; i++) {
        make_pipe(0);
        set[i] = (struct pollfd){fds[0], POLLIN, 0};
        ends[i] = fds[1];
    }
    if (fork() == 0) {
        for (int i = 0; i < 50; i++) {
            write(ends[i * 7 % 50], "p", 1);
            if (i % 10 == 0)
                sleep_ms(1);
        }
        _exit(0);
    }
    for (int got = 0; got < 50;) {
        int ready = poll(set, 50, 5000);
        CHECK(ready > 0);
        for (int i = 0; i < 50; i++)
            if (set[i].fd >= 0 && set[i].revents) {
                set[i].fd = -1;
                got++;
            }
    }
}

TEST_SECONDS(chain_of_20_processes, 60)
{
    int first[2], in;
    CHECK_EQ(pipe(first), 0);
    in = first[0];
    for (int i = 0; i < 20; i++) {
        int next[2];
        CHECK_EQ(pipe(next), 0);
        if (fork() == 0) {
            char byte;
            close(next[0]);
            close(first[1]);
            while (read(in, &byte, 1) == 1) {
                byte++;
                write(next[1], &byte, 1);
            }
            _exit(0);
        }
        close(in);
        close(next[1]);
        in = next[0];
    }
    for (int i = 0; i < 100; i++) {
        char byte = 'A';
        CHECK_EQ(write(first[1], &byte, 1), 1);
        CHECK_EQ(read(in, &byte, 1), 1);
        CHECK_EQ(byte, 'A' + 20);
    }
    close(first[1]);
    char byte;
    CHECK_EQ(read(in, &byte, 1), 0);
}
