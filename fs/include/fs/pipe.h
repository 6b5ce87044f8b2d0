// SPDX-License-Identifier: BSD-2-Clause
// Pipes and FIFOs (pipe(7), fifo(7)): a ring of pages between writers and readers. pipe_create() is
// declared in file.h.
#pragma once

#include <fs/file.h>

#define PIPE_SIZE_DEFAULT (16 * PAGE_SIZE)
#define PIPE_SIZE_MAX     (1UL << 20) // for the unprivileged: /proc/sys/fs/pipe-max-size

// ops of a file opened on a FIFO's inode (S_ISFIFO). The opener sets file->ops to it and runs
// ->open, which waits for the other side as fifo(7) says: 0, -ENXIO, -ERESTARTSYS, -ENOMEM.
extern const struct file_ops pipe_fifo_ops;

// fcntl(F_GETPIPE_SZ, F_SETPIPE_SZ): bytes, or -EBADF (not a pipe), -EBUSY, -EPERM, -EINVAL,
// -ENOMEM.
long pipe_get_size(struct file *f);
long pipe_set_size(struct file *f, unsigned long size, const struct cred *cred);
