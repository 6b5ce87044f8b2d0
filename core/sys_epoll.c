// SPDX-License-Identifier: BSD-2-Clause
// epoll_create1(2), epoll_ctl(2), epoll_pwait(2), epoll_pwait2(2).
#include <arch/uaccess.h>
#include <core/process.h>
#include <core/time.h>
#include <errno.h>
#include <fs/epoll.h>
#include <linux/eventpoll.h>
#include <mm/slab.h>

#include "poll_priv.h"
#include "syscalls_priv.h"

#define EPOLL_BATCH 1024 // events at most for one call; the rest stays ready for the next

long sys_epoll_create1(int flags)
{
    struct process *p = process_self();
    struct file *file;

    if (flags & ~EPOLL_CLOEXEC)
        return -EINVAL;
    int err = epoll_create(thread_self()->cred, &file);
    if (err != 0)
        return err;
    int fd =
        fd_install(p->fds, file, 0, process_limit(p, RLIMIT_NOFILE), (flags & EPOLL_CLOEXEC) != 0);
    if (fd < 0)
        file_put(file);
    return fd;
}

long sys_epoll_ctl(int epfd, int op, int fd, vaddr_t user_event)
{
    struct fd_table *fds = process_self()->fds;
    struct epoll_event event = {0};

    if (op != EPOLL_CTL_DEL && user_copy_in(&event, user_event, sizeof(event)) != 0)
        return -EFAULT;
    struct file *epoll = fd_get(fds, epfd);
    struct file *target = fd_get(fds, fd);
    long err =
        epoll != NULL && target != NULL ? epoll_control(epoll, op, fd, target, &event) : -EBADF;
    file_put(target);
    file_put(epoll);
    return err;
}

static long epoll_wait_user(int epfd, vaddr_t user_events, int max, uint64_t deadline_ns)
{
    if (max <= 0 || (unsigned int)max > INT_MAX / sizeof(struct epoll_event))
        return -EINVAL;
    struct file *epoll = fd_get(process_self()->fds, epfd);
    if (epoll == NULL)
        return -EBADF;
    max = MIN(max, EPOLL_BATCH);
    struct epoll_event *events = kmalloc((size_t)max * sizeof(*events));
    long nr = -ENOMEM;
    if (events != NULL)
        nr = epoll_wait(epoll, events, max, deadline_ns);
    if (nr > 0 && user_copy_out(user_events, events, (size_t)nr * sizeof(*events)) != 0)
        nr = -EFAULT;
    kfree(events);
    file_put(epoll);
    return nr;
}

long sys_epoll_pwait(int epfd, vaddr_t events, int max, int timeout_ms, vaddr_t mask, size_t size)
{
    uint64_t deadline_ns = timeout_ms < 0    ? TIME_NEVER
                           : timeout_ms == 0 ? 0
                                             : time_deadline((uint64_t)timeout_ms * NS_PER_MS);
    int err = poll_set_mask(mask, size);
    return err != 0 ? err : epoll_wait_user(epfd, events, max, deadline_ns);
}

long sys_epoll_pwait2(int epfd, vaddr_t events, int max, vaddr_t timeout, vaddr_t mask, size_t size)
{
    uint64_t deadline_ns;
    int err = poll_read_deadline(timeout, &deadline_ns);
    if (err == 0)
        err = poll_set_mask(mask, size);
    return err != 0 ? err : epoll_wait_user(epfd, events, max, deadline_ns);
}
