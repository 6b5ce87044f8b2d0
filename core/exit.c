// SPDX-License-Identifier: BSD-2-Clause
// The end of threads and processes: exit(2), exit_group(2), and death by signal, which is the same.
//
// A thread gives up what only it has and leaves its process's list; the last one then gives up what
// the process has, hands its children to init or the nearest subreaper, and leaves a zombie.
#include <core/process.h>
#include <ipc/sem.h>
#include <ipc/shm.h>

#include "posix_timer_priv.h"
#include "process_priv.h"
#include "signal_priv.h"

void process_drop_map(struct process *p)
{
    struct vm_map *map = p->map;
    if (!map)
        return;
    spin_lock(&p->lock);
    p->exited_usage.max_resident_pages =
        MAX(p->exited_usage.max_resident_pages, map->space.nr_resident);
    p->map = NULL;
    spin_unlock(&p->lock);
    if (p == process_self()) {
        irq_flags_t flags = irq_save();
        vm_space_switch(NULL);
        irq_restore(flags);
    }
    vm_map_put(map);
}

void process_drop_files(struct process *p)
{
    spin_lock(&p->lock);
    struct fd_table *fds = p->fds;
    struct fs_context *fs = p->fs;
    p->fds = NULL;
    p->fs = NULL;
    spin_unlock(&p->lock);
    if (fds)
        fd_table_put(fds);
    if (fs)
        fs_context_put(fs);
    process_drop_map(p);
}

void process_finish_vfork(struct process *p)
{
    if (p->vfork_done)
        return;
    atomic_store_release(&p->vfork_done, true);
    wait_queue_wake_all(&p->vfork_wait);
}

// The nearest ancestor that takes orphans in.
static struct process *find_reaper(struct process *p)
{
    for (struct process *a = p->parent; a && a != init_process && a != kernel_process;
         a = a->parent)
        if (a->child_subreaper && a->state == PROCESS_ALIVE)
            return a;
    return init_process;
}

void process_reap(struct process *p)
{
    p->state = PROCESS_DEAD;
    wait_queue_wake_all(&p->exit_wait);
    process_unlink(p);
}

// Tell the parent of a new zombie, or reap at once if he doesn't want to know: SIGCHLD ignored or
// SA_NOCLDWAIT. True: reaped, and the tree's reference is the caller's to drop.
static bool announce_zombie(struct process *p)
{
    struct process *parent = p->parent;
    bool reap = false;
    if (p->exit_signal == SIGCHLD) {
        const struct signal_action *action = &parent->actions->action[SIGCHLD - 1];
        reap = atomic_load(&action->handler) == HANDLER_IGNORE || (action->flags & SA_NOCLDWAIT);
    }
    if (reap)
        process_reap(p);
    process_notify_parent(p, (p->exit_status & 0x7f) != 0 ? CLD_KILLED : CLD_EXITED,
                          p->exit_status);
    return reap;
}

static void orphan_children(struct process *p, struct list_node *reaped)
{
    struct process *child, *next, *reaper = find_reaper(p);
    list_for_each_entry_safe (child, next, &p->children, sibling) {
        child->parent = reaper;
        list_remove(&child->sibling);
        list_add_tail(&reaper->children, &child->sibling);
        if (child->parent_death_signal)
            signal_send_process(child, child->parent_death_signal, NULL);
        if (child->state == PROCESS_ZOMBIE) {
            child->exit_signal = SIGCHLD;
            if (announce_zombie(child))
                list_add_tail(reaped, &child->sibling);
        } else {
            child->exit_signal = SIGCHLD;
            if (child->group != p->group && child->session == p->session)
                process_group_hang_up_if_orphaned(child->group, p);
        }
    }
}

// The tree's side of the end; afterwards the process is a zombie or nobody knows it.
static void become_zombie(struct process *p)
{
    struct list_node reaped = LIST_INIT(reaped);
    struct process *child, *next;
    spin_lock(&process_tree_lock);
    orphan_children(p, &reaped);
    p->tty = NULL;
    p->state = PROCESS_ZOMBIE;
    wait_queue_wake_all(&p->exit_wait);
    if (p->parent->group != p->group && p->parent->session == p->session)
        process_group_hang_up_if_orphaned(p->group, p);
    if (announce_zombie(p))
        list_add_tail(&reaped, &p->sibling);
    spin_unlock(&process_tree_lock);
    list_for_each_entry_safe (child, next, &reaped, sibling) {
        list_remove(&child->sibling);
        process_put(child);
    }
}

static void end_process(struct process *p)
{
    if (p == init_process)
        panic(
            "init (process 1) ended with status %#x: nothing can go on without it. Is the program "
            "given by init= the right one?",
            (unsigned int)p->exit_status);
    itimer_exit(p);
    posix_timers_exit(p);
    process_drop_map(p);
    shm_exit(p->pid);
    process_finish_vfork(p);
    process_drop_files(p);
    process_release_tty(p);
    become_zombie(p);
}

// Off the process's list. True: that was the last thread.
static bool leave_process(struct thread *t, struct process *p, int status)
{
    struct process_usage usage;
    process_usage_of_thread(t, &usage);
    thread_unhash(t);
    spin_lock(&p->lock);
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    t->exiting = true;
    // Before it stops counting: then nobody waits for this hart to leave the map any more.
    vm_space_switch(NULL);
    process_usage_add(&p->exited_usage, &usage);
    list_remove(&t->process_node);
    bool last = --p->nr_threads == 0;
    signal_queue_flush(p, &t->signal.queue, ~0UL);
    if (!last) {
        // From here on the map may go at any time: this hart has to be off it, and nothing sleeps
        // any more that could bring it back.
        vm_space_switch(NULL);
        signal_hand_over(p, t);
    }
    if (t->tid == p->pid)
        p->exit_status = status;
    if (last && p->group_exit)
        p->exit_status = p->group_exit_code;
    if (p->exec_thread && p->nr_threads == 1)
        port_unpark(p->exec_thread);
    spin_unlock_irqrestore(&p->signal_lock, flags);
    spin_unlock(&p->lock);
    return last;
}

void process_exit_thread(int status)
{
    struct thread *t = thread_self();
    struct process *p = t->process;
    ASSERT(p != kernel_process);
    exit_release_user_memory(t, false);
    sem_undo_list_put(t->sem_undo, p->pid);
    t->sem_undo = NULL;
    if (leave_process(t, p, status))
        end_process(p);
    else
        signal_thread_left(p);
    thread_exit_self();
}

void process_exit_group(int status)
{
    struct thread *t = thread_self();
    struct process *p = t->process;
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    if (!process_is_ending(p, t)) {
        p->group_exit = true;
        p->group_exit_code = status;
        signal_wake_all(p, t);
    } else if (p->group_exit) {
        status = p->group_exit_code;
    }
    spin_unlock_irqrestore(&p->signal_lock, flags);
    process_exit_thread(status);
}
