// SPDX-License-Identifier: BSD-2-Clause
// Threads: what the scheduler runs. A thread belongs to a process (kernel threads to
// kernel_process) and holds a reference on it until it is freed.
//
// It is born with two references: that of its life, dropped by the scheduler once it has switched
// away from it for the last time (thread_exit_self), and that of whoever created it. Being in
// process->threads takes none: a thread leaves the list (core/exit.c) while it still lives.
//
// Numbers: thread_create() gives a tid by tid_alloc(); only when the process has a pid but no
// thread yet (pid 1) the thread gets that. thread_find() finds it from thread_start() until
// thread_unhash(). Freeing the thread frees the tid, unless it is its process's pid: that lives as
// long as a process, group or session has the number, and core/process.c frees it.
#pragma once

#include <arch/thread.h>
#include <core/sched.h>
#include <core/signal.h>
#include <core/timer.h>
#include <lib/cred.h>
#include <lib/list.h>
#include <lib/refcount.h>
#include <sync/pi.h>
#include <sync/port.h>

struct process;
struct sem_undo_list;

enum thread_state { THREAD_RUNNABLE, THREAD_PARKED, THREAD_DEAD };

#define THREAD_NAME_SIZE 16 // TASK_COMM_LEN

// restart_syscall(2): how to go on with a call that a stop interrupted.
struct restart {
    long (*call)(struct restart *r);
    uint64_t deadline_ns;
    uint64_t args[4];
};

struct thread {
    struct arch_thread arch; // first: tp points to it
    struct refcount refs;
    pid_t tid;
    char name[THREAD_NAME_SIZE];

    // Scheduler (core/sched*.c, port_park): guarded by the run queue's lock.
    enum thread_state state;
    struct sched_entity sched;

    // Parking: token and mode are atomic; see sync/port.h.
    uint32_t park_token;
    uint32_t park_mode;
    struct timer park_timer;
    struct pi_thread pi; // locks with priority inheritance that it has or waits for

    struct process *process;
    struct list_node process_node; // process->threads, under process->lock
    struct list_node tid_node;     // tid hash

    struct cred *cred; // replaced whole by the thread itself; others read it under process->lock

    struct signal_thread signal; // mask, pending, alternate stack
    struct restart restart;
    struct sem_undo_list *sem_undo; // SEM_UNDO: made with the first, shared by CLONE_SYSVSEM

    void *kernel_arg; // of a kernel thread's entry
    // What the thread does on its first run, interrupts on, before it leaves for user mode.
    void (*first_run)(struct thread *t);
    vaddr_t set_child_tid;   // CLONE_CHILD_SETTID: for first_run
    vaddr_t clear_child_tid; // set_tid_address(2)
    vaddr_t robust_list;     // set_robust_list(2), and the tid that is in its words
    vaddr_t rseq;            // rseq(2); 0: none registered
    uint32_t rseq_size, rseq_signature;
    int exit_code;

    // Filled by sched: for times, rusage and /proc.
    uint64_t user_ns, system_ns, start_ns;
    uint64_t nr_voluntary, nr_involuntary, minor_faults;
    bool exiting;
};

static inline struct thread *thread_self(void)
{
    return (struct thread *)arch_thread_self();
}

extern struct cred kernel_cred; // of kernel threads and of init: root with every capability

void thread_init(void);
// A kernel thread, runnable. NULL: no memory.
struct thread *thread_create_kernel(const char *name, void (*entry)(void *), void *arg);
// A thread for `process`, not started, kernel stack and tid allocated, name and scheduling
// parameters those of the calling thread, signal queue empty, not in process->threads. cred and
// process get a new reference. On its first run it calls first_run (if set), then enters user mode
// by its frame. NULL: no memory or EAGAIN by limits.
struct thread *thread_create(struct process *process, struct cred *cred);
// Undo thread_create before thread_start.
void thread_discard(struct thread *t);
void thread_start(struct thread *t);
// thread_find() doesn't find it any more. Idempotent.
void thread_unhash(struct thread *t);
// exec(2) in a thread that isn't the first, when all others are gone: free its tid, take the pid.
void thread_take_pid(struct thread *t);
// Last act of the calling thread. Process-level exit work was done (core/exit.c).
__noreturn void thread_exit_self(void);
void thread_get(struct thread *t);
void thread_put(struct thread *t);
struct thread *thread_find(pid_t tid); // with a reference, or NULL
unsigned int thread_count(void);       // in all, user and kernel
// tids and pids share one space.
pid_t tid_alloc(void); // or -EAGAIN
void tid_free(pid_t tid);
