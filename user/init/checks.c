// SPDX-License-Identifier: BSD-2-Clause
// Self-checks: one small program for each service that everything else stands on.

#include "../newlib/linux.h"
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool check_fork(void)
{
    for (int i = 0; i < 16; i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            _exit(i);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != i << 8)
            return false;
    }
    return true;
}

static bool check_copy_on_write(void)
{
    volatile int *word = malloc(sizeof(*word));
    int status = 0;

    if (!word)
        return false;
    *word = 1;
    pid_t pid = fork();
    if (pid == 0) {
        *word = 2;
        _exit(*word == 2 ? 0 : 1);
    }
    bool ok = pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 && *word == 1;
    free((void *)word);
    return ok;
}

static bool check_pipe(void)
{
    int fds[2], status;
    char c = 0;

    if (pipe(fds) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        _exit(write(fds[1], "x", 1) == 1 ? 0 : 1);
    bool ok = pid > 0 && read(fds[0], &c, 1) == 1 && c == 'x' && waitpid(pid, &status, 0) == pid &&
              status == 0;
    close(fds[0]);
    close(fds[1]);
    return ok;
}

static bool check_file(void)
{
    char back[64] = "";
    const char *words = "what was written is what is read";
    int fd = open("/check.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (fd < 0)
        return false;
    bool ok = write(fd, words, strlen(words)) == (ssize_t)strlen(words) &&
              lseek(fd, 0, SEEK_SET) == 0 &&
              read(fd, back, sizeof(back)) == (ssize_t)strlen(words) && strcmp(words, back) == 0;
    close(fd);
    return unlink("/check.tmp") == 0 && ok;
}

static bool check_memory(void)
{
    size_t size = 4 << 20;
    uint64_t *p = (uint64_t *)linux_call(LINUX_mmap, 0, size, LINUX_PROT_READ | LINUX_PROT_WRITE,
                                         LINUX_MAP_PRIVATE | LINUX_MAP_ANON, -1, 0);

    if (p == (void *)-1)
        return false;
    bool ok = true;
    for (size_t i = 0; i < size / sizeof(*p); i += 64)
        ok = ok && p[i] == 0;
    for (size_t i = 0; i < size / sizeof(*p); i++)
        p[i] = i * 0x9e3779b97f4a7c15UL;
    for (size_t i = 0; i < size / sizeof(*p); i++)
        ok = ok && p[i] == i * 0x9e3779b97f4a7c15UL;
    return linux_call(LINUX_munmap, p, size) == 0 && ok;
}

static int64_t now_ns(void)
{
    int64_t ts[2] = {0, 0};

    linux_call(LINUX_clock_gettime, 1, ts);
    return ts[0] * 1000000000 + ts[1];
}

static bool check_clock(void)
{
    int64_t ten_ms[2] = {0, 10000000}, before = now_ns();

    return linux_call(LINUX_nanosleep, ten_ms, 0) == 0 && now_ns() - before >= ten_ms[1];
}

static bool check_random(void)
{
    uint64_t a = 0, b = 0;

    return linux_call(LINUX_getrandom, &a, sizeof(a), 0) == sizeof(a) &&
           linux_call(LINUX_getrandom, &b, sizeof(b), 0) == sizeof(b) && a != b && a != 0;
}

static bool check_kill(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            linux_syscall(LINUX_wait4, -1, 0, 0, 0);
    return pid > 0 && kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid &&
           (status & 0x7f) == SIGKILL;
}

static bool check_float(void)
{
    volatile double x = 2.0;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        for (int i = 0; i < 100000; i++)
            x = x * 1.0000001;
        _exit(x > 2.0 ? 0 : 1);
    }
    for (int i = 0; i < 100000; i++)
        x = x / 1.0000001;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 && x < 2.0 && x > 1.9;
}

static const struct {
    const char *name;
    bool (*run)(void);
} checks[] = {
    {"16 processes begin and end", check_fork},
    {"fork copies on write", check_copy_on_write},
    {"a pipe between processes", check_pipe},
    {"a file keeps what is written", check_file},
    {"4 MiB of memory, zeroed and kept", check_memory},
    {"the clock goes on and sleep ends", check_clock},
    {"random numbers differ", check_random},
    {"a process can be killed", check_kill},
    {"floating point survives switches", check_float},
};

int checks_run(void)
{
    int failed = 0;

    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        bool ok = checks[i].run();
        printf("%s %u - %s\n", ok ? "ok" : "not ok", (unsigned int)i + 1, checks[i].name);
        failed += !ok;
    }
    return failed;
}
