// SPDX-License-Identifier: BSD-2-Clause
// What several harts must agree on: new code, floating-point state that follows its thread, memory
// whose mapping changes under running threads.
#include "ktap.h"
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

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

// Code that returns value: li a0, value (12 bits); ret.
static void write_function(uint32_t *code, int value)
{
    code[0] = (uint32_t)value << 20 | 0x513;
    code[1] = 0x8067;
}

TEST(new_code_runs_on_every_hart)
{
    uint32_t *code =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    for (int round = 0; round < 200; round++) {
        pin(round % harts());
        write_function(code, round);
        __builtin___clear_cache((char *)code, (char *)code + 8);
        for (int hart = 0; hart < harts(); hart++) {
            pin(hart);
            CHECK_EQ(((int (*)(void))(uintptr_t)code)(), round);
        }
    }
}

static uint32_t *jit;
static volatile int published, taken, stop;

static void *run_published(void *argument)
{
    int last = 0;
    pin((int)(long)argument % harts());
    while (!stop) {
        int now = __atomic_load_n(&published, __ATOMIC_ACQUIRE);
        if (now == last) {
            sched_yield();
            continue;
        }
        if (((int (*)(void))(uintptr_t)(jit + 2 * now))() != now)
            return (void *)1;
        last = now;
        __atomic_add_fetch(&taken, 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

TEST(code_flushed_by_one_thread_runs_on_others)
{
    pthread_t threads[4];
    jit = mmap(NULL, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (long i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, run_published, (void *)i), 0);
    for (int round = 1; round <= 100; round++) {
        write_function(jit + 2 * round, round);
        CHECK_EQ(syscall(SYS_riscv_flush_icache, jit, jit + 2 * round + 2, 0), 0);
        __atomic_store_n(&published, round, __ATOMIC_RELEASE);
        while (__atomic_load_n(&taken, __ATOMIC_ACQUIRE) < round * 4)
            sched_yield();
    }
    stop = 1;
    for (int i = 0; i < 4; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK(result == NULL);
    }
    CHECK_ERRNO(syscall(SYS_riscv_flush_icache, jit, jit + 1, 8), EINVAL);
}

TEST(code_made_executable_by_mprotect)
{
    uint32_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int round = 0; round < 50; round++) {
        pin(round % harts());
        CHECK_EQ(mprotect(code, 4096, PROT_READ | PROT_WRITE), 0);
        write_function(code, round);
        CHECK_EQ(mprotect(code, 4096, PROT_READ | PROT_EXEC), 0);
        __builtin___clear_cache((char *)code, (char *)code + 8);
        pin((round + 1) % harts());
        CHECK_EQ(((int (*)(void))(uintptr_t)code)(), round);
    }
}

static void *float_worker(void *argument)
{
    double x = (double)(long)argument, y = x;
    unsigned rounding = (unsigned)(long)argument % 5, got;
    __asm__ volatile("fsrm %0" ::"r"(rounding));
    for (int i = 0; i < 2000; i++) {
        y = y + 1.0;
        if (i % 16 == 0)
            sched_yield();
        if (i % 200 == 0)
            pin((int)((long)argument + i / 200) % harts());
    }
    __asm__ volatile("frrm %0" : "=r"(got));
    __asm__ volatile("fsrmi 0");
    return (void *)(long)(y == x + 2000 && got == rounding);
}

TEST_SECONDS(float_state_follows_32_threads_over_harts, 60)
{
    pthread_t threads[32];
    for (long i = 0; i < 32; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, float_worker, (void *)i), 0);
    for (int i = 0; i < 32; i++) {
        void *good;
        CHECK_EQ(pthread_join(threads[i], &good), 0);
        CHECK(good);
    }
}

TEST(float_state_is_copied_by_fork_and_clean_after_exec)
{
    register double kept __asm__("fs3") = 0;
    __asm__ volatile("li t0, 4242\nfcvt.d.l fs3, t0\nfsrmi 2" : "=f"(kept)::"t0");
    pid_t pid = fork();
    long value, rounding;
    __asm__ volatile("fcvt.l.d %0, fs3, rtz\nfrrm %1" : "=r"(value), "=r"(rounding) : "f"(kept));
    if (pid == 0)
        _exit(value != 4242 || rounding != 2);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(value, 4242);
    __asm__ volatile("fsrmi 0");
}

TEST(float_state_of_another_process_never_shows)
{
    if (fork() == 0)
        for (;;)
            __asm__ volatile("li t0, 0x5ec2e7\nfmv.d.x ft3, t0\nfmv.d.x fs7, t0\nfmv.d.x fa4, t0" ::
                                 : "t0", "ft3", "fs7", "fa4");
    for (int i = 0; i < 300; i++) {
        unsigned long a, b, c;
        __asm__ volatile("fmv.d.x ft3, zero\nfmv.d.x fs7, zero\nfmv.d.x fa4, zero" ::
                             : "ft3", "fs7", "fa4");
        sched_yield();
        __asm__ volatile("fmv.x.d %0, ft3\nfmv.x.d %1, fs7\nfmv.x.d %2, fa4"
                         : "=r"(a), "=r"(b), "=r"(c));
        CHECK(a != 0x5ec2e7 && c != 0x5ec2e7);
        CHECK_EQ(b, 0);
    }
}

static char *window;

static void *reader(void *argument)
{
    volatile char *p = window;
    long good = 0;
    pin((int)(long)argument % harts());
    while (!stop)
        for (int page = 0; page < 16; page++)
            good += p[page * 4096] == 'p';
    return (void *)good;
}

TEST_SECONDS(mappings_change_under_running_threads, 60)
{
    pthread_t threads[3];
    window = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(window, 'p', 65536);
    for (long i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, reader, (void *)(i + 1)), 0);
    for (int round = 0; round < 100; round++) {
        char *page = window + round % 16 * 4096;
        CHECK_EQ(mprotect(page, 4096, PROT_READ), 0);
        CHECK_EQ(mprotect(page, 4096, PROT_READ | PROT_WRITE), 0);
        CHECK(mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                   0) == page);
        *page = 'p';
    }
    stop = 1;
    for (int i = 0; i < 3; i++) {
        void *good;
        CHECK_EQ(pthread_join(threads[i], &good), 0);
        CHECK(good);
    }
}

static void *writer(void *argument)
{
    for (int i = 0; i < 20000; i++)
        window[(long)argument * 4096 + i % 4096]++;
    return NULL;
}

TEST_SECONDS(fork_while_threads_write, 60)
{
    pthread_t threads[4];
    window = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (long i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, writer, (void *)i), 0);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        CHECK_EQ(waitpid(pid, NULL, 0), pid);
    }
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    // 20000 increments spread over 4096 bytes; none may be lost to a stale page.
    for (int i = 0; i < 4; i++)
        for (int at = 0; at < 4096; at++)
            CHECK_EQ(window[i * 4096 + at], 20000 / 4096 + (at < 20000 % 4096));
}

// All of one size, or of sizes that need page tables of several levels.
static void *unmap_and_touch(void *mixed)
{
    static const size_t sizes[] = {16384, 3 << 20, 65536, 9 << 20};
    for (int i = 0; i < 100; i++) {
        size_t size = mixed ? sizes[i % 4] : sizes[0];
        char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED || p[0] || p[8192] || p[size / 2] || p[size - 1])
            return (void *)1;
        if (madvise(p, size, MADV_NOHUGEPAGE))
            return (void *)2;
        p[0] = p[8192] = p[size / 2] = p[size - 1] = 1;
        if (p[0] + p[8192] + p[size / 2] + p[size - 1] != 4)
            return (void *)3;
        if (munmap(p, size))
            return (void *)4;
    }
    return NULL;
}

static void run_eight(void *(*fn)(void *), void *argument)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, fn, argument), 0);
    for (int i = 0; i < 8; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK_EQ((long)result, 0);
    }
}

TEST_SECONDS(eight_threads_map_and_unmap, 60)
{
    run_eight(unmap_and_touch, NULL);
}

TEST_SECONDS(eight_threads_map_and_unmap_many_sizes, 60)
{
    run_eight(unmap_and_touch, "mixed");
}

// mremap(2) has nothing to do, so no size is wrong; others unmap meanwhile.
static void *same_size(void *page)
{
    for (int i = 0; i < 300; i++) {
        void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED || munmap(p, 4096) || mremap(page, 1UL << 62, 1UL << 62, 0) != page)
            return (void *)1;
    }
    return NULL;
}

TEST_SECONDS(mremap_to_the_same_size_while_others_unmap, 60)
{
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    run_eight(same_size, page);
    CHECK_EQ(munmap(page, 4096), 0);
}

TEST(math_library)
{
    volatile double two = 2;
    CHECK(fabs(sqrt(two) * sqrt(two) - 2) < 1e-12);
    CHECK(fabs(sin(two) * sin(two) + cos(two) * cos(two) - 1) < 1e-12);
}
