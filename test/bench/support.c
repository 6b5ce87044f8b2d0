// SPDX-License-Identifier: BSD-2-Clause
// What several benchmarks share: memory, child processes, figures of /proc.
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

char *bench_map(size_t size)
{
    return MUST(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

void bench_touch(char *start, size_t size)
{
    for (size_t at = 0; at < size; at += 4096)
        ((volatile char *)start)[at] = 1;
}

pid_t bench_fork(void (*loop)(long), long arg)
{
    pid_t pid = MUST(fork());
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        loop(arg);
        _exit(0);
    }
    return pid;
}

void bench_reap(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        bench_fail("waitpid");
}

long bench_meminfo(const char *name)
{
    char text[4096];
    int fd = open("/proc/meminfo", O_RDONLY);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    char *line = strstr(text, name);
    return line ? strtol(line + strlen(name), NULL, 10) : 0;
}
