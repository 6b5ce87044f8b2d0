// SPDX-License-Identifier: BSD-2-Clause
// What needs several harts: the same work on each at once, and shootdowns. Measured by the clock
// alone; one operation is what one thread does.
#include "bench.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE 4096UL

static pthread_barrier_t barrier;
static void (*work)(long n);
static char *area;

static void *worker(void *arg)
{
    pthread_barrier_wait(&barrier);
    work((long)arg);
    pthread_barrier_wait(&barrier);
    return NULL;
}

// n operations on each hart, by threads of one process.
static void on_all_harts(void (*what)(long), long n)
{
    pthread_t threads[64];
    work = what;
    MUST0(pthread_barrier_init(&barrier, NULL, (unsigned int)bench_harts));
    for (long i = 1; i < bench_harts; i++)
        MUST0(pthread_create(&threads[i], NULL, worker, (void *)n));
    pthread_barrier_wait(&barrier);
    bench_start();
    work(n);
    pthread_barrier_wait(&barrier);
    bench_stop();
    for (long i = 1; i < bench_harts; i++)
        MUST0(pthread_join(threads[i], NULL));
}

static void getppids(long n)
{
    for (long i = 0; i < n; i++)
        syscall(SYS_getppid);
}

static void loop_getppid(long n)
{
    on_all_harts(getppids, n);
}

static void maps(long n)
{
    for (long i = 0; i < n; i++) {
        char *map = bench_map(4 * PAGE);
        bench_touch(map, 4 * PAGE);
        MUST(munmap(map, 4 * PAGE));
    }
}

static void loop_maps(long n)
{
    on_all_harts(maps, n);
}

static void faults(long n)
{
    char *map = bench_map((size_t)n * PAGE);
    bench_touch(map, (size_t)n * PAGE);
    munmap(map, (size_t)n * PAGE);
}

static void loop_faults(long n)
{
    on_all_harts(faults, n);
}

static void opens(long n)
{
    for (long i = 0; i < n; i++)
        close(MUST(open("/dev/null", O_RDONLY)));
}

static void loop_opens(long n)
{
    on_all_harts(opens, n);
}

static void forks(long n)
{
    for (long i = 0; i < n; i++) {
        pid_t pid = MUST(fork());
        if (pid == 0)
            _exit(0);
        bench_reap(pid);
    }
}

// A process for each hart, each of which forks.
static void loop_forks(long n)
{
    pid_t pids[64];
    bench_start();
    for (long i = 1; i < bench_harts; i++)
        pids[i] = bench_fork(forks, n);
    forks(n);
    for (long i = 1; i < bench_harts; i++)
        bench_reap(pids[i]);
    bench_stop();
}

static volatile bool stop;

static void *spin(void *arg)
{
    while (!stop)
        __asm__ volatile("" ::: "memory");
    return NULL;
}

static void *rest(void *arg)
{
    for (;;)
        pause();
    return NULL;
}

// Other threads of this process run (bench_arg) on their harts, or have run there and sleep.
static void make_others(void)
{
    area = bench_map(64 * PAGE);
    bench_touch(area, 64 * PAGE);
    for (long i = 1; i < bench_harts; i++) {
        pthread_t thread;
        MUST0(pthread_create(&thread, NULL, bench_arg ? spin : rest, NULL));
    }
    usleep(20000); // until all are where they stay
}

static void loop_shootdown(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(mprotect(area, PAGE, PROT_READ));
        MUST(mprotect(area, PAGE, PROT_READ | PROT_WRITE));
        *(volatile char *)area = 1;
    }
    bench_stop();
}

static void loop_shootdown_unmap(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(madvise(area, 16 * PAGE, MADV_DONTNEED));
        bench_touch(area, 16 * PAGE);
    }
    bench_stop();
}

// Two threads by turns, each on a hart of its own and asleep while the other has it.
static uint32_t turns[2];

static void pin_to(int hart)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(hart % (int)bench_harts, &set); // a smoke test has one hart
    MUST(sched_setaffinity(0, sizeof(set), &set));
}

static void pass_turn(long mine)
{
    while (__atomic_load_n(&turns[mine], __ATOMIC_ACQUIRE) == 0)
        syscall(SYS_futex, &turns[mine], FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    turns[mine] = 0;
    __atomic_store_n(&turns[!mine], 1, __ATOMIC_RELEASE);
    MUST(syscall(SYS_futex, &turns[!mine], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
}

static void *pass_turns(void *arg)
{
    pin_to(1);
    for (;;)
        pass_turn(1);
    return NULL;
}

static void make_ping_pong(void)
{
    pthread_t thread;
    turns[0] = 1;
    pin_to(0);
    MUST0(pthread_create(&thread, NULL, pass_turns, NULL));
}

static void loop_ping_pong(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        pass_turn(0);
    bench_stop();
}

const struct bench bench_harts_list[] = {
    {"harts/getppid-on-all", NULL, loop_getppid, .several = true, .by_clock = true},
    {"harts/open-close-on-all", NULL, loop_opens, .several = true, .by_clock = true},
    {"harts/mmap-touch-munmap-on-all", NULL, loop_maps, .several = true, .by_clock = true},
    {"harts/fault-on-all", NULL, loop_faults, 0, 8192, .several = true, .by_clock = true},
    {"harts/fork-exit-on-all", NULL, loop_forks, .several = true, .by_clock = true},
    {"harts/futex-ping-pong", make_ping_pong, loop_ping_pong, .several = true, .by_clock = true},
    {"harts/mprotect-others-idle", make_others, loop_shootdown, 0, .several = true,
     .by_clock = true},
    {"harts/mprotect-others-running", make_others, loop_shootdown, 1, .several = true,
     .by_clock = true},
    {"harts/dontneed-others-idle", make_others, loop_shootdown_unmap, 0, .several = true,
     .by_clock = true},
    {"harts/dontneed-others-running", make_others, loop_shootdown_unmap, 1, .several = true,
     .by_clock = true},
    {0},
};
