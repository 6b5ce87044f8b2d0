// SPDX-License-Identifier: BSD-2-Clause
// The benchmark program: a table of named operations, timed with the time CSR. Under -icount
// shift=0 a tick of QEMU's 10 MHz timebase is 100 instructions. Each benchmark runs in a child
// process of its own: setup once, then run(n) again and again until the figure is long enough to be
// exact.
#ifndef BENCH_H
#define BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct bench {
    const char *name;      // family/what
    void (*setup)(void);   // once, before the first run; may be NULL
    void (*run)(long n);   // does the operation n times between bench_start and bench_stop
    long arg;              // bench_arg, for a function that serves several rows
    long limit;            // most operations of one run; 0 is no limit
    void (*measure)(void); // instead of run: prints its own bench_result
    const char *unit;      // with measure: the unit of the result
    bool several;          // also measured by the clock on several harts
    bool by_clock;         // and there alone
    bool libc;             // also measured as built with musl, whose part in it is another
};

extern long bench_arg;
extern long bench_harts; // harts in use

// Lists end with a row without a name; main.c names them all.
extern const struct bench bench_calls[], bench_signals[], bench_processes[], bench_switches[],
    bench_memory[], bench_mappings[], bench_futex[], bench_sysv[], bench_files[],
    bench_throughput[], bench_usage[], bench_harts_list[];

static inline uint64_t bench_ticks(void)
{
    uint64_t t;
    __asm__ volatile("rdtime %0" : "=r"(t)::"memory");
    return t;
}

// The timed part of a run; may be opened and closed several times. The profiler counts between
// them.
void bench_start(void);
void bench_stop(void);

// One figure of this benchmark, in 1/1000 of its unit.
void bench_result(uint64_t thousandths);

// Ends the benchmark: an error of the system call named. ENOSYS says that the call is missing.
_Noreturn void bench_fail(const char *what);

// For a value that is -1 when the call failed.
#define MUST(call)                                                                                 \
    ({                                                                                             \
        __typeof__(call) must_value = (call);                                                      \
        if ((long)must_value == -1)                                                                \
            bench_fail(#call);                                                                     \
        must_value;                                                                                \
    })

// For pthread functions, which return the error.
#define MUST0(call)                                                                                \
    do {                                                                                           \
        int must_error = (call);                                                                   \
        if (must_error) {                                                                          \
            errno = must_error;                                                                    \
            bench_fail(#call);                                                                     \
        }                                                                                          \
    } while (0)

// Anonymous private memory, not touched.
char *bench_map(size_t size);
void bench_touch(char *start, size_t size);

// Forks; the child calls loop(arg), then ends. Killed with its parent.
pid_t bench_fork(void (*loop)(long), long arg);
void bench_reap(pid_t pid);

// A value of /proc/meminfo in KiB, 0 if there is none.
long bench_meminfo(const char *name);

#endif
