// SPDX-License-Identifier: BSD-2-Clause
// The vDSO: functions that the kernel maps into every program, vdso(7). They run in user mode, on
// the `time` CSR and the page before them (vdso_data_priv.h); what they can't answer they ask the
// kernel for. Position-independent, no data of their own.
#include <asm/unistd.h>
#include <errno.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include "vdso_data_priv.h"

extern const struct vdso_data vdso_user_data __attribute__((visibility("hidden")));

struct riscv_hwprobe;

long __vdso_clock_gettime(int clock, struct __kernel_timespec *t);
long __vdso_gettimeofday(struct __kernel_old_timeval *t, struct timezone *zone);
long __vdso_clock_getres(int clock, struct __kernel_timespec *t);
long __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused);
long __vdso_flush_icache(uintptr_t start, uintptr_t end, unsigned long flags);
long __vdso_riscv_hwprobe(struct riscv_hwprobe *pairs, size_t nr_pairs, size_t nr_cpus,
                          unsigned long *cpus, unsigned int flags);

static inline long ask(long number, long a, long b, long c, long d, long e)
{
    register long a7 __asm__("a7") = number, a0 __asm__("a0") = a, a1 __asm__("a1") = b,
                     a2 __asm__("a2") = c, a3 __asm__("a3") = d, a4 __asm__("a4") = e;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4) : "memory");
    return a0;
}

static inline uint64_t monotonic_ns(void)
{
    uint64_t ticks;
    __asm__ volatile("rdtime %0" : "=r"(ticks));
    return vdso_ticks_to_ns(&vdso_user_data, ticks);
}

static inline uint64_t realtime_ns(void)
{
    return monotonic_ns() +
           (uint64_t)__atomic_load_n(&vdso_user_data.realtime_offset, __ATOMIC_RELAXED);
}

long __vdso_clock_gettime(int clock, struct __kernel_timespec *t)
{
    uint64_t now;
    switch (clock) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        now = monotonic_ns();
        break;
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        now = realtime_ns();
        break;
    default:
        return ask(__NR_clock_gettime, clock, (long)t, 0, 0, 0);
    }
    t->tv_sec = (long)(now / NS_PER_SEC);
    t->tv_nsec = (long)(now % NS_PER_SEC);
    return 0;
}

long __vdso_gettimeofday(struct __kernel_old_timeval *t, struct timezone *zone)
{
    if (zone)
        return ask(__NR_gettimeofday, (long)t, (long)zone, 0, 0, 0);
    if (t) {
        uint64_t now = realtime_ns();
        t->tv_sec = (long)(now / NS_PER_SEC);
        t->tv_usec = (long)(now % NS_PER_SEC / NS_PER_US);
    }
    return 0;
}

// Rare: not worth a second copy of the kernel's answers.
long __vdso_clock_getres(int clock, struct __kernel_timespec *t)
{
    return ask(__NR_clock_getres, clock, (long)t, 0, 0, 0);
}

long __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused)
{
    return ask(__NR_getcpu, (long)cpu, (long)node, (long)unused, 0, 0);
}

long __vdso_flush_icache(uintptr_t start, uintptr_t end, unsigned long flags)
{
    return ask(__NR_riscv_flush_icache, (long)start, (long)end, (long)flags, 0, 0);
}

#define NR_RISCV_HWPROBE 258 // younger than Debian 12's headers

long __vdso_riscv_hwprobe(struct riscv_hwprobe *pairs, size_t nr_pairs, size_t nr_cpus,
                          unsigned long *cpus, unsigned int flags)
{
    return ask(NR_RISCV_HWPROBE, (long)pairs, (long)nr_pairs, (long)nr_cpus, (long)cpus, flags);
}
