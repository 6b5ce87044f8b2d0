// SPDX-License-Identifier: BSD-2-Clause
// Threads and processes that exit, exec, fault, stop and get killed all at once on every hart. What
// would break: a wait that never ends, a status that isn't one of those sent, a process that stays
// behind, a kernel that stumbles over a half-dead one.
#include "ktap.h"
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

static unsigned long seed;
static char own_path[4096]; // Linux has no /proc/self/exe once the first thread has ended

static unsigned int dice(unsigned int sides)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned int)(seed >> 33) % sides;
}

static void *worker(void *argument)
{
    unsigned long mine = seed ^ (unsigned long)(long)argument * 0x9e3779b97f4a7c15UL;
    for (;;) {
        mine = mine * 6364136223846793005UL + 1;
        switch (mine >> 61) {
        case 0:
            sched_yield();
            break;
        case 1:
            munmap(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                   8192);
            break;
        case 2:
            kill(getpid(), SIGUSR1);
            break;
        case 3: {
            struct timespec t = {0, 1000};
            nanosleep(&t, NULL);
            break;
        }
        case 4:
            getppid();
            break;
        default:
            for (volatile int i = 0; i < 100; i++)
                ;
        }
    }
    return NULL;
}

static void on_usr1(int number)
{
    (void)number;
}

#define END_EXEC  17
#define END_EXIT  18
#define END_GROUP 19

__attribute__((noreturn)) static void *last_act(void *argument)
{
    static char *const args[] = {own_path, "--ended-by-exec", NULL};
    long kind = (long)argument;
    usleep(dice(2000));
    switch (kind) {
    case 0:
        execv(args[0], args);
        _exit(99);
    case 1:
        syscall(SYS_exit_group, END_GROUP);
        break;
    case 2:
        *(volatile int *)8 = 1;
        break;
    default:
        kill(getpid(), SIGTERM);
        for (;;)
            pause();
    }
    _exit(98);
}

// Some threads at work, and one or two that end it all, from the first thread or from another.
static void victim(unsigned long start)
{
    pthread_t thread;
    seed = start;
    CHECK(readlink("/proc/self/exe", own_path, sizeof(own_path) - 1) > 0);
    signal(SIGUSR1, on_usr1);
    unsigned int workers = dice(5);
    for (unsigned int i = 0; i < workers; i++)
        pthread_create(&thread, NULL, worker, (void *)(long)i);
    unsigned int enders = 1 + dice(2);
    for (unsigned int i = 0; i < enders; i++)
        pthread_create(&thread, NULL, last_act, (void *)(long)dice(4));
    if (dice(3) == 0)
        syscall(SYS_exit, END_EXIT); // the first thread alone
    for (;;)
        pause();
}

__attribute__((constructor)) static void ended_by_exec(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--ended-by-exec"))
        _exit(END_EXEC);
}

static bool is_expected(int status)
{
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGTERM ||
               WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGUSR1; // pending at exec
    return WIFEXITED(status) &&
           (WEXITSTATUS(status) == END_EXEC || WEXITSTATUS(status) == END_GROUP);
}

TEST_SECONDS(threads_end_each_other_in_every_way, 120)
{
    unsigned long random = (unsigned long)now_ns(CLOCK_MONOTONIC);
    pid_t pids[8] = {0};
    for (int round = 0; round < 400; round++) {
        int slot = round % 8, status;
        if (pids[slot]) {
            if (round % 3 == 0)
                kill(pids[slot], SIGSTOP);
            if (round % 5 == 0)
                kill(pids[slot], SIGKILL);
            else if (round % 3 == 0)
                kill(pids[slot], SIGCONT);
            CHECK_EQ(waitpid(pids[slot], &status, 0), pids[slot]);
            if (!is_expected(status))
                note("round %d: status %#x", round, status);
            CHECK(is_expected(status));
        }
        pids[slot] = fork();
        if (pids[slot] == 0)
            victim(random + (unsigned long)round);
        CHECK(pids[slot] > 0);
    }
    for (int slot = 0; slot < 8; slot++)
        kill(pids[slot], SIGKILL);
    for (int slot = 0; slot < 8; slot++)
        CHECK_EQ(waitpid(pids[slot], NULL, 0), pids[slot]);
    CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
}

static void *forker(void *argument)
{
    long *count = argument;
    for (int i = 0; i < 60; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(i);
        if (pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == i)
            ++*count;
    }
    return NULL;
}

TEST_SECONDS(four_threads_fork_and_wait_for_their_own, 60)
{
    pthread_t threads[4];
    long counts[4] = {0};
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, forker, &counts[i]), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(counts[i], 60);
}

// Each generation dies while the next is born: orphans, groups and numbers are recycled.
TEST_SECONDS(chains_of_orphans, 60)
{
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    for (int chain = 0; chain < 4; chain++) {
        pid_t pid = fork();
        if (pid == 0) {
            for (int depth = 0; depth < 100; depth++) {
                if (depth % 10 == 5)
                    setsid();
                pid_t next = fork();
                if (next < 0)
                    _exit(1);
                if (next > 0)
                    _exit(0);
            }
            write(fds[1], "x", 1);
            _exit(0);
        }
        CHECK(pid > 0);
        CHECK_EQ(waitpid(pid, NULL, 0), pid);
    }
    close(fds[1]);
    char text[8];
    ssize_t n, total = 0;
    while ((n = read(fds[0], text, sizeof(text))) > 0)
        total += n;
    CHECK_EQ(total, 4);
}

static volatile bool go_on = true;

static void *signaller(void *argument)
{
    pid_t pid = (pid_t)(long)argument;
    const int numbers[] = {SIGUSR1, SIGSTOP, SIGCONT, SIGTSTP, SIGCONT, SIGWINCH, SIGRTMIN};
    for (unsigned int i = 0; go_on; i++)
        kill(pid, numbers[i % (sizeof(numbers) / sizeof(numbers[0]))]);
    return NULL;
}

TEST_SECONDS(signals_rain_on_a_process_that_forks, 60)
{
    pthread_t threads[2];
    signal(SIGUSR1, on_usr1);
    signal(SIGRTMIN, on_usr1);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 100; i++) {
            int status;
            pid_t child = fork();
            if (child == 0)
                _exit(3);
            if (child < 0)
                _exit(1);
            while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                    _exit(2);
            if (WEXITSTATUS(status) != 3)
                _exit(4);
        }
        _exit(42);
    }
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, signaller, (void *)(long)pid), 0);
    int status;
    sleep_ms(500);
    go_on = false;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    kill(pid, SIGCONT);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 42);
}
