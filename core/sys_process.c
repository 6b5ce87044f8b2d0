// SPDX-License-Identifier: BSD-2-Clause
// System calls on processes and threads that need no file of their own: numbers, exit, groups,
// limits, usage, prctl(2).
#include <arch/clock.h>
#include <arch/uaccess.h>
#include <core/process.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/times.h>
#include <string.h>

#include "group_priv.h"
#include "process_priv.h"
#include "syscalls_priv.h"

#define CLOCK_TICK_NS (NS_PER_SEC / 100)

long sys_exit(int code)
{
    process_exit_thread((code & 0xff) << 8);
}

long sys_exit_group(int code)
{
    process_exit_group((code & 0xff) << 8);
}

long sys_set_tid_address(vaddr_t addr)
{
    struct thread *t = thread_self();
    t->clear_child_tid = addr;
    return t->tid;
}

long sys_getpid(void)
{
    return process_self()->pid;
}

long sys_gettid(void)
{
    return thread_self()->tid;
}

long sys_getppid(void)
{
    spin_lock(&process_tree_lock);
    pid_t pid = process_self()->parent->pid;
    spin_unlock(&process_tree_lock);
    return pid;
}

long sys_setpgid(pid_t pid, pid_t group)
{
    return process_setpgid(pid, group);
}

long sys_getpgid(pid_t pid)
{
    return process_getpgid(pid);
}

long sys_getsid(pid_t pid)
{
    return process_getsid(pid);
}

long sys_setsid(void)
{
    return process_setsid();
}

long sys_personality(unsigned int personality)
{
    struct process *p = process_self();
    uint32_t old = p->personality;
    if (personality != UINT32_MAX)
        p->personality = personality;
    return old;
}

long sys_getrusage(int who, vaddr_t user)
{
    struct process *p = process_self();
    struct process_usage usage;
    struct rusage r;
    switch (who) {
    case RUSAGE_SELF:
        process_usage_sum(p, &usage);
        break;
    case RUSAGE_CHILDREN:
        spin_lock(&process_tree_lock);
        usage = p->children_usage;
        spin_unlock(&process_tree_lock);
        break;
    case RUSAGE_THREAD:
        process_usage_of_thread(thread_self(), &usage);
        usage.max_resident_pages = p->map->space.nr_resident;
        break;
    default:
        return -EINVAL;
    }
    process_usage_to_rusage(&usage, &r);
    return user_copy_out(user, &r, sizeof(r));
}

long sys_times(vaddr_t user)
{
    struct process *p = process_self();
    struct process_usage own, children;
    process_usage_sum(p, &own);
    spin_lock(&process_tree_lock);
    children = p->children_usage;
    spin_unlock(&process_tree_lock);
    const struct tms times = {
        .tms_utime = (long)(own.user_ns / CLOCK_TICK_NS),
        .tms_stime = (long)(own.system_ns / CLOCK_TICK_NS),
        .tms_cutime = (long)(children.user_ns / CLOCK_TICK_NS),
        .tms_cstime = (long)(children.system_ns / CLOCK_TICK_NS),
    };
    if (user && user_copy_out(user, &times, sizeof(times)) != 0)
        return -EFAULT;
    return (long)(clock_monotonic_ns() / CLOCK_TICK_NS);
}

// Limits that mm keeps a copy of.
static void copy_to_map(struct process *p, unsigned int resource, uint64_t value)
{
    struct vm_map *map = process_map_get(p);
    if (!map)
        return;
    switch (resource) {
    case RLIMIT_AS:
        atomic_store(&map->limits.as, value);
        break;
    case RLIMIT_DATA:
        atomic_store(&map->limits.data, value);
        break;
    case RLIMIT_STACK:
        atomic_store(&map->limits.stack, value);
        break;
    default:
        break;
    }
    vm_map_put(map);
}

static int set_limit(struct process *p, unsigned int resource, const struct rlimit64 *new,
                     struct rlimit64 *old)
{
    int err = 0;
    spin_lock(&p->lock);
    struct rlimit64 *limit = &p->limits[resource];
    *old = *limit;
    if (new) {
        if (new->rlim_cur > new->rlim_max)
            err = -EINVAL;
        else if (resource == RLIMIT_NOFILE && new->rlim_max > FD_MAX)
            err = -EPERM;
        else if (new->rlim_max > limit->rlim_max &&
                 !cred_has_cap(thread_self()->cred, CAP_SYS_RESOURCE))
            err = -EPERM;
        else
            *limit = *new;
    }
    spin_unlock(&p->lock);
    if (new &&err == 0)
        copy_to_map(p, resource, new->rlim_cur);
    return err;
}

long sys_getrlimit(unsigned int resource, vaddr_t user)
{
    struct rlimit64 old;
    if (resource >= RLIM_NLIMITS)
        return -EINVAL;
    (void)set_limit(process_self(), resource, NULL, &old);
    return user_copy_out(user, &old, sizeof(old));
}

long sys_setrlimit(unsigned int resource, vaddr_t user)
{
    struct rlimit64 new, old;
    if (user_copy_in(&new, user, sizeof(new)) != 0)
        return -EFAULT;
    if (resource >= RLIM_NLIMITS)
        return -EINVAL;
    return set_limit(process_self(), resource, &new, &old);
}

// Same user all through, or CAP_SYS_RESOURCE (getrlimit(2)).
static bool may_limit(struct process *p)
{
    const struct cred *self = thread_self()->cred;
    bool allowed = cred_has_cap(self, CAP_SYS_RESOURCE);
    spin_lock(&p->lock);
    if (!list_is_empty(&p->threads)) {
        const struct cred *c = list_first_entry(&p->threads, struct thread, process_node)->cred;
        allowed = allowed || (self->uid == c->euid && self->uid == c->suid && self->uid == c->uid &&
                              self->gid == c->egid && self->gid == c->sgid && self->gid == c->gid);
    }
    spin_unlock(&p->lock);
    return allowed;
}

long sys_prlimit64(pid_t pid, unsigned int resource, vaddr_t user_new, vaddr_t user_old)
{
    struct rlimit64 new, old;
    if (resource >= RLIM_NLIMITS)
        return -EINVAL;
    if (user_new && user_copy_in(&new, user_new, sizeof(new)) != 0)
        return -EFAULT;
    struct process *self = process_self(), *p = process_find_by_tid(pid == 0 ? self->pid : pid);
    if (!p)
        return -ESRCH;
    int err =
        p == self || may_limit(p) ? set_limit(p, resource, user_new ? &new : NULL, &old) : -EPERM;
    process_put(p);
    if (err == 0 && user_old)
        err = user_copy_out(user_old, &old, sizeof(old));
    return err;
}
