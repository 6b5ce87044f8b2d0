// SPDX-License-Identifier: BSD-2-Clause
// Vector registers follow their thread: over switches, harts, fork, exec and signals. Steps aside
// on harts without V (QEMU: -cpu rv64,v=true).
#include "ktap.h"
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <ucontext.h>

static void need_vectors(void)
{
    if (!(getauxval(AT_HWCAP) & (1UL << ('V' - 'A'))))
        SKIP("no vector unit");
}

#define VECTOR(text) ".option push\n.option arch, +v\n" text "\n.option pop\n"

// v8..v15 and vl, vtype, vcsr get values made from `value`; tell if all are still there.
static void vectors_set(unsigned long value)
{
    __asm__ volatile(VECTOR("vsetvli t0, zero, e64, m8, ta, ma\n"
                            "vmv.v.x v8, %0\n"
                            "vmv.v.x v24, %0\n"
                            "andi t1, %0, 3\n"
                            "csrw vxrm, t1\n"
                            "vsetivli t0, 2, e64, m1, ta, ma")
                     :
                     : "r"(value)
                     : "t0", "t1", "memory");
}

static bool vectors_are(unsigned long value)
{
    unsigned long vl, vtype, vxrm, equal;
    __asm__ volatile(VECTOR("csrr %0, vl\n"
                            "csrr %1, vtype\n"
                            "csrr %2, vxrm\n"
                            "vsetvli t0, zero, e64, m8, ta, ma\n"
                            "vmseq.vx v0, v8, %4\n"
                            "vcpop.m %3, v0\n"
                            "vmseq.vx v0, v24, %4\n"
                            "vcpop.m t1, v0\n"
                            "sub t2, %3, t0\n"
                            "snez t2, t2\n"
                            "sub t1, t1, t0\n"
                            "snez t1, t1\n"
                            "or t1, t1, t2\n"
                            "seqz %3, t1\n"
                            "vsetivli t0, 2, e64, m1, ta, ma")
                     : "=&r"(vl), "=&r"(vtype), "=&r"(vxrm), "=&r"(equal)
                     : "r"(value)
                     : "t0", "t1", "t2", "memory");
    return equal && vl == 2 && vtype == 0xd8 && vxrm == (value & 3);
}

// Burn time without a system call, for which the ABI lets V registers die.
static bool vectors_stay(unsigned long value, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        for (volatile int spin = 0; spin < 2000; spin++)
            ;
        if (!vectors_are(value))
            return false;
    }
    return true;
}

static void *worker(void *argument)
{
    unsigned long value = 0x1111111111111111UL * ((unsigned long)argument % 15 + 1);
    for (int i = 0; i < 20; i++) {
        vectors_set(value);
        if (!vectors_stay(value, 50))
            return NULL;
        sched_yield();
    }
    return (void *)1;
}

TEST_SECONDS(vectors_follow_16_threads, 120)
{
    need_vectors();
    pthread_t threads[16];
    for (long i = 0; i < 16; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, worker, (void *)i), 0);
    for (int i = 0; i < 16; i++) {
        void *good;
        CHECK_EQ(pthread_join(threads[i], &good), 0);
        CHECK(good);
    }
}

TEST(vectors_of_another_process_never_show)
{
    need_vectors();
    if (fork() == 0)
        for (;;)
            vectors_set(0x5ec2e75ec2e75ec2);
    for (int i = 0; i < 50; i++) {
        if (i % 2 == 0 && fork() == 0) {
            // A new process that never had any: zero, or what its parent left.
            _exit(vectors_are(0x5ec2e75ec2e75ec2));
        }
        vectors_set(7);
        CHECK(vectors_stay(7, 20));
        int status;
        if (i % 2 == 0) {
            CHECK(waitpid(-1, &status, 0) > 0);
            CHECK_EQ(status, 0);
        }
    }
}

static volatile sig_atomic_t handled;

static void spoil(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    (void)context;
    vectors_set(0xdead);
    handled++;
}

TEST_SECONDS(vectors_survive_handlers_that_use_them, 60)
{
    need_vectors();
    struct sigaction action = {.sa_sigaction = spoil, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    struct itimerval every = {{0, 2000}, {0, 2000}};
    CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
    unsigned long value = 1;
    // Set and look in one go: a handler between the two must not show.
    while (handled < 100) {
        vectors_set(++value);
        CHECK(vectors_stay(value, 3));
    }
}

// What the kernel tells in the frame's extension record (asm/sigcontext.h and asm/ptrace.h of 6.5).
struct record {
    uint32_t magic, size;
    unsigned long vstart, vl, vtype, vcsr, vlenb;
    uint64_t *data;
};

static unsigned long seen_lane, seen_vl, seen_vlenb;

static void look(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    ucontext_t *user = context;
    user->uc_mcontext.__gregs[0] += 4;
    // The record's header is in the last eight bytes of the float area, its body behind.
    struct record *record = (struct record *)((char *)(&user->uc_mcontext + 1) - 8);
    if (record->magic != 0x53465457)
        return;
    seen_vl = record->vl;
    seen_vlenb = record->vlenb;
    unsigned long lanes = record->vlenb / 8;
    seen_lane = record->data[8 * lanes];
    for (unsigned long i = 0; i < 8 * lanes; i++) // all of v8..v15 and v24..v31
        record->data[8 * lanes + i] = record->data[24 * lanes + i] = 0xabcd;
    record->vcsr = (record->vcsr & ~6UL) | (0xabcd & 3) << 1;
}

TEST(handlers_see_and_change_vectors)
{
    need_vectors();
    _Static_assert(sizeof(((mcontext_t *)0)->__fpregs) == 528, "the record's header ends the area");
    struct sigaction action = {.sa_sigaction = look, .sa_flags = SA_SIGINFO};
    CHECK_EQ(sigaction(SIGILL, &action, NULL), 0);
    vectors_set(0x1234567890);
    __asm__ volatile(".word 0xffffffff" ::: "memory"); // a fault: no system call in between
    bool changed = vectors_are(0xabcd);
    CHECK(seen_vlenb != 0);
    CHECK_EQ(seen_lane, 0x1234567890);
    CHECK_EQ(seen_vl, 2);
    CHECK(changed);
}
