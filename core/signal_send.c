// SPDX-License-Identifier: BSD-2-Clause
// Sending signals: kill(2), signal(7) and the rules of POSIX 2.4.1 about generation.
//
// Everything happens under the receiver's signal_lock, from any context. A signal that nobody
// catches and that ends the process starts the end here already: group_exit is set and every thread
// woken, so that a process dies however many signals are queued before.
#include <core/process.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "process_priv.h"
#include "signal_priv.h"
#include "signalfd_priv.h"

// SIGCONT and the stop signals cancel each other; SIGCONT continues even when ignored or blocked.
static void cancel_opposites(struct process *p, int signal)
{
    sigmask_t gone;
    struct thread *t;
    if (SIGMASK(signal) & SIGMASK_STOP)
        gone = SIGMASK(SIGCONT);
    else if (signal == SIGCONT)
        gone = SIGMASK_STOP;
    else
        return;
    signal_queue_flush(p, &p->signal_queue, gone);
    list_for_each_entry (t, &p->threads, process_node)
        signal_queue_flush(p, &t->signal.queue, gone);
    if (signal != SIGCONT)
        return;
    p->stop_wanted = false;
    if (!p->group_stop)
        return;
    p->continue_report = p->nr_stopped > 0 && p->nr_stopped == p->nr_threads;
    p->nr_stopped = 0;
    atomic_store(&p->group_stop, false);
    wait_queue_wake_all(&p->stop_wait);
}

static bool wants(const struct thread *t, int signal)
{
    if (t->exiting)
        return false;
    // The stopped hear of nothing but SIGKILL before SIGCONT.
    if (t->process->group_stop)
        return signal == SIGKILL;
    return signal == SIGKILL || !(SIGMASK(signal) & t->signal.mask & ~t->signal.waiting);
}

// Blocked signals aren't ignored: the action may have changed when they are unblocked.
static bool is_dropped(const struct process *p, const struct thread *t, int signal)
{
    if (!signal_is_ignored(p, signal))
        return false;
    if (!t && !list_is_empty(&p->threads))
        t = list_first_entry(&p->threads, struct thread, process_node);
    return !t || !(SIGMASK(signal) & t->signal.mask);
}

// -EAGAIN only where sigqueue(3) promises that nothing gets lost.
static int enqueue(struct process *p, struct signal_queue *q, int signal, const siginfo_t *info)
{
    if (signal < SIGRTMIN && (q->pending & SIGMASK(signal)))
        return 0;
    bool by_queue = info && info->si_code < 0; // sigqueue(3), timers, messages
    struct signal_entry *entry = signal_entry_alloc(p, signal >= SIGRTMIN);
    if (!entry && signal >= SIGRTMIN && by_queue)
        return -EAGAIN;
    if (entry) {
        if (info) {
            memcpy(entry->bytes, info, SIGNAL_INFO_SIZE);
        } else {
            memset(entry->bytes, 0, SIGNAL_INFO_SIZE);
            entry->info_code = SI_KERNEL;
        }
        entry->info_signo = signal;
    }
    signal_queue_add(q, signal, entry);
    return 0;
}

// Who shall look: the calling thread, the first one, or any that doesn't block it.
static struct thread *choose_thread(struct process *p, int signal)
{
    struct thread *t, *self = thread_self();
    if (self->process == p && wants(self, signal))
        return self;
    list_for_each_entry (t, &p->threads, process_node)
        if (wants(t, signal))
            return t;
    return NULL;
}

static bool ends_process(const struct process *p, const struct thread *t, int signal)
{
    if (signal_handler(p, signal) != HANDLER_DEFAULT || p->unkillable)
        return false;
    if (SIGMASK(signal) & (SIGMASK_IGNORED | SIGMASK_STOP))
        return false;
    return signal == SIGKILL || !(SIGMASK(signal) & t->signal.mask);
}

// A signal was queued to p, or to its thread t.
static void announce(struct process *p, struct thread *t, int signal)
{
    signalfd_wake(p);
    if (!t)
        t = choose_thread(p, signal);
    else if (!wants(t, signal))
        t = NULL;
    if (!t)
        return;
    if (ends_process(p, t, signal) && !p->group_exit && !p->exec_thread) {
        p->group_exit_code = signal;
        p->group_exit = true;
        signal_wake_all(p, NULL);
        return;
    }
    signal_wake(t);
}

static int send_locked(struct process *p, struct thread *t, int signal, const siginfo_t *info)
{
    if (list_is_empty(&p->threads))
        return 0; // a zombie
    cancel_opposites(p, signal);
    if (is_dropped(p, t, signal))
        return 0;
    int err = enqueue(p, t ? &t->signal.queue : &p->signal_queue, signal, info);
    if (err == 0)
        announce(p, t, signal);
    return err;
}

bool signal_send_entry(struct process *p, struct thread *t, int signal, struct signal_entry *entry)
{
    spin_assert_held(&p->signal_lock);
    if (list_is_empty(&p->threads) || (t && t->exiting))
        return false;
    cancel_opposites(p, signal);
    if (is_dropped(p, t, signal))
        return false;
    signal_queue_add(t ? &t->signal.queue : &p->signal_queue, signal, entry);
    announce(p, t, signal);
    return true;
}

int signal_send_thread(struct thread *t, int signal, const siginfo_t *info)
{
    struct process *p = t->process;
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    int err = t->exiting ? 0 : send_locked(p, t, signal, info);
    spin_unlock_irqrestore(&p->signal_lock, flags);
    return err;
}

int signal_send_process(struct process *p, int signal, const siginfo_t *info)
{
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    int err = send_locked(p, NULL, signal, info);
    spin_unlock_irqrestore(&p->signal_lock, flags);
    return err;
}

int signal_send_group(pid_t pgrp, int signal, const siginfo_t *info)
{
    int err = -ESRCH;
    struct process *p = NULL;
    spin_lock(&process_tree_lock);
    while ((p = process_next_in_group(pgrp, p)) != NULL) {
        int sent = signal_send_process(p, signal, info);
        if (err != 0)
            err = sent;
    }
    spin_unlock(&process_tree_lock);
    return err;
}

void signal_force_self(int signal, int code, vaddr_t addr)
{
    struct thread *t = thread_self();
    struct process *p = t->process;
    siginfo_t info;
    memset(&info, 0, SIGNAL_INFO_SIZE);
    info.si_signo = signal;
    info.si_code = code;
    info.si_addr = (void *)addr;

    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    vaddr_t handler = signal_handler(p, signal);
    bool blocked = SIGMASK(signal) & t->signal.mask;
    if (blocked || handler == HANDLER_IGNORE) {
        atomic_store(&p->actions->action[signal - 1].handler, HANDLER_DEFAULT);
        handler = HANDLER_DEFAULT;
        t->signal.mask &= ~SIGMASK(signal);
    }
    if (handler == HANDLER_DEFAULT)
        p->unkillable = false;
    send_locked(p, t, signal, &info);
    spin_unlock_irqrestore(&p->signal_lock, flags);
}

int signal_may_send(struct process *p, int signal)
{
    const struct cred *self = thread_self()->cred;
    int err = -EPERM;
    if (p == process_self() || cred_has_cap(self, CAP_KILL))
        return 0;
    if (signal == SIGCONT && p->session == process_self()->session)
        return 0;
    spin_lock(&p->lock);
    if (list_is_empty(&p->threads)) {
        err = 0; // a zombie: nothing happens
    } else {
        const struct cred *to = list_first_entry(&p->threads, struct thread, process_node)->cred;
        if (self->euid == to->suid || self->euid == to->uid || self->uid == to->suid ||
            self->uid == to->uid)
            err = 0;
    }
    spin_unlock(&p->lock);
    return err;
}
