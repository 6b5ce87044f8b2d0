// SPDX-License-Identifier: BSD-2-Clause
// signalfd(2): the signals of whoever reads, as a file to read and poll.
//
// The file holds a mask and nothing else: a process that inherited it gets its own signals. Waiting
// is on one of a few queues that belong to nobody, chosen by the process; so whoever polls may keep
// it longer than the process lives (epoll does), and a wake-up for another is looked at and
// ignored.
#include <arch/uaccess.h>
#include <asm/poll.h>
#include <core/process.h>
#include <errno.h>
#include <fs/poll.h>
#include <linux/fcntl.h>
#include <linux/signalfd.h>
#include <mm/slab.h>
#include <string.h>

#include "signal_priv.h"
#include "signalfd_priv.h"
#include "syscalls_priv.h"

#define NR_QUEUES 64

static struct wait_queue queues[NR_QUEUES];

struct signalfd {
    sigmask_t mask; // atomic
};

void signalfd_init(void)
{
    for (unsigned int i = 0; i < NR_QUEUES; i++)
        wait_queue_init(&queues[i]);
}

static struct wait_queue *queue_of(const struct process *p)
{
    return &queues[(unsigned int)p->pid % NR_QUEUES];
}

void signalfd_wake(struct process *p)
{
    wait_queue_wake_all(queue_of(p));
}

// Which of siginfo's members a signal has: sigaction(2), as Linux judges by number and code.
enum layout { BY_SENDER, BY_TIMER, BY_CHILD, BY_FAULT, BY_POLL, BY_QUEUE };

static enum layout layout_of(const siginfo_t *info)
{
    int signal = info->si_signo, code = info->si_code;
    if (code == SI_TIMER)
        return BY_TIMER;
    if (code == SI_SIGIO)
        return BY_POLL;
    if (code == SI_USER || code == SI_TKILL || code == SI_KERNEL)
        return BY_SENDER;
    if (code < 0)
        return BY_QUEUE;
    if (signal == SIGCHLD)
        return BY_CHILD;
    if (signal == SIGPOLL)
        return BY_POLL;
    return SIGMASK(signal) & SIGMASK_SYNCHRONOUS ? BY_FAULT : BY_SENDER;
}

static void convert(const siginfo_t *info, struct signalfd_siginfo *out)
{
    memset(out, 0, sizeof(*out));
    out->ssi_signo = (uint32_t)info->si_signo;
    out->ssi_errno = info->si_errno;
    out->ssi_code = info->si_code;
    switch (layout_of(info)) {
    case BY_TIMER:
        out->ssi_tid = (uint32_t)info->si_tid;
        out->ssi_overrun = (uint32_t)info->si_overrun;
        out->ssi_ptr = (uint64_t)info->si_ptr;
        out->ssi_int = info->si_int;
        return;
    case BY_POLL:
        out->ssi_band = (uint32_t)info->si_band;
        out->ssi_fd = info->si_fd;
        return;
    case BY_FAULT:
        out->ssi_addr = (uint64_t)info->si_addr;
        return;
    case BY_CHILD:
        out->ssi_status = info->si_status;
        out->ssi_utime = (uint64_t)info->si_utime;
        out->ssi_stime = (uint64_t)info->si_stime;
        break;
    case BY_QUEUE:
        out->ssi_ptr = (uint64_t)info->si_ptr;
        out->ssi_int = info->si_int;
        break;
    case BY_SENDER:
        break;
    }
    out->ssi_pid = (uint32_t)info->si_pid;
    out->ssi_uid = info->si_uid;
}

static bool signalfd_take(const struct signalfd *s, siginfo_t *info)
{
    struct thread *t = thread_self();
    irq_flags_t flags = spin_lock_irqsave(&t->process->signal_lock);
    int signal = signal_dequeue(t, atomic_load(&s->mask), info);
    spin_unlock_irqrestore(&t->process->signal_lock, flags);
    return signal != 0;
}

static ssize_t signalfd_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    const struct signalfd *s = file->private;
    struct signalfd_siginfo out;
    siginfo_t info;
    ssize_t done = 0;
    if (uio->left < sizeof(out))
        return -EINVAL;
    if (file->flags & O_NONBLOCK) {
        if (!signalfd_take(s, &info))
            return -EAGAIN;
    } else if (wait_event(queue_of(process_self()), signalfd_take(s, &info), PARK_INTERRUPTIBLE,
                          TIME_NEVER) != 0) {
        return -ERESTARTSYS;
    }
    do {
        convert(&info, &out);
        if (uio_copy_out(uio, &out, sizeof(out)) != sizeof(out))
            return done != 0 ? done : -EFAULT;
        done += (ssize_t)sizeof(out);
    } while (uio->left >= sizeof(out) && signalfd_take(s, &info));
    return done;
}

static unsigned int signalfd_poll(struct file *file, struct poll_table *table)
{
    const struct signalfd *s = file->private;
    struct thread *t = thread_self();
    poll_add(table, queue_of(t->process));
    irq_flags_t flags = spin_lock_irqsave(&t->process->signal_lock);
    sigmask_t pending = t->signal.queue.pending | t->process->signal_queue.pending;
    spin_unlock_irqrestore(&t->process->signal_lock, flags);
    return pending & atomic_load(&s->mask) ? POLLIN : 0;
}

static void signalfd_release(struct file *file)
{
    kfree(file->private);
}

static const struct file_ops signalfd_ops = {
    .read = signalfd_read,
    .poll = signalfd_poll,
    .release = signalfd_release,
    .stream = true,
};

static int signalfd_create(sigmask_t mask, int flags)
{
    struct process *p = process_self();
    struct file *file;
    struct signalfd *s = kzalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->mask = mask;
    int err = file_create_object("anon_inode:[signalfd]", &signalfd_ops, s,
                                 O_RDWR | (flags & SFD_NONBLOCK), thread_self()->cred, &file);
    if (err != 0) {
        kfree(s);
        return err;
    }
    int fd = fd_install(p->fds, file, 0, process_limit(p, RLIMIT_NOFILE), flags & SFD_CLOEXEC);
    if (fd < 0)
        file_put(file);
    return fd;
}

// Another mask for one that exists. What is pending may be of it: waiters look again.
static int signalfd_change(int fd, sigmask_t mask)
{
    struct process *p = process_self();
    struct fd_ref ref = fd_borrow(p->fds, fd);
    if (!ref.file)
        return -EBADF;
    int err = ref.file->flags & O_PATH ? -EBADF : -EINVAL;
    if (ref.file->ops == &signalfd_ops) {
        struct signalfd *s = ref.file->private;
        atomic_store(&s->mask, mask);
        signalfd_wake(p);
        err = fd;
    }
    fd_return(ref);
    return err;
}

long sys_signalfd4(int fd, vaddr_t set, size_t set_size, int flags)
{
    sigmask_t mask;
    if (set_size != sizeof(mask))
        return -EINVAL;
    if (user_copy_in(&mask, set, sizeof(mask)) != 0)
        return -EFAULT;
    if (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK))
        return -EINVAL;
    mask &= ~SIGMASK_UNMASKABLE;
    return fd == -1 ? signalfd_create(mask, flags) : signalfd_change(fd, mask);
}
