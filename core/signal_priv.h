// SPDX-License-Identifier: BSD-2-Clause
// What the files of the signal code share.
#pragma once

#include <arch/thread.h>
#include <core/process.h>
#include <core/signal.h>

#include "signal_queue_priv.h"

#define SIGMASK_STOP       (SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU))
#define SIGMASK_UNMASKABLE (SIGMASK(SIGKILL) | SIGMASK(SIGSTOP))
// Default action: nothing.
#define SIGMASK_IGNORED (SIGMASK(SIGCONT) | SIGMASK(SIGCHLD) | SIGMASK(SIGWINCH) | SIGMASK(SIGURG))

#define HANDLER_DEFAULT 0
#define HANDLER_IGNORE  1

void signal_init(void);

struct signal_actions *signal_actions_create(void); // all default; NULL: no memory
struct signal_actions *signal_actions_copy(struct signal_actions *from);
void signal_actions_put(struct signal_actions *a);
// exec(2): handlers become the default, ignored signals stay so.
void signal_actions_reset(struct signal_actions *a);

static inline vaddr_t signal_handler(const struct process *p, int signal)
{
    return atomic_load(&p->actions->action[signal - 1].handler);
}

// signal_lock held: does `signal` do nothing by its action?
bool signal_is_ignored(const struct process *p, int signal);

// signal_lock held (flush: or nobody else knows p any more). Drop what is queued of `mask`.
void signal_queue_flush(struct process *p, struct signal_queue *q, sigmask_t mask);

// Make `t` look at its signals: sets its work bit and wakes it.
void signal_wake(struct thread *t);
// signal_lock held: the same for all threads of p but `except`.
void signal_wake_all(struct process *p, const struct thread *except);
// signal_lock held: `t` left or blocked signals that it may have been woken for; wake others.
void signal_hand_over(struct process *p, const struct thread *t);

// The calling thread's mask. SIGKILL and SIGSTOP are taken out.
void signal_set_mask(sigmask_t mask);

// A chosen signal of the calling thread, taken out of its queue.
struct signal_delivery {
    int signal;
    siginfo_t info; // the first SIGNAL_INFO_SIZE bytes
    struct signal_action action;
};

// Take the first pending signal of the calling thread that is in `wanted` and act on nothing.
// 0: none. signal_lock held.
int signal_dequeue(struct thread *t, sigmask_t wanted, siginfo_t *info);

// Build the frame and change the registers so that the handler runs. 0 or -EFAULT.
int signal_frame_push(struct trap_frame *frame, const struct signal_delivery *d);
// rt_sigreturn(2).
long signal_frame_pop(struct trap_frame *frame);
// The smallest alternate stack that holds a frame: AT_MINSIGSTKSZ.
size_t signal_frame_size_max(void);

// sigaltstack(2) on the calling thread, `sp` its user stack pointer.
int signal_altstack_set(const stack_t *stack, vaddr_t sp, size_t size_min);
void signal_altstack_get(stack_t *stack, vaddr_t sp);
bool signal_on_altstack(const struct signal_thread *s, vaddr_t sp);

// A timer's own entry to p, or to its thread t. signal_lock held. False: nobody gets it, as it is
// ignored or they are gone.
bool signal_send_entry(struct process *p, struct thread *t, int signal, struct signal_entry *entry);

// Entries count towards RLIMIT_SIGPENDING of p. signal_lock held. NULL: limit or no memory.
struct signal_entry *signal_entry_alloc(struct process *p, bool limited);
void signal_entry_free(struct process *p, struct signal_entry *entry);

struct cred;
// kill(2)'s rule: may the caller send `signal` to p? info NULL or from a user: checked; 0 or
// -EPERM.
int signal_may_send(struct process *p, int signal);
