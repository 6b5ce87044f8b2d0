// SPDX-License-Identifier: BSD-2-Clause
// Upward port: how sync puts the calling thread to sleep and wakes another. Declared here, defined
// by core (and by pthreads in host tests).
//
// Each thread has one wake token. port_unpark() sets it; port_park() returns at once if it is set
// and takes it, else sleeps until it is. So an unpark between a check and a park is never lost, and
// a park may return for an old token: every caller checks its condition in a loop.
#pragma once

#include <lib/types.h>

struct thread;

enum park_mode {
    PARK_UNINTERRUPTIBLE, // nothing but token and deadline
    PARK_KILLABLE,        // also a fatal signal
    PARK_INTERRUPTIBLE,   // also any signal that the thread would act on
};

struct thread *port_thread_self(void);

// Sleep. 0: token taken; -ETIMEDOUT: deadline_ns (monotonic, TIME_NEVER for none) passed; -EINTR: a
// signal, per mode (checked before sleeping, too). No spinlock held, interrupts on.
int port_park(enum park_mode mode, uint64_t deadline_ns);
// Any context. The caller guarantees that `t` exists (it is on a queue whose lock he holds, or he
// holds a reference).
void port_unpark(struct thread *t);

// Keep `t` in memory past its exit.
void port_thread_get(struct thread *t);
void port_thread_put(struct thread *t);

// Real-time priority for ordered wake-ups: 0 for normal threads, 1..99.
int port_thread_rt_priority(const struct thread *t);
