// SPDX-License-Identifier: BSD-2-Clause
// fork(2), vfork(2), clone(2), clone3(2): a new thread, or a new process with its first one.
//
// Everything that can fail comes first and is undone in reverse; then the child is linked under
// process_tree_lock, unless a signal came in the meantime: it was meant for parent and child both,
// so the call starts over after the signal (ERESTARTNOINTR).
#include <arch/clock.h>
#include <arch/uaccess.h>
#include <core/board.h>
#include <core/process.h>
#include <core/rseq.h>
#include <errno.h>
#include <ipc/sem.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <string.h>

#include "pidfd_priv.h"
#include "process_priv.h"
#include "signal_priv.h"
#include "syscalls_priv.h"

#define CLONE_NAMESPACES                                                                           \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET | CLONE_NEWTIME)

// Copy or share one part of the parent: `flag` decides.
#define INHERIT(child, parent, field, flag, get, copy)                                             \
    ({                                                                                             \
        if (flag) {                                                                                \
            get((parent)->field);                                                                  \
            (child)->field = (parent)->field;                                                      \
        } else {                                                                                   \
            (child)->field = copy((parent)->field);                                                \
        }                                                                                          \
        (child)->field != NULL;                                                                    \
    })

static void actions_get(struct signal_actions *a)
{
    refcount_get(&a->refs);
}

static int check_flags(const struct clone_args *args)
{
    uint64_t flags = args->flags;
    if (flags & (CLONE_NAMESPACES | CLONE_INTO_CGROUP))
        return -EINVAL; // as a Linux without them
    // As Linux before 6.9: pidfds are of processes. clone(2) has one argument for both addresses.
    if ((flags & CLONE_PIDFD) &&
        ((flags & (CLONE_THREAD | CLONE_DETACHED)) ||
         ((flags & CLONE_PARENT_SETTID) && args->pidfd == args->parent_tid)))
        return -EINVAL;
    if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
        return -EINVAL;
    if ((flags & CLONE_SIGHAND) && (!(flags & CLONE_VM) || (flags & CLONE_CLEAR_SIGHAND)))
        return -EINVAL;
    // Threads of a process share files and paths here, as every C library has it.
    if ((flags & CLONE_THREAD) && (flags & (CLONE_FS | CLONE_FILES)) != (CLONE_FS | CLONE_FILES))
        return -EINVAL;
    if ((flags & CLONE_PARENT) && process_self()->unkillable)
        return -EINVAL;
    if (args->exit_signal > NR_SIGNALS)
        return -EINVAL;
    return 0;
}

static void copy_settings(struct process *child, struct process *parent)
{
    spin_lock(&parent->lock);
    memcpy(child->limits, parent->limits, sizeof(child->limits));
    memcpy(child->name, thread_self()->name, sizeof(child->name));
    child->dumpable = parent->dumpable;
    spin_unlock(&parent->lock);
    child->personality = parent->personality;
    child->membarrier = atomic_load(&parent->membarrier);
    child->no_new_privs = parent->no_new_privs;
    child->uid = thread_self()->cred->uid;
    child->start_ns = clock_monotonic_ns();
}

// A process that has everything but a thread and a place in the tree. NULL: no memory.
static struct process *copy_process(struct process *parent, uint64_t flags)
{
    struct process *child = process_create();
    if (!child)
        return NULL;
    copy_settings(child, parent);
    bool ok =
        INHERIT(child, parent, actions, flags & CLONE_SIGHAND, actions_get, signal_actions_copy) &&
        INHERIT(child, parent, fds, flags & CLONE_FILES, fd_table_get, fd_table_copy) &&
        INHERIT(child, parent, fs, flags & CLONE_FS, fs_context_get, fs_context_copy) &&
        INHERIT(child, parent, map, flags & CLONE_VM, vm_map_get, vm_map_fork);
    if (!ok) {
        process_drop_files(child);
        process_put(child);
        return NULL;
    }
    if (flags & CLONE_CLEAR_SIGHAND)
        signal_actions_reset(child->actions);
    return child;
}

static void first_run_child(struct thread *t)
{
    if (t->set_child_tid)
        (void)user_copy_out_partial(t->set_child_tid, &t->tid, sizeof(t->tid));
}

// The child's registers and per-thread settings.
static int prepare_thread(struct thread *t, const struct clone_args *args)
{
    struct thread *self = thread_self();
    int err = arch_thread_copy_user(&t->arch);
    if (err != 0)
        return err;
    struct trap_frame *frame = arch_thread_frame(&t->arch);
    frame->a0 = 0;
    frame->cause = TRAP_CAUSE_NONE;
    if (args->stack != 0)
        frame->sp = args->stack + args->stack_size;
    if (args->flags & CLONE_SETTLS)
        frame->tp = args->tls;
    t->signal.mask = self->signal.mask;
    rseq_fork(t, args->flags & CLONE_VM);
    if (!(args->flags & CLONE_VM) || (args->flags & CLONE_VFORK)) {
        t->signal.alt_base = self->signal.alt_base;
        t->signal.alt_size = self->signal.alt_size;
        t->signal.alt_flags = self->signal.alt_flags;
    }
    if (args->flags & CLONE_SYSVSEM) {
        if (!self->sem_undo && !(self->sem_undo = sem_undo_list_create()))
            return -ENOMEM;
        sem_undo_list_get(self->sem_undo);
        t->sem_undo = self->sem_undo;
    }
    if (args->flags & CLONE_CHILD_CLEARTID)
        t->clear_child_tid = args->child_tid;
    if (args->flags & CLONE_CHILD_SETTID) {
        t->set_child_tid = args->child_tid;
        t->first_run = first_run_child;
    }
    return 0;
}

// It never ran.
static void discard_thread(struct thread *t)
{
    sem_undo_list_put(t->sem_undo, 0); // the caller has it, too
    t->sem_undo = NULL;
    thread_discard(t);
}

bool process_add_thread(struct thread *t)
{
    struct process *p = t->process;
    spin_lock(&p->lock);
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    bool ok = !p->group_exit && !p->exec_thread;
    if (ok) {
        list_add_tail(&p->threads, &t->process_node);
        p->nr_threads++;
        if (p->group_stop || (p->signal_queue.pending & ~t->signal.mask))
            atomic_fetch_or(&t->arch.work, THREAD_WORK_SIGNAL);
    }
    spin_unlock_irqrestore(&p->signal_lock, flags);
    spin_unlock(&p->lock);
    return ok;
}

void process_remove_thread(struct thread *t)
{
    struct process *p = t->process;
    spin_lock(&p->lock);
    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    list_remove(&t->process_node);
    p->nr_threads--;
    spin_unlock_irqrestore(&p->signal_lock, flags);
    spin_unlock(&p->lock);
}

// Into the tree, unless a signal waits for the parent.
static int link_child(struct process *child, struct thread *t, const struct clone_args *args)
{
    struct process *self = process_self();
    int err = 0;
    spin_lock(&process_tree_lock);
    if (signal_is_pending(thread_self())) {
        err = -ERESTARTNOINTR;
    } else {
        child->group = self->group;
        child->session = self->session;
        child->tty = self->tty;
        child->exit_signal = (int)args->exit_signal;
        (void)process_add_thread(t);
        process_get(child); // the tree's; ours goes to the caller
        process_link(child, args->flags & CLONE_PARENT ? self->parent : self);
    }
    spin_unlock(&process_tree_lock);
    return err;
}

static void report_tid(const struct clone_args *args, pid_t tid)
{
    if (args->flags & CLONE_PARENT_SETTID)
        (void)user_copy_out_partial(args->parent_tid, &tid, sizeof(tid));
}

// RLIMIT_NPROC counts the threads of the caller's real user, the new one included. Root and whoever
// may lift limits has none, so only others pay for counting.
static bool is_over_limit(void)
{
    const struct cred *c = thread_self()->cred;
    uint64_t limit = process_limit(process_self(), RLIMIT_NPROC), count = 1;
    if (c->uid == 0 || limit == RLIM64_INFINITY || cred_has_cap(c, CAP_SYS_RESOURCE) ||
        cred_has_cap(c, CAP_SYS_ADMIN))
        return false;
    struct process *p = NULL;
    spin_lock(&process_tree_lock);
    while ((p = process_next_of_all(p)) != NULL)
        if (p->uid == c->uid)
            count += MAX(p->nr_threads, 1U);
    spin_unlock(&process_tree_lock);
    return count > limit;
}

// thread_create() failed: fork(2) tells a limit from lack of memory.
static int no_thread_error(void)
{
    return thread_count() >= board->nr_processes_max ? -EAGAIN : -ENOMEM;
}

static long clone_thread(const struct clone_args *args)
{
    struct process *p = process_self();
    struct thread *t = thread_create(p, thread_self()->cred);
    if (!t)
        return no_thread_error();
    int err = prepare_thread(t, args);
    if (err != 0) {
        discard_thread(t);
        return err;
    }
    pid_t tid = t->tid;
    report_tid(args, tid);
    atomic_store(&p->fds->threads, true); // seen by the new thread: it starts after this
    if (!process_add_thread(t)) {
        discard_thread(t);
        return -ERESTARTNOINTR;
    }
    thread_start(t);
    thread_put(t);
    return tid;
}

static void discard_child(struct process *child, struct thread *t)
{
    child->state = PROCESS_DEAD; // a pidfd may be in somebody's hands already
    if (t) {
        child->pid = 0; // so that the thread's number is freed with it
        discard_thread(t);
    }
    process_drop_files(child);
    process_put(child);
}

// CLONE_PIDFD: a descriptor for the child, in the caller's memory before the child runs.
static int report_pidfd(struct process *child, const struct clone_args *args, int *pidfd)
{
    if (!(args->flags & CLONE_PIDFD))
        return 0;
    int fd = pidfd_install(child, 0);
    if (fd < 0)
        return fd;
    *pidfd = fd;
    return user_copy_out(args->pidfd, &fd, sizeof(fd));
}

static long clone_process(const struct clone_args *args)
{
    struct process *child = copy_process(process_self(), args->flags);
    if (!child)
        return -ENOMEM;
    struct thread *t = thread_create(child, thread_self()->cred);
    if (!t) {
        discard_child(child, NULL);
        return no_thread_error();
    }
    pid_t pid = child->pid = t->tid;
    if (!(args->flags & CLONE_VM))
        child->map->owner = pid;
    int pidfd = -1, err = prepare_thread(t, args);
    if (err == 0)
        err = report_pidfd(child, args, &pidfd);
    if (err == 0)
        err = link_child(child, t, args);
    if (err != 0) {
        if (pidfd >= 0)
            (void)fd_close(process_self()->fds, pidfd);
        discard_child(child, t);
        return err;
    }
    report_tid(args, pid);
    thread_start(t);
    thread_put(t);
    if (args->flags & CLONE_VFORK)
        (void)wait_event(&child->vfork_wait, atomic_load_acquire(&child->vfork_done), PARK_KILLABLE,
                         TIME_NEVER);
    process_put(child);
    return pid;
}

long process_clone(const struct clone_args *args)
{
    int err = check_flags(args);
    if (err != 0)
        return err;
    if (is_over_limit())
        return -EAGAIN;
    return args->flags & CLONE_THREAD ? clone_thread(args) : clone_process(args);
}

long sys_clone(unsigned long flags, vaddr_t stack, vaddr_t parent_tid, vaddr_t tls,
               vaddr_t child_tid)
{
    const struct clone_args args = {
        .flags = flags & 0xffffffffUL & ~(unsigned long)CSIGNAL,
        .exit_signal = flags & CSIGNAL,
        .stack = stack,
        .parent_tid = parent_tid,
        .pidfd = parent_tid,
        .child_tid = child_tid,
        .tls = tls,
    };
    return process_clone(&args);
}

long sys_clone3(vaddr_t user_args, size_t size)
{
    struct clone_args args;
    memset(&args, 0, sizeof(args));
    if (size > PAGE_SIZE)
        return -E2BIG;
    if (size < CLONE_ARGS_SIZE_VER0)
        return -EINVAL;
    if (user_copy_in(&args, user_args, MIN(size, sizeof(args))) != 0)
        return -EFAULT;
    for (size_t i = sizeof(args); i < size; i++) {
        uint8_t byte;
        if (user_copy_in(&byte, user_args + i, 1) != 0)
            return -EFAULT;
        if (byte != 0)
            return -E2BIG;
    }
    if (args.set_tid != 0 || args.set_tid_size != 0)
        return -EINVAL;
    if (args.flags & ~(0xffffffffULL | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP))
        return -EINVAL;
    if (args.flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME)))
        return -EINVAL;
    if ((args.flags & (CLONE_THREAD | CLONE_PARENT)) && args.exit_signal != 0)
        return -EINVAL;
    if ((args.stack == 0) != (args.stack_size == 0))
        return -EINVAL;
    return process_clone(&args);
}
