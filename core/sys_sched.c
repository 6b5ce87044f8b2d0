// SPDX-License-Identifier: BSD-2-Clause
// sched(7): policies, priorities, nice values, affinity. Who may change whom is decided here, the
// change itself is the scheduler's.
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <core/process.h>
#include <core/sched.h>
#include <core/time.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/sched.h>

#include "syscalls_priv.h"

#define RR_INTERVAL_NS (100 * NS_PER_MS)
#define RT_MIN         1
#define RT_MAX         99

long sys_sched_yield(void)
{
    sched_yield_self();
    return 0;
}

// The thread that `tid` names (0: the caller), with a reference, or NULL.
static struct thread *sched_find(pid_t tid)
{
    if (tid < 0)
        return NULL;
    if (tid != 0)
        return thread_find(tid);
    thread_get(thread_self());
    return thread_self();
}

// Does the caller own `t`, or may he change everybody?
static bool sched_owns(struct thread *t)
{
    const struct cred *self = thread_self()->cred;
    if (cred_has_cap(self, CAP_SYS_NICE))
        return true;
    spin_lock(&t->process->lock);
    bool owns = self->euid == t->cred->uid || self->euid == t->cred->euid;
    spin_unlock(&t->process->lock);
    return owns;
}

static int sched_may_set_policy(struct thread *t, unsigned int policy, int rt_priority)
{
    if (!sched_owns(t))
        return -EPERM;
    if (cred_has_cap(thread_self()->cred, CAP_SYS_NICE))
        return 0;
    bool raises =
        rt_priority > t->sched.set_priority || (rt_priority > 0 && t->sched.policy != policy);
    if (raises && (uint64_t)rt_priority > process_limit(t->process, RLIMIT_RTPRIO))
        return -EPERM;
    // Leaving SCHED_IDLE asks for as much as the nice value does.
    if (t->sched.policy == SCHED_IDLE && policy != SCHED_IDLE &&
        (uint64_t)(20 - t->sched.nice) > process_limit(t->process, RLIMIT_NICE))
        return -EPERM;
    return 0;
}

// policy below 0: keep it.
static long sched_set(pid_t tid, int policy, vaddr_t param)
{
    int rt_priority;
    if (tid < 0 || param == 0)
        return -EINVAL;
    int err = user_copy_in(&rt_priority, param, sizeof(rt_priority));
    if (err != 0)
        return err;
    struct thread *t = sched_find(tid);
    if (!t)
        return -ESRCH;
    bool reset = policy < 0 ? t->sched.reset_on_fork : (policy & SCHED_RESET_ON_FORK) != 0;
    unsigned int p = policy < 0 ? t->sched.policy : (unsigned int)policy & ~SCHED_RESET_ON_FORK;
    bool rt = p == SCHED_FIFO || p == SCHED_RR;
    bool known = rt || p == SCHED_NORMAL || p == SCHED_BATCH || p == SCHED_IDLE;
    if (!known || (rt ? rt_priority < RT_MIN || rt_priority > RT_MAX : rt_priority != 0))
        err = -EINVAL;
    if (err == 0)
        err = sched_may_set_policy(t, p, rt_priority);
    if (err == 0)
        err = sched_set_policy(t, p, rt_priority);
    if (err == 0)
        t->sched.reset_on_fork = reset;
    thread_put(t);
    return err;
}

long sys_sched_setparam(pid_t tid, vaddr_t param)
{
    return sched_set(tid, -1, param);
}

long sys_sched_setscheduler(pid_t tid, int policy, vaddr_t param)
{
    return policy < 0 ? -EINVAL : sched_set(tid, policy, param);
}

long sys_sched_getscheduler(pid_t tid)
{
    struct thread *t = sched_find(tid);
    if (!t)
        return tid < 0 ? -EINVAL : -ESRCH;
    long policy = t->sched.policy | (t->sched.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
    thread_put(t);
    return policy;
}

long sys_sched_getparam(pid_t tid, vaddr_t param)
{
    if (tid < 0 || param == 0)
        return -EINVAL;
    struct thread *t = sched_find(tid);
    if (!t)
        return -ESRCH;
    int rt_priority = t->sched.set_priority;
    thread_put(t);
    return user_copy_out(param, &rt_priority, sizeof(rt_priority));
}

long sys_sched_setaffinity(pid_t tid, unsigned int size, vaddr_t addr)
{
    uint64_t mask = 0;
    int err = user_copy_in(&mask, addr, MIN(size, sizeof(mask)));
    if (err != 0)
        return err;
    struct thread *t = sched_find(tid);
    if (!t)
        return -ESRCH;
    err = sched_owns(t) ? sched_set_affinity(t, mask) : -EPERM;
    thread_put(t);
    return err;
}

long sys_sched_getaffinity(pid_t tid, unsigned int size, vaddr_t addr)
{
    if (size < sizeof(uint64_t) || size % sizeof(uint64_t) != 0)
        return -EINVAL;
    struct thread *t = sched_find(tid);
    if (!t)
        return -ESRCH;
    uint64_t mask = t->sched.affinity & (BIT(cpu_count()) - 1);
    thread_put(t);
    int err = user_copy_out(addr, &mask, sizeof(mask));
    return err != 0 ? err : (long)sizeof(mask);
}

static long priority_limit(int policy, long rt)
{
    switch (policy) {
    case SCHED_FIFO:
    case SCHED_RR:
        return rt;
    case SCHED_NORMAL:
    case SCHED_BATCH:
    case SCHED_IDLE:
        return 0;
    default:
        return -EINVAL;
    }
}

long sys_sched_get_priority_max(int policy)
{
    return priority_limit(policy, RT_MAX);
}

long sys_sched_get_priority_min(int policy)
{
    return priority_limit(policy, RT_MIN);
}

long sys_sched_rr_get_interval(pid_t tid, vaddr_t addr)
{
    if (tid < 0)
        return -EINVAL;
    struct thread *t = sched_find(tid);
    if (!t)
        return -ESRCH;
    uint64_t ns = t->sched.policy == SCHED_RR     ? RR_INTERVAL_NS
                  : t->sched.policy == SCHED_FIFO ? 0
                                                  : 4 * NS_PER_MS;
    thread_put(t);
    return time_write_timespec(addr, ns);
}

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

long sys_getcpu(vaddr_t cpu_addr, vaddr_t node_addr, vaddr_t unused)
{
    uint32_t cpu = hart_self()->cpu, node = 0;
    int err = 0;
    if (cpu_addr != 0)
        err = user_copy_out(cpu_addr, &cpu, sizeof(cpu));
    if (err == 0 && node_addr != 0)
        err = user_copy_out(node_addr, &node, sizeof(node));
    return err;
}
