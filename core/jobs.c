// SPDX-License-Identifier: BSD-2-Clause
// Job control as terminals ask for it (fs/tty.h, struct tty_jobs), and what happens to a terminal
// when its session's leader ends. POSIX 11.1, "General Terminal Interface".
//
// Which terminal controls a process is in process->tty, under process_tree_lock; which session and
// foreground group a terminal has is the terminal's, under its own lock, which is taken first.
#include <core/process.h>
#include <errno.h>
#include <fs/tty.h>

#include "process_priv.h"
#include "signal_priv.h"

static void jobs_signal_group(pid_t group, int signal)
{
    if (group > 0)
        (void)signal_send_group(group, signal, NULL);
}

static bool is_blocked_or_ignored(int signal)
{
    const struct thread *t = thread_self();
    return (t->signal.mask & SIGMASK(signal)) ||
           signal_handler(t->process, signal) == HANDLER_IGNORE;
}

static int jobs_check_access(struct tty *tty, int signal)
{
    struct process *p = process_self();
    pid_t foreground = atomic_load(&tty->group);
    if (p->tty != tty || foreground == 0 || p->group == foreground)
        return 0;
    if (is_blocked_or_ignored(signal))
        return signal == SIGTTIN ? -EIO : 0;
    spin_lock(&process_tree_lock);
    bool orphaned = process_group_is_orphaned(p->group, NULL);
    spin_unlock(&process_tree_lock);
    if (orphaned)
        return -EIO;
    (void)signal_send_group(p->group, signal, NULL);
    atomic_fetch_or(&thread_self()->arch.work, THREAD_WORK_SIGNAL);
    return -ERESTARTSYS;
}

static pid_t jobs_caller_session(void)
{
    return process_self()->session;
}

static pid_t jobs_caller_group(void)
{
    return process_self()->group;
}

static bool jobs_caller_is_leader(void)
{
    return process_self()->session_leader;
}

static int jobs_check_group(pid_t group, pid_t session)
{
    spin_lock(&process_tree_lock);
    const struct process *p = process_next_in_group(group, NULL);
    int err = !p ? -ESRCH : p->session != session ? -EPERM : 0;
    spin_unlock(&process_tree_lock);
    return err;
}

static struct tty *jobs_caller_tty(void)
{
    return process_self()->tty;
}

// Tree lock held: nobody of the session has this terminal any more.
static void forget_tty(const struct tty *tty, pid_t session)
{
    struct process *p = NULL;
    while ((p = process_next_in_session(session, p)) != NULL)
        if (p->tty == tty)
            p->tty = NULL;
}

static void jobs_forget_session(struct tty *tty, pid_t session)
{
    spin_lock(&process_tree_lock);
    forget_tty(tty, session);
    spin_unlock(&process_tree_lock);
}

static void jobs_set_caller_tty(struct tty *tty)
{
    struct process *p = process_self();
    spin_lock(&process_tree_lock);
    if (!tty && p->session_leader)
        forget_tty(p->tty, p->session);
    p->tty = tty;
    spin_unlock(&process_tree_lock);
}

const struct tty_jobs process_tty_jobs = {
    .signal_group = jobs_signal_group,
    .check_access = jobs_check_access,
    .caller_session = jobs_caller_session,
    .caller_group = jobs_caller_group,
    .caller_is_leader = jobs_caller_is_leader,
    .check_group = jobs_check_group,
    .caller_tty = jobs_caller_tty,
    .set_caller_tty = jobs_set_caller_tty,
    .forget_session = jobs_forget_session,
};

void process_release_tty(struct process *p)
{
    struct tty *tty = p->tty;
    if (!p->session_leader || !tty)
        return;
    pid_t foreground = tty_disassociate(tty, p->session);
    jobs_signal_group(foreground, SIGHUP);
    jobs_signal_group(foreground, SIGCONT);
    jobs_forget_session(tty, p->session);
}
