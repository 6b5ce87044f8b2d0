// SPDX-License-Identifier: BSD-2-Clause
// POSIX timers of a process: timer_create(2) and its like, and what the signal code tells them.
#pragma once

#include <core/process.h>
#include <lib/rbtree.h>

#include "alarm_priv.h"
#include "signal_queue_priv.h"

struct posix_timer {
    // Constant once it can be found.
    struct rb_node node; // process->posix_timers, by id; signal_lock
    int id, clock, notify, signal;
    struct process *process;
    struct thread *target;       // who gets the signal, with a reference; NULL: the process
    struct thread *cpu_thread;   // whose CPU time counts, with a reference; NULL: the process's
    bool counts_cpu;             // its clock is one of CPU time
    struct realtime_watch watch; // for clocks that can be set

    // process->signal_lock
    struct signal_entry *entry; // its place in a queue of signals; NULL with SIGEV_NONE
    struct alarm alarm;         // of CPU time: deadline and interval alone
    struct list_node cpu_node;  // process->cpu_timers, while armed
    bool armed;
    bool queued;     // the entry is; the timer goes on when it is taken out
    uint64_t missed; // expirations since the last signal that nobody heard of
    int overrun;     // of the signal that was taken last
};

struct posix_timer_set { // a timer's setting, as told and to be told
    uint64_t left_ns, interval_ns;
};

// A timer of the calling process. 0 and *id, or -errno of timer_create(2).
int posix_timer_create(int clock, int notify, int signal, pid_t tid, const sigval_t *value,
                       int *id);
// By id; -EINVAL: there is none.
int posix_timer_get(int id, struct posix_timer_set *set);
int posix_timer_set(int id, bool absolute, const struct posix_timer_set *set,
                    struct posix_timer_set *old);
int posix_timer_overrun(int id);
int posix_timer_delete(int id);
// At exec and exit: all timers of the process, whose only thread calls.
void posix_timers_exit(struct process *p);
// From the tick of the calling thread: timers of CPU time. Interrupts off, no lock.
void posix_timers_tick(struct process *p);

// From the queues of signals, signal_lock held. The entry was taken out to be delivered: how often
// else the timer has expired.
int posix_timer_taken(struct posix_timer *t);
// It was thrown away.
void posix_timer_dropped(struct posix_timer *t);
