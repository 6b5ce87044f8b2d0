// SPDX-License-Identifier: BSD-2-Clause
// prctl(2), as far as the things exist that it sets; and unshare(2), likewise.
#include <arch/uaccess.h>
#include <core/process.h>
#include <errno.h>
#include <ipc/sem.h>
#include <lib/atomic.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <string.h>

#include "signal_priv.h"
#include "syscalls_priv.h"

// Programs are newer than the build machine's headers.
#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65
#define PR_GET_MDWE              66
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
#ifndef PR_MDWE_NO_INHERIT
#define PR_MDWE_NO_INHERIT 2
#endif

#define TIMER_SLACK_NS 50000 // what Linux gives every thread; timers here have none

static long set_name(vaddr_t user)
{
    struct thread *t = thread_self();
    char name[THREAD_NAME_SIZE] = {0};
    ssize_t n = user_copy_string(name, user, THREAD_NAME_SIZE - 1);
    if (n < 0 && n != -ENAMETOOLONG)
        return n;
    spin_lock(&t->process->lock);
    memcpy(t->name, name, sizeof(name));
    if (t->tid == t->process->pid)
        memcpy(t->process->name, name, sizeof(name));
    spin_unlock(&t->process->lock);
    return 0;
}

static long write_int(vaddr_t user, int value)
{
    return user_copy_out(user, &value, sizeof(value));
}

// One way only; what a map may do from here on is mm's to say.
static long set_mdwe(struct vm_map *m, unsigned long bits)
{
    unsigned int now = 0;
    if (bits & ~(unsigned long)(PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT) ||
        bits == PR_MDWE_NO_INHERIT)
        return -EINVAL;
    bool set = atomic_compare_exchange(&m->mdwe, &now, (unsigned int)bits);
    return set || now == bits ? 0 : -EPERM;
}

static long keep_caps(unsigned long keep)
{
    if (keep > 1)
        return -EINVAL;
    struct cred *new = cred_copy(thread_self()->cred);
    if (!new)
        return -ENOMEM;
    new->keep_caps = keep;
    cred_replace_self(new);
    return 0;
}

long sys_prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4,
               unsigned long arg5)
{
    struct thread *t = thread_self();
    struct process *p = t->process;
    switch (option) {
    case PR_SET_NAME:
        return set_name(arg2);
    case PR_GET_NAME:
        return user_copy_out(arg2, t->name, sizeof(t->name));
    case PR_SET_PDEATHSIG:
        if (arg2 > NR_SIGNALS)
            return -EINVAL;
        p->parent_death_signal = (int)arg2;
        return 0;
    case PR_GET_PDEATHSIG:
        return write_int(arg2, p->parent_death_signal);
    case PR_SET_DUMPABLE:
        if (arg2 > 1)
            return -EINVAL;
        p->dumpable = arg2;
        return 0;
    case PR_GET_DUMPABLE:
        return p->dumpable;
    case PR_SET_CHILD_SUBREAPER:
        p->child_subreaper = arg2 != 0;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return write_int(arg2, p->child_subreaper);
    case PR_SET_NO_NEW_PRIVS:
        if (arg2 != 1 || arg3 || arg4 || arg5)
            return -EINVAL;
        p->no_new_privs = true;
        return 0;
    case PR_GET_NO_NEW_PRIVS:
        return arg2 || arg3 || arg4 || arg5 ? -EINVAL : p->no_new_privs;
    case PR_SET_MDWE:
        return arg3 || arg4 || arg5 ? -EINVAL : set_mdwe(p->map, arg2);
    case PR_GET_MDWE:
        return arg2 || arg3 || arg4 || arg5 ? -EINVAL : (long)atomic_load(&p->map->mdwe);
    case PR_GET_KEEPCAPS:
        return t->cred->keep_caps;
    case PR_SET_KEEPCAPS:
        return keep_caps(arg2);
    case PR_CAPBSET_READ:
        return arg2 > 63 || !(CRED_CAPS_ALL & BIT(arg2)) ? -EINVAL : 1;
    case PR_GET_TIMERSLACK:
        return TIMER_SLACK_NS;
    case PR_GET_SECCOMP:
        return 0;
    default:
        return -EINVAL;
    }
}

// Files and paths of a process that shares them with others become its own. Threads of one process
// share them always.
long sys_unshare(unsigned long flags)
{
    struct process *p = process_self();
    if (flags & ~(unsigned long)(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_THREAD |
                                 CLONE_SIGHAND | CLONE_VM))
        return -EINVAL;
    if ((flags & ~(unsigned long)CLONE_SYSVSEM) && p->nr_threads > 1)
        return -EINVAL;
    if ((flags & (CLONE_VM | CLONE_SIGHAND)) && atomic_load(&p->map->refs.count) > 1)
        return -EINVAL;
    struct fd_table *fds = NULL;
    struct fs_context *fs = NULL;
    if ((flags & CLONE_FILES) && atomic_load(&p->fds->refs.count) > 1) {
        fds = fd_table_copy(p->fds);
        if (!fds)
            return -ENOMEM;
    }
    if ((flags & CLONE_FS) && atomic_load(&p->fs->refs.count) > 1) {
        fs = fs_context_copy(p->fs);
        if (!fs) {
            if (fds)
                fd_table_put(fds);
            return -ENOMEM;
        }
    }
    spin_lock(&p->lock);
    struct fd_table *old_fds = p->fds;
    struct fs_context *old_fs = p->fs;
    if (fds)
        p->fds = fds;
    if (fs)
        p->fs = fs;
    spin_unlock(&p->lock);
    if (fds)
        fd_table_put(old_fds);
    if (fs)
        fs_context_put(old_fs);
    if (flags & CLONE_SYSVSEM) {
        sem_undo_list_put(thread_self()->sem_undo, p->pid);
        thread_self()->sem_undo = NULL;
    }
    return 0;
}
