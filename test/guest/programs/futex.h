// SPDX-License-Identifier: BSD-2-Clause
// Raw futex calls for the programs that test them.
#pragma once

#include <dirent.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>

#define NR_futex_wake    454 // younger than Debian 12's headers
#define NR_futex_wait    455
#define NR_futex_requeue 456
#define FUTEX2_SIZE_U32  2
#define FUTEX2_PRIVATE   128

__attribute__((unused)) static long futex(uint32_t *word, int op, uint32_t value,
                                          const struct timespec *timeout, uint32_t *word2,
                                          uint32_t value3)
{
    return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

// With a second count in place of the timeout.
__attribute__((unused)) static long futex2(uint32_t *word, int op, int value, long value2,
                                           uint32_t *word2, uint32_t value3)
{
    return syscall(SYS_futex, word, op, value, value2, word2, value3);
}

__attribute__((unused)) static long futex_waitv(struct futex_waitv *list, unsigned int nr,
                                                unsigned int flags, const struct timespec *timeout,
                                                clockid_t clock)
{
    return syscall(SYS_futex_waitv, list, nr, flags, timeout, clock);
}

__attribute__((unused)) static int64_t ns_of(const struct timespec *ts)
{
    return ts->tv_sec * 1000000000LL + ts->tv_nsec;
}

__attribute__((unused)) static struct timespec after_ms(clockid_t clock, long ms)
{
    int64_t ns = now_ns(clock) + ms * 1000000LL;
    return (struct timespec){ns / 1000000000, ns % 1000000000};
}

// How many threads of this process sleep, but for the caller.
__attribute__((unused)) static int count_waiters(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    CHECK(tasks);
    while ((entry = readdir(tasks))) {
        char path[300], text[200] = "";
        if (atoi(entry->d_name) <= 0 || atoi(entry->d_name) == (int)syscall(SYS_gettid))
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%s/stat", entry->d_name);
        int fd = open(path, O_RDONLY);
        if (fd < 0)
            continue;
        read(fd, text, sizeof(text) - 1);
        close(fd);
        const char *end = strrchr(text, ')');
        count += end && end[2] == 'S';
    }
    closedir(tasks);
    return count;
}

// A thread that waits for a word to be 0 no longer.
struct waiter {
    uint32_t *word, bitset;
    int op, priority;
    long result;
    int place; // in the order of waking
    pthread_t thread;
};

__attribute__((unused)) static int nr_woken;

__attribute__((unused)) static void *waiter_main(void *arg)
{
    struct waiter *w = arg;
    struct sched_param param = {.sched_priority = w->priority};
    if (w->priority)
        CHECK_EQ(sched_setscheduler(0, SCHED_FIFO, &param), 0);
    w->result = futex(w->word, w->op, 0, NULL, NULL, w->bitset);
    w->place = __atomic_fetch_add(&nr_woken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

// One after the other, so that their order is known.
__attribute__((unused)) static void start_waiters(struct waiter *w, int nr)
{
    for (int i = 0; i < nr; i++) {
        int before = count_waiters();
        CHECK_EQ(pthread_create(&w[i].thread, NULL, waiter_main, &w[i]), 0);
        while (count_waiters() == before)
            sleep_ms(1);
    }
}

__attribute__((unused)) static void join_waiters(struct waiter *w, int nr)
{
    for (int i = 0; i < nr; i++)
        pthread_join(w[i].thread, NULL);
}
