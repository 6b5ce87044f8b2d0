// SPDX-License-Identifier: BSD-2-Clause
// stat(2) and statx(2) from an inode. The lock makes times and size belong together.

#include "stat_priv.h"

#include <arch/mmu.h>
#include <asm/stat.h>
#include <fs/chrdev.h>
#include <linux/stat.h>
#include <string.h>

// 512-byte units that the file's pages take.
static uint64_t blocks_of(const struct inode *inode)
{
    return inode->object ? inode->object->nr_pages * (PAGE_SIZE / 512) : 0;
}

void stat_fill(struct inode *inode, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    mutex_lock(&inode->lock);
    st->st_dev = inode->sb->dev;
    st->st_ino = inode->ino;
    st->st_mode = inode->mode;
    st->st_nlink = inode->nlink;
    st->st_uid = inode->uid;
    st->st_gid = inode->gid;
    st->st_rdev = inode->rdev;
    st->st_size = (long)inode->size;
    st->st_blksize = PAGE_SIZE;
    st->st_blocks = (long)blocks_of(inode);
    st->st_atime = inode->atime.seconds;
    st->st_atime_nsec = inode->atime.nanoseconds;
    st->st_mtime = inode->mtime.seconds;
    st->st_mtime_nsec = inode->mtime.nanoseconds;
    st->st_ctime = inode->ctime.seconds;
    st->st_ctime_nsec = inode->ctime.nanoseconds;
    mutex_unlock(&inode->lock);
}

static struct statx_timestamp statx_time(struct timestamp t)
{
    return (struct statx_timestamp){.tv_sec = t.seconds, .tv_nsec = t.nanoseconds};
}

void stat_fill_statx(const struct path *path, struct statx *stx)
{
    struct inode *inode = path->dentry->inode;

    memset(stx, 0, sizeof(*stx));
    mutex_lock(&inode->lock);
    stx->stx_mask = STATX_BASIC_STATS | STATX_BTIME;
    stx->stx_blksize = PAGE_SIZE;
    stx->stx_nlink = inode->nlink;
    stx->stx_uid = inode->uid;
    stx->stx_gid = inode->gid;
    stx->stx_mode = (uint16_t)inode->mode;
    stx->stx_ino = inode->ino;
    stx->stx_size = inode->size;
    stx->stx_blocks = blocks_of(inode);
    stx->stx_atime = statx_time(inode->atime);
    stx->stx_mtime = statx_time(inode->mtime);
    stx->stx_ctime = statx_time(inode->ctime);
    stx->stx_btime = statx_time(inode->btime);
    stx->stx_rdev_major = DEV_MAJOR(inode->rdev);
    stx->stx_rdev_minor = DEV_MINOR(inode->rdev);
    stx->stx_dev_major = DEV_MAJOR(inode->sb->dev);
    stx->stx_dev_minor = DEV_MINOR(inode->sb->dev);
    mutex_unlock(&inode->lock);
    stx->stx_attributes_mask = STATX_ATTR_MOUNT_ROOT;
    if (path->mount && path->dentry == path->mount->root)
        stx->stx_attributes |= STATX_ATTR_MOUNT_ROOT;
}
