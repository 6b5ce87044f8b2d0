// SPDX-License-Identifier: BSD-2-Clause
// Opening, closing and duplicating descriptors: openat(2), openat2(2), close(2), close_range(2),
// dup(2), dup3(2), memfd_create(2).
#include <arch/uaccess.h>
#include <errno.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <string.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

#define OPEN_VALID                                                                                 \
    (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |          \
     O_DSYNC | FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |            \
     O_CLOEXEC | O_PATH | __O_TMPFILE)

static long open_name(int dirfd, vaddr_t name, int flags, mode_t mode, unsigned int scope)
{
    struct sys_path p;
    struct file *file;
    int err = sys_path_begin_scoped(&p, dirfd, name, scope);
    if (err != 0)
        return err;
    err = file_open_scoped(&p.walk, p.name, flags | O_LARGEFILE, mode, scope, &file);
    sys_path_end(&p);
    return err != 0 ? err : sys_file_install(file, flags & O_CLOEXEC);
}

long sys_openat(int dirfd, vaddr_t name, int flags, mode_t mode)
{
    flags &= OPEN_VALID;
    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if ((flags & __O_TMPFILE) && ((flags & O_TMPFILE_MASK) != O_TMPFILE || !(flags & O_ACCMODE)))
        return -EINVAL;
    if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
        return -EINVAL;
    return open_name(dirfd, name, flags, mode & 07777, 0);
}

static const struct {
    uint64_t resolve;
    unsigned int scope;
} scopes[] = {
    {RESOLVE_NO_XDEV, PATH_NO_XDEV},
    {RESOLVE_NO_MAGICLINKS, PATH_NO_MAGICLINKS},
    {RESOLVE_NO_SYMLINKS, PATH_NO_SYMLINKS | PATH_NO_MAGICLINKS},
    {RESOLVE_BENEATH, PATH_BENEATH},
    {RESOLVE_IN_ROOT, PATH_IN_ROOT},
};

static int check_how(const struct open_how *how, unsigned int *scope)
{
    uint64_t left = how->resolve;
    *scope = 0;
    for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
        if (how->resolve & scopes[i].resolve)
            *scope |= scopes[i].scope;
        left &= ~scopes[i].resolve;
    }
    if (left & RESOLVE_CACHED)
        return -EAGAIN; // allowed at any time; the caller tries again without
    if (left != 0 || (*scope & PATH_BENEATH && *scope & PATH_IN_ROOT))
        return -EINVAL;
    if (how->flags & ~(uint64_t)OPEN_VALID)
        return -EINVAL;
    bool creates = how->flags & (O_CREAT | __O_TMPFILE);
    if (how->mode & ~07777ULL || (how->mode != 0 && !creates))
        return -EINVAL;
    if ((how->flags & O_PATH) &&
        (how->flags & ~(uint64_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)))
        return -EINVAL;
    return 0;
}

long sys_openat2(int dirfd, vaddr_t name, vaddr_t user_how, size_t size)
{
    struct open_how how;
    unsigned int scope;
    char rest;
    if (size < sizeof(how))
        return -EINVAL;
    if (size > PAGE_SIZE)
        return -E2BIG;
    if (user_copy_in(&how, user_how, sizeof(how)) != 0)
        return -EFAULT;
    for (size_t i = sizeof(how); i < size; i++) {
        if (user_copy_in(&rest, user_how + i, 1) != 0)
            return -EFAULT;
        if (rest != 0)
            return -E2BIG;
    }
    int err = check_how(&how, &scope), flags = (int)how.flags;
    if (err != 0)
        return err;
    if ((flags & __O_TMPFILE) && ((flags & O_TMPFILE_MASK) != O_TMPFILE || !(flags & O_ACCMODE)))
        return -EINVAL;
    if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
        return -EINVAL;
    return open_name(dirfd, name, flags, (mode_t)how.mode, scope);
}

long sys_close(int fd)
{
    return fd_close(process_self()->fds, fd);
}

long sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
    struct process *self = process_self();
    if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || first > last)
        return -EINVAL;
    // A table belongs to a process: one of several threads can't have its own.
    if ((flags & CLOSE_RANGE_UNSHARE) && !fd_table_is_private(self->fds)) {
        if (self->nr_threads > 1)
            return -EINVAL;
        struct fd_table *own = fd_table_copy(self->fds), *shared = self->fds;
        if (!own)
            return -ENOMEM;
        spin_lock(&self->lock);
        self->fds = own;
        spin_unlock(&self->lock);
        fd_table_put(shared);
    }
    return fd_close_range(self->fds, first, last, flags & CLOSE_RANGE_CLOEXEC);
}

static long install_again(struct file *f, unsigned int min, bool cloexec)
{
    struct process *self = process_self();
    int fd = fd_install(self->fds, f, min, process_limit(self, RLIMIT_NOFILE), cloexec);
    if (fd < 0)
        file_put(f);
    return fd;
}

long sys_dup(int fd)
{
    struct file *f = fd_get(process_self()->fds, fd);
    return f ? install_again(f, 0, false) : -EBADF;
}

long sys_dup3(int from, int to, int flags)
{
    struct process *self = process_self();
    if ((flags & ~O_CLOEXEC) || from == to)
        return -EINVAL;
    if (to < 0 || (uint64_t)to >= process_limit(self, RLIMIT_NOFILE))
        return -EBADF;
    struct file *f = fd_get(self->fds, from);
    if (!f)
        return -EBADF;
    int err = fd_replace(self->fds, to, f, process_limit(self, RLIMIT_NOFILE), flags & O_CLOEXEC);
    if (err != 0)
        file_put(f);
    return err != 0 ? err : to;
}

#ifndef MFD_EXEC // headers before Linux 6.3
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC        0x10u
#endif
#define MEMFD_FLAGS (MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC)

// The size that goes with MFD_HUGETLB: there are files of 2 MiB pages.
static bool has_huge_size(unsigned int flags)
{
    unsigned int shift = flags >> MFD_HUGE_SHIFT & MFD_HUGE_MASK;
    return shift == 0 || shift == PT_SHIFT(1);
}

long sys_memfd_create(vaddr_t user_name, unsigned int flags)
{
    char name[250]; // what Linux allows, and NUL
    struct file *f;
    bool no_exec = (flags & MFD_NOEXEC_SEAL) != 0;
    bool huge = (flags & MFD_HUGETLB) != 0;
    const unsigned int known =
        MEMFD_FLAGS | (huge ? (unsigned int)MFD_HUGE_MASK << MFD_HUGE_SHIFT : 0);
    if ((flags & ~known) || (no_exec && (flags & MFD_EXEC)))
        return -EINVAL;
    ssize_t n = user_copy_string(name, user_name, sizeof(name));
    if (n < 0)
        return n == -ENAMETOOLONG ? -EINVAL : n;
    if (huge && !has_huge_size(flags))
        return -ENODEV;
    uint32_t seals = no_exec ? F_SEAL_EXEC : flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL;
    int err = file_create_memory(name, O_RDWR | O_LARGEFILE, no_exec ? 0666 : 0777, seals, huge,
                                 thread_self()->cred, &f);
    return err != 0 ? err : sys_file_install(f, flags & MFD_CLOEXEC);
}
