// SPDX-License-Identifier: BSD-2-Clause
// Nice values: getpriority(2), setpriority(2).
#include <core/process.h>
#include <core/sched.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/resource.h>

#include "sys_sched_priv.h"
#include "syscalls_priv.h"

// getpriority(2) and setpriority(2) for one thread, a group's processes or a user's.
struct priority_walk {
    long (*fn)(struct thread *t, int nice);
    int nice;
    bool found;
    long result; // of fn: the last error, else the largest
};

static void priority_visit(struct priority_walk *w, struct thread *t)
{
    long r = w->fn(t, w->nice);
    if (!w->found || r < 0 || (w->result >= 0 && r > w->result))
        w->result = r;
    w->found = true;
}

static long priority_set(struct thread *t, int nice)
{
    const struct cred *self = thread_self()->cred;
    bool capable = cred_has_cap(self, CAP_SYS_NICE);
    if (!capable && self->euid != t->cred->uid && self->euid != t->cred->euid)
        return -EPERM;
    if (!capable && nice < t->sched.nice &&
        (uint64_t)(20 - nice) > process_limit(t->process, RLIMIT_NICE))
        return -EACCES;
    sched_set_nice(t, nice);
    return 0;
}

static long priority_get(struct thread *t, int unused)
{
    return 20 - t->sched.nice;
}

static void priority_visit_process(struct priority_walk *w, struct process *p)
{
    struct thread *t;
    spin_lock(&p->lock);
    list_for_each_entry (t, &p->threads, process_node)
        priority_visit(w, t);
    spin_unlock(&p->lock);
}

static long priority_walk(struct priority_walk *w, int which, int who)
{
    if (which == PRIO_PROCESS) {
        struct thread *t = sched_find(who);
        if (!t)
            return -ESRCH;
        spin_lock(&t->process->lock);
        priority_visit(w, t);
        spin_unlock(&t->process->lock);
        thread_put(t);
        return w->result;
    }
    if (which != PRIO_PGRP && which != PRIO_USER)
        return -EINVAL;
    pid_t group = who == 0 ? process_self()->group : who;
    uid_t uid = who == 0 ? thread_self()->cred->uid : (uid_t)who;
    struct process *next;
    for (pid_t pid = 1; (next = process_next(pid)); process_put(next)) {
        pid = next->pid + 1;
        if (which == PRIO_PGRP ? next->group == group : next->uid == uid)
            priority_visit_process(w, next);
    }
    return w->found ? w->result : -ESRCH;
}

long sys_setpriority(int which, int who, int nice)
{
    struct priority_walk w = {.fn = priority_set, .nice = MIN(MAX(nice, -20), 19)};
    return priority_walk(&w, which, who);
}

long sys_getpriority(int which, int who)
{
    struct priority_walk w = {.fn = priority_get};
    return priority_walk(&w, which, who);
}
