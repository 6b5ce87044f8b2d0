// SPDX-License-Identifier: BSD-2-Clause
// pipe2(2) and eventfd2(2): files without names.
#include <arch/uaccess.h>
#include <core/process.h>
#include <errno.h>
#include <fs/eventfd.h>
#include <linux/fcntl.h>

#include "syscalls_priv.h"

// Install both ends and tell the caller. Takes the files over in any case.
static int pipe_install(struct file *ends[2], vaddr_t user_fds, bool cloexec)
{
    struct process *p = process_self();
    uint64_t limit = process_limit(p, RLIMIT_NOFILE);
    int fds[2];

    for (unsigned int i = 0; i < 2; i++) {
        fds[i] = fd_install(p->fds, ends[i], 0, limit, cloexec);
        if (fds[i] < 0) {
            file_put(ends[i]);
            if (i == 0)
                file_put(ends[1]);
            else
                fd_close(p->fds, fds[0]);
            return fds[i];
        }
    }
    int err = user_copy_out(user_fds, fds, sizeof(fds));
    if (err != 0) {
        fd_close(p->fds, fds[0]);
        fd_close(p->fds, fds[1]);
    }
    return err;
}

long sys_pipe2(vaddr_t fds, int flags)
{
    struct file *ends[2];

    if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
        return -EINVAL;
    int err = pipe_create(flags, thread_self()->cred, &ends[0], &ends[1]);
    return err != 0 ? err : pipe_install(ends, fds, (flags & O_CLOEXEC) != 0);
}

long sys_eventfd2(unsigned int count, int flags)
{
    struct process *p = process_self();
    struct file *file;

    if (flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
        return -EINVAL;
    int err = eventfd_create(count, flags, thread_self()->cred, &file);
    if (err != 0)
        return err;
    int fd =
        fd_install(p->fds, file, 0, process_limit(p, RLIMIT_NOFILE), (flags & EFD_CLOEXEC) != 0);
    if (fd < 0)
        file_put(file);
    return fd;
}
