// SPDX-License-Identifier: BSD-2-Clause
// System calls on signals. Each takes 8-byte signal sets (sigsetsize), as the riscv64 ABI has no
// other kind.
#include <arch/uaccess.h>
#include <core/process.h>
#include <core/time.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/signal.h>
#include <string.h>

#include "pidfd_priv.h"
#include "process_priv.h"
#include "signal_priv.h"
#include "syscalls_priv.h"

struct user_sigaction { // riscv64: no restorer
    vaddr_t handler;
    unsigned long flags;
    sigmask_t mask;
};

static bool is_signal(int signal)
{
    return signal >= 1 && signal <= NR_SIGNALS;
}

long sys_rt_sigaction(int signal, vaddr_t act, vaddr_t old, size_t set_size)
{
    struct process *p = process_self();
    struct user_sigaction new = {0}, before;
    if (set_size != sizeof(sigmask_t))
        return -EINVAL;
    if (act && user_copy_in(&new, act, sizeof(new)) != 0)
        return -EFAULT;
    if (!is_signal(signal) || (act && (SIGMASK(signal) & SIGMASK_UNMASKABLE)))
        return -EINVAL;

    irq_flags_t flags = spin_lock_irqsave(&p->signal_lock);
    spin_lock(&p->actions->lock);
    struct signal_action *action = &p->actions->action[signal - 1];
    before = (struct user_sigaction){action->handler, action->flags, action->mask};
    if (act)
        *action = (struct signal_action){new.handler, new.flags, new.mask & ~SIGMASK_UNMASKABLE};
    spin_unlock(&p->actions->lock);
    // What is ignored from now on isn't pending either (POSIX 2.4.1).
    if (act && signal_is_ignored(p, signal)) {
        struct thread *t;
        signal_queue_flush(p, &p->signal_queue, SIGMASK(signal));
        list_for_each_entry (t, &p->threads, process_node)
            signal_queue_flush(p, &t->signal.queue, SIGMASK(signal));
    }
    spin_unlock_irqrestore(&p->signal_lock, flags);
    return old ? user_copy_out(old, &before, sizeof(before)) : 0;
}

long sys_rt_sigprocmask(int how, vaddr_t set, vaddr_t old, size_t set_size)
{
    sigmask_t before = thread_self()->signal.mask, mask;
    if (set_size != sizeof(sigmask_t))
        return -EINVAL;
    if (set) {
        if (user_copy_in(&mask, set, sizeof(mask)) != 0)
            return -EFAULT;
        if (how == SIG_BLOCK)
            mask |= before;
        else if (how == SIG_UNBLOCK)
            mask = before & ~mask;
        else if (how != SIG_SETMASK)
            return -EINVAL;
        signal_set_mask(mask);
    }
    return old ? user_copy_out(old, &before, sizeof(before)) : 0;
}

long sys_rt_sigpending(vaddr_t set, size_t set_size)
{
    struct thread *t = thread_self();
    if (set_size > sizeof(sigmask_t))
        return -EINVAL;
    sigmask_t pending =
        (t->signal.queue.pending | t->process->signal_queue.pending) & t->signal.mask;
    return user_copy_out(set, &pending, set_size);
}

long sys_rt_sigsuspend(vaddr_t set, size_t set_size)
{
    sigmask_t mask;
    if (set_size != sizeof(sigmask_t))
        return -EINVAL;
    if (user_copy_in(&mask, set, sizeof(mask)) != 0)
        return -EFAULT;
    signal_set_temporary_mask(mask);
    while (port_park(PARK_INTERRUPTIBLE, TIME_NEVER) == 0)
        ;
    return -ERESTARTNOHAND;
}

static int take_waited(struct thread *t, sigmask_t wanted, siginfo_t *info, bool waiting)
{
    irq_flags_t flags = spin_lock_irqsave(&t->process->signal_lock);
    int signal = signal_dequeue(t, wanted, info);
    t->signal.waiting = signal == 0 && waiting ? wanted : 0;
    spin_unlock_irqrestore(&t->process->signal_lock, flags);
    return signal;
}

long sys_rt_sigtimedwait(vaddr_t set, vaddr_t user_info, vaddr_t timeout, size_t set_size)
{
    struct thread *t = thread_self();
    sigmask_t wanted;
    uint64_t timeout_ns = TIME_NEVER, deadline = TIME_NEVER;
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    if (set_size != sizeof(sigmask_t))
        return -EINVAL;
    if (user_copy_in(&wanted, set, sizeof(wanted)) != 0)
        return -EFAULT;
    wanted &= ~SIGMASK_UNMASKABLE;
    if (timeout) {
        int err = time_read_timespec(timeout, &timeout_ns);
        if (err != 0)
            return err;
        deadline = time_deadline(timeout_ns);
    }
    int err = 0, signal = take_waited(t, wanted, &info, timeout_ns != 0);
    while (signal == 0 && err == 0 && timeout_ns != 0) {
        err = port_park(PARK_INTERRUPTIBLE, deadline);
        signal = take_waited(t, wanted, &info, err == 0);
    }
    if (signal == 0)
        return err == -EINTR ? -EINTR : -EAGAIN;
    if (user_info && user_copy_out(user_info, &info, sizeof(info)) != 0)
        return -EFAULT;
    return signal;
}

long sys_rt_sigreturn(void)
{
    return signal_frame_pop(arch_thread_frame(&thread_self()->arch));
}

bool signal_on_altstack(const struct signal_thread *s, vaddr_t sp)
{
    if (s->alt_flags & (int)SS_AUTODISARM)
        return false;
    return sp > s->alt_base && sp - s->alt_base <= s->alt_size;
}

void signal_altstack_get(stack_t *stack, vaddr_t sp)
{
    const struct signal_thread *s = &thread_self()->signal;
    memset(stack, 0, sizeof(*stack));
    stack->ss_sp = (void *)s->alt_base;
    stack->ss_size = s->alt_size;
    if (s->alt_size == 0)
        stack->ss_flags = SS_DISABLE;
    else
        stack->ss_flags = s->alt_flags | (signal_on_altstack(s, sp) ? SS_ONSTACK : 0);
}

int signal_altstack_set(const stack_t *stack, vaddr_t sp, size_t size_min)
{
    struct signal_thread *s = &thread_self()->signal;
    int mode = stack->ss_flags & (int)~SS_FLAG_BITS;
    if (signal_on_altstack(s, sp))
        return -EPERM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
        return -EINVAL;
    if (mode == SS_DISABLE) {
        s->alt_base = 0;
        s->alt_size = 0;
    } else {
        if (stack->ss_size < size_min)
            return -ENOMEM;
        s->alt_base = (vaddr_t)stack->ss_sp;
        s->alt_size = stack->ss_size;
    }
    s->alt_flags = stack->ss_flags & (int)SS_FLAG_BITS;
    return 0;
}

long sys_sigaltstack(vaddr_t new, vaddr_t old)
{
    vaddr_t sp = arch_thread_frame(&thread_self()->arch)->sp;
    stack_t stack, before;
    signal_altstack_get(&before, sp);
    if (new) {
        if (user_copy_in(&stack, new, sizeof(stack)) != 0)
            return -EFAULT;
        int err = signal_altstack_set(&stack, sp, MINSIGSTKSZ);
        if (err != 0)
            return err;
    }
    return old ? user_copy_out(old, &before, sizeof(before)) : 0;
}

static void info_from_caller(siginfo_t *info, int signal, int code)
{
    memset(info, 0, sizeof(*info));
    info->si_signo = signal;
    info->si_code = code;
    info->si_pid = process_self()->pid;
    info->si_uid = thread_self()->cred->uid;
}

static int send_checked(struct process *p, int signal, const siginfo_t *info)
{
    int err = signal_may_send(p, signal);
    if (err == 0 && signal != 0)
        err = signal_send_process(p, signal, info);
    return err;
}

static int kill_one(pid_t pid, int signal, const siginfo_t *info)
{
    struct process *p = process_find_by_tid(pid);
    if (!p)
        return -ESRCH;
    int err = send_checked(p, signal, info);
    process_put(p);
    return err;
}

// 0 if one was allowed, else the last error.
static int kill_many(pid_t group, int signal, const siginfo_t *info)
{
    struct process *p = NULL, *self = process_self();
    int result = -ESRCH;
    spin_lock(&process_tree_lock);
    while ((p = group ? process_next_in_group(group, p) : process_next_of_all(p)) != NULL) {
        if (group == 0 && (p == self || p == init_process))
            continue;
        int err = send_checked(p, signal, info);
        if (result != 0 && (err != -EPERM || result == -ESRCH))
            result = err;
    }
    spin_unlock(&process_tree_lock);
    return result;
}

long sys_kill(pid_t pid, int signal)
{
    siginfo_t info;
    if (signal < 0 || signal > NR_SIGNALS)
        return -EINVAL;
    info_from_caller(&info, signal, SI_USER);
    if (pid > 0)
        return kill_one(pid, signal, &info);
    if (pid == -1)
        return kill_many(0, signal, &info);
    if (pid == INT_MIN)
        return -ESRCH;
    return kill_many(pid == 0 ? process_self()->group : -pid, signal, &info);
}

static int send_to_thread(pid_t group, pid_t tid, int signal, const siginfo_t *info)
{
    struct thread *t = thread_find(tid);
    if (!t)
        return -ESRCH;
    int err = -ESRCH;
    if (group == 0 || t->process->pid == group) {
        err = signal_may_send(t->process, signal);
        if (err == 0 && signal != 0)
            err = signal_send_thread(t, signal, info);
    }
    thread_put(t);
    return err;
}

long sys_tkill(pid_t tid, int signal)
{
    siginfo_t info;
    if (tid <= 0 || signal < 0 || signal > NR_SIGNALS)
        return -EINVAL;
    info_from_caller(&info, signal, SI_TKILL);
    return send_to_thread(0, tid, signal, &info);
}

long sys_tgkill(pid_t pid, pid_t tid, int signal)
{
    siginfo_t info;
    if (pid <= 0 || tid <= 0 || signal < 0 || signal > NR_SIGNALS)
        return -EINVAL;
    info_from_caller(&info, signal, SI_TKILL);
    return send_to_thread(pid, tid, signal, &info);
}

// Whom a pidfd names as the target: PIDFD_SIGNAL_* of Linux 6.9.
#define PIDFD_SIGNAL_THREAD        1U // the first thread
#define PIDFD_SIGNAL_THREAD_GROUP  2U // the process, as without any
#define PIDFD_SIGNAL_PROCESS_GROUP 4U

// What Linux knows the layout of for every signal: the bytes behind it don't matter then.
static bool info_is_known(int code)
{
    return code == SI_KERNEL || code == SI_ASYNCNL || (code >= SI_DETHREAD && code <= SI_USER);
}

// A process may make up any siginfo for itself, but not pose as kill(2) or the kernel to others.
// must_be: what si_signo is; below 0: anything.
static int read_info(siginfo_t *info, vaddr_t user, bool to_self, int must_be)
{
    if (user_copy_in(info, user, sizeof(*info)) != 0)
        return -EFAULT;
    const uint8_t *bytes = (const uint8_t *)info;
    for (size_t i = SIGNAL_INFO_SIZE; i < sizeof(*info) && !info_is_known(info->si_code); i++)
        if (bytes[i] != 0)
            return -E2BIG;
    if (must_be >= 0 && info->si_signo != must_be)
        return -EINVAL;
    return (info->si_code >= 0 || info->si_code == SI_TKILL) && !to_self ? -EPERM : 0;
}

long sys_rt_sigqueueinfo(pid_t pid, int signal, vaddr_t user_info)
{
    siginfo_t info;
    int err = read_info(&info, user_info, pid == process_self()->pid, -1);
    if (err != 0)
        return err;
    if (signal < 0 || signal > NR_SIGNALS)
        return -EINVAL;
    info.si_signo = signal;
    return kill_one(pid, signal, &info);
}

long sys_rt_tgsigqueueinfo(pid_t pid, pid_t tid, int signal, vaddr_t user_info)
{
    siginfo_t info;
    if (pid <= 0 || tid <= 0)
        return -EINVAL;
    int err = read_info(&info, user_info, pid == process_self()->pid, -1);
    if (err != 0)
        return err;
    if (signal < 0 || signal > NR_SIGNALS)
        return -EINVAL;
    info.si_signo = signal;
    return send_to_thread(pid, tid, signal, &info);
}

static int send_to_pidfd(struct process *p, int signal, const siginfo_t *info, unsigned int scope)
{
    spin_lock(&process_tree_lock);
    bool is_gone = p->state == PROCESS_DEAD;
    spin_unlock(&process_tree_lock);
    if (is_gone)
        return -ESRCH;
    if (scope == PIDFD_SIGNAL_THREAD)
        return send_to_thread(p->pid, p->pid, signal, info);
    return scope == PIDFD_SIGNAL_PROCESS_GROUP ? kill_many(p->pid, signal, info)
                                               : send_checked(p, signal, info);
}

long sys_pidfd_send_signal(int pidfd, int signal, vaddr_t user_info, unsigned int scope)
{
    siginfo_t info;
    struct process *p;
    if (scope != 0 && scope != PIDFD_SIGNAL_THREAD && scope != PIDFD_SIGNAL_THREAD_GROUP &&
        scope != PIDFD_SIGNAL_PROCESS_GROUP)
        return -EINVAL;
    int err = pidfd_find_to_signal(pidfd, &p);
    if (err != 0)
        return err;
    bool to_self = p == process_self() && scope != PIDFD_SIGNAL_PROCESS_GROUP;
    info_from_caller(&info, signal, scope == PIDFD_SIGNAL_THREAD ? SI_TKILL : SI_USER);
    if (user_info != 0)
        err = read_info(&info, user_info, to_self, signal);
    if (err == 0 && (signal < 0 || signal > NR_SIGNALS))
        err = -EINVAL;
    if (err == 0)
        err = send_to_pidfd(p, signal, &info, scope);
    process_put(p);
    return err;
}

long sys_restart_syscall(void)
{
    struct restart *r = &thread_self()->restart;
    if (!r->call)
        return -EINTR;
    return r->call(r);
}
