// SPDX-License-Identifier: BSD-2-Clause
// The receiving side: on its way to user mode a thread takes its signals, stops, continues, dies,
// or gets its registers changed so that a handler runs. Restart of interrupted calls: signal(7),
// "Interruption of system calls and library functions by signal handlers".
#include <arch/csr.h>
#include <asm/unistd.h>
#include <core/process.h>
#include <core/rseq.h>
#include <errno.h>
#include <string.h>

#include "process_priv.h"
#include "signal_priv.h"

#define ECALL_SIZE 4

// The last thread of a stop tells the parent. No lock held.
static void report_stop(struct process *p)
{
    spin_lock(&process_tree_lock);
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    // A process that is ending doesn't stop any more; without a thread its parent may be gone.
    bool stopped = p->group_stop && !p->group_exit && !p->exec_thread && p->nr_threads > 0 &&
                   p->nr_stopped == p->nr_threads;
    spin_unlock_irqrestore(&p->signal_lock, flags);
    if (stopped && !p->stopped) {
        p->stopped = true;
        p->continued = false;
        process_notify_parent(p, CLD_STOPPED, p->stop_signal);
    }
    spin_unlock(&process_tree_lock);
}

static void report_continue(struct process *p)
{
    spin_lock(&process_tree_lock);
    p->stopped = false;
    p->continued = true;
    process_notify_parent(p, CLD_CONTINUED, SIGCONT);
    spin_unlock(&process_tree_lock);
}

// signal_lock held on entry, dropped here. Sleep until SIGCONT or the end.
static void stop_here(struct thread *t, struct process *p, irq_flags_t flags)
{
    uint32_t round = p->stop_round;
    p->nr_stopped++;
    t->signal.stopped = true;
    bool last = p->nr_stopped == p->nr_threads;
    spin_unlock_irqrestore(&p->signal_lock, flags);
    if (last)
        report_stop(p);
    (void)wait_event(&p->stop_wait,
                     !atomic_load(&p->group_stop) || atomic_load(&p->stop_round) != round,
                     PARK_KILLABLE, TIME_NEVER);
    flags = spin_lock_irqsave(&p->signal_lock);
    if (p->group_stop && p->stop_round == round)
        p->nr_stopped--; // we leave to die
    t->signal.stopped = false;
    spin_unlock_irqrestore(&p->signal_lock, flags);
}

void signal_thread_left(struct process *p)
{
    if (atomic_load(&p->group_stop))
        report_stop(p);
}

// A stop signal with its default action was taken. signal_lock held; dropped and taken again, as
// the group may only be judged under process_tree_lock.
static irq_flags_t begin_stop(struct process *p, int signal, irq_flags_t flags)
{
    if (signal != SIGSTOP) {
        p->stop_wanted = true;
        spin_unlock_irqrestore(&p->signal_lock, flags);
        spin_lock(&process_tree_lock);
        bool orphaned = process_group_is_orphaned(p->group, NULL);
        spin_unlock(&process_tree_lock);
        flags = spin_lock_irqsave(&p->signal_lock);
        if (orphaned || !p->stop_wanted)
            return flags;
    }
    p->stop_wanted = false;
    if (!p->group_stop) {
        p->stop_round++;
        p->nr_stopped = 0;
        p->stop_signal = signal;
        p->continue_report = false;
        atomic_store(&p->group_stop, true);
        signal_wake_all(p, thread_self());
    }
    return flags;
}

// Something besides signals to act on? signal_lock held; true: it was dropped, look again.
static bool handle_state(struct thread *t, struct process *p, irq_flags_t flags)
{
    if (process_is_ending(p, t)) {
        int status = p->group_exit ? p->group_exit_code : 0;
        spin_unlock_irqrestore(&p->signal_lock, flags);
        process_exit_thread(status);
    }
    if (p->continue_report) {
        p->continue_report = false;
        spin_unlock_irqrestore(&p->signal_lock, flags);
        report_continue(p);
        return true;
    }
    if (p->group_stop) {
        stop_here(t, p, flags);
        return true;
    }
    return false;
}

// Take signals until one has a handler. False: none is left.
static bool next_handled(struct signal_delivery *d)
{
    struct thread *t = thread_self();
    struct process *p = t->process;
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    for (;;) {
        if (handle_state(t, p, flags)) {
            flags = spin_lock_irqsave(&p->signal_lock);
            continue;
        }
        d->signal = signal_dequeue(t, ~t->signal.mask, &d->info);
        if (d->signal == 0)
            break;
        spin_lock(&p->actions->lock);
        struct signal_action *action = &p->actions->action[d->signal - 1];
        d->action = *action;
        if (d->action.handler > HANDLER_IGNORE && (d->action.flags & SA_ONESHOT))
            action->handler = HANDLER_DEFAULT;
        spin_unlock(&p->actions->lock);
        if (d->action.handler > HANDLER_IGNORE)
            break;
        if (d->action.handler == HANDLER_IGNORE || p->unkillable ||
            (SIGMASK(d->signal) & SIGMASK_IGNORED))
            continue;
        if (SIGMASK(d->signal) & SIGMASK_STOP) {
            flags = begin_stop(p, d->signal, flags);
            continue;
        }
        spin_unlock_irqrestore(&p->signal_lock, flags);
        process_exit_group(d->signal);
    }
    spin_unlock_irqrestore(&p->signal_lock, flags);
    return d->signal != 0;
}

// What becomes of the call that this entry into the kernel was.
struct interrupted {
    long result;
    vaddr_t after; // its ecall
    bool restart;  // the registers say so already
};

static void prepare_restart(struct trap_frame *frame, struct interrupted *call)
{
    call->result = (long)frame->a0;
    call->after = frame->pc;
    call->restart = false;
    if (frame->cause != SCAUSE_ECALL_USER)
        return;
    frame->cause = TRAP_CAUSE_NONE;
    switch (call->result) {
    case -ERESTARTSYS:
    case -ERESTARTNOINTR:
    case -ERESTARTNOHAND:
    case -ERESTART_RESTARTBLOCK:
        frame->a0 = frame->orig_a0;
        frame->pc -= ECALL_SIZE;
        call->restart = true;
        break;
    default:
        break;
    }
}

// A handler runs: the call goes on after it or fails with EINTR.
static void settle_restart(struct trap_frame *frame, const struct interrupted *call,
                           unsigned long action_flags)
{
    if (!call->restart || call->result == -ERESTARTNOINTR)
        return;
    if (call->result == -ERESTARTSYS && (action_flags & SA_RESTART))
        return;
    frame->a0 = (uint64_t)-EINTR;
    frame->pc = call->after;
}

static void run_handler(struct trap_frame *frame, const struct signal_delivery *d)
{
    struct thread *t = thread_self();
    rseq_resume(frame); // the frame shall say where the thread goes on
    if (signal_frame_push(frame, d) != 0) {
        if (d->signal == SIGSEGV)
            t->process->actions->action[SIGSEGV - 1].handler = HANDLER_DEFAULT;
        signal_force_self(SIGSEGV, SI_KERNEL, 0);
        return;
    }
    sigmask_t mask = t->signal.mask | d->action.mask;
    if (!(d->action.flags & SA_NODEFER))
        mask |= SIGMASK(d->signal);
    t->signal.restore_mask = false;
    signal_set_mask(mask);
}

void signal_deliver(struct trap_frame *frame)
{
    struct thread *t = thread_self();
    struct signal_delivery d;
    struct interrupted call;

    atomic_fetch_and(&t->arch.work, ~(uint32_t)(THREAD_WORK_SIGNAL | THREAD_WORK_RESTORE));
    prepare_restart(frame, &call);
    // A call with a mask of its own that came to its end: signals are judged by the old one.
    if (t->signal.restore_mask && !call.restart && call.result != -EINTR) {
        t->signal.restore_mask = false;
        signal_set_mask(t->signal.saved_mask);
    }
    if (next_handled(&d)) {
        settle_restart(frame, &call, d.action.flags);
        run_handler(frame, &d);
        return;
    }
    if (call.restart && call.result == -ERESTART_RESTARTBLOCK)
        frame->a7 = __NR_restart_syscall;
    if (t->signal.restore_mask) {
        t->signal.restore_mask = false;
        signal_set_mask(t->signal.saved_mask);
    }
}
