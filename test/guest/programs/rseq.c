// SPDX-License-Identifier: BSD-2-Clause
// Restartable sequences, rseq(2): registration, the cpu number that is kept current, sequences that
// end at their abort handler when the thread is preempted, moved or signalled.
#include "ktap.h"

#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>

#define SIGNATURE 0xf1401073

static __thread struct rseq area __attribute__((tls_model("initial-exec")));

static long rseq_call(void *at, unsigned int size, int flags, unsigned int signature)
{
    return syscall(SYS_rseq, at, size, flags, signature);
}

static void enter(void)
{
    CHECK_EQ(rseq_call(&area, sizeof(area), 0, SIGNATURE), 0);
}

// In a sequence until something ends it, at most `limit` rounds: how many rounds, *aborted.
static long spin(long limit, volatile bool *aborted)
{
    long rounds = 0, ended = 0;
    __asm__ volatile(".pushsection .data, \"aw\"\n"
                     ".balign 32\n"
                     "3: .word 0, 0\n"
                     ".quad 1f, 2f - 1f, 4f\n"
                     ".popsection\n"
                     "la t0, 3b\n"
                     "sd t0, 8(%[area])\n"
                     "1: addi %[rounds], %[rounds], 1\n"
                     "bltu %[rounds], %[limit], 1b\n"
                     "2: j 5f\n"
                     ".word 0xf1401073\n"
                     "4: li %[ended], 1\n"
                     "5:\n"
                     : [rounds] "+r"(rounds), [ended] "+r"(ended)
                     : [limit] "r"(limit), [area] "r"(&area)
                     : "t0", "memory");
    *aborted = ended;
    return rounds;
}

TEST(registration)
{
    CHECK_ERRNO(rseq_call(&area, sizeof(area) - 1, 0, SIGNATURE), EINVAL);
    CHECK_ERRNO(rseq_call((char *)&area + 8, sizeof(area), 0, SIGNATURE), EINVAL);
    CHECK_ERRNO(rseq_call(&area, sizeof(area), 2, SIGNATURE), EINVAL);
    CHECK_ERRNO(rseq_call(&area, sizeof(area), RSEQ_FLAG_UNREGISTER, SIGNATURE), EINVAL);
    CHECK_ERRNO(rseq_call((void *)-4096L, sizeof(area), 0, SIGNATURE), EFAULT);
    enter();
    CHECK_EQ(area.cpu_id, sched_getcpu());
    CHECK_ERRNO(rseq_call(&area, sizeof(area), 0, SIGNATURE), EBUSY);
    CHECK_ERRNO(rseq_call(&area, sizeof(area), 0, 1), EPERM);
    CHECK_ERRNO(rseq_call(&area, 2 * sizeof(area), 0, SIGNATURE), EINVAL);
    CHECK_ERRNO(rseq_call(&area, sizeof(area), RSEQ_FLAG_UNREGISTER, 1), EPERM);
    CHECK_EQ(rseq_call(&area, sizeof(area), RSEQ_FLAG_UNREGISTER, SIGNATURE), 0);
    CHECK_EQ((int)area.cpu_id, RSEQ_CPU_ID_UNINITIALIZED);
    enter();
}

static void *other_thread(void *unused)
{
    CHECK_EQ(area.cpu_id, 0);
    enter(); // of its own
    CHECK_EQ(area.cpu_id, sched_getcpu());
    return NULL;
}

static void registered_still(void)
{
    CHECK_ERRNO(rseq_call(&area, sizeof(area), 0, SIGNATURE), EBUSY);
    CHECK_EQ(area.cpu_id, sched_getcpu());
}

TEST(children_inherit_and_threads_do_not)
{
    pthread_t thread;
    enter();
    CHECK_EQ(in_child(registered_still), 0);
    CHECK_EQ(pthread_create(&thread, NULL, other_thread, NULL), 0);
    pthread_join(thread, NULL);
}

TEST(the_cpu_number_is_kept_current)
{
    cpu_set_t all, one;
    enter();
    CHECK_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
    for (int round = 0; round < 20; round++)
        for (int cpu = 0; cpu < 8; cpu++) {
            if (!CPU_ISSET(cpu, &all))
                continue;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
            CHECK_EQ(area.cpu_id, cpu);
            CHECK_EQ(area.cpu_id_start, cpu);
        }
}

TEST(an_undisturbed_sequence_runs_through)
{
    volatile bool aborted;
    int through = 0;
    enter();
    for (int i = 0; i < 1000; i++) {
        CHECK(spin(10, &aborted) == 10 || aborted);
        through += !aborted;
    }
    CHECK(through > 900);
}

static volatile sig_atomic_t handled;

static void handler(int signal)
{
    handled++;
    CHECK_EQ(area.rseq_cs, 0);
}

TEST(a_signal_aborts)
{
    struct itimerval timer = {.it_value = {0, 20000}};
    volatile bool aborted = false;
    enter();
    signal(SIGALRM, handler);
    CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
    int times = 0;
    while (!handled) {
        spin(1L << 40, &aborted);
        CHECK(aborted);
        times++;
    }
    CHECK_EQ(handled, 1);
    CHECK_EQ(area.rseq_cs, 0);
}

static volatile bool stop;

static void *competitor(void *unused)
{
    while (!stop)
        ;
    return NULL;
}

TEST(preemption_aborts)
{
    pthread_t thread;
    cpu_set_t one;
    volatile bool aborted = false;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    enter();
    CHECK_EQ(pthread_create(&thread, NULL, competitor, NULL), 0);
    spin(1L << 40, &aborted);
    CHECK(aborted);
    stop = true;
    pthread_join(thread, NULL);
}

static void *moves_it(void *tid)
{
    int harts = (int)sysconf(_SC_NPROCESSORS_ONLN);
    for (int i = 0; !stop; i++) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(i % harts, &one);
        CHECK_EQ(sched_setaffinity((pid_t)(intptr_t)tid, sizeof(one), &one), 0);
        sleep_ms(5);
    }
    return NULL;
}

// Alone on its hart, so that nothing but the move can end the sequence.
TEST(migration_aborts)
{
    pthread_t thread;
    volatile bool aborted = false;
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        SKIP("one hart");
    enter();
    CHECK_EQ(pthread_create(&thread, NULL, moves_it, (void *)(intptr_t)gettid()), 0);
    for (int i = 0; i < 10; i++) {
        uint32_t before = area.cpu_id;
        spin(1L << 40, &aborted);
        CHECK(aborted);
        for (int tries = 0; area.cpu_id == before && tries < 10; tries++)
            spin(1L << 40, &aborted); // somebody else ran here for a moment
        CHECK(area.cpu_id != before);
    }
    stop = true;
    pthread_join(thread, NULL);
}

// Sums per cpu, each round read, added and written in a sequence: none is lost.
#define SUM_THREADS 8
#define SUM_ROUNDS  20000
static struct {
    long sum;
    char pad[56];
} sums[64];

static bool add_here(void)
{
    uint32_t cpu = *(volatile uint32_t *)&area.cpu_id_start;
    long *sum = &sums[cpu].sum, failed = 0;
    __asm__ volatile(".pushsection .data, \"aw\"\n"
                     ".balign 32\n"
                     "3: .word 0, 0\n"
                     ".quad 1f, 2f - 1f, 4f\n"
                     ".popsection\n"
                     "la t0, 3b\n"
                     "sd t0, 8(%[area])\n"
                     "1: lwu t1, 4(%[area])\n"
                     "bne t1, %[cpu], 4f\n"
                     "ld t2, (%[sum])\n"
                     "addi t2, t2, 1\n"
                     "sd t2, (%[sum])\n"
                     "2: j 5f\n"
                     ".word 0xf1401073\n"
                     "4: li %[failed], 1\n"
                     "5:\n"
                     : [failed] "+r"(failed)
                     : [cpu] "r"((long)cpu), [sum] "r"(sum), [area] "r"(&area)
                     : "t0", "t1", "t2", "memory");
    return !failed;
}

static void *summing(void *unused)
{
    enter();
    for (int i = 0; i < SUM_ROUNDS; i++) {
        while (!add_here())
            ;
        if (i % 500 == 0)
            sched_yield();
    }
    return NULL;
}

TEST(sums_per_cpu_lose_nothing)
{
    pthread_t thread[SUM_THREADS];
    long sum = 0;
    for (int i = 0; i < SUM_THREADS; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, summing, NULL), 0);
    for (int i = 0; i < SUM_THREADS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < 64; i++)
        sum += sums[i].sum;
    CHECK_EQ(sum, SUM_THREADS * SUM_ROUNDS);
}

static struct rseq_cs wrong __attribute__((aligned(32)));

static void look(void)
{
    enter();
    area.rseq_cs = (uintptr_t)&wrong;
    for (int i = 0; i < 100; i++)
        sleep_ms(1);
}

static void look_nowhere(void)
{
    enter();
    area.rseq_cs = 8;
    sleep_ms(20);
}

TEST(nonsense_is_a_segmentation_fault)
{
    uintptr_t here = (uintptr_t)look;
    const struct rseq_cs cases[] = {
        {.version = 1, .start_ip = here, .post_commit_offset = 4, .abort_ip = here + 64},
        {.flags = 1 << 5, .start_ip = here, .post_commit_offset = 4, .abort_ip = here + 64},
        {.start_ip = here, .post_commit_offset = 64, .abort_ip = here + 8},
        {.start_ip = here, .post_commit_offset = 4, .abort_ip = here + 64}, // no signature there
        {.start_ip = -4096UL, .post_commit_offset = 4, .abort_ip = here + 64},
        {.start_ip = here, .post_commit_offset = -64UL, .abort_ip = here + 64},
        {.start_ip = here, .post_commit_offset = 4, .abort_ip = -64UL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wrong = cases[i];
        int status = in_child(look);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
            note("case %zu: status %#x", i, status);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    }
    int status = in_child(look_nowhere);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}
