// SPDX-License-Identifier: BSD-2-Clause
// What the tests of locks with priority inheritance share: the lock as a library has it, and the
// steps of a scene.
#pragma once

#include "futex_host.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sync/pi.h>

static uint32_t step; // how far a scene has come

static inline void await_step(uint32_t n)
{
    while (atomic_load_acquire(&step) < n)
        hart_relax();
}

static inline void next_step(void)
{
    atomic_add_fetch(&step, 1);
}

static inline uint32_t tid_self(void)
{
    return (uint32_t)port_thread_tid(port_thread_self());
}

static inline int lock_until(uint32_t *word, struct futex_deadline deadline)
{
    struct futex_key key = key_of(word);
    return futex_lock_pi(&key, (vaddr_t)word, deadline, false);
}

static inline int try_lock(uint32_t *word)
{
    struct futex_key key = key_of(word);
    return futex_lock_pi(&key, (vaddr_t)word, never, true);
}

// As libc does it: the kernel only when somebody else has it.
static inline int lock(uint32_t *word)
{
    uint32_t was = 0;
    return atomic_compare_exchange(word, &was, tid_self()) ? 0 : lock_until(word, never);
}

static inline int unlock(uint32_t *word)
{
    uint32_t was = tid_self();
    struct futex_key key = key_of(word);
    return atomic_compare_exchange(word, &was, 0) ? 0 : futex_unlock_pi(&key, (vaddr_t)word);
}

static int setup(void **state)
{
    step = 0;
    return futex_setup(state);
}
