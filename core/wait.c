// SPDX-License-Identifier: BSD-2-Clause
// wait4(2) and waitid(2): a parent learns what became of its children. Any thread of the parent may
// wait for any child. Scans run under process_tree_lock; sleepers wait on the parent's child_wait.
#include <arch/uaccess.h>
#include <core/process.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/wait.h>
#include <string.h>

#include "pidfd_priv.h"
#include "process_priv.h"
#include "syscalls_priv.h"

#define STATUS_STOPPED(signal) ((signal) << 8 | 0x7f)
#define STATUS_CONTINUED       0xffff

struct wait_request {
    int which; // P_ALL, P_PID, P_PGID, P_PIDFD
    pid_t id;
    const struct process *process; // P_PIDFD
    int options;                   // W* of waitid(2)
    // Result.
    int code;   // CLD_*
    int status; // as wait4 reports
    pid_t pid;
    uid_t uid;
    struct process_usage usage;
};

static bool is_eligible(const struct process *child, const struct wait_request *w)
{
    if (w->which == P_PID && child->pid != w->id)
        return false;
    if (w->which == P_PGID && child->group != w->id)
        return false;
    if (w->which == P_PIDFD && child != w->process)
        return false;
    if (w->options & __WALL)
        return true;
    return ((w->options & __WCLONE) != 0) == (child->exit_signal != SIGCHLD);
}

static void fill_usage(struct process *child, struct wait_request *w)
{
    process_usage_sum(child, &w->usage);
    process_usage_add(&w->usage, &child->children_usage);
}

static bool has_news(struct process *child, struct wait_request *w)
{
    bool keep = w->options & WNOWAIT;
    if (child->state == PROCESS_ZOMBIE) {
        if (!(w->options & WEXITED))
            return false;
        w->status = child->exit_status;
        w->code = (w->status & 0x7f) != 0 ? CLD_KILLED : CLD_EXITED;
    } else if (child->stopped && (w->options & WSTOPPED) && atomic_load(&child->group_stop)) {
        w->status = STATUS_STOPPED(child->stop_signal);
        w->code = CLD_STOPPED;
        child->stopped = keep;
    } else if (child->continued && (w->options & WCONTINUED)) {
        w->status = STATUS_CONTINUED;
        w->code = CLD_CONTINUED;
        child->continued = keep;
    } else {
        return false;
    }
    w->pid = child->pid;
    w->uid = child->uid;
    fill_usage(child, w);
    return true;
}

// 0: found, *reaped to be put; -EAGAIN: not yet; -ECHILD: nobody to wait for. Tree lock held.
static int scan_children(struct process *self, struct wait_request *w, struct process **reaped)
{
    struct process *child;
    int result = -ECHILD;
    list_for_each_entry (child, &self->children, sibling) {
        if (!is_eligible(child, w))
            continue;
        result = -EAGAIN;
        if (!has_news(child, w))
            continue;
        if (child->state == PROCESS_ZOMBIE && !(w->options & WNOWAIT)) {
            process_usage_add(&self->children_usage, &w->usage);
            process_reap(child);
            *reaped = child;
        }
        return 0;
    }
    return result;
}

static int scan(struct process *self, struct wait_request *w)
{
    struct process *reaped = NULL;
    spin_lock(&process_tree_lock);
    int result = scan_children(self, w, &reaped);
    spin_unlock(&process_tree_lock);
    if (reaped)
        process_put(reaped);
    return result;
}

// 0: w tells of a child; -EAGAIN: none yet (WNOHANG); -ECHILD; -ERESTARTSYS.
static int wait_for_child(struct wait_request *w)
{
    struct process *self = process_self();
    struct waiter waiter;
    int result = scan(self, w);
    if (result != -EAGAIN || (w->options & WNOHANG))
        return result;
    waiter_init(&waiter, false);
    wait_queue_add(&self->child_wait, &waiter);
    while ((result = scan(self, w)) == -EAGAIN)
        if (port_park(PARK_INTERRUPTIBLE, TIME_NEVER) != 0) {
            result = scan(self, w);
            if (result == -EAGAIN)
                result = -ERESTARTSYS;
            break;
        }
    wait_queue_remove(&self->child_wait, &waiter);
    return result;
}

static int write_rusage(vaddr_t user, const struct process_usage *usage)
{
    struct rusage r;
    if (!user)
        return 0;
    process_usage_to_rusage(usage, &r);
    return user_copy_out(user, &r, sizeof(r));
}

long sys_wait4(pid_t pid, vaddr_t status, int options, vaddr_t rusage)
{
    struct wait_request w = {.which = P_PID, .id = pid, .options = options | WEXITED};
    if (options & ~(int)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
        return -EINVAL;
    if (pid == INT_MIN)
        return -ESRCH;
    if (pid == -1) {
        w.which = P_ALL;
    } else if (pid <= 0) {
        w.which = P_PGID;
        w.id = pid == 0 ? process_self()->group : -pid;
    }
    int result = wait_for_child(&w);
    if (result == -EAGAIN)
        return 0;
    if (result != 0)
        return result;
    if (status && user_copy_out(status, &w.status, sizeof(w.status)) != 0)
        return -EFAULT;
    if (write_rusage(rusage, &w.usage) != 0)
        return -EFAULT;
    return w.pid;
}

static int info_status(const struct wait_request *w)
{
    if (w->code == CLD_EXITED || w->code == CLD_STOPPED)
        return w->status >> 8 & 0xff;
    return w->code == CLD_CONTINUED ? SIGCONT : w->status & 0x7f;
}

// A pidfd that doesn't block lets nobody wait: -EAGAIN then means that there is no news yet.
static int wait_for_pidfd(struct wait_request *w, bool *no_news_is_error)
{
    unsigned int flags;
    struct process *p = pidfd_find(w->id, &flags);
    if (!p)
        return -EBADF;
    *no_news_is_error = (flags & O_NONBLOCK) && !(w->options & WNOHANG);
    if (flags & O_NONBLOCK)
        w->options |= WNOHANG;
    w->process = p;
    int result = wait_for_child(w);
    process_put(p);
    return result;
}

static int waitid_check(const struct wait_request *w)
{
    const int known = (int)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
                            __WCLONE | __WALL);
    if ((w->options & ~known) || !(w->options & (WEXITED | WSTOPPED | WCONTINUED)))
        return -EINVAL;
    switch (w->which) {
    case P_ALL:
        return 0;
    case P_PID:
        return w->id <= 0 ? -EINVAL : 0;
    case P_PGID:
    case P_PIDFD:
        return w->id < 0 ? -EINVAL : 0;
    default:
        return -EINVAL;
    }
}

long sys_waitid(int which, pid_t id, vaddr_t user_info, int options, vaddr_t rusage)
{
    struct wait_request w = {.which = which, .id = id, .options = options};
    bool no_news_is_error = false;
    int result = waitid_check(&w);
    if (result != 0)
        return result;
    if (which == P_PGID && id == 0)
        w.id = process_self()->group;
    result = which == P_PIDFD ? wait_for_pidfd(&w, &no_news_is_error) : wait_for_child(&w);
    if (result != 0 && (result != -EAGAIN || no_news_is_error))
        return result;
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    if (result == 0) {
        info.si_signo = SIGCHLD;
        info.si_code = w.code;
        info.si_pid = w.pid;
        info.si_uid = w.uid;
        info.si_status = info_status(&w);
        if (write_rusage(rusage, &w.usage) != 0)
            return -EFAULT;
    }
    // Linux writes the fields up to si_status and no more.
    if (user_info && user_copy_out(user_info, &info, offsetof(siginfo_t, si_status) + 4) != 0)
        return -EFAULT;
    return 0;
}
