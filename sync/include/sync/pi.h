// SPDX-License-Identifier: BSD-2-Clause
// Priority inheritance, the part that each thread has: what it waits for and which waited-for locks
// are its own. The owner of a lock runs at the highest real-time priority among its waiters, and so
// on along chains of locks (sync/pi.c).
#pragma once

#include <lib/list.h>
#include <lib/types.h>

struct thread;
struct futex_waiter;

// May it be found as a lock's owner?
enum pi_state {
    PI_ALIVE,
    PI_KERNEL,  // a kernel thread: no
    PI_EXITING, // it is giving up its locks: wait until it has
    PI_DEAD,
};

struct pi_thread { // guarded by the lock of futex_pi, but `state` also read without by its thread
    struct futex_waiter *blocked_on;
    struct list_node owned; // leaders of the rings of waiters for its locks
    int boost;              // highest priority among those, 0: none
    enum pi_state state;
};

void pi_thread_init(struct pi_thread *pi, enum pi_state state);
// The calling thread is about to walk its robust list; then: it owns nothing any more, whoever
// waits for its locks takes them over. `state`: PI_DEAD at exit, PI_ALIVE after an exec.
void pi_thread_begin_exit(void);
void pi_thread_end_exit(enum pi_state state);
// The real-time priority of `t` was changed: its place in the queue and its owner's change, too.
void pi_thread_priority_changed(struct thread *t);
