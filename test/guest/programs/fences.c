// SPDX-License-Identifier: BSD-2-Clause
// How many harts a change of the map disturbs: none that only ran the space earlier. Linux tells no
// counts, so there is nothing to compare it with.
#include "ktap.h"
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

enum { PAGE = 4096, TIMES = 1000 };

static void run_on(long cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

static volatile char *area;

static void *visit(void *arg)
{
    run_on((long)arg);
    for (int i = 0; i < 16; i++)
        area[i * PAGE]++;
    return NULL;
}

// The sum of a line over all harts.
static long count(const char *name)
{
    char line[400];
    long sum = -1;
    FILE *f = fopen("/proc/tlb", "r");
    if (!f)
        SKIP("no /proc/tlb");
    while (fgets(line, sizeof(line), f)) {
        size_t n = strlen(name);
        if (strncmp(line, name, n) != 0 || line[n] != ' ')
            continue;
        sum = 0;
        for (char *word = strtok(line + n, " \n"); word; word = strtok(NULL, " \n"))
            sum += atol(word);
    }
    fclose(f);
    CHECK(sum >= 0);
    return sum;
}

static long harts(void)
{
    return sysconf(_SC_NPROCESSORS_ONLN);
}

static char *map_new(size_t size)
{
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

TEST(harts_that_ran_the_space_earlier_are_left_alone)
{
    if (harts() == 1)
        SKIP("one hart");
    count("remote_sent");
    area = map_new(16 * PAGE);
    for (long cpu = harts() - 1; cpu >= 0; cpu--) {
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, visit, (void *)cpu), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
    run_on(0);
    sleep_ms(50); // the last thread's hart has gone on to something else
    long sent = count("remote_sent"), avoided = count("remote_avoided");
    for (int i = 0; i < TIMES; i++) {
        char *p = map_new(PAGE);
        *(volatile char *)p = 1;
        CHECK_EQ(munmap(p, PAGE), 0);
    }
    sent = count("remote_sent") - sent;
    avoided = count("remote_avoided") - avoided;
    note("%ld harts, %d munmaps: %ld remote fences, %ld harts left alone", harts(), TIMES, sent,
         avoided);
    CHECK(sent < TIMES / 100); // others live on this machine, too
    CHECK(avoided >= TIMES * (harts() - 1));
}

static volatile bool stop;

static void *keep_running(void *arg)
{
    run_on((long)arg);
    while (!stop)
        area[PAGE]++;
    return NULL;
}

TEST(harts_that_run_the_space_are_fenced_once_each_time)
{
    if (harts() == 1)
        SKIP("one hart");
    pthread_t thread;
    count("remote_sent");
    area = map_new(16 * PAGE);
    CHECK_EQ(pthread_create(&thread, NULL, keep_running, (void *)1), 0);
    run_on(0);
    sleep_ms(50);
    char *p = map_new(TIMES * PAGE);
    for (int i = 0; i < TIMES; i++)
        p[i * PAGE] = 1;
    long sent = count("remote_sent");
    for (int i = 0; i < TIMES; i++)
        CHECK_EQ(madvise(p + i * PAGE, PAGE, MADV_DONTNEED), 0);
    sent = count("remote_sent") - sent;
    stop = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    note("%d times MADV_DONTNEED beside a running thread: %ld remote fences", TIMES, sent);
    // A hart in the kernel for a tick may have left the space.
    CHECK(sent > TIMES / 2 && sent < TIMES + TIMES / 100);
}
