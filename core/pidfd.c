// SPDX-License-Identifier: BSD-2-Clause
// Files that stand for a process: pidfd_open(2), pidfd_getfd(2), and what clone, waitid and
// pidfd_send_signal need of them. Unlike a number such a file never comes to mean another process:
// it holds a reference on the process, of which not much is left once it was reaped.
//
// Polling waits at the process's `exit_wait`, which is woken under process_tree_lock when the
// process becomes a zombie and when it is reaped.
#include <asm/poll.h>
#include <core/process.h>
#include <errno.h>
#include <fs/poll.h>
#include <linux/fcntl.h>
#include <linux/pidfd.h>

#include "pidfd_priv.h"
#include "proc_priv.h"
#include "process_priv.h"
#include "syscalls_priv.h"

static unsigned int pidfd_poll(struct file *file, struct poll_table *table)
{
    struct process *p = file->private;
    poll_add(table, &p->exit_wait);
    spin_lock(&process_tree_lock);
    enum process_state state = p->state;
    spin_unlock(&process_tree_lock);
    if (state == PROCESS_ALIVE)
        return 0;
    return POLLIN | POLLRDNORM | (state == PROCESS_DEAD ? POLLHUP : 0);
}

static void pidfd_release(struct file *file)
{
    process_put(file->private);
}

static const struct file_ops pidfd_ops = {
    .poll = pidfd_poll,
    .release = pidfd_release,
    .stream = true,
};

int pidfd_install(struct process *p, int flags)
{
    struct process *self = process_self();
    struct file *file;
    process_get(p);
    int err = file_create_object("anon_inode:[pidfd]", &pidfd_ops, p, O_RDWR | flags,
                                 thread_self()->cred, &file);
    if (err != 0) {
        process_put(p);
        return err;
    }
    int fd = fd_install(self->fds, file, 0, process_limit(self, RLIMIT_NOFILE), true);
    if (fd < 0)
        file_put(file);
    return fd;
}

struct process *pidfd_find(int fd, unsigned int *flags)
{
    struct fd_ref ref = fd_borrow(process_self()->fds, fd);
    struct process *p = NULL;
    if (ref.file && ref.file->ops == &pidfd_ops) {
        p = ref.file->private;
        process_get(p);
        *flags = ref.file->flags;
    }
    fd_return(ref);
    return p;
}

int pidfd_find_to_signal(int fd, struct process **p)
{
    unsigned int flags;
    bool is_gone = false;
    *p = pidfd_find(fd, &flags);
    if (*p)
        return 0;
    struct fd_ref ref = fd_borrow(process_self()->fds, fd);
    if (ref.file)
        *p = proc_process_of_file(ref.file, &is_gone);
    fd_return(ref);
    if (*p)
        return 0;
    return is_gone ? -ESRCH : -EBADF;
}

long sys_pidfd_open(pid_t pid, unsigned int flags)
{
    if (pid <= 0 || (flags & ~(unsigned int)PIDFD_NONBLOCK))
        return -EINVAL;
    struct process *p = process_find(pid);
    if (!p) {
        struct thread *t = thread_find(pid);
        if (!t)
            return -ESRCH;
        thread_put(t);
        return -EINVAL; // not the first thread of its process
    }
    int fd = pidfd_install(p, (int)flags);
    process_put(p);
    return fd;
}

// A descriptor of our own for file `fd` of p.
static long take_file(struct process *p, int fd)
{
    struct process *self = process_self();
    struct fd_table *fds = process_fds_get(p);
    if (!fds)
        return -ESRCH;
    struct file *file = fd_get(fds, fd);
    fd_table_put(fds);
    if (!file)
        return -EBADF;
    int result = fd_install(self->fds, file, 0, process_limit(self, RLIMIT_NOFILE), true);
    if (result < 0)
        file_put(file);
    return result;
}

long sys_pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
    unsigned int unused;
    if (flags != 0)
        return -EINVAL;
    struct process *p = pidfd_find(pidfd, &unused);
    if (!p)
        return -EBADF;
    long result = process_may_access(p) ? take_file(p, fd) : -EPERM;
    process_put(p);
    return result;
}
