// SPDX-License-Identifier: BSD-2-Clause
// The second half of execve(2): the caller's other threads end, then it becomes the new program.
// Nothing after the last check can fail.
#include <arch/fpu.h>
#include <errno.h>
#include <lib/atomic.h>
#include <mm/slab.h>
#include <string.h>

#include "exec_priv.h"
#include "posix_timer_priv.h"
#include "process_priv.h"
#include "signal_priv.h"

// What sharing with other processes must be undone for; made while failing is still allowed.
struct unshared {
    struct signal_actions *actions;
    struct fd_table *fds;
};

static int unshare(struct process *p, struct unshared *u)
{
    u->actions = NULL;
    u->fds = NULL;
    if (atomic_load(&p->actions->refs.count) > 1) {
        u->actions = signal_actions_copy(p->actions);
        if (!u->actions)
            return -ENOMEM;
    }
    if (atomic_load(&p->fds->refs.count) > 1) {
        u->fds = fd_table_copy(p->fds);
        if (!u->fds) {
            if (u->actions)
                signal_actions_put(u->actions);
            return -ENOMEM;
        }
    }
    return 0;
}

static void unshare_undo(struct unshared *u)
{
    if (u->actions)
        signal_actions_put(u->actions);
    if (u->fds)
        fd_table_put(u->fds);
}

// End every other thread of the process and wait for it; then this one is the process's first
// thread. -EAGAIN: the process is ending, or another thread is at the same.
static int become_single(struct process *p, struct thread *t)
{
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    bool ending = process_is_ending(p, t);
    bool single = p->nr_threads == 1;
    if (!ending && !single) {
        p->exec_thread = t;
        signal_wake_all(p, t);
    }
    spin_unlock_irqrestore(&p->signal_lock, flags);
    if (ending)
        return -EAGAIN;
    if (!single) {
        while (atomic_load_acquire(&p->nr_threads) > 1)
            (void)port_park(PARK_UNINTERRUPTIBLE, TIME_NEVER);
        flags = spin_lock_irqsave(&p->signal_lock);
        p->exec_thread = NULL;
        p->group_stop = false;
        p->nr_stopped = 0;
        spin_unlock_irqrestore(&p->signal_lock, flags);
    }
    if (t->tid != p->pid) {
        exit_release_user_memory(t, true); // while its locks' words still name it
        thread_take_pid(t);
    }
    return 0;
}

static void enter_map(struct process *p, struct thread *t, struct vm_map *map)
{
    exit_release_user_memory(t, true);
    struct vm_map *old = p->map;
    spin_lock(&p->lock);
    if (old)
        p->exited_usage.max_resident_pages =
            MAX(p->exited_usage.max_resident_pages, old->space.nr_resident);
    map->owner = p->pid;
    p->map = map;
    p->did_exec = true;
    atomic_store(&p->membarrier, 0U); // registrations were the old map's
    spin_unlock(&p->lock);
    irq_flags_t flags = irq_save();
    vm_space_switch(&map->space);
    irq_restore(flags);
    process_finish_vfork(p);
    if (old)
        vm_map_put(old);
}

static void reset_signals(struct process *p, struct thread *t, struct unshared *u)
{
    spin_lock(&process_tree_lock); // our children look at the actions under this one alone
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    struct signal_actions *old = p->actions;
    if (u->actions)
        p->actions = u->actions;
    spin_unlock_irqrestore(&p->signal_lock, flags);
    spin_unlock(&process_tree_lock);
    if (u->actions)
        signal_actions_put(old);
    signal_actions_reset(p->actions);
    t->signal.alt_base = 0;
    t->signal.alt_size = 0;
    t->signal.alt_flags = 0;
    t->restart.call = NULL;
    t->rseq = 0;
}

static void reset_files(struct process *p, struct unshared *u)
{
    if (u->fds) {
        spin_lock(&p->lock);
        struct fd_table *old = p->fds;
        p->fds = u->fds;
        spin_unlock(&p->lock);
        fd_table_put(old);
    }
    p->fds->threads = false; // the others have ended, and nobody else's table is shared
    fd_table_close_on_exec(p->fds);
}

static void set_name(struct process *p, struct thread *t, const char *path)
{
    const char *slash = strrchr(path, '/');
    spin_lock(&p->lock);
    strlcpy(t->name, slash ? slash + 1 : path, sizeof(t->name));
    memcpy(p->name, t->name, sizeof(p->name));
    p->dumpable = true;
    spin_unlock(&p->lock);
}

static void set_cred(struct process *p, struct exec *x)
{
    if (x->secure) {
        p->dumpable = false;
        p->parent_death_signal = 0;
    }
    if (x->cred != thread_self()->cred) {
        cred_replace_self(x->cred);
        x->cred = NULL;
    }
}

int exec_commit(struct exec *x)
{
    struct thread *t = thread_self();
    struct process *p = t->process;
    struct unshared u;
    int err = unshare(p, &u);
    if (err != 0)
        return err;
    err = become_single(p, t);
    if (err != 0) {
        unshare_undo(&u);
        return err;
    }
    enter_map(p, t, x->map);
    x->map = NULL;
    posix_timers_exit(p);
    atomic_add_fetch(&p->nr_execs, 1);
    reset_signals(p, t, &u);
    reset_files(p, &u);
    set_name(p, t, x->way);
    set_cred(p, x);
    if (p->exit_signal != SIGCHLD) {
        spin_lock(&process_tree_lock);
        p->exit_signal = SIGCHLD;
        spin_unlock(&process_tree_lock);
    }
    arch_thread_reset_user();
    trap_frame_init_user(arch_thread_frame(&t->arch), x->entry, x->sp);
    return 0;
}
