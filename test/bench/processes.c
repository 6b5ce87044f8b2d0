// SPDX-License-Identifier: BSD-2-Clause
// Processes and threads: making, replacing, ending, awaiting.
#include "bench.h"

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;
static char *const tiny_argv[] = {"/bin/tiny", NULL};
static char *const self_argv[] = {"/init", "exit", NULL};

// bench_arg MiB of pages that are present.
static void reside(void)
{
    size_t size = (size_t)bench_arg << 20;
    if (size)
        bench_touch(bench_map(size), size);
}

static void loop_fork(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0)
            _exit(0);
        bench_reap(pid);
    }
    bench_stop();
}

static void loop_fork_exec(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            execve(tiny_argv[0], tiny_argv, environ);
            _exit(1);
        }
        bench_reap(pid);
    }
    bench_stop();
}

static void loop_fork_exec_glibc(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            execve(self_argv[0], self_argv, environ);
            _exit(1);
        }
        bench_reap(pid);
    }
    bench_stop();
}

static void loop_vfork(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        pid_t pid = MUST(vfork());
        if (pid == 0)
            _exit(0);
        bench_reap(pid);
    }
    bench_stop();
}

static void loop_vfork_exec(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        pid_t pid = MUST(vfork());
        if (pid == 0) {
            execve(tiny_argv[0], tiny_argv, environ);
            _exit(1);
        }
        bench_reap(pid);
    }
    bench_stop();
}

static void loop_spawn(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        pid_t pid;
        MUST0(posix_spawn(&pid, tiny_argv[0], NULL, NULL, tiny_argv, environ));
        bench_reap(pid);
    }
    bench_stop();
}

static void *nothing(void *arg)
{
    return arg;
}

static void loop_thread(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        pthread_t thread;
        MUST0(pthread_create(&thread, NULL, nothing, NULL));
        MUST0(pthread_join(thread, NULL));
    }
    bench_stop();
}

static void loop_threads(long n)
{
    pthread_t threads[16];
    bench_start();
    for (long i = 0; i < n; i++) {
        for (int j = 0; j < 16; j++)
            MUST0(pthread_create(&threads[j], NULL, nothing, NULL));
        for (int j = 0; j < 16; j++)
            MUST0(pthread_join(threads[j], NULL));
    }
    bench_stop();
}

// The child writes to a quarter of its parent's pages before it ends.
static void loop_fork_write(long n)
{
    size_t size = (size_t)bench_arg << 20;
    char *memory = bench_map(size);
    bench_touch(memory, size);
    bench_start();
    for (long i = 0; i < n; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            bench_touch(memory, size / 4);
            _exit(0);
        }
        bench_reap(pid);
    }
    bench_stop();
    munmap(memory, size);
}

static void loop_fork_kill(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0) {
            for (;;)
                pause();
        }
        MUST(kill(pid, SIGKILL));
        MUST(waitpid(pid, NULL, 0));
    }
    bench_stop();
}

static void loop_wait_nothing(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        waitpid(-1, NULL, WNOHANG);
    bench_stop();
}

const struct bench bench_processes[] = {
    {"processes/fork-exit", NULL, loop_fork, .several = true, .libc = true},
    {"processes/fork-exit-1M", reside, loop_fork, 1},
    {"processes/fork-exit-64M", reside, loop_fork, 64},
    {"processes/fork-exit-512M", reside, loop_fork, 512},
    {"processes/fork-write-4M", NULL, loop_fork_write, 4},
    {"processes/fork-kill", NULL, loop_fork_kill},
    {"processes/fork-exec", NULL, loop_fork_exec, .several = true},
    {"processes/fork-exec-1M", reside, loop_fork_exec, 1},
    {"processes/fork-exec-64M", reside, loop_fork_exec, 64},
    {"processes/fork-exec-512M", reside, loop_fork_exec, 512},
    {"processes/fork-exec-glibc", NULL, loop_fork_exec_glibc},
    {"processes/vfork-exit", NULL, loop_vfork},
    {"processes/vfork-exec", NULL, loop_vfork_exec},
    {"processes/vfork-exec-1M", reside, loop_vfork_exec, 1},
    {"processes/vfork-exec-64M", reside, loop_vfork_exec, 64},
    {"processes/vfork-exec-512M", reside, loop_vfork_exec, 512},
    {"processes/posix_spawn", NULL, loop_spawn, .libc = true},
    {"processes/posix_spawn-1M", reside, loop_spawn, 1},
    {"processes/posix_spawn-64M", reside, loop_spawn, 64},
    {"processes/posix_spawn-512M", reside, loop_spawn, 512},
    {"processes/thread-join", NULL, loop_thread, .several = true, .libc = true},
    {"processes/thread-join-1M", reside, loop_thread, 1},
    {"processes/thread-join-64M", reside, loop_thread, 64},
    {"processes/thread-join-512M", reside, loop_thread, 512},
    {"processes/threads-16-join", NULL, loop_threads, .several = true, .libc = true},
    {"processes/wait-nothing", NULL, loop_wait_nothing},
    {0},
};
