// SPDX-License-Identifier: BSD-2-Clause
// Signals: signal(7), sigaction(2), rt_sigprocmask(2), kill(2), sigaltstack(2).
#pragma once

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <lib/list.h>
#include <lib/refcount.h>
#include <lib/types.h>
#include <sync/spinlock.h>

struct process;
struct thread;
struct trap_frame;

#define NR_SIGNALS 64
typedef uint64_t sigmask_t; // bit signal-1
#define SIGMASK(signal) (1UL << ((signal)-1))

struct signal_queue { // pending signals; standard ones at most once, real-time ones queued
    sigmask_t pending;
    struct list_node infos;
};

struct signal_thread { // under process->signal_lock, but mask is written by the thread alone
    sigmask_t mask, saved_mask;
    bool restore_mask;
    bool stopped; // stands in the stop of its group; others read it as a hint
    struct signal_queue queue;
    vaddr_t alt_base;
    size_t alt_size;
    int alt_flags;
    sigmask_t waiting; // sigtimedwait
};

struct signal_action {
    vaddr_t handler; // SIG_DFL 0, SIG_IGN 1
    unsigned long flags;
    sigmask_t mask;
};

struct signal_actions { // shared with CLONE_SIGHAND
    struct refcount refs;
    struct spinlock lock; // inside process->signal_lock; a handler alone may be read without
    struct signal_action action[NR_SIGNALS];
};

// Send. info NULL: SI_KERNEL. 0; -EAGAIN queue full. Any context, locks: process->signal_lock
// inside.
int signal_send_thread(struct thread *t, int signal, const siginfo_t *info);
int signal_send_process(struct process *p, int signal, const siginfo_t *info);
int signal_send_group(pid_t pgrp, int signal, const siginfo_t *info); // -ESRCH: empty
// A fault of the calling thread: can't be blocked or ignored.
void signal_force_self(int signal, int code, vaddr_t addr);
// Does the calling thread (or `t`) have something to act on? For port_park.
bool signal_is_pending(const struct thread *t);
bool signal_is_fatal_pending(const struct thread *t);
// From port_return_to_user when THREAD_WORK_SIGNAL or THREAD_WORK_RESTORE is set: clears both, then
// restarts an interrupted call, delivers, stops, or ends the process.
void signal_deliver(struct trap_frame *frame);
// For calls that sleep with another mask (sigsuspend, ppoll, pselect): set now, restored after the
// handler ran or at return.
void signal_set_temporary_mask(sigmask_t mask);
