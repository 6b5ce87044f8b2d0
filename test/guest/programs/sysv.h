// SPDX-License-Identifier: BSD-2-Clause
// What the programs of System V IPC share: users, keys, sleepers that can be waited for.
#pragma once
#include "ktap.h"
#include <grp.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

enum { PAGE = 4096 };

// Run the statement in a child as another user, without capabilities.
#define AS_USER(uid, gid, ...)                                                                     \
    do {                                                                                           \
        pid_t pid_ = fork();                                                                       \
        CHECK(pid_ >= 0);                                                                          \
        if (pid_ == 0) {                                                                           \
            CHECK_EQ(setgroups(0, NULL), 0);                                                       \
            CHECK_EQ(setresgid(gid, gid, gid), 0);                                                 \
            CHECK_EQ(setresuid(uid, uid, uid), 0);                                                 \
            __VA_ARGS__;                                                                           \
            _exit(0);                                                                              \
        }                                                                                          \
        int status_;                                                                               \
        CHECK_EQ(waitpid(pid_, &status_, 0), pid_);                                                \
        CHECK_EQ(status_, 0);                                                                      \
    } while (0)

// A child that runs the statement.
#define CHILD(...)                                                                                 \
    ({                                                                                             \
        pid_t pid_ = fork();                                                                       \
        CHECK(pid_ >= 0);                                                                          \
        if (pid_ == 0) {                                                                           \
            __VA_ARGS__;                                                                           \
            _exit(0);                                                                              \
        }                                                                                          \
        pid_;                                                                                      \
    })

#define REAP(child)                                                                                \
    do {                                                                                           \
        int status_;                                                                               \
        pid_t reap_ = child;                                                                       \
        CHECK_EQ(waitpid(reap_, &status_, 0), reap_);                                              \
        CHECK_EQ(status_, 0);                                                                      \
    } while (0)

// Wait until the process sleeps in the kernel (state S of /proc/PID/stat).
__attribute__((unused)) static void wait_asleep(pid_t pid)
{
    char path[40], text[200];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    for (int i = 0; i < 5000; i++) {
        int fd = open(path, O_RDONLY);
        CHECK(fd >= 0);
        ssize_t n = read(fd, text, sizeof(text) - 1);
        close(fd);
        CHECK(n > 0);
        text[n] = 0;
        const char *end = strrchr(text, ')');
        if (end && end[2] == 'S')
            return;
        sleep_ms(1);
    }
    note("process %d doesn't sleep: %s", pid, text);
    ktap_fail();
}

// Sleep until the clock shows another second: what happens from now on has another time.
__attribute__((unused)) static time_t next_second(void)
{
    time_t start = time(NULL), now;
    while ((now = time(NULL)) == start)
        sleep_ms(5);
    return now;
}

// A key that nobody else uses while this case runs.
__attribute__((unused)) static key_t own_key(int n)
{
    return 0x51000000 + getpid() * 16 + n;
}

// The line of /proc/sysvipc/KIND that begins with this key and id; false: there is none.
__attribute__((unused)) static bool proc_line(const char *kind, int id, char *line, size_t size)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/sysvipc/%s", kind);
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    bool found = false;
    while (!found && fgets(line, size, f)) {
        int key, at;
        found = sscanf(line, "%d %d", &key, &at) == 2 && at == id;
    }
    fclose(f);
    return found;
}

__attribute__((unused)) static unsigned long sysctl_read(const char *name)
{
    char path[60];
    unsigned long value = 0;
    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    CHECK_EQ(fscanf(f, "%lu", &value), 1);
    fclose(f);
    return value;
}

// 0 or errno.
__attribute__((unused)) static int sysctl_write(const char *name, const char *text)
{
    char path[60];
    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
    int fd = open(path, O_WRONLY);
    CHECK(fd >= 0);
    int err = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : errno;
    close(fd);
    return err;
}
