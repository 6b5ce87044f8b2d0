// SPDX-License-Identifier: BSD-2-Clause
// The frame of every guest test program: TEST(name) { ... } bodies run one after the other, each in
// a child process of its own with a time limit, and are reported as KTAP. A body ends well by
// returning, ill by a failed CHECK (or by any signal), and steps aside with SKIP(reason). A case
// killed by a signal is a failure that names the signal. Strays of a case are killed with its
// group.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct ktap_case {
    const char *name;
    void (*body)(void);
    int seconds;
    struct ktap_case *next;
};

static struct ktap_case *ktap_first, **ktap_last = &ktap_first;
static int ktap_skip_fd = -1;

#define TEST_SECONDS(case_name, limit)                                                             \
    static void case_##case_name(void);                                                            \
    static struct ktap_case ktap_##case_name = {#case_name, case_##case_name, limit, NULL};        \
    __attribute__((constructor)) static void add_##case_name(void)                                 \
    {                                                                                              \
        *ktap_last = &ktap_##case_name;                                                            \
        ktap_last = &ktap_##case_name.next;                                                        \
    }                                                                                              \
    static void case_##case_name(void)

#define TEST(case_name) TEST_SECONDS(case_name, 20)

__attribute__((format(printf, 1, 2), unused)) static void note(const char *format, ...)
{
    char line[300];
    va_list args;
    va_start(args, format);
    int n = snprintf(line, sizeof(line), "# ");
    n += vsnprintf(line + n, sizeof(line) - n - 1, format, args);
    va_end(args);
    if (n > (int)sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    write(STDOUT_FILENO, line, n);
}

__attribute__((noreturn, unused)) static void ktap_fail(void)
{
    _exit(1);
}

// CHECK is false: say where, with errno, and end the case.
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            int e_ = errno;                                                                        \
            note("%s:%d: failed: %s (errno %d)", __FILE__, __LINE__, #condition, e_);              \
            ktap_fail();                                                                           \
        }                                                                                          \
    } while (0)

// Both sides as numbers.
#define CHECK_EQ(left, right)                                                                      \
    do {                                                                                           \
        long l_ = (long)(left), r_ = (long)(right);                                                \
        if (l_ != r_) {                                                                            \
            int e_ = errno;                                                                        \
            note("%s:%d: %s is %ld (0x%lx), want %s = %ld (errno %d)", __FILE__, __LINE__, #left,  \
                 l_, l_, #right, r_, e_);                                                          \
            ktap_fail();                                                                           \
        }                                                                                          \
    } while (0)

// The call must return -1 with this errno.
#define CHECK_ERRNO(call, code)                                                                    \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long r_ = (long)(call);                                                                    \
        int e_ = errno;                                                                            \
        if (r_ != -1 || e_ != (code)) {                                                            \
            note("%s:%d: %s gave %ld errno %d, want -1 errno %d (%s)", __FILE__, __LINE__, #call,  \
                 r_, e_, (code), #code);                                                           \
            ktap_fail();                                                                           \
        }                                                                                          \
    } while (0)

#define SKIP(reason)                                                                               \
    do {                                                                                           \
        write(ktap_skip_fd, reason, sizeof(reason) - 1);                                           \
        _exit(4);                                                                                  \
    } while (0)

__attribute__((unused)) static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

__attribute__((unused)) static void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
}

// Runs body in a child: its wait status.
__attribute__((unused)) static int in_child(void (*body)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        body();
        _exit(0);
    }
    int status = -1;
    CHECK(pid > 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

static int ktap_run_case(struct ktap_case *test, char *reason, size_t size)
{
    int pipe_fds[2], status = 0;
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        ktap_skip_fd = pipe_fds[1];
        test->body();
        _exit(0);
    }
    int64_t end = now_ns(CLOCK_MONOTONIC) + test->seconds * 1000000000LL;
    pid_t got;
    while ((got = waitpid(pid, &status, WNOHANG)) == 0 && now_ns(CLOCK_MONOTONIC) < end)
        sleep_ms(1);
    if (got == 0) {
        note("%s: no end within %d s", test->name, test->seconds);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        status = -1;
    } else if (got != pid) {
        note("%s: waitpid gave %d errno %d", test->name, got, errno);
        status = -1;
    }
    kill(-pid, SIGKILL);
    ssize_t n = read(pipe_fds[0], reason, size - 1);
    reason[n > 0 ? n : 0] = 0;
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return status;
}

int main(int argc, char **argv)
{
    int count = 0, number = 0, failures = 0;
    setvbuf(stdout, NULL, _IONBF, 0);
    for (struct ktap_case *test = ktap_first; test; test = test->next)
        if (argc < 2 || !strcmp(argv[1], test->name))
            count++;
    printf("KTAP version 1\n1..%d\n", count);
    for (struct ktap_case *test = ktap_first; test; test = test->next) {
        char reason[160];
        if (argc >= 2 && strcmp(argv[1], test->name))
            continue;
        int status = ktap_run_case(test, reason, sizeof(reason));
        number++;
        if (status == 0) {
            printf("ok %d %s\n", number, test->name);
        } else if (WIFEXITED(status) && WEXITSTATUS(status) == 4) {
            printf("ok %d %s # SKIP %s\n", number, test->name, reason);
        } else {
            failures++;
            if (status != -1 && WIFSIGNALED(status))
                printf("# %s: killed by signal %d\n", test->name, WTERMSIG(status));
            printf("not ok %d %s\n", number, test->name);
        }
    }
    return failures != 0;
}
