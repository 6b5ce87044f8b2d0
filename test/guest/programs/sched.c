// SPDX-License-Identifier: BSD-2-Clause
// Scheduling as programs see it: affinity, nice values, real-time classes, fairness, balancing.
#include "ktap.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>

static int harts(void)
{
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static void pin(int hart)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(hart, &set);
    CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

TEST(affinity_moves_the_thread)
{
    cpu_set_t set;
    for (int hart = 0; hart < harts(); hart++) {
        pin(hart);
        unsigned cpu = 99;
        CHECK_EQ(getcpu(&cpu, NULL), 0);
        CHECK_EQ(cpu, hart);
        CHECK_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
        CHECK_EQ(CPU_COUNT(&set), 1);
    }
    pid_t pid = fork();
    if (pid == 0)
        _exit(sched_getcpu() != harts() - 1);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CPU_ZERO(&set);
    CHECK_ERRNO(sched_setaffinity(0, sizeof(set), &set), EINVAL);
    CPU_SET(1000, &set);
    CHECK_ERRNO(sched_setaffinity(0, sizeof(set), &set), EINVAL);
    CHECK_ERRNO(sched_setaffinity(0x3fffffff, sizeof(set), &set), ESRCH);
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 1, &set), EINVAL);
}

TEST(affinity_of_a_running_other)
{
    if (harts() < 2)
        SKIP("one hart only");
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            *(volatile int *)shared = sched_getcpu() + 1;
    for (int i = 0; i < 20; i++) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(i % harts(), &set);
        CHECK_EQ(sched_setaffinity(pid, sizeof(set), &set), 0);
        while (*(volatile int *)shared != i % harts() + 1) // ended by the case's time
            sched_yield();
        for (int look = 0; look < 5; look++) { // there, and there it stays
            *(volatile int *)shared = 0;
            while (!*(volatile int *)shared)
                sched_yield();
            CHECK_EQ(*(volatile int *)shared, i % harts() + 1);
        }
    }
    kill(pid, SIGKILL);
}

TEST(nice_values)
{
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
    CHECK_EQ(nice(5), 5);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
    CHECK_EQ(setpriority(PRIO_PROCESS, 0, -100), 0);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), -20);
    CHECK_EQ(setpriority(PRIO_PROCESS, 0, 3), 0);
    CHECK_ERRNO(setpriority(9, 0, 1), EINVAL);
    CHECK_ERRNO(setpriority(PRIO_PROCESS, 0x3fffffff, 1), ESRCH);
    pid_t pid = fork();
    if (pid == 0)
        _exit(getpriority(PRIO_PROCESS, 0) != 3);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(setuid(1000), 0);
    CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, 0), EACCES);
    CHECK_ERRNO(setpriority(PRIO_PROCESS, 1, 5), EPERM);
}

TEST(classes_and_their_limits)
{
    struct sched_param parameter = {.sched_priority = 10};
    CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
    CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
    CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
    CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
    CHECK_EQ(sched_setscheduler(0, SCHED_RR, &parameter), 0);
    CHECK_EQ(sched_getscheduler(0), SCHED_RR);
    struct timespec slice;
    CHECK_EQ(sched_rr_get_interval(0, &slice), 0);
    CHECK(slice.tv_sec == 0 && slice.tv_nsec > 0);
    parameter.sched_priority = 50;
    CHECK_EQ(sched_setparam(0, &parameter), 0);
    parameter.sched_priority = 0;
    CHECK_EQ(sched_getparam(0, &parameter), 0);
    CHECK_EQ(parameter.sched_priority, 50);
    parameter.sched_priority = 100;
    CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &parameter), EINVAL);
    CHECK_ERRNO(sched_setscheduler(0, 77, &parameter), EINVAL);
    CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER, &parameter), EINVAL);
    CHECK_ERRNO(sched_getscheduler(0x3fffffff), ESRCH);
    parameter.sched_priority = 0;
    CHECK_EQ(sched_setscheduler(0, SCHED_BATCH, &parameter), 0);
    CHECK_EQ(sched_setscheduler(0, SCHED_OTHER, &parameter), 0);
    CHECK_EQ(setuid(1000), 0);
    parameter.sched_priority = 1;
    CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &parameter), EPERM);
}

// As sched_setattr(2) knows it, and what a younger kernel may add to it.
struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
    uint64_t younger;
};

#define ATTR_FIRST  48 // its size when it was new
#define ATTR_NOW    56
#define RESET       1 // flags
#define KEEP_POLICY 8
#define KEEP_PARAMS 16
#define DEADLINE    6
#define ATTR(...)   (&(struct attr){.size = ATTR_FIRST, __VA_ARGS__})

static long set_attr(struct attr *a)
{
    return syscall(SYS_sched_setattr, 0, a, 0);
}

static struct attr attr_now(unsigned int size)
{
    struct attr a;
    memset(&a, 0xff, sizeof(a));
    CHECK_EQ(syscall(SYS_sched_getattr, 0, &a, size, 0), 0);
    return a;
}

TEST(attributes)
{
    CHECK_EQ(set_attr(ATTR(.policy = SCHED_BATCH, .nice = 30)), 0);
    struct attr a = attr_now(ATTR_FIRST);
    CHECK(a.size == ATTR_FIRST && a.policy == SCHED_BATCH && a.flags == 0 && a.nice == 19 &&
          a.priority == 0 && a.util_min == ~0U);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
    CHECK_EQ(attr_now(ATTR_NOW + 8).size, ATTR_NOW);
    CHECK_EQ(set_attr(ATTR(.policy = SCHED_RR, .flags = RESET, .priority = 7)), 0);
    CHECK_EQ(sched_getscheduler(0), SCHED_RR | SCHED_RESET_ON_FORK);
    a = attr_now(ATTR_NOW);
    CHECK(a.policy == SCHED_RR && a.flags == RESET && a.priority == 7 && a.nice == 0);
    CHECK_EQ(set_attr(ATTR(.policy = SCHED_OTHER, .flags = KEEP_POLICY, .priority = 9)), 0);
    CHECK_EQ(set_attr(ATTR(.policy = SCHED_FIFO, .flags = KEEP_PARAMS)), 0);
    a = attr_now(ATTR_NOW);
    CHECK(a.policy == SCHED_RR && a.flags == 0 && a.priority == 9); // the policy is kept, too
    CHECK_EQ(set_attr(&(struct attr){.policy = SCHED_IDLE}), 0);
    CHECK_EQ(sched_getscheduler(0), SCHED_IDLE);
    CHECK_EQ(set_attr(&(struct attr){.size = ATTR_NOW + 8, .nice = -3}), 0);
    CHECK_EQ(attr_now(ATTR_NOW).nice, -3);
    struct sched_param none = {0};
    CHECK_EQ(sched_setscheduler(0, SCHED_BATCH, &none), 0); // keeps the nice value
    CHECK_EQ(attr_now(ATTR_NOW).nice, -3);
}

static void check_size_error(uint32_t size)
{
    struct attr a = {.size = size, .younger = 1};
    CHECK_ERRNO(set_attr(&a), E2BIG);
    CHECK_EQ(a.size, ATTR_NOW);
}

TEST(attributes_that_are_wrong)
{
    struct attr a;
    check_size_error(ATTR_FIRST - 1);
    check_size_error(ATTR_NOW + 8);
    check_size_error(5000);
    CHECK_ERRNO(set_attr(NULL), EINVAL);
    CHECK_ERRNO(set_attr((struct attr *)8), EFAULT);
    CHECK_ERRNO(syscall(SYS_sched_setattr, -1, ATTR(.policy = 0), 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_setattr, 0x3fffffff, ATTR(.policy = 0), 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_sched_setattr, 0, ATTR(.policy = 0), 1), EINVAL);
    CHECK_ERRNO(set_attr(ATTR(.policy = 77)), EINVAL);
    CHECK_ERRNO(set_attr(ATTR(.policy = -1U)), EINVAL);
    CHECK_ERRNO(set_attr(ATTR(.policy = SCHED_OTHER, .flags = 1ULL << 40)), EINVAL);
    CHECK_ERRNO(set_attr(ATTR(.policy = SCHED_OTHER, .priority = 1)), EINVAL);
    CHECK_ERRNO(set_attr(ATTR(.policy = SCHED_FIFO)), EINVAL);
    CHECK_ERRNO(set_attr(ATTR(.policy = SCHED_FIFO, .priority = 100)), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &a, ATTR_FIRST - 1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &a, 5000, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &a, ATTR_NOW, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0, NULL, ATTR_NOW, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getattr, -1, &a, ATTR_NOW, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0x3fffffff, &a, ATTR_NOW, 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0, 8, ATTR_NOW, 0), EFAULT);
}

// In microseconds. A kernel may have no room for deadlines at all, and says so: EBUSY.
static long set_deadline(uint64_t runtime, uint64_t deadline, uint64_t period)
{
    return set_attr(ATTR(.policy = DEADLINE, .runtime = runtime * 1000, .deadline = deadline * 1000,
                         .period = period * 1000));
}

TEST(deadlines_are_looked_at)
{
    CHECK_EQ(sched_get_priority_max(DEADLINE), 0);
    CHECK_EQ(sched_get_priority_min(DEADLINE), 0);
    CHECK_ERRNO(set_deadline(1, 30000, 30000), EINVAL);
    CHECK_ERRNO(set_deadline(10000, 0, 30000), EINVAL);
    CHECK_ERRNO(set_deadline(10000, 5000, 30000), EINVAL);
    CHECK_ERRNO(set_deadline(10000, 30000, 20000), EINVAL);
    CHECK_ERRNO(set_deadline(10000, 30000, 10000000), EINVAL);
    CHECK_ERRNO(set_deadline(10, 20, 30), EINVAL);
    CHECK(set_deadline(1000, 30000, 30000) == 0 || errno == EBUSY);
    CHECK_EQ(set_attr(ATTR(.policy = SCHED_OTHER)), 0);
    CHECK_EQ(setuid(1000), 0);
    CHECK_ERRNO(set_deadline(1000, 30000, 30000), EPERM);
}

static void limit(int what, rlim_t most)
{
    struct rlimit l = {most, most};
    CHECK_EQ(setrlimit(what, &l), 0);
}

TEST(limits_of_users)
{
    limit(RLIMIT_RTPRIO, 5);
    limit(RLIMIT_NICE, 25); // down to -5
    CHECK_EQ(setuid(1000), 0);
    CHECK_ERRNO(set_attr(ATTR(.policy = SCHED_FIFO, .priority = 6)), EPERM);
    CHECK_EQ(set_attr(ATTR(.policy = SCHED_FIFO, .priority = 4)), 0);
    CHECK_EQ(set_attr(ATTR(.policy = SCHED_RR, .priority = 5)), 0);
    CHECK_ERRNO(set_attr(ATTR(.policy = SCHED_RR, .priority = 6)), EPERM);
    CHECK_EQ(set_attr(ATTR(.policy = SCHED_OTHER, .nice = -5)), 0);
    CHECK_ERRNO(set_attr(ATTR(.policy = SCHED_OTHER, .nice = -6)), EPERM);
    CHECK_EQ(set_attr(ATTR(.policy = SCHED_IDLE)), 0);
    CHECK_EQ(set_attr(ATTR(.policy = SCHED_OTHER, .flags = RESET)), 0);
    CHECK_ERRNO(set_attr(ATTR(.policy = SCHED_OTHER)), EPERM);
    limit(RLIMIT_NICE, 19);
    CHECK_EQ(set_attr(ATTR(.policy = SCHED_IDLE, .flags = RESET)), 0);
    CHECK_ERRNO(set_attr(ATTR(.policy = SCHED_OTHER, .flags = RESET, .nice = 5)), EPERM);
    limit(RLIMIT_RTPRIO, 0);
    CHECK_ERRNO(set_attr(ATTR(.policy = SCHED_FIFO, .flags = RESET, .priority = 1)), EPERM);
    CHECK_ERRNO(syscall(SYS_sched_setattr, getppid(), ATTR(.policy = SCHED_OTHER), 0), EPERM);
}

// Loops counted by each of n children pinned to one hart in so many ms; setup runs first in each.
static void race(int n, long *counts, int ms, void (*setup)(int))
{
    volatile long *shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[8];
    struct sched_param parameter = {.sched_priority = 90};
    for (int i = 0; i < n; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            pin(harts() - 1);
            setup(i);
            while (!shared[100])
                ;
            for (;;)
                shared[i]++;
        }
    }
    // The judge must get its turn whatever the others are.
    CHECK_EQ(sched_setscheduler(0, SCHED_FIFO, &parameter), 0);
    sleep_ms(50);
    shared[100] = 1;
    sleep_ms(ms);
    for (int i = 0; i < n; i++)
        counts[i] = shared[i];
    for (int i = 0; i < n; i++)
        kill(pids[i], SIGKILL);
}

static void equals(int i)
{
    (void)i;
}

TEST(equals_share_a_hart_fairly)
{
    long counts[4], low, high;
    race(4, counts, 1500, equals);
    low = high = counts[0];
    for (int i = 1; i < 4; i++) {
        low = counts[i] < low ? counts[i] : low;
        high = counts[i] > high ? counts[i] : high;
    }
    note("counts %ld %ld %ld %ld", counts[0], counts[1], counts[2], counts[3]);
    CHECK(low > 0 && high < 3 * low);
}

static void second_is_nice(int i)
{
    if (i == 1)
        CHECK_EQ(nice(10), 10);
}

TEST(nice_gets_less_but_something)
{
    long counts[2];
    race(2, counts, 1500, second_is_nice);
    note("nice 0: %ld, nice 10: %ld", counts[0], counts[1]);
    CHECK(counts[1] > 0);
    CHECK(counts[0] > 3 * counts[1]);
}

TEST(fifo_goes_before_other)
{
    volatile long *shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sched_param parameter = {.sched_priority = 90};
    pin(harts() - 1);
    pid_t other = fork();
    if (other == 0)
        for (;;)
            shared[0]++;
    CHECK_EQ(sched_setscheduler(0, SCHED_FIFO, &parameter), 0);
    sleep_ms(20);
    long before = shared[0];
    int64_t end = now_ns(CLOCK_MONOTONIC) + 100000000;
    while (now_ns(CLOCK_MONOTONIC) < end)
        sched_yield();
    CHECK_EQ(shared[0], before);
    kill(other, SIGKILL);
}

TEST_SECONDS(work_spreads_over_all_harts, 60)
{
    volatile long *shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int n = harts();
    pid_t pids[16];
    for (int i = 0; i < n; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            for (;;)
                shared[i] = sched_getcpu() + 1;
    }
    bool spread = false;
    for (int attempt = 0; attempt < 100 && !spread; attempt++) {
        long mask = 0;
        sleep_ms(20);
        for (int i = 0; i < n; i++)
            mask |= 1L << shared[i];
        spread = __builtin_popcountl(mask & ~1L) == n;
    }
    for (int i = 0; i < n; i++)
        kill(pids[i], SIGKILL);
    CHECK(spread);
}

TEST(yield_and_priority_inheritance_to_children)
{
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(sched_yield(), 0);
    struct sched_param parameter = {.sched_priority = 7};
    CHECK_EQ(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameter), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(sched_getscheduler(0) != SCHED_OTHER);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}
