// SPDX-License-Identifier: BSD-2-Clause
// Process groups and sessions: setpgid(2), setsid(2), orphaned groups (POSIX, "Orphaned Process
// Group"). All under process_tree_lock.
#include <core/process.h>
#include <errno.h>

#include "group_priv.h"
#include "process_priv.h"

bool process_group_is_orphaned(pid_t group, const struct process *without)
{
    struct process *p = NULL;
    while ((p = process_next_in_group(group, p)) != NULL) {
        if (p == without || p->state != PROCESS_ALIVE)
            continue;
        if (p->parent != init_process && p->parent->group != group &&
            p->parent->session == p->session)
            return false;
    }
    return true;
}

static bool group_has_stopped(pid_t group)
{
    struct process *p = NULL;
    while ((p = process_next_in_group(group, p)) != NULL)
        if (atomic_load(&p->group_stop))
            return true;
    return false;
}

void process_group_hang_up_if_orphaned(pid_t group, const struct process *without)
{
    spin_assert_held(&process_tree_lock);
    if (!group_has_stopped(group) || !process_group_is_orphaned(group, without))
        return;
    struct process *p = NULL;
    while ((p = process_next_in_group(group, p)) != NULL) {
        signal_send_process(p, SIGHUP, NULL);
        signal_send_process(p, SIGCONT, NULL);
    }
}

static int set_group_locked(struct process *self, pid_t pid, pid_t group)
{
    struct process *p = process_find_locked(pid);
    if (!p)
        return -ESRCH;
    if (p != self) {
        if (p->parent != self || p->state != PROCESS_ALIVE)
            return -ESRCH;
        if (p->session != self->session)
            return -EPERM;
        if (p->did_exec)
            return -EACCES;
    }
    if (p->session_leader)
        return -EPERM;
    if (group != pid) {
        struct process *member = process_next_in_group(group, NULL);
        if (!member || member->session != self->session)
            return -EPERM;
    }
    if (p->group != group)
        process_set_group(p, group, p->session);
    return 0;
}

int process_setpgid(pid_t pid, pid_t group)
{
    struct process *self = process_self();
    if (pid == 0)
        pid = self->pid;
    if (group == 0)
        group = pid;
    if (group < 0)
        return -EINVAL;
    spin_lock(&process_tree_lock);
    int err = set_group_locked(self, pid, group);
    spin_unlock(&process_tree_lock);
    return err;
}

static pid_t read_number(pid_t pid, bool session)
{
    struct process *self = process_self();
    if (pid == 0)
        return session ? self->session : self->group;
    struct process *p = process_find_by_tid(pid);
    if (!p)
        return -ESRCH;
    spin_lock(&process_tree_lock);
    pid_t number = session ? p->session : p->group;
    spin_unlock(&process_tree_lock);
    process_put(p);
    return number;
}

pid_t process_getpgid(pid_t pid)
{
    return read_number(pid, false);
}

pid_t process_getsid(pid_t pid)
{
    return read_number(pid, true);
}

pid_t process_setsid(void)
{
    struct process *p = process_self();
    spin_lock(&process_tree_lock);
    pid_t result = p->pid;
    if (p->session_leader || process_next_in_group(p->pid, NULL)) {
        result = -EPERM;
    } else {
        process_set_group(p, p->pid, p->pid);
        p->session_leader = true;
        p->tty = NULL;
    }
    spin_unlock(&process_tree_lock);
    return result;
}
