// SPDX-License-Identifier: BSD-2-Clause
// System calls on POSIX message queues: mq_open(3), mq_send(3), mq_receive(3), mq_notify(3),
// mq_getattr(3), mq_unlink(3). The queues are fs's (fs/mqueue.h).
#include <arch/uaccess.h>
#include <core/time.h>
#include <errno.h>
#include <fs/mqueue.h>
#include <fs/netlink.h>
#include <lib/atomic.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

#include "signal_queue_priv.h"
#include "sys_path_priv.h"
#include "syscalls_priv.h"

static struct mqueue_caller caller_self(void)
{
    struct process *p = process_self();
    return (struct mqueue_caller){thread_self()->cred, p->fs, process_limit(p, RLIMIT_MSGQUEUE)};
}

// A name of a queue, without its slash. 0 with kfree(*name) to come, or -errno.
static int read_name(vaddr_t addr, char **name)
{
    *name = kmalloc(PATH_MAX_LEN);
    if (!*name)
        return -ENOMEM;
    ssize_t n = user_copy_string(*name, addr, PATH_MAX_LEN);
    if (n < 0)
        kfree(*name);
    return n < 0 ? (int)n : 0;
}

long sys_mq_open(vaddr_t user_name, int flags, mode_t mode, vaddr_t user_attr)
{
    const struct mqueue_caller c = caller_self();
    struct process *p = process_self();
    struct mq_attr attr;
    struct file *file;
    char *name;
    if (user_attr != 0 && user_copy_in(&attr, user_attr, sizeof(attr)) != 0)
        return -EFAULT;
    int err = read_name(user_name, &name);
    if (err != 0)
        return err;
    err = mqueue_open(&c, name, flags, mode, user_attr != 0 ? &attr : NULL, &file);
    kfree(name);
    if (err != 0)
        return err;
    int fd = fd_install(p->fds, file, 0, process_limit(p, RLIMIT_NOFILE), true);
    if (fd < 0)
        file_put(file);
    return fd;
}

long sys_mq_unlink(vaddr_t user_name)
{
    const struct mqueue_caller c = caller_self();
    char *name;
    int err = read_name(user_name, &name);
    if (err != 0)
        return err;
    err = mqueue_unlink(&c, name);
    kfree(name);
    return err;
}

// The queue behind a descriptor. 0 with fd_return(*ref) to come, or -EBADF.
static int find_queue(int fd, struct fd_ref *ref)
{
    *ref = fd_borrow(process_self()->fds, fd);
    if (ref->file && mqueue_is(ref->file))
        return 0;
    if (ref->file)
        fd_return(*ref);
    return -EBADF;
}

static int read_deadline(vaddr_t addr, uint64_t *deadline_ns)
{
    *deadline_ns = TIME_NEVER;
    return addr != 0 ? time_read_timespec(addr, deadline_ns) : 0;
}

static int send_message(struct file *f, vaddr_t text, size_t size, unsigned int priority,
                        uint64_t deadline_ns)
{
    if (!f->can_write)
        return -EBADF;
    if (size > mqueue_message_size(f))
        return -EMSGSIZE;
    struct mqueue_message *m = mqueue_message_create(size, priority);
    if (!m)
        return -ENOMEM;
    int err = user_copy_in(mqueue_message_text(m, &size, &priority), text, size);
    if (err == 0)
        err = mqueue_send(f, m, deadline_ns, process_self()->pid, thread_self()->cred->uid);
    if (err != 0)
        mqueue_message_free(m);
    return err == -EINTR ? -ERESTARTSYS : err;
}

long sys_mq_timedsend(int fd, vaddr_t text, size_t size, unsigned int priority, vaddr_t timeout)
{
    uint64_t deadline_ns;
    struct fd_ref ref;
    int err = read_deadline(timeout, &deadline_ns);
    if (err == 0 && priority >= MQ_PRIO_MAX)
        err = -EINVAL;
    if (err == 0)
        err = find_queue(fd, &ref);
    if (err != 0)
        return err;
    err = send_message(ref.file, text, size, priority, deadline_ns);
    fd_return(ref);
    return err;
}

static long receive_message(struct file *f, vaddr_t text, size_t size, vaddr_t user_priority,
                            uint64_t deadline_ns)
{
    struct mqueue_message *m;
    unsigned int priority;
    if (!f->can_read)
        return -EBADF;
    if (size < mqueue_message_size(f))
        return -EMSGSIZE;
    int err = mqueue_receive(f, deadline_ns, &m);
    if (err != 0)
        return err == -EINTR ? -ERESTARTSYS : err;
    const void *from = mqueue_message_text(m, &size, &priority);
    if (user_priority != 0)
        err = user_copy_out(user_priority, &priority, sizeof(priority));
    if (err == 0)
        err = user_copy_out(text, from, size);
    mqueue_message_free(m);
    return err != 0 ? err : (long)size;
}

long sys_mq_timedreceive(int fd, vaddr_t text, size_t size, vaddr_t priority, vaddr_t timeout)
{
    uint64_t deadline_ns;
    struct fd_ref ref;
    int err = read_deadline(timeout, &deadline_ns);
    if (err == 0)
        err = find_queue(fd, &ref);
    if (err != 0)
        return err;
    long result = receive_message(ref.file, text, size, priority, deadline_ns);
    fd_return(ref);
    return result;
}

struct notice {
    struct mqueue_notice common; // its owner is a process, with a reference
    struct process *process;
    uint32_t nr_execs; // of the process then: another program isn't told
    sigval_t value;
    struct file *socket; // SIGEV_THREAD: a netlink socket, with a place kept, gets
    struct netlink_message *cookie;
};

// What a thread of the C library finds in the last byte of the cookie that it gave.
#define COOKIE_SIZE 32
enum { COOKIE_MESSAGE = 1, COOKIE_REMOVED = 2 };

static void notice_free(struct notice *n)
{
    if (n->cookie)
        kfree(n->cookie);
    if (n->socket) {
        if (n->cookie)
            netlink_unreserve(n->socket);
        file_put(n->socket);
    }
    process_put(n->process);
    kfree(n);
}

static void notice_send_cookie(struct notice *n, char what)
{
    if (!n->cookie)
        return;
    n->cookie->data[COOKIE_SIZE - 1] = what;
    netlink_deliver(n->socket, n->cookie);
    n->cookie = NULL;
}

static void notice_drop(struct mqueue_notice *n)
{
    struct notice *notice = container_of(n, struct notice, common);
    notice_send_cookie(notice, COOKIE_REMOVED);
    notice_free(notice);
}

static void notice_tell(struct mqueue_notice *n, pid_t sender, uid_t sender_uid)
{
    struct notice *notice = container_of(n, struct notice, common);
    bool same = atomic_load(&notice->process->nr_execs) == notice->nr_execs;
    if (n->kind == SIGEV_SIGNAL && n->signal != 0 && same) {
        siginfo_t info;
        memset(&info, 0, SIGNAL_INFO_SIZE);
        info.si_signo = n->signal;
        info.si_code = SI_MESGQ;
        info.si_pid = sender;
        info.si_uid = sender_uid;
        info.si_value = notice->value;
        signal_send_process(notice->process, n->signal, &info);
    }
    notice_send_cookie(notice, COOKIE_MESSAGE);
    notice_free(notice);
}

// SIGEV_THREAD: the value is the address of a cookie, the signal a netlink socket, through which
// the C library's thread gets it back. 0 or -errno; what was taken, notice_free() drops.
static int take_cookie(struct notice *n, const struct sigevent *event)
{
    struct netlink_message *cookie = netlink_message_create(COOKIE_SIZE);
    if (!cookie)
        return -ENOMEM;
    int err = user_copy_in(cookie->data, (vaddr_t)event->sigev_value.sival_ptr, COOKIE_SIZE);
    n->socket = err == 0 ? fd_get(process_self()->fds, event->sigev_signo) : NULL;
    if (err == 0 && !n->socket)
        err = -EBADF;
    else if (err == 0 && !netlink_is(n->socket))
        err = S_ISSOCK(n->socket->inode->mode) ? -EINVAL : -ENOTSOCK;
    if (err == 0)
        err = netlink_reserve(n->socket);
    if (err != 0) {
        kfree(cookie);
        return err == -EINTR ? -ERESTARTSYS : err;
    }
    n->cookie = cookie;
    return 0;
}

static int check_event(const struct sigevent *event)
{
    switch (event->sigev_notify) {
    case SIGEV_NONE:
        return 0;
    case SIGEV_SIGNAL:
        return event->sigev_signo >= 0 && event->sigev_signo <= NR_SIGNALS ? 0 : -EINVAL;
    case SIGEV_THREAD:
        return 0;
    default:
        return -EINVAL;
    }
}

// What is to be told, to whom. 0 with *notice, or -errno.
static int create_notice(const struct sigevent *event, struct notice **notice)
{
    struct process *p = process_self();
    struct notice *n = kzalloc(sizeof(*n));
    if (!n)
        return -ENOMEM;
    process_get(p);
    n->process = p;
    n->nr_execs = atomic_load(&p->nr_execs);
    n->value = event->sigev_value;
    n->common = (struct mqueue_notice){.owner = p,
                                       .table = p->fds,
                                       .pid = p->pid,
                                       .kind = event->sigev_notify,
                                       .signal = event->sigev_signo,
                                       .tell = notice_tell,
                                       .drop = notice_drop};
    int err = event->sigev_notify == SIGEV_THREAD ? take_cookie(n, event) : 0;
    if (err != 0)
        notice_free(n);
    else
        *notice = n;
    return err;
}

long sys_mq_notify(int fd, vaddr_t user_event)
{
    struct notice *n = NULL;
    struct sigevent event;
    struct fd_ref ref;
    int err = 0;
    if (user_event != 0 && user_copy_in(&event, user_event, sizeof(event)) != 0)
        return -EFAULT;
    if (user_event != 0)
        err = check_event(&event);
    if (err == 0 && user_event != 0)
        err = create_notice(&event, &n);
    if (err != 0)
        return err;
    err = find_queue(fd, &ref);
    if (err == 0) {
        if (n)
            err = mqueue_notify(ref.file, &n->common);
        else
            mqueue_unnotify(ref.file, process_self());
        fd_return(ref);
    }
    if (err != 0 && n)
        notice_free(n);
    return err;
}

long sys_mq_getsetattr(int fd, vaddr_t new, vaddr_t old)
{
    struct mq_attr attr, before;
    struct fd_ref ref;
    if (new != 0 && user_copy_in(&attr, new, sizeof(attr)) != 0)
        return -EFAULT;
    if (new != 0 && (attr.mq_flags & ~O_NONBLOCK))
        return -EINVAL;
    int err = find_queue(fd, &ref);
    if (err != 0)
        return err;
    mqueue_attributes(ref.file, &before);
    if (new != 0 && (attr.mq_flags & O_NONBLOCK))
        atomic_fetch_or(&ref.file->flags, (uint32_t)O_NONBLOCK);
    else if (new != 0)
        atomic_fetch_and(&ref.file->flags, ~(uint32_t)O_NONBLOCK);
    fd_return(ref);
    return old != 0 ? user_copy_out(old, &before, sizeof(before)) : 0;
}
