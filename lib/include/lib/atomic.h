// SPDX-License-Identifier: BSD-2-Clause
// Names for the C11 orderings we use, over the compiler's builtins. Every barrier and every
// acquire/release in the kernel names its partner where it is used.
#pragma once

#define atomic_load(p)             __atomic_load_n(p, __ATOMIC_RELAXED)
#define atomic_load_acquire(p)     __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define atomic_store(p, v)         __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define atomic_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define atomic_add_fetch(p, v)     __atomic_add_fetch(p, v, __ATOMIC_ACQ_REL)
#define atomic_sub_fetch(p, v)     __atomic_sub_fetch(p, v, __ATOMIC_ACQ_REL)
#define atomic_fetch_add(p, v)     __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL)
#define atomic_fetch_or(p, v)      __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL)
#define atomic_fetch_and(p, v)     __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL)
#define atomic_exchange(p, v)      __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL)
// Counters that nobody synchronises by.
#define atomic_add_relaxed(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELAXED)
// True if *p was *expected and is now `v`; else *expected is what *p was.
#define atomic_compare_exchange(p, expected, v)                                                    \
    __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define atomic_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
