// SPDX-License-Identifier: BSD-2-Clause
// From the arguments of the *at() calls, a descriptor and a user string, to what fs walks from.
#pragma once

#include <core/process.h>
#include <errno.h>
#include <linux/fcntl.h>

#define SYS_NAME_INLINE 128

// Lives on the stack of one system call, between sys_path_begin and sys_path_end. The name is
// copied to the inside when it is short.
struct sys_path {
    struct path_walk walk;
    char *name;
    struct fd_ref at;
    struct path own_at; // with references, or {NULL, NULL}
    char inline_name[SYS_NAME_INLINE];
};

// 0, -EFAULT, -ENAMETOOLONG, -EBADF (a relative name needs the descriptor), -ENOMEM. After an error
// there is nothing to end.
int sys_path_begin(struct sys_path *p, int dirfd, vaddr_t name);
// The same for a walk that may not leave its start (scope: PATH_IN_ROOT or PATH_BENEATH): the start
// is held, and PATH_IN_ROOT starts at the descriptor even if the name begins with '/'.
int sys_path_begin_scoped(struct sys_path *p, int dirfd, vaddr_t name, unsigned int scope);
void sys_path_end(struct sys_path *p);
// Begin, look up with PATH_* flags, end. With PATH_EMPTY a NULL name counts as "".
int sys_path_lookup(int dirfd, vaddr_t name, unsigned int flags, struct path *path);
// RLIMIT_FSIZE cuts what is to be written to a regular file at `offset` (NULL: its position); at
// the limit itself it is SIGXFSZ and -EFBIG.
int sys_file_limit(const struct file *f, const uint64_t *offset, size_t *size);
// The file of a descriptor of the calling process for this call; sys_file_borrow: -EBADF also with
// O_PATH.
static inline struct fd_ref sys_file_borrow_any(int fd)
{
    return fd_borrow(process_self()->fds, fd);
}
static inline int sys_file_borrow(int fd, struct fd_ref *ref)
{
    *ref = sys_file_borrow_any(fd);
    if (unlikely(!ref->file))
        return -EBADF;
    if (likely(!(ref->file->flags & O_PATH)))
        return 0;
    fd_return(*ref);
    return -EBADF;
}
// Put a new file into the table; the reference is gone in any case. The descriptor or -errno.
int sys_file_install(struct file *f, bool cloexec);
