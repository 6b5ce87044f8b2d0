// SPDX-License-Identifier: BSD-2-Clause
// Files that stand for processes: pidfd_open(2), clone with CLONE_PIDFD, poll, waitid(P_PIDFD),
// pidfd_send_signal(2), pidfd_getfd(2). Breaks when one outlives what it stands for, or its
// process's number, and when an end isn't told.
#include "ktap.h"

#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>

#define SCOPE_THREAD  1
#define SCOPE_PROCESS 2
#define SCOPE_GROUP   4

static int go[2]; // a child waits until this pipe is closed

// A child that ends with `status` once it may.
static pid_t start(int status)
{
    char c;
    CHECK_EQ(pipe(go), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(go[1]);
        read(go[0], &c, 1);
        _exit(status);
    }
    close(go[0]);
    return pid;
}

static void let_go(void)
{
    close(go[1]);
}

static int open_pidfd(pid_t pid, unsigned int flags)
{
    int fd = pidfd_open(pid, flags);
    CHECK(fd >= 0);
    return fd;
}

static short ready(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) > 0 ? p.revents : 0;
}

static void reap(pid_t pid, int status)
{
    int got;
    CHECK_EQ(waitpid(pid, &got, 0), pid);
    CHECK_EQ(got, status);
}

static pid_t thread_tid;

static void *tell_tid(void *unused)
{
    thread_tid = gettid();
    return pause(), NULL;
}

TEST(what_can_be_opened)
{
    char path[64], text[64] = "";
    pthread_t thread;
    int fd = open_pidfd(getpid(), 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
    CHECK(fcntl(open_pidfd(getppid(), PIDFD_NONBLOCK), F_GETFL) & O_NONBLOCK);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    CHECK(readlink(path, text, sizeof(text) - 1) > 0);
    CHECK_EQ(strcmp(text, "anon_inode:[pidfd]"), 0);
    CHECK_ERRNO(read(fd, text, 1), EINVAL);
    CHECK_ERRNO(write(fd, text, 1), EINVAL);
    CHECK_ERRNO(pidfd_open(0, 0), EINVAL);
    CHECK_ERRNO(pidfd_open(-1, 0), EINVAL);
    CHECK_ERRNO(pidfd_open(0x3fffffff, 0), ESRCH);
    CHECK_ERRNO(pidfd_open(getpid(), 1), EINVAL);
    CHECK_EQ(pthread_create(&thread, NULL, tell_tid, NULL), 0);
    while (!*(volatile pid_t *)&thread_tid)
        sched_yield();
    CHECK_ERRNO(pidfd_open(thread_tid, 0), EINVAL);
}

TEST(the_end_is_told)
{
    pid_t pid = start(3);
    int fd = open_pidfd(pid, 0), other = open_pidfd(pid, 0);
    CHECK_EQ(ready(fd, 0), 0);
    CHECK_EQ(ready(fd, 20), 0);
    let_go();
    CHECK_EQ(ready(fd, -1), POLLIN);
    CHECK_EQ(ready(other, 0), POLLIN);
    close(other);
    CHECK_EQ(pidfd_send_signal(fd, SIGTERM, NULL, 0), 0); // a zombie
    reap(pid, 3 << 8);
    CHECK_EQ(ready(fd, 0), POLLIN | POLLHUP);
    CHECK_ERRNO(pidfd_send_signal(fd, SIGTERM, NULL, 0), ESRCH);
    CHECK_ERRNO(pidfd_send_signal(fd, 0, NULL, 0), ESRCH);
    CHECK_ERRNO(pidfd_getfd(fd, 0, 0), ESRCH);
    CHECK_ERRNO(waitid(P_PIDFD, fd, NULL, WEXITED), ECHILD);
}

TEST(a_directory_of_proc_will_do_for_signals)
{
    char path[64];
    pid_t pid = start(0);
    snprintf(path, sizeof(path), "/proc/%d", pid);
    int fd = open(path, O_DIRECTORY), proc = open("/proc", O_DIRECTORY);
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    int tasks = open(path, O_DIRECTORY);
    CHECK(fd >= 0 && proc >= 0 && tasks >= 0);
    CHECK_ERRNO(pidfd_send_signal(proc, 0, NULL, 0), EBADF);
    CHECK_ERRNO(pidfd_send_signal(tasks, 0, NULL, 0), EBADF);
    CHECK_ERRNO(waitid(P_PIDFD, fd, NULL, WEXITED), EBADF);
    CHECK_EQ(pidfd_send_signal(fd, 0, NULL, 0), 0);
    CHECK_EQ(pidfd_send_signal(fd, SIGTERM, NULL, 0), 0);
    reap(pid, SIGTERM);
    CHECK_ERRNO(pidfd_send_signal(fd, 0, NULL, 0), ESRCH);
}

#define MANY 100

TEST_SECONDS(many_ends_are_told, 60)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC), fds[MANY], told = 0;
    for (int i = 0; i < MANY; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(i % 7);
        fds[i] = open_pidfd(pid, 0);
        struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = i};
        CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &e), 0);
    }
    while (told < MANY) {
        struct epoll_event events[8];
        int n = epoll_wait(epoll, events, 8, -1);
        CHECK(n > 0);
        for (int i = 0; i < n; i++) {
            siginfo_t info;
            CHECK_EQ(waitid(P_PIDFD, fds[events[i].data.u32], &info, WEXITED | WNOHANG), 0);
            CHECK_EQ(info.si_status, events[i].data.u32 % 7);
            CHECK(info.si_pid > 0);
            if (i % 2)
                close(fds[events[i].data.u32]);
            told++;
        }
    }
    CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST(waitid_waits_for_it)
{
    pid_t pid = start(5);
    int fd = open_pidfd(pid, 0), impatient = open_pidfd(pid, PIDFD_NONBLOCK), file = dup(0);
    siginfo_t info;
    CHECK_ERRNO(waitid(P_PIDFD, file, &info, WEXITED), EBADF);
    CHECK_ERRNO(waitid(P_PIDFD, 999, &info, WEXITED), EBADF);
    CHECK_ERRNO(waitid(P_PIDFD, -1, &info, WEXITED), EINVAL);
    CHECK_ERRNO(waitid(P_PIDFD, fd, &info, 0), EINVAL);
    CHECK_ERRNO(waitid(P_PIDFD, open_pidfd(getppid(), 0), &info, WEXITED), ECHILD);
    info.si_pid = 1;
    CHECK_EQ(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG), 0);
    CHECK_EQ(info.si_pid, 0);
    CHECK_ERRNO(waitid(P_PIDFD, impatient, &info, WEXITED), EAGAIN);
    CHECK_EQ(waitid(P_PIDFD, impatient, &info, WEXITED | WNOHANG), 0);
    CHECK_EQ(pidfd_send_signal(fd, SIGSTOP, NULL, 0), 0);
    CHECK_EQ(waitid(P_PIDFD, fd, &info, WSTOPPED), 0);
    CHECK(info.si_code == CLD_STOPPED && info.si_pid == pid);
    CHECK_EQ(pidfd_send_signal(fd, SIGCONT, NULL, 0), 0);
    let_go();
    CHECK_EQ(waitid(P_PIDFD, fd, &info, WEXITED | WNOWAIT), 0);
    CHECK(info.si_code == CLD_EXITED && info.si_pid == pid && info.si_status == 5);
    CHECK_EQ(waitid(P_PIDFD, impatient, &info, WEXITED), 0);
    CHECK_ERRNO(waitid(P_PIDFD, fd, &info, WEXITED), ECHILD);
}

static volatile siginfo_t heard;

static void hear(int signal, siginfo_t *info, void *context)
{
    heard = *info;
}

static void listen(void)
{
    struct sigaction action = {.sa_sigaction = hear, .sa_flags = SA_SIGINFO};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
}

TEST(signals_reach_it)
{
    siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
    int self = open_pidfd(getpid(), 0), parent = open_pidfd(getppid(), 0);
    info.si_value.sival_int = 77;
    listen();
    CHECK_EQ(pidfd_send_signal(self, SIGUSR1, NULL, 0), 0);
    CHECK(heard.si_code == SI_USER && heard.si_pid == getpid() && heard.si_uid == getuid());
    CHECK_EQ(pidfd_send_signal(self, SIGUSR1, &info, 0), 0);
    CHECK(heard.si_code == SI_QUEUE && heard.si_value.sival_int == 77);
    info.si_code = SI_USER;
    info.si_pid = 4711;
    CHECK_EQ(pidfd_send_signal(self, SIGUSR1, &info, 0), 0); // to oneself anything goes
    CHECK_EQ(heard.si_pid, 4711);
    CHECK_ERRNO(pidfd_send_signal(parent, SIGUSR1, &info, 0), EPERM);
    CHECK_ERRNO(pidfd_send_signal(self, SIGUSR2, &info, 0), EINVAL);
    CHECK_ERRNO(pidfd_send_signal(self, SIGUSR1, (siginfo_t *)8, 0), EFAULT);
    CHECK_ERRNO(pidfd_send_signal(self, 65, NULL, 0), EINVAL);
    CHECK_ERRNO(pidfd_send_signal(self, -1, NULL, 0), EINVAL);
    CHECK_ERRNO(pidfd_send_signal(self, 0, NULL, 1U << 10), EINVAL);
    CHECK_ERRNO(pidfd_send_signal(0, 0, NULL, 0), EBADF);
    CHECK_EQ(pidfd_send_signal(parent, 0, NULL, 0), 0);
    CHECK_EQ(setuid(1000), 0);
    CHECK_ERRNO(pidfd_send_signal(parent, 0, NULL, 0), EPERM);
}

TEST(signals_reach_its_thread_or_group)
{
    pid_t pids[3];
    int self = open_pidfd(getpid(), 0);
    listen();
    if (pidfd_send_signal(self, SIGUSR1, NULL, SCOPE_THREAD) != 0)
        SKIP("a kernel before 6.9");
    CHECK_EQ(heard.si_code, SI_TKILL);
    CHECK_EQ(pidfd_send_signal(self, SIGUSR1, NULL, SCOPE_PROCESS), 0);
    CHECK_EQ(heard.si_code, SI_USER);
    CHECK_ERRNO(pidfd_send_signal(self, 0, NULL, SCOPE_PROCESS | SCOPE_THREAD), EINVAL);
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            for (;;)
                pause();
        CHECK_EQ(setpgid(pids[i], pids[0]), 0);
    }
    CHECK_EQ(pidfd_send_signal(open_pidfd(pids[0], 0), SIGTERM, NULL, SCOPE_GROUP), 0);
    for (int i = 0; i < 3; i++)
        reap(pids[i], SIGTERM);
}

TEST(files_of_another)
{
    char text[8] = "";
    int ends[2], secret;
    CHECK_EQ(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int there = dup2(open("/etc/passwd", O_RDONLY), 100);
        there = there == 100 ? 100 : dup2(open("/proc/version", O_RDONLY), 100);
        CHECK_EQ(lseek(100, 3, SEEK_SET), 3);
        write(ends[1], &there, sizeof(there));
        for (;;)
            pause();
    }
    CHECK_EQ(read(ends[0], &secret, sizeof(secret)), sizeof(secret));
    int fd = open_pidfd(pid, 0), mine = pidfd_getfd(fd, secret, 0);
    CHECK(mine >= 0 && fcntl(mine, F_GETFD) == FD_CLOEXEC);
    CHECK_EQ(lseek(mine, 0, SEEK_CUR), 3); // the same file, not another one of that name
    CHECK_EQ(read(mine, text, 4), 4);
    CHECK_ERRNO(pidfd_getfd(fd, 101, 0), EBADF);
    CHECK_ERRNO(pidfd_getfd(fd, secret, 1), EINVAL);
    CHECK_ERRNO(pidfd_getfd(mine, secret, 0), EBADF);
    CHECK_EQ(setuid(1000), 0);
    CHECK_ERRNO(pidfd_getfd(fd, secret, 0), EPERM);
}

static long clone_legacy(unsigned long flags, int *fd)
{
    return syscall(SYS_clone, flags | SIGCHLD, NULL, fd, NULL, NULL);
}

static long clone_new(uint64_t flags, int *fd, pid_t *tid)
{
    struct clone_args args = {.flags = flags,
                              .pidfd = (uintptr_t)fd,
                              .parent_tid = (uintptr_t)tid,
                              .exit_signal = SIGCHLD};
    return syscall(SYS_clone3, &args, sizeof(args));
}

static void check_child(long pid, const int *fd_at, int wanted)
{
    siginfo_t info;
    if (pid == 0)
        _exit(fcntl(wanted, F_GETFD) != -1); // not the child's: the table was copied before
    int fd = *fd_at;
    CHECK_EQ(fd, wanted);
    CHECK(pid > 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK_EQ(waitid(P_PIDFD, fd, &info, WEXITED), 0);
    CHECK(info.si_pid == pid && info.si_status == 0);
    close(fd);
}

TEST(clone_gives_one)
{
    int fd = 555, next = dup(0) + 1;
    pid_t tid = 0;
    check_child(clone_legacy(CLONE_PIDFD, &fd), &fd, next);
    fd = 555;
    check_child(clone_new(CLONE_PIDFD | CLONE_PARENT_SETTID, &fd, &tid), &fd, next);
    CHECK_ERRNO(clone_legacy(CLONE_PIDFD | CLONE_PARENT_SETTID, &fd), EINVAL);
    CHECK_ERRNO(clone_legacy(CLONE_PIDFD | CLONE_DETACHED, &fd), EINVAL);
    CHECK_ERRNO(clone_new(CLONE_PIDFD, (int *)8, NULL), EFAULT);
    CHECK_ERRNO(clone_legacy(CLONE_PIDFD, (int *)8), EFAULT);
    CHECK_ERRNO(wait(NULL), ECHILD);
    CHECK_EQ(dup(0), next); // nothing is left of it
}
