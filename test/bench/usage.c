// SPDX-License-Identifier: BSD-2-Clause
// What things cost in memory: MemFree before and after a number of them. What ended earlier is
// freed late on some kernels, so each reading waits first.
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

static long memory_free(void)
{
    usleep(3000000);
    return bench_meminfo("MemFree:");
}

static void result(long before, long after, long count)
{
    bench_result((uint64_t)(before > after ? before - after : 0) * 1000 / (uint64_t)count);
}

static void sleep_forever(long arg)
{
    for (;;)
        pause();
}

// A child that sleeps: its tables, its stacks, the pages that it wrote.
static void measure_processes(void)
{
    pid_t pids[200];
    pids[0] = bench_fork(sleep_forever, 0);
    long before = memory_free();
    for (int i = 1; i < 200; i++)
        pids[i] = bench_fork(sleep_forever, 0);
    result(before, memory_free(), 199);
    for (int i = 0; i < 200; i++)
        kill(pids[i], SIGKILL);
}

static void *sleep_thread(void *arg)
{
    sleep_forever(0);
    return NULL;
}

static void measure_threads(void)
{
    pthread_t thread;
    MUST0(pthread_create(&thread, NULL, sleep_thread, NULL));
    long before = memory_free();
    for (int i = 0; i < 500; i++)
        MUST0(pthread_create(&thread, NULL, sleep_thread, NULL));
    result(before, memory_free(), 500);
}

// Regions that can't merge with their neighbours, 10,000 of them, none with a page.
static void measure_regions(void)
{
    bench_map(4096);
    long before = memory_free();
    for (int i = 0; i < 10000; i++)
        MUST(mmap(NULL, 4096, i & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    result(before, memory_free(), 10);
}

// Enough of them that pages which lie in lists of a hart, which MemFree leaves out, don't count.
#define MANY_FILES 30000

static void allow_files(void)
{
    struct rlimit files = {32768, 32768};
    MUST(setrlimit(RLIMIT_NOFILE, &files));
}

static void measure_files(void)
{
    allow_files();
    close(MUST(open("/tmp/usage", O_RDWR | O_CREAT, 0600)));
    long before = memory_free();
    for (int i = 0; i < MANY_FILES; i++)
        MUST(open("/tmp/usage", O_RDONLY));
    result(before, memory_free(), MANY_FILES / 1000);
}

static void measure_pipes(void)
{
    int ends[2];
    allow_files();
    long before = memory_free();
    for (int i = 0; i < MANY_FILES / 3; i++)
        MUST(pipe(ends));
    result(before, memory_free(), MANY_FILES / 3000);
}

// Processes and threads last: their stacks come back late.
const struct bench bench_usage[] = {
    {"usage/1000-regions", .measure = measure_regions, .unit = "KiB"},
    {"usage/1000-open-files", .measure = measure_files, .unit = "KiB"},
    {"usage/1000-pipes", .measure = measure_pipes, .unit = "KiB"},
    {"usage/process", .measure = measure_processes, .unit = "KiB"},
    {"usage/thread", .measure = measure_threads, .unit = "KiB"},
    {0},
};
