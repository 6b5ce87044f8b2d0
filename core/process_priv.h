// SPDX-License-Identifier: BSD-2-Clause
// What the parts of process management share: table and tree, groups, exit and wait.
#pragma once

#include <core/process.h>

// A process with one reference, in no table, everything zero or empty. NULL: no memory.
struct process *process_create(void);

// All of these: process_tree_lock held.
// Put a process into the tables and below its parent. Its group and session are set.
void process_link(struct process *p, struct process *parent);
// Take a dead one out and free the numbers that nobody uses any more. The caller drops the tree's
// reference once he has let go of the lock.
void process_unlink(struct process *p);
void process_set_group(struct process *p, pid_t group, pid_t session);
struct process *process_find_locked(pid_t pid); // no reference
// Members of a group or session one after another: pass NULL first.
struct process *process_next_in_group(pid_t group, struct process *after);
struct process *process_next_in_session(pid_t session, struct process *after);
// Every process, oldest first.
struct process *process_next_of_all(struct process *after);

// A group is orphaned when no member has a living parent in the same session but another group.
// `without` is taken as gone already. Tree lock held.
bool process_group_is_orphaned(pid_t group, const struct process *without);
// SIGHUP and SIGCONT to `group` if it has just become orphaned and has a stopped member: `p` exits
// or changes its group or parent. Tree lock held.
void process_group_hang_up_if_orphaned(pid_t group, const struct process *without);

// Tell p's parent with SIGCHLD and wake it if it waits. code is CLD_*. Tree lock held.
void process_notify_parent(struct process *p, int code, int status);

// Leave the terminal: p is a session leader that exits or gave it up.
void process_release_tty(struct process *p);

// The process is a zombie that nobody waits for or that was just reaped: out of the tree. Tree lock
// held; process_put() it afterwards.
void process_reap(struct process *p);

// sys_process_vm.c: may the caller read and write what p has, as a debugger would?
bool process_may_access(struct process *p);

void process_usage_add(struct process_usage *to, const struct process_usage *from);
struct rusage;
void process_usage_to_rusage(const struct process_usage *usage, struct rusage *r);

// robust.c: the calling thread's robust futexes, locks and clear_child_tid, while its map is still
// there. It exits, or becomes another program.
void exit_release_user_memory(struct thread *t, bool exec);
// Drop what a process shares or owns; at exit by its last thread, or before it ever ran.
void process_drop_files(struct process *p);
// Make the calling hart leave p's map, and drop it.
void process_drop_map(struct process *p);
// A vfork parent may go on.
void process_finish_vfork(struct process *p);
// A thread left the process while it was being stopped: it may have been the last to stop.
void signal_thread_left(struct process *p);
