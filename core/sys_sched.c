// SPDX-License-Identifier: BSD-2-Clause
// sched(7): policies, priorities, affinity. Who may change whom is decided here, the change itself
// is the scheduler's. Nice values alone: sys_priority.c.
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <core/process.h>
#include <core/sched.h>
#include <core/time.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <string.h>

#include "sched_priv.h"
#include "sys_sched_priv.h"
#include "syscalls_priv.h"

#define RR_INTERVAL_NS (100 * NS_PER_MS)
#define RT_MIN         1
#define RT_MAX         99
// Of SCHED_DEADLINE, as Linux has them.
#define DL_RUNTIME_MIN_NS 1024
#define DL_PERIOD_MIN_NS  (100 * NS_PER_US)
#define DL_PERIOD_MAX_NS  ((1UL << 22) * NS_PER_US)

long sys_sched_yield(void)
{
    sched_yield_self();
    return 0;
}

struct thread *sched_find(pid_t tid)
{
    if (tid < 0)
        return NULL;
    if (tid != 0)
        return thread_find(tid);
    thread_get(thread_self());
    return thread_self();
}

// Does the caller own `t`?
static bool sched_owns(struct thread *t)
{
    const struct cred *self = thread_self()->cred;
    spin_lock(&t->process->lock);
    bool owns = self->euid == t->cred->uid || self->euid == t->cred->euid;
    spin_unlock(&t->process->lock);
    return owns;
}

static bool policy_is_rt(unsigned int policy)
{
    return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool policy_is_fair(unsigned int policy)
{
    return policy == SCHED_NORMAL || policy == SCHED_BATCH;
}

// runtime <= deadline <= period, in the units and bounds of sched(7).
static bool deadline_is_sound(const struct sched_attr *a)
{
    uint64_t period = a->sched_period != 0 ? a->sched_period : a->sched_deadline;
    return a->sched_deadline != 0 && a->sched_runtime >= DL_RUNTIME_MIN_NS &&
           a->sched_runtime <= a->sched_deadline && a->sched_deadline <= period &&
           period >= DL_PERIOD_MIN_NS && period <= DL_PERIOD_MAX_NS;
}

static int sched_check_values(unsigned int policy, const struct sched_attr *a)
{
    bool known = policy_is_rt(policy) || policy_is_fair(policy) || policy == SCHED_IDLE ||
                 policy == SCHED_DEADLINE;
    if (!known || (a->sched_flags & ~(uint64_t)SCHED_FLAG_ALL) != 0 || a->sched_priority > RT_MAX)
        return -EINVAL;
    if (policy_is_rt(policy) != (a->sched_priority != 0))
        return -EINVAL;
    return policy == SCHED_DEADLINE && !deadline_is_sound(a) ? -EINVAL : 0;
}

// Without CAP_SYS_NICE nobody changes another user's threads, and his own ones get no more than the
// limits allow.
static bool sched_needs_privilege(struct thread *t, unsigned int policy, bool reset,
                                  const struct sched_attr *a)
{
    const struct sched_entity *e = &t->sched;
    uint64_t rt_limit = process_limit(t->process, RLIMIT_RTPRIO);
    uint64_t nice_limit = process_limit(t->process, RLIMIT_NICE);
    if (!sched_owns(t) || policy == SCHED_DEADLINE || (e->reset_on_fork && !reset))
        return true;
    if (policy_is_fair(policy) && a->sched_nice < e->nice &&
        (uint64_t)(20 - a->sched_nice) > nice_limit)
        return true;
    if (policy_is_rt(policy) && policy != e->policy && rt_limit == 0)
        return true;
    if (policy_is_rt(policy) && (int)a->sched_priority > e->set_priority &&
        a->sched_priority > rt_limit)
        return true;
    // Leaving SCHED_IDLE asks for as much as the nice value does.
    return e->policy == SCHED_IDLE && policy != SCHED_IDLE && (uint64_t)(20 - e->nice) > nice_limit;
}

// keep: the thread's policy and SCHED_RESET_ON_FORK stay.
static int sched_apply(struct thread *t, bool keep, const struct sched_attr *a)
{
    unsigned int policy = keep ? t->sched.policy : a->sched_policy;
    bool reset = keep ? t->sched.reset_on_fork : (a->sched_flags & SCHED_FLAG_RESET_ON_FORK) != 0;
    int err = sched_check_values(policy, a);
    if (err != 0)
        return err;
    if (!cred_has_cap(thread_self()->cred, CAP_SYS_NICE) &&
        sched_needs_privilege(t, policy, reset, a))
        return -EPERM;
    if (a->sched_flags & SCHED_FLAG_UTIL_CLAMP) // as a Linux without CONFIG_UCLAMP_TASK
        return -EOPNOTSUPP;
    // There is no such class here: its admission control, sched(7), admits nobody.
    if (policy == SCHED_DEADLINE)
        return -EBUSY;
    if (!(a->sched_flags & SCHED_FLAG_KEEP_PARAMS)) // which keeps the policy as well
        err = sched_set_policy(t, policy, (int)a->sched_priority);
    if (err != 0)
        return err;
    if (policy_is_fair(policy) && a->sched_nice != t->sched.nice)
        sched_set_nice(t, a->sched_nice);
    t->sched.reset_on_fork = reset;
    return 0;
}

// The older calls: a policy (below 0: keep it) and struct sched_param.
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
    struct sched_attr attr = {.sched_policy = (uint32_t)policy & ~(uint32_t)SCHED_RESET_ON_FORK,
                              .sched_priority = (uint32_t)rt_priority,
                              .sched_nice = t->sched.nice};
    if (policy >= 0 && (policy & SCHED_RESET_ON_FORK))
        attr.sched_flags = SCHED_FLAG_RESET_ON_FORK;
    err = sched_apply(t, policy < 0, &attr);
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

// What a thread has of struct sched_attr.
static void sched_fill_params(const struct thread *t, struct sched_attr *attr)
{
    if (policy_is_rt(t->sched.policy)) {
        attr->sched_priority = (uint32_t)t->sched.set_priority;
    } else {
        attr->sched_nice = t->sched.nice;
        attr->sched_runtime = SCHED_SLICE_NS;
    }
}

// As sched_setattr(2) has it: a program's struct may be younger than ours if its rest is zero, else
// it is told the size that is known here.
static int sched_read_attr(vaddr_t addr, struct sched_attr *attr)
{
    uint32_t size;
    const uint32_t known = sizeof(*attr);
    memset(attr, 0, sizeof(*attr));
    int err = user_copy_in(&size, addr, sizeof(size));
    if (err != 0)
        return err;
    if (size == 0)
        size = SCHED_ATTR_SIZE_VER0;
    bool fits = size >= SCHED_ATTR_SIZE_VER0 && size <= PAGE_SIZE;
    for (uint32_t i = known; fits && i < size && err == 0; i++) {
        uint8_t byte = 0;
        err = user_copy_in(&byte, addr + i, 1);
        fits = byte == 0;
    }
    if (!fits)
        return user_copy_out(addr, &known, sizeof(known)) == 0 ? -E2BIG : -EFAULT;
    if (err == 0)
        err = user_copy_in(attr, addr, MIN(size, known));
    if (err == 0 && (attr->sched_flags & SCHED_FLAG_UTIL_CLAMP) && size < known)
        err = -EINVAL;
    attr->sched_nice = MIN(MAX(attr->sched_nice, -20), 19);
    return err;
}

long sys_sched_setattr(pid_t tid, vaddr_t addr, unsigned int flags)
{
    struct sched_attr attr;
    if (addr == 0 || tid < 0 || flags != 0)
        return -EINVAL;
    int err = sched_read_attr(addr, &attr);
    if (err != 0)
        return err;
    if ((int)attr.sched_policy < 0)
        return -EINVAL;
    struct thread *t = sched_find(tid);
    if (!t)
        return -ESRCH;
    if (attr.sched_flags & SCHED_FLAG_KEEP_PARAMS)
        sched_fill_params(t, &attr);
    err = sched_apply(t, attr.sched_flags & SCHED_FLAG_KEEP_POLICY, &attr);
    thread_put(t);
    return err;
}

long sys_sched_getattr(pid_t tid, vaddr_t addr, unsigned int size, unsigned int flags)
{
    if (addr == 0 || tid < 0 || size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE || flags != 0)
        return -EINVAL;
    struct thread *t = sched_find(tid);
    if (!t)
        return -ESRCH;
    struct sched_attr attr = {.size = MIN(size, (unsigned int)sizeof(attr)),
                              .sched_policy = t->sched.policy};
    if (t->sched.reset_on_fork)
        attr.sched_flags = SCHED_FLAG_RESET_ON_FORK;
    sched_fill_params(t, &attr);
    thread_put(t);
    return user_copy_out(addr, &attr, attr.size);
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
    bool may = cred_has_cap(thread_self()->cred, CAP_SYS_NICE) || sched_owns(t);
    err = may ? sched_set_affinity(t, mask) : -EPERM;
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
    case SCHED_DEADLINE:
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
