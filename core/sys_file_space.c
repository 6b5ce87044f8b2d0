// SPDX-License-Identifier: BSD-2-Clause
// Size and storage of open files: ftruncate(2), fallocate(2), fsync(2) and its family, and advice
// (fadvise64, readahead). Reading in sequence is noticed without being told.
#include <errno.h>
#include <fs/block.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/stat.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

#define SYNC_RANGE_FLAGS 7u

long sys_ftruncate(int fd, long size)
{
    struct fd_ref ref;
    if (size < 0)
        return -EINVAL;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    uint64_t limit = process_limit(process_self(), RLIMIT_FSIZE);
    if ((uint64_t)size > limit && (uint64_t)size > ref.file->inode->size) {
        signal_send_thread(thread_self(), SIGXFSZ, NULL);
        err = -EFBIG;
    } else {
        err = file_truncate(ref.file, (uint64_t)size);
    }
    fd_return(ref);
    return err;
}

static int check_allocate(int mode, long offset, long size)
{
    if (offset < 0 || size <= 0)
        return -EINVAL;
    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
        return -EOPNOTSUPP;
    // A hole never changes the size, and has to say so (fallocate(2)).
    if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
        return -EOPNOTSUPP;
    return 0;
}

long sys_fallocate(int fd, int mode, long offset, long size)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    err = check_allocate(mode, offset, size);
    if (err == 0)
        err = file_allocate(ref.file, mode, (uint64_t)offset, (uint64_t)size);
    fd_return(ref);
    return err;
}

static long sync_file(int fd, bool data_only)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    err = file_sync(ref.file, data_only);
    fd_return(ref);
    return err;
}

long sys_fsync(int fd)
{
    return sync_file(fd, false);
}

long sys_fdatasync(int fd)
{
    return sync_file(fd, true);
}

// What file systems write is in their devices' caches already.
long sys_sync(void)
{
    (void)block_sync_all();
    return 0;
}

long sys_syncfs(int fd)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    err = S_ISBLK(ref.file->inode->mode) ? file_sync(ref.file, false) : path_sync(&ref.file->path);
    fd_return(ref);
    return err;
}

long sys_sync_file_range(int fd, long offset, long size, unsigned int flags)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    if ((flags & ~SYNC_RANGE_FLAGS) || offset < 0 || size < 0)
        err = -EINVAL;
    else if (ref.file->ops->stream)
        err = -ESPIPE;
    else
        err = file_sync(ref.file, true);
    fd_return(ref);
    return err;
}

long sys_fadvise64(int fd, long offset, long size, int advice)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    if (S_ISFIFO(ref.file->inode->mode))
        err = -ESPIPE;
    else if (size < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE)
        err = -EINVAL;
    else if (advice <= POSIX_FADV_SEQUENTIAL)
        ref.file->random_access = advice == POSIX_FADV_RANDOM;
    else if (advice == POSIX_FADV_WILLNEED && offset >= 0)
        file_read_ahead(ref.file, (uint64_t)offset, size > 0 ? (uint64_t)size : UINT64_MAX);
    fd_return(ref);
    return err;
}

long sys_readahead(int fd, long offset, size_t size)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    if (!ref.file->can_read)
        err = -EBADF;
    else if (!S_ISREG(ref.file->inode->mode) && !S_ISBLK(ref.file->inode->mode))
        err = -EINVAL;
    else if (offset >= 0)
        file_read_ahead(ref.file, (uint64_t)offset, size);
    fd_return(ref);
    return err;
}
