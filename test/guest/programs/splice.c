// SPDX-License-Identifier: BSD-2-Clause
// splice, tee, vmsplice: nothing that leaves a pipe is lost, whoever is short of room.
#define _GNU_SOURCE
#include "ktap.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#define CAPACITY 65536

static char bytes[2 * CAPACITY], back[2 * CAPACITY];
static int from[2], to[2];

static int waiting(int fd)
{
    int n = -1;
    CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
    return n;
}

static void make_pipes(int from_flags, int to_flags)
{
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 31 + i % CAPACITY / 4096);
    CHECK_EQ(pipe2(from, from_flags), 0);
    CHECK_EQ(pipe2(to, to_flags), 0);
}

// All that is in `fd` is bytes[at, at + n).
static void check_content(int fd, size_t at, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t part = read(fd, back + done, n - done);
        CHECK(part > 0);
        done += (size_t)part;
    }
    CHECK(memcmp(back, bytes + at, n) == 0);
    CHECK_EQ(waiting(fd), 0);
}

TEST(between_pipes)
{
    make_pipes(0, 0);
    CHECK_EQ(write(from[1], bytes, 10000), 10000);
    CHECK_EQ(splice(from[0], NULL, to[1], NULL, 5000, 0), 5000);
    CHECK_EQ(waiting(from[0]), 5000);
    CHECK_EQ(waiting(to[0]), 5000);
    CHECK_EQ(write(from[1], bytes + 10000, 100), 100);
    CHECK_EQ(write(to[1], "", 0), 0);
    CHECK_EQ(splice(from[0], NULL, to[1], NULL, 1 << 20, 0), 5100);
    check_content(to[0], 0, 10100);
    CHECK_EQ(waiting(from[0]), 0);
}

// What a full target doesn't take stays in the source.
TEST(short_target_loses_nothing)
{
    make_pipes(0, O_NONBLOCK);
    CHECK_EQ(write(from[1], bytes, CAPACITY), CAPACITY);
    CHECK_EQ(write(to[1], bytes, CAPACITY - 4096), CAPACITY - 4096);
    CHECK_EQ(splice(from[0], NULL, to[1], NULL, CAPACITY, 0), 4096);
    CHECK_ERRNO(splice(from[0], NULL, to[1], NULL, CAPACITY, 0), EAGAIN);
    CHECK_EQ(waiting(from[0]), CAPACITY - 4096);
    check_content(from[0], 4096, CAPACITY - 4096);
    CHECK_EQ(read(to[0], back, CAPACITY), CAPACITY);
    CHECK(memcmp(back + CAPACITY - 4096, bytes, 4096) == 0);
}

TEST(refusing_file_loses_nothing)
{
    make_pipes(0, 0);
    CHECK_EQ(write(from[1], bytes, 10000), 10000);
    int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
    CHECK_ERRNO(splice(from[0], NULL, fd, NULL, 10000, 0), EPERM);
    check_content(from[0], 0, 10000);
}

TEST(nonblock)
{
    make_pipes(0, 0);
    CHECK_ERRNO(splice(from[0], NULL, to[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
    int fd = memfd_create("splice", 0);
    CHECK_ERRNO(splice(from[0], NULL, fd, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_EQ(write(fd, bytes, 100), 100);
    CHECK_EQ(write(to[1], bytes, CAPACITY), CAPACITY);
    loff_t at = 0;
    CHECK_ERRNO(splice(fd, &at, to[1], NULL, 100, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_EQ(at, 0);
    CHECK_ERRNO(tee(from[0], to[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_EQ(fcntl(from[0], F_SETFL, O_NONBLOCK), 0);
    CHECK_ERRNO(splice(from[0], NULL, fd, NULL, 1, 0), EAGAIN);
}

TEST(files_and_offsets)
{
    make_pipes(0, 0);
    int fd = memfd_create("splice", 0), other = memfd_create("other", 0);
    CHECK_EQ(write(fd, bytes, 20000), 20000);
    loff_t at = 1000;
    CHECK_EQ(splice(fd, &at, from[1], NULL, 9000, 0), 9000);
    CHECK_EQ(at, 10000);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 20000);
    CHECK_EQ(splice(fd, NULL, from[1], NULL, 9000, 0), 0);
    at = 50;
    CHECK_EQ(splice(from[0], NULL, other, &at, 100000, 0), 9000);
    CHECK_EQ(at, 9050);
    CHECK_EQ(pread(other, back, 9000, 50), 9000);
    CHECK(memcmp(back, bytes + 1000, 9000) == 0);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(splice(fd, NULL, from[1], NULL, 1 << 20, 0), 20000);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 20000);
    check_content(from[0], 0, 20000);
}

TEST(errors)
{
    make_pipes(0, 0);
    loff_t at = 0;
    int fd = memfd_create("splice", 0), append = memfd_create("append", 0);
    CHECK_EQ(fcntl(append, F_SETFL, O_APPEND), 0);
    CHECK_EQ(write(from[1], "x", 1), 1);
    CHECK_EQ(splice(from[0], NULL, to[1], NULL, 0, 0), 0);
    CHECK_ERRNO(splice(from[0], NULL, to[1], NULL, 1, 0x10), EINVAL);
    CHECK_ERRNO(splice(from[0], &at, to[1], NULL, 1, 0), ESPIPE);
    CHECK_ERRNO(splice(from[0], NULL, to[1], &at, 1, 0), ESPIPE);
    CHECK_ERRNO(splice(from[0], NULL, from[1], NULL, 1, 0), EINVAL);
    CHECK_ERRNO(splice(fd, NULL, append, NULL, 1, 0), EINVAL);
    CHECK_ERRNO(splice(from[0], NULL, append, NULL, 1, 0), EINVAL);
    CHECK_ERRNO(splice(from[1], NULL, to[1], NULL, 1, 0), EBADF);
    CHECK_ERRNO(splice(from[0], NULL, to[0], NULL, 1, 0), EBADF);
    CHECK_ERRNO(splice(-1, NULL, to[1], NULL, 1, 0), EBADF);
    CHECK_ERRNO(splice(from[0], (loff_t *)8, to[1], NULL, 1, 0), ESPIPE);
    CHECK_ERRNO(splice(fd, (loff_t *)8, to[1], NULL, 1, 0), EFAULT);
    CHECK_ERRNO(tee(from[0], fd, 1, 0), EINVAL);
    CHECK_ERRNO(tee(from[0], from[1], 1, 0), EINVAL);
    CHECK_ERRNO(tee(from[0], -1, 1, 0), EBADF);
    CHECK_EQ(waiting(from[0]), 1);
}

TEST(end_of_file_and_broken_pipe)
{
    make_pipes(0, 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_EQ(write(from[1], "end", 3), 3);
    close(from[1]);
    CHECK_EQ(splice(from[0], NULL, to[1], NULL, 100, 0), 3);
    CHECK_EQ(splice(from[0], NULL, to[1], NULL, 100, 0), 0);
    CHECK_EQ(tee(from[0], to[1], 100, 0), 0);
    close(to[0]);
    int fd = memfd_create("splice", 0);
    CHECK_EQ(pwrite(fd, bytes, 10, 0), 10);
    CHECK_ERRNO(splice(fd, NULL, to[1], NULL, 10, 0), EPIPE);
}

// Bytes that two pipes share: what is added to one isn't seen in the other.
TEST(tee_copies)
{
    make_pipes(0, 0);
    CHECK_EQ(write(from[1], bytes, 6000), 6000);
    CHECK_EQ(tee(from[0], to[1], 5000, 0), 5000);
    CHECK_EQ(waiting(from[0]), 6000);
    CHECK_EQ(tee(from[0], to[1], 1 << 20, 0), 6000);
    CHECK_EQ(write(from[1], bytes + 6000, 500), 500);
    CHECK_EQ(write(to[1], bytes + 7000, 500), 500);
    check_content(from[0], 0, 6500);
    CHECK_EQ(read(to[0], back, 5000), 5000);
    CHECK(memcmp(back, bytes, 5000) == 0);
    CHECK_EQ(read(to[0], back, sizeof(back)), 6500);
    CHECK(memcmp(back, bytes, 6000) == 0);
    CHECK(memcmp(back + 6000, bytes + 7000, 500) == 0);
}

// Who waits in a splice for a file keeps nobody from using the pipe.
TEST(a_pipe_is_free_while_a_file_waits)
{
    make_pipes(0, 0);
    int event = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec later = {.it_value.tv_sec = 1000};
    CHECK_EQ(timerfd_settime(event, 0, &later, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        splice(event, NULL, from[1], NULL, 4096, 0);
        _exit(errno == EINVAL ? 22 : 1);
    }
    usleep(100000);
    int ep = epoll_create1(0);
    struct epoll_event interest = {.events = EPOLLIN};
    CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, from[0], &interest), 0);
    CHECK_EQ(write(from[1], "free", 4), 4);
    CHECK_EQ(read(from[0], back, 10), 4);
    kill(child, SIGKILL);
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST(the_rest_of_a_packet_stays)
{
    make_pipes(O_DIRECT, 0);
    CHECK_EQ(write(from[1], bytes, 100), 100);
    int fd = memfd_create("splice", 0);
    CHECK_EQ(splice(from[0], NULL, fd, NULL, 30, 0), 30);
    CHECK_EQ(splice(from[0], NULL, to[1], NULL, 30, 0), 30);
    CHECK_EQ(splice(from[0], NULL, fd, NULL, 100, 0), 40);
    CHECK_EQ(pread(fd, back, 100, 0), 70);
    CHECK(memcmp(back, bytes, 30) == 0 && memcmp(back + 30, bytes + 60, 40) == 0);
}

TEST(user_memory)
{
    make_pipes(0, 0);
    struct iovec parts[3] = {{bytes, 1}, {bytes + 1, 5000}, {bytes + 5001, 4999}};
    CHECK_EQ(vmsplice(from[1], parts, 3, 0), 10000);
    struct iovec whole = {back, sizeof(back)};
    CHECK_EQ(vmsplice(from[0], &whole, 1, 0), 10000);
    CHECK(memcmp(back, bytes, 10000) == 0);
    CHECK_ERRNO(vmsplice(from[0], &whole, 1, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_EQ(write(from[1], bytes, CAPACITY), CAPACITY);
    CHECK_ERRNO(vmsplice(from[1], &whole, 1, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_ERRNO(vmsplice(from[1], &whole, 1, 0x10), EINVAL);
    CHECK_ERRNO(vmsplice(memfd_create("x", 0), &whole, 1, 0), EBADF);
}

// One end fills, another splices, a third takes: all bytes arrive, in order.
TEST_SECONDS(a_chain_keeps_the_stream, 60)
{
    make_pipes(0, 0);
    const long total = 4 << 20;
    if (fork() == 0) {
        for (long done = 0; done < total;) {
            size_t want = (size_t)(1 + (done * 7919) % 9000);
            if (want > (size_t)(total - done))
                want = (size_t)(total - done);
            ssize_t n = write(from[1], bytes + done % CAPACITY, want);
            if (n < 0)
                _exit(1);
            done += n;
        }
        _exit(0);
    }
    if (fork() == 0) {
        close(from[1]);
        ssize_t n = 1;
        for (int i = 0; n > 0; i++)
            n = splice(from[0], NULL, to[1], NULL, (size_t)(1 + i * 577 % 20000), 0);
        _exit(n == 0 ? 0 : 1);
    }
    close(from[1]);
    close(to[1]);
    long done = 0;
    ssize_t n;
    while ((n = read(to[0], back, 7001)) > 0) {
        CHECK(memcmp(back, bytes + done % CAPACITY, (size_t)n) == 0);
        done += n;
    }
    CHECK_EQ(done, total);
    for (int i = 0; i < 2; i++) {
        int status;
        CHECK(wait(&status) > 0);
        CHECK_EQ(status, 0);
    }
}
