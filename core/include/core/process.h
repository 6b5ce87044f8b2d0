// SPDX-License-Identifier: BSD-2-Clause
// Processes: address space, files, signal actions, parents and children, groups and sessions.
//
// A process is born with the reference of the tree, dropped when it was reaped; every thread holds
// one more. A zombie keeps its numbers, times and name, nothing else.
//
// Lock order: process_tree_lock (spinlock: parent/child/group/session links and exit state; never
// taken by interrupt handlers) > process->lock (threads, limits, pointers to map, files and
// credentials) > process->signal_lock (irq-safe) > signal_actions.lock (irq-safe).
#pragma once

#include <asm/resource.h>
#include <core/cred.h>
#include <core/signal.h>
#include <core/thread.h>
#include <fs/fd_table.h>
#include <lib/list.h>
#include <lib/rbtree.h>
#include <lib/refcount.h>
#include <linux/resource.h>
#include <mm/vm_map.h>
#include <sync/spinlock.h>
#include <sync/wait_queue.h>

struct tty;
struct tty_jobs;

enum process_state { PROCESS_ALIVE, PROCESS_ZOMBIE, PROCESS_DEAD };

struct interval_timer { // setitimer(2)
    struct timer timer;
    uint64_t deadline_ns, interval_ns;
};

struct process_usage {
    uint64_t user_ns, system_ns;
    uint64_t nr_voluntary, nr_involuntary, minor_faults, max_resident_pages;
};

struct process {
    struct refcount refs;
    pid_t pid;

    // process_tree_lock
    struct process *parent;
    struct list_node children, sibling;
    struct list_node all_node;                           // every process, by age
    struct list_node pid_node, group_node, session_node; // hash chains
    pid_t group, session;
    bool session_leader;
    enum process_state state;
    int exit_status;         // as wait4 reports
    int exit_signal;         // to the parent, 0: none
    uid_t uid;               // real user, as the parent is told; written by the process itself
    bool stopped, continued; // to be reported by wait; stop_signal says which
    int stop_signal;
    struct wait_queue child_wait;        // the parent sleeps on its own
    struct wait_queue exit_wait;         // polled pidfds: `state` changed
    struct process_usage children_usage; // of reaped children and theirs

    // lock. The list of threads is changed with signal_lock held as well, so either allows to walk
    // it
    struct spinlock lock;
    struct list_node threads; // by age
    unsigned int nr_threads;
    char name[THREAD_NAME_SIZE];       // of the first thread, also when that is gone
    struct process_usage exited_usage; // of exited threads; times with signal_lock held as well
    struct rlimit64 limits[RLIM_NLIMITS];
    bool did_exec;
    bool dumpable;

    // signal_lock, taken with interrupts off
    struct spinlock signal_lock;
    struct signal_queue signal_queue;
    struct signal_actions *actions;
    unsigned int nr_infos;      // queued in it and in the threads' queues, for RLIMIT_SIGPENDING
    bool group_exit;            // exit_group or a fatal signal is ending every thread
    int group_exit_code;        // as wait4 reports
    struct thread *exec_thread; // is ending every other thread, and waits for that
    bool group_stop;            // threads stop on their way to user mode...
    unsigned int nr_stopped;    // ... so many have, at stop_wait
    uint32_t stop_round;        // counts the stops
    bool stop_wanted;           // a stop signal was taken, and no SIGCONT came since
    bool continue_report;       // the first thread that goes on tells the parent
    struct wait_queue stop_wait;
    struct rb_root posix_timers; // by id: posix_timer.c
    int next_timer_id;
    struct list_node cpu_timers; // armed ones of CPU time
    uint32_t nr_execs;           // atomic
    bool unkillable;             // pid 1: signals without a handler do nothing

    // Replaced only by the process's own thread (exec, unshare) or at exit, others take a reference
    // under `lock`.
    struct vm_map *map;
    struct fd_table *fds;
    struct fs_context *fs;

    struct tty *tty;                  // controlling terminal, of the session; process_tree_lock
    struct interval_timer real_timer; // ITIMER_REAL; virtual ones in itimer.c
    uint64_t itimer_virtual[2], itimer_prof[2];
    uint64_t cpu_ns; // of all threads, as of their last tick: for RLIMIT_CPU; atomic

    struct wait_queue vfork_wait; // the parent, until we exec or exit
    bool vfork_done;
    uint64_t start_ns;
    uint32_t personality;
    uint32_t membarrier; // registrations of membarrier(2)
    int parent_death_signal;
    bool child_subreaper;
    bool no_new_privs;
};

extern struct spinlock process_tree_lock;
extern struct process *kernel_process;  // pid 0: owns kernel threads
extern struct process *init_process;    // pid 1
struct cred *kernel_process_cred(void); // root with every capability; no new reference

static inline struct process *process_self(void)
{
    return thread_self()->process;
}

void process_init(void);
// Start pid 1 running `path` with argv/envp (kernel strings), its descriptors 0 to 2 on
// /dev/console. 0 once it runs, or -errno if `path` can't be executed: call again with another. One
// thread at boot.
int process_start_init(const char *path, const char *const argv[], const char *const envp[]);

// Put a new thread on its process's list, before thread_start(). False: the process is ending.
bool process_add_thread(struct thread *t);
// Off the list again: a kernel thread that ends.
void process_remove_thread(struct thread *t);

void process_get(struct process *p);
void process_put(struct process *p);
struct process *process_find(pid_t pid); // with a reference; zombies too; NULL
// The same by the number of any of its threads.
struct process *process_find_by_tid(pid_t tid);
// Next living or zombie process with pid >= from, with a reference, or NULL. For /proc.
struct process *process_next(pid_t from);
// A reference to the map, fd table or fs context of another process, NULL when it has none any
// more.
struct vm_map *process_map_get(struct process *p);
struct fd_table *process_fds_get(struct process *p);
struct fs_context *process_fs_get(struct process *p);
uint64_t process_limit(const struct process *p, int resource); // soft limit

struct clone_args;
// fork, vfork, clone, clone3. The new tid or -errno. From the syscall: the caller's frame is
// copied.
long process_clone(const struct clone_args *args);
__noreturn void process_exit_thread(int status); // exit(2); status as wait4 reports
__noreturn void process_exit_group(int status);  // exit_group(2) or death by signal
// Times and counters of every thread, living and gone; p->lock is taken. Of one thread.
void process_usage_sum(struct process *p, struct process_usage *usage);
uint64_t process_cpu_ns_locked(struct process *p); // of all threads; signal_lock held
void process_usage_of_thread(struct thread *t, struct process_usage *usage);
// Does `t` have to end: exit_group, a fatal signal, or an exec in another thread?
static inline bool process_is_ending(const struct process *p, const struct thread *t)
{
    return p->group_exit || (p->exec_thread != NULL && p->exec_thread != t);
}
// core/itimer.c: the interval timers of a new process; those of one that ends, before its last
// thread goes.
void itimer_init(struct process *p);
void itimer_exit(struct process *p);
// Job control of terminals, for tty_set_jobs().
extern const struct tty_jobs process_tty_jobs;
// Register what /proc tells (core/proc_*.c). Boot.
void proc_files_init(void);
