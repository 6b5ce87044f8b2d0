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

// Other harts run threads: whoever has what we want may let go of it without our sleeping. A hint.
bool port_others_run(void);

// Between two parts of a long job, no spinlock held: others may run. 0, or -EINTR if a signal asks,
// per mode, to end the job early.
int port_relax(enum park_mode mode);

// Bytes that the calling thread may lock in memory, in all: RLIMIT_MEMLOCK, or UINT64_MAX with
// CAP_IPC_LOCK. Its own and not the address space's, which a child may share that has less.
uint64_t port_memlock_limit(void);

// Keep `t` in memory past its exit.
void port_thread_get(struct thread *t);
void port_thread_put(struct thread *t);

// port_park() with a deadline of the wall clock. 0 also when that was set: look again.
int port_park_realtime(enum park_mode mode, uint64_t deadline_ns);

// Real-time priority, as set, for ordered wake-ups: 0 for normal threads, 1..99.
int port_thread_rt_priority(const struct thread *t);
// What inheritance adds: run at `rt_priority` at least. 0: nothing. Any lock of sync may be held.
void port_thread_boost(struct thread *t, int rt_priority);
struct pi_thread;
struct pi_thread *port_thread_pi(struct thread *t);
pid_t port_thread_tid(const struct thread *t);
struct thread *port_thread_find(pid_t tid); // with a reference, or NULL

// The no-fault accessors failed at this address of the calling thread's: bring it in, writable if
// `write`. 0 (try again) or -EFAULT. May sleep; no spinlock held.
int port_user_fault_in(vaddr_t addr, bool write);
