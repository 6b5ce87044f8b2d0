// SPDX-License-Identifier: BSD-2-Clause
// For the programs that try what a libc makes of futexes, glibc as well as musl: an object that is
// private to a process, in memory shared by fork, or in a file that each process has mapped
// elsewhere and from another offset; and workers, which are threads in the first case and processes
// else.
#pragma once

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>

enum sharing { PRIVATE, MEMORY, MAPPED_FILE, NR_SHARINGS };

static const char *const sharing_names[] = {"private", "shared memory", "mapped file"};

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    pthread_barrier_t barrier;
    pthread_rwlock_t rwlock;
    sem_t ping, pong;
    long counter, inside, served;
    int step;
};

#define FILE_OFFSET 8192 // of the object; processes but the first map nothing before it

static enum sharing sharing;
static struct shared *shared; // as this process sees it
static int shared_fd = -1;

__attribute__((unused)) static int pshared(void)
{
    return sharing == PRIVATE ? PTHREAD_PROCESS_PRIVATE : PTHREAD_PROCESS_SHARED;
}

__attribute__((unused)) static void share(enum sharing how)
{
    char name[] = "/tmp/pthreads-XXXXXX";
    int flags = how == PRIVATE ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED | MAP_ANONYMOUS;
    size_t offset = 0;
    sharing = how;
    if (how == MAPPED_FILE) {
        flags = MAP_SHARED;
        offset = FILE_OFFSET;
        shared_fd = mkstemp(name);
        CHECK(shared_fd >= 0 && unlink(name) == 0 && ftruncate(shared_fd, offset + 4096) == 0);
    }
    char *base = mmap(NULL, offset + 4096, PROT_READ | PROT_WRITE, flags, shared_fd, 0);
    CHECK(base != MAP_FAILED);
    shared = (struct shared *)(base + offset);
}

// A process that has forked: its own map of the file.
__attribute__((unused)) static void share_in_child(void)
{
    if (sharing != MAPPED_FILE)
        return;
    struct shared *old = shared;
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, FILE_OFFSET);
    CHECK(shared != MAP_FAILED && shared != old);
    CHECK_EQ(munmap((char *)old - FILE_OFFSET, FILE_OFFSET + 4096), 0);
}

struct worker {
    void *(*run)(void *);
    void *arg;
    pthread_t thread;
    pid_t pid;
};

__attribute__((unused)) static void start_worker(struct worker *w, void *(*run)(void *), void *arg)
{
    w->run = run;
    w->arg = arg;
    if (sharing == PRIVATE) {
        CHECK_EQ(pthread_create(&w->thread, NULL, run, arg), 0);
        return;
    }
    w->pid = fork();
    CHECK(w->pid >= 0);
    if (w->pid == 0) {
        share_in_child();
        run(arg);
        _exit(0);
    }
}

// It has ended well; or, a process, by `signal`.
__attribute__((unused)) static void join_worker(struct worker *w, int signal)
{
    int status;
    if (sharing == PRIVATE) {
        CHECK_EQ(pthread_join(w->thread, NULL), 0);
        return;
    }
    CHECK_EQ(waitpid(w->pid, &status, 0), w->pid);
    CHECK_EQ(status, signal);
}

__attribute__((unused)) static void run_workers(int nr, void *(*run)(void *))
{
    struct worker workers[16];
    for (int i = 0; i < nr; i++)
        start_worker(&workers[i], run, (void *)(intptr_t)i);
    for (int i = 0; i < nr; i++)
        join_worker(&workers[i], 0);
}

__attribute__((unused)) static void set_step(int step)
{
    __atomic_store_n(&shared->step, step, __ATOMIC_SEQ_CST);
}

__attribute__((unused)) static void await_step(int step)
{
    while (__atomic_load_n(&shared->step, __ATOMIC_SEQ_CST) < step)
        sleep_ms(1);
}

__attribute__((unused)) static struct timespec in_ms(clockid_t clock, long ms)
{
    int64_t ns = now_ns(clock) + ms * 1000000LL;
    return (struct timespec){ns / 1000000000, ns % 1000000000};
}
