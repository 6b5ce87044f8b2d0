// SPDX-License-Identifier: BSD-2-Clause
// membarrier(2): what it knows and whom it lets; a barrier on one side alone that orders both; code
// that was changed; restartable sequences that it ends on other harts.
#include "ktap.h"

#include <linux/membarrier.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#define CMD_GET_REGISTRATIONS (1 << 9) // Linux 6.3
#define SIGNATURE             0xf1401073

static long membarrier(int command, unsigned int flags, int cpu)
{
    return syscall(SYS_membarrier, command, flags, cpu);
}

static const int privates[] = {MEMBARRIER_CMD_PRIVATE_EXPEDITED,
                               MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
                               MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ};

static void registers_are(long wanted)
{
    if (membarrier(MEMBARRIER_CMD_QUERY, 0, 0) & CMD_GET_REGISTRATIONS)
        CHECK_EQ(membarrier(CMD_GET_REGISTRATIONS, 0, 0), wanted);
}

static void still_registered(void)
{
    registers_are(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
    CHECK_EQ(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), 0);
}

TEST(commands_and_registrations)
{
    long known = membarrier(MEMBARRIER_CMD_QUERY, 0, 0);
    CHECK(known > 0);
    note("known: %#lx", known);
    registers_are(0);
    for (int i = 0; i < 3; i++) {
        CHECK(known & privates[i]);
        CHECK(known & privates[i] << 1);
        CHECK_ERRNO(membarrier(privates[i], 0, 0), EPERM);
    }
    CHECK_EQ(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0), 0);
    CHECK_EQ(in_child(still_registered), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(membarrier(privates[i] << 1, 0, 0), 0);
        CHECK_EQ(membarrier(privates[i], 0, 0), 0);
        CHECK_EQ(membarrier(privates[i] << 1, 0, 0), 0); // again
    }
    CHECK_EQ(membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0), 0);
    CHECK_EQ(membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0), 0);
    CHECK_EQ(membarrier(MEMBARRIER_CMD_GLOBAL, 0, 0), 0);
    registers_are(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | privates[0] << 1 | privates[1] << 1 |
                  privates[2] << 1);
    CHECK_ERRNO(membarrier(1 << 20, 0, 0), EINVAL);
    CHECK_ERRNO(membarrier(-1, 0, 0), EINVAL);
    CHECK_ERRNO(membarrier(MEMBARRIER_CMD_QUERY, 2, 0), EINVAL);
    CHECK_ERRNO(membarrier(MEMBARRIER_CMD_GLOBAL, MEMBARRIER_CMD_FLAG_CPU, 0), EINVAL);
    CHECK_ERRNO(membarrier(privates[2], 2, 0), EINVAL);
    CHECK_EQ(membarrier(privates[2], MEMBARRIER_CMD_FLAG_CPU, 0), 0);
    CHECK_EQ(membarrier(privates[2], MEMBARRIER_CMD_FLAG_CPU, 4000), 0);
}

// Each writes its own word and reads the other's. With a full barrier between on one side, and one
// that the compiler alone sees on the other, at most one of them reads what was there before.
static volatile int mine, other, round_now, other_round, saw_mine;

static void *light_side(void *unused)
{
    for (int seen = 0;;) {
        while (round_now == seen)
            ;
        seen = round_now;
        if (seen < 0)
            return NULL;
        other = 1;
        __asm__ volatile("" ::: "memory");
        saw_mine = mine;
        __atomic_store_n(&other_round, seen, __ATOMIC_RELEASE);
    }
}

TEST_SECONDS(one_side_orders_both, 60)
{
    pthread_t thread;
    int64_t end = now_ns(CLOCK_MONOTONIC) + 1000000000;
    CHECK_EQ(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0), 0);
    CHECK_EQ(pthread_create(&thread, NULL, light_side, NULL), 0);
    int i = 0;
    while (now_ns(CLOCK_MONOTONIC) < end) {
        mine = other = 0;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        __atomic_store_n(&round_now, ++i, __ATOMIC_RELEASE);
        mine = 1;
        CHECK_EQ(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), 0);
        int saw_other = other;
        while (__atomic_load_n(&other_round, __ATOMIC_ACQUIRE) != i)
            ;
        CHECK(saw_mine || saw_other);
    }
    note("%d rounds", i);
    round_now = -1;
    pthread_join(thread, NULL);
}

// A thread calls what another one writes: it sees each new version once the barrier was passed.
static uint32_t *code;
static volatile long wanted, got;

static void write_code(int value)
{
    code[0] = (uint32_t)value << 20 | 0x513; // li a0, value
    code[1] = 0x8067;                        // ret
}

static void *calls_it(void *unused)
{
    for (long seen = 0;;) {
        long now = __atomic_load_n(&wanted, __ATOMIC_ACQUIRE);
        if (now < 0)
            return NULL;
        if (now == seen)
            continue;
        seen = now;
        long value = ((long (*)(void))code)();
        __atomic_store_n(&got, seen << 16 | value, __ATOMIC_RELEASE);
    }
}

TEST_SECONDS(changed_code_is_seen, 60)
{
    pthread_t thread;
    code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    CHECK_EQ(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0), 0);
    CHECK_EQ(pthread_create(&thread, NULL, calls_it, NULL), 0);
    for (long i = 1; i < 500; i++) {
        write_code((int)i);
        __builtin___clear_cache((char *)code, (char *)(code + 2));
        CHECK_EQ(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0), 0);
        __atomic_store_n(&wanted, i, __ATOMIC_RELEASE);
        while (__atomic_load_n(&got, __ATOMIC_ACQUIRE) >> 16 != i)
            ;
        CHECK_EQ(got & 0xffff, i);
    }
    wanted = -1;
    pthread_join(thread, NULL);
}

static __thread struct rseq area __attribute__((tls_model("initial-exec")));
static volatile int inside, stops;
static volatile long aborts;

// In a sequence that only an abort ends.
static void spin_in_sequence(void)
{
    __asm__ volatile(".pushsection .data, \"aw\"\n"
                     ".balign 32\n"
                     "3: .word 0, 0\n"
                     ".quad 1f, 2f - 1f, 4f\n"
                     ".popsection\n"
                     "la t0, 3b\n"
                     "sd t0, 8(%[area])\n"
                     "1: sw %[one], (%[inside])\n"
                     "j 1b\n"
                     "2: nop\n"
                     ".word 0xf1401073\n"
                     "4:\n"
                     :
                     : [area] "r"(&area), [inside] "r"(&inside), [one] "r"(1)
                     : "t0", "memory");
}

static void *in_sequences(void *unused)
{
    CHECK_EQ(syscall(SYS_rseq, &area, sizeof(area), 0, SIGNATURE), 0);
    while (!stops) {
        spin_in_sequence();
        aborts++;
    }
    return NULL;
}

TEST_SECONDS(sequences_on_other_harts_end, 60)
{
    pthread_t thread;
    cpu_set_t one;
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        SKIP("one hart");
    CHECK_EQ(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0), 0);
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    CHECK_EQ(pthread_create(&thread, NULL, in_sequences, NULL), 0);
    CPU_ZERO(&one);
    CPU_SET(1, &one);
    CHECK_EQ(pthread_setaffinity_np(thread, sizeof(one), &one), 0);
    for (int i = 0; i < 200; i++) {
        inside = 0;
        while (!inside) // it is in one now
            ;
        long before = aborts;
        CHECK_EQ(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
                            i % 2 ? MEMBARRIER_CMD_FLAG_CPU : 0, 1),
                 0);
        // It can't be in the same one any more: what it counts now follows.
        while (aborts == before)
            ;
    }
    note("%ld aborts", aborts);
    stops = 1;
    CHECK_EQ(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0), 0);
    pthread_join(thread, NULL);
}
