// SPDX-License-Identifier: BSD-2-Clause
// Scalars with a meaning and the handful of macros that every file uses.
// Standard C names (size_t, ssize_t, pid_t ...) come from lib/libc in the kernel and from the C
// library in host tests, so the same source compiles in both.
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef uint64_t paddr_t;  // physical address
typedef uintptr_t vaddr_t; // virtual address; user addresses are always this, never a C pointer
typedef uint16_t asid_t;
typedef unsigned long hartid_t; // the hardware's number (mhartid): sparse, hart 0 may not exist
typedef unsigned int cpu_t;     // our number: 0 .. cpu_count()-1, cpu 0 booted

#define NR_CPUS_MAX 8

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define NS_PER_SEC 1000000000ULL
#define NS_PER_MS  1000000ULL
#define NS_PER_US  1000ULL
#define TIME_NEVER UINT64_MAX // a deadline that never comes

#define BIT(n)                        (1UL << (n))
#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a)              ((x) & ~((__typeof__(x))(a)-1))
#define ALIGN_UP(x, a)                ALIGN_DOWN((x) + ((__typeof__(x))(a)-1), a)
#define IS_ALIGNED(x, a)              (((x) & ((__typeof__(x))(a)-1)) == 0)
#define DIV_ROUND_UP(n, d)            (((n) + (d)-1) / (d))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

// Each side is evaluated once: it may be something that another hart changes.
#define MIN(a, b) PICK(a, b, <, __COUNTER__)
#define MAX(a, b) PICK(a, b, >, __COUNTER__)

// Names of their own, so that one may stand inside the other.
#define PICK(a, b, op, n) PICK_NAMED(a, b, op, n)
#ifdef __CPPCHECK__ // it can't read the other in an initializer
#define PICK_NAMED(a, b, op, n) ((a)op(b) ? (a) : (b))
#else
#define PICK_NAMED(a, b, op, n)                                                                    \
    ({                                                                                             \
        const __typeof__(1 ? (a) : (b)) left_##n = (a), right_##n = (b);                           \
        left_##n op right_##n ? left_##n : right_##n;                                              \
    })
#endif

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define __noreturn     __attribute__((noreturn))
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define __must_check   __attribute__((warn_unused_result))
#define __init_text    __attribute__((section(".init.text")))
