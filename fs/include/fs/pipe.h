// SPDX-License-Identifier: BSD-2-Clause
// Pipes and FIFOs (pipe(7), fifo(7)): a ring of pages between writers and readers. pipe_create() is
// declared in file.h.
#pragma once

#include <fs/file.h>

#define PIPE_SIZE_DEFAULT (16 * PAGE_SIZE)
#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_ALL      0xfu        // MOVE, NONBLOCK, MORE, GIFT: but for one, hints
#define PIPE_SIZE_MAX     (1UL << 20) // for the unprivileged: /proc/sys/fs/pipe-max-size

// ops of a file opened on a FIFO's inode (S_ISFIFO). The opener sets file->ops to it and runs
// ->open, which waits for the other side as fifo(7) says: 0, -ENXIO, -ERESTARTSYS, -ENOMEM.
extern const struct file_ops pipe_fifo_ops;

// fcntl(F_GETPIPE_SZ, F_SETPIPE_SZ): bytes, or -EBADF (not a pipe), -EBUSY, -EPERM, -EINVAL,
// -ENOMEM.
long pipe_get_size(struct file *f);
long pipe_set_size(struct file *f, unsigned long size, const struct cred *cred);

// Splicing: splice(2), tee(2), vmsplice(2). All may sleep, until the pipe has bytes or room, unless
// `nonblock`; they move at most `size` bytes, and no more than there are or fit. Bytes, 0 at the
// end of the input, -EAGAIN, -EPIPE, -ERESTARTSYS, or what the file's read or write says.
bool file_is_pipe(const struct file *f);
ssize_t pipe_splice_to_file(struct file *in, struct file *out, uint64_t *out_at, size_t size,
                            bool nonblock);
ssize_t pipe_splice_from_file(struct file *in, uint64_t *in_at, struct file *out, size_t size,
                              bool nonblock);
ssize_t pipe_read_now(struct file *in, struct uio *uio, uint64_t *offset); // as with O_NONBLOCK
ssize_t pipe_splice_from_user(struct file *out, struct uio *uio, bool nonblock);
// Two different pipes. `copy`: the bytes stay in `in` too.
ssize_t pipe_splice_to_pipe(struct file *in, struct file *out, size_t size, bool nonblock,
                            bool copy);
