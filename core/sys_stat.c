// SPDX-License-Identifier: BSD-2-Clause
// fstat(2), newfstatat, statx(2). Fields are read without the inode's lock, each by itself.
#include <arch/uaccess.h>
#include <asm/stat.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <string.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

#define BLOCK_SECTORS (PAGE_SIZE / 512)

static uint64_t sectors_of(const struct inode *inode)
{
    if (inode->ops->nr_sectors)
        return inode->ops->nr_sectors(inode);
    return inode->object && S_ISREG(inode->mode) ? inode->object->nr_pages * BLOCK_SECTORS : 0;
}

static long copy_stat(const struct path *path, vaddr_t user)
{
    const struct inode *inode = path->dentry->inode;
    struct stat st = {
        .st_dev = inode->sb->dev,
        .st_ino = inode->ino,
        .st_mode = inode->mode,
        .st_nlink = inode->nlink,
        .st_uid = inode->uid,
        .st_gid = inode->gid,
        .st_rdev = inode->rdev,
        .st_size = (long)inode->size,
        .st_blksize = (int)PAGE_SIZE,
        .st_blocks = (long)sectors_of(inode),
        .st_atime = inode->atime.seconds,
        .st_atime_nsec = inode->atime.nanoseconds,
        .st_mtime = inode->mtime.seconds,
        .st_mtime_nsec = inode->mtime.nanoseconds,
        .st_ctime = inode->ctime.seconds,
        .st_ctime_nsec = inode->ctime.nanoseconds,
    };
    return user_copy_out(user, &st, sizeof(st));
}

long sys_fstat(int fd, vaddr_t user)
{
    struct fd_ref ref = sys_file_borrow_any(fd);
    if (!ref.file)
        return -EBADF;
    long err = copy_stat(&ref.file->path, user);
    fd_return(ref);
    return err;
}

// fstat(3) of libraries: the name is empty.
static bool means_descriptor(int dirfd, vaddr_t name, int flags)
{
    char first;
    return (flags & AT_EMPTY_PATH) && dirfd >= 0 && user_copy_in(&first, name, 1) == 0 &&
           first == '\0';
}

static unsigned int walk_flags(unsigned int flags)
{
    return (flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW) |
           (flags & AT_EMPTY_PATH ? PATH_EMPTY : 0);
}

long sys_newfstatat(int dirfd, vaddr_t name, vaddr_t user, int flags)
{
    struct path path;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
        return -EINVAL;
    if (means_descriptor(dirfd, name, flags))
        return sys_fstat(dirfd, user);
    int err = sys_path_lookup(dirfd, name, walk_flags((unsigned int)flags), &path);
    if (err != 0)
        return err;
    long result = copy_stat(&path, user);
    path_put(&path);
    return result;
}

static struct statx_timestamp statx_time(const struct timestamp *t)
{
    return (struct statx_timestamp){.tv_sec = t->seconds, .tv_nsec = t->nanoseconds};
}

static long copy_statx(const struct path *path, vaddr_t user)
{
    const struct inode *inode = path->dentry->inode;
    struct statx st = {
        .stx_mask = STATX_BASIC_STATS | STATX_BTIME,
        .stx_blksize = PAGE_SIZE,
        .stx_nlink = inode->nlink,
        .stx_uid = inode->uid,
        .stx_gid = inode->gid,
        .stx_mode = (uint16_t)inode->mode,
        .stx_ino = inode->ino,
        .stx_size = inode->size,
        .stx_blocks = sectors_of(inode),
        .stx_attributes_mask = STATX_ATTR_MOUNT_ROOT,
        .stx_atime = statx_time(&inode->atime),
        .stx_btime = statx_time(&inode->btime),
        .stx_ctime = statx_time(&inode->ctime),
        .stx_mtime = statx_time(&inode->mtime),
        .stx_rdev_major = DEV_MAJOR(inode->rdev),
        .stx_rdev_minor = DEV_MINOR(inode->rdev),
        .stx_dev_major = DEV_MAJOR(inode->sb->dev),
        .stx_dev_minor = DEV_MINOR(inode->sb->dev),
    };
    if (path->dentry == path->mount->root)
        st.stx_attributes |= STATX_ATTR_MOUNT_ROOT;
    return user_copy_out(user, &st, sizeof(st));
}

long sys_statx(int dirfd, vaddr_t name, unsigned int flags, unsigned int mask, vaddr_t user)
{
    struct path path;
    if ((mask & STATX__RESERVED) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
        return -EINVAL;
    if (flags &
        ~(unsigned int)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
        return -EINVAL;
    int err = sys_path_lookup(dirfd, name, walk_flags(flags), &path);
    if (err != 0)
        return err;
    long result = copy_statx(&path, user);
    path_put(&path);
    return result;
}
