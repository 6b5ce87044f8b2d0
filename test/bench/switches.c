// SPDX-License-Identifier: BSD-2-Clause
// Switching between processes and threads: one token goes back and forth, or around a ring whose
// members each read a working set before they pass it on.
#include "bench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

static int there[2], back[2];

static void pass_pipe(long arg)
{
    char token;
    while (read(there[0], &token, 1) == 1)
        MUST(write(back[1], &token, 1));
}

static void make_pipe_pair(void)
{
    MUST(pipe(there));
    MUST(pipe(back));
    bench_fork(pass_pipe, 0);
}

static void loop_pipe(long n)
{
    char token = 0;
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(write(there[1], &token, 1));
        MUST(read(back[0], &token, 1));
    }
    bench_stop();
}

static void *pass_pipe_thread(void *arg)
{
    pass_pipe(0);
    return NULL;
}

static void make_pipe_threads(void)
{
    pthread_t thread;
    MUST(pipe(there));
    MUST(pipe(back));
    MUST0(pthread_create(&thread, NULL, pass_pipe_thread, NULL));
}

static void pass_event(long arg)
{
    uint64_t token;
    while (read(there[0], &token, 8) == 8)
        MUST(write(back[0], &token, 8));
}

static void make_event_pair(void)
{
    there[0] = MUST(eventfd(0, 0));
    back[0] = MUST(eventfd(0, 0));
    bench_fork(pass_event, 0);
}

static void loop_event(long n)
{
    uint64_t token = 1;
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(write(there[0], &token, 8));
        MUST(read(back[0], &token, 8));
    }
    bench_stop();
}

// A word whose parity tells whose turn it is.
static uint32_t *turn;

static void await_turn(uint32_t mine)
{
    for (;;) {
        uint32_t seen = __atomic_load_n(turn, __ATOMIC_ACQUIRE);
        if ((seen & 1) == mine)
            return;
        syscall(SYS_futex, turn, FUTEX_WAIT, seen, NULL, NULL, 0);
    }
}

static void end_turn(void)
{
    __atomic_fetch_add(turn, 1, __ATOMIC_RELEASE);
    MUST(syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0));
}

static void pass_futex(long arg)
{
    for (;;) {
        await_turn(1);
        end_turn();
    }
}

static void *pass_futex_thread(void *arg)
{
    pass_futex(0);
    return NULL;
}

static void make_turn(void)
{
    turn = MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (bench_arg) {
        bench_fork(pass_futex, 0);
    } else {
        pthread_t thread;
        MUST0(pthread_create(&thread, NULL, pass_futex_thread, NULL));
    }
}

static void loop_futex(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        end_turn();
        await_turn(0);
    }
    bench_stop();
}

static void yield_forever(long arg)
{
    for (;;)
        sched_yield();
}

static void make_yielder(void)
{
    bench_fork(yield_forever, 0);
}

static void loop_yield(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        sched_yield();
    bench_stop();
}

// The ring: bench_arg is members * 1000 + KiB of the working set of each.
static int ring[65][2];
static char *working_set;
static size_t working_size;

static void use_working_set(void)
{
    for (size_t at = 0; at < working_size; at += 64)
        ((volatile char *)working_set)[at]++;
}

static void ring_member(long at)
{
    char token;
    while (read(ring[at][0], &token, 1) == 1) {
        use_working_set();
        MUST(write(ring[at + 1][1], &token, 1));
    }
}

static void make_ring(void)
{
    long members = bench_arg / 1000;
    working_size = (size_t)(bench_arg % 1000) * 1024;
    working_set = bench_map(working_size + 4096);
    for (long i = 0; i < members; i++)
        MUST(pipe(ring[i]));
    ring[members][0] = ring[0][0];
    ring[members][1] = ring[0][1];
    for (long i = 1; i < members; i++)
        bench_fork(ring_member, i);
}

// One operation is one switch, so a round counts as many as it has members.
static void loop_ring(long n)
{
    long members = bench_arg / 1000;
    char token = 0;
    bench_start();
    for (long i = 0; i < n; i += members) {
        use_working_set();
        MUST(write(ring[1][1], &token, 1));
        MUST(read(ring[0][0], &token, 1));
    }
    bench_stop();
}

const struct bench bench_switches[] = {
    {"switches/yield-2-processes", make_yielder, loop_yield},
    {"switches/pipe-processes", make_pipe_pair, loop_pipe, .several = true},
    {"switches/pipe-threads", make_pipe_threads, loop_pipe, .several = true},
    {"switches/eventfd-processes", make_event_pair, loop_event, .several = true},
    {"switches/futex-threads", make_turn, loop_futex, 0, .several = true},
    {"switches/futex-processes", make_turn, loop_futex, 1, .several = true},
    {"switches/ring-2-0K", make_ring, loop_ring, 2000},
    {"switches/ring-8-0K", make_ring, loop_ring, 8000},
    {"switches/ring-8-16K", make_ring, loop_ring, 8016},
    {"switches/ring-64-0K", make_ring, loop_ring, 64000},
    {"switches/ring-64-16K", make_ring, loop_ring, 64016},
    {"switches/ring-64-64K", make_ring, loop_ring, 64064},
    {0},
};
