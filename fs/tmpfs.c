// SPDX-License-Identifier: BSD-2-Clause
// tmpfs(5): a file system in memory. Directories are the dentry tree; a regular file is its
// vm_object; a symbolic link keeps its text. Also the root file system ("rootfs") and the home of
// files without a name (memfd, O_TMPFILE; "anon", which pipes use as a place, too).
//
// Life: inodes end with their last dentry or file. The super block's `struct tmpfs` lives as long.
// Locking: inode->lock for each inode; the counts of the super block are atomic, and a file's pages
// are counted when it is changed here: pages that appeared by writing to a mapping are noticed at
// the next change, or by statfs never. Limits therefore bind write(2) and fallocate(2) exactly and
// mappings late.
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mount_priv.h"
#include "tmpfs_priv.h"
#include "vfs_priv.h"

#define DIRECTORY_SIZE 40 // st_size of an empty directory, and
#define ENTRY_SIZE     20 // of each entry, as Linux counts

static const struct inode_ops tmpfs_link_ops;

void tmpfs_account(struct inode *inode)
{
    struct tmpfs *fs = inode->sb->private;
    uint64_t pages = atomic_load(&inode->object->nr_pages), counted = (uintptr_t)inode->private;
    if (pages == counted)
        return;
    atomic_add_relaxed(&fs->used_pages, pages - counted);
    inode->private = (void *)(uintptr_t)pages;
}

static void tmpfs_release(struct inode *inode)
{
    struct tmpfs *fs = inode->sb->private;
    atomic_add_relaxed(&fs->used_inodes, -1UL);
    if (S_ISLNK(inode->mode))
        kfree(inode->private);
    else if (S_ISREG(inode->mode))
        atomic_add_relaxed(&fs->used_pages, -(uint64_t)(uintptr_t)inode->private);
}

// Give a new inode what its kind needs. 0 or -ENOMEM.
static int tmpfs_furnish(struct inode *inode)
{
    if (S_ISREG(inode->mode)) {
        inode->file_ops = &tmpfs_file_ops;
        inode->has_seals = true;
        inode->seals = F_SEAL_SEAL;
        inode->object = vm_object_create_shared(0);
        return inode->object ? 0 : -ENOMEM;
    }
    if (S_ISDIR(inode->mode)) {
        inode->file_ops = &directory_file_ops;
        inode->nlink = 2;
        inode->size = DIRECTORY_SIZE;
    }
    return 0;
}

// One inode of the super block's allowance. False: there is none left.
static bool tmpfs_take_inode(struct tmpfs *fs)
{
    if (atomic_add_fetch(&fs->used_inodes, 1) <= fs->max_inodes)
        return true;
    atomic_sub_fetch(&fs->used_inodes, 1);
    return false;
}

// A new inode in `dir`, or (dir NULL) of `sb`. 0, -ENOSPC, -ENOMEM.
static int tmpfs_new_inode(struct super_block *sb, struct inode *dir, mode_t mode,
                           const struct cred *cred, struct inode **result)
{
    struct tmpfs *fs = sb->private;
    const struct inode_ops *ops = S_ISLNK(mode) ? &tmpfs_link_ops : &tmpfs_inode_ops;
    if (!tmpfs_take_inode(fs))
        return -ENOSPC;
    struct inode *inode = dir ? inode_create_in(dir, ops, mode, cred)
                              : inode_create(sb, ops, mode, cred->fsuid, cred->fsgid);
    if (!inode) {
        atomic_sub_fetch(&fs->used_inodes, 1);
        return -ENOMEM;
    }
    int err = tmpfs_furnish(inode);
    if (err != 0) {
        inode_put(inode);
        return err;
    }
    *result = inode;
    return 0;
}

static void directory_gains(struct inode *dir)
{
    dir->size += ENTRY_SIZE;
    inode_touch(dir, TOUCH_MTIME | TOUCH_CTIME);
}

static void directory_loses(struct inode *dir)
{
    dir->size -= ENTRY_SIZE;
    inode_touch(dir, TOUCH_MTIME | TOUCH_CTIME);
}

static int tmpfs_create(struct inode *dir, struct dentry *dentry, mode_t mode, dev_t rdev,
                        const struct cred *cred)
{
    struct inode *inode;
    int err = tmpfs_new_inode(dir->sb, dir, mode, cred, &inode);
    if (err != 0)
        return err;
    inode->rdev = rdev;
    dentry_attach(dentry, inode);
    if (S_ISDIR(mode))
        dir->nlink++;
    directory_gains(dir);
    return 0;
}

static int tmpfs_symlink(struct inode *dir, struct dentry *dentry, const char *target,
                         const struct cred *cred)
{
    struct inode *inode;
    int err = tmpfs_new_inode(dir->sb, dir, S_IFLNK | 0777, cred, &inode);
    if (err != 0)
        return err;
    inode->private = kstrdup(target);
    if (!inode->private) {
        inode_put(inode);
        return -ENOMEM;
    }
    inode->size = strlen(target);
    dentry_attach(dentry, inode);
    directory_gains(dir);
    return 0;
}

static ssize_t tmpfs_readlink(struct inode *inode, char *buf, size_t size)
{
    size_t n = MIN(size, inode->size);
    memcpy(buf, inode->private, n);
    return (ssize_t)n;
}

static int tmpfs_link(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
    inode->nlink++;
    inode_touch(inode, TOUCH_CTIME);
    inode_get(inode);
    dentry_attach(dentry, inode);
    directory_gains(dir);
    return 0;
}

static void drop_link(struct inode *dir, struct inode *inode)
{
    if (S_ISDIR(inode->mode)) {
        inode->nlink -= 2;
        dir->nlink--;
    } else {
        inode->nlink--;
    }
    inode_touch(inode, TOUCH_CTIME);
}

static int tmpfs_unlink(struct inode *dir, struct dentry *dentry)
{
    if (S_ISDIR(dentry->inode->mode) && !list_is_empty(&dentry->children))
        return -ENOTEMPTY;
    drop_link(dir, dentry->inode);
    directory_loses(dir);
    return 0;
}

static int tmpfs_exchange(struct inode *from_dir, struct inode *from, struct inode *to_dir,
                          struct inode *to)
{
    uint32_t from_is_dir = S_ISDIR(from->mode), to_is_dir = S_ISDIR(to->mode);
    from_dir->nlink += to_is_dir - from_is_dir;
    to_dir->nlink += from_is_dir - to_is_dir;
    inode_touch(from_dir, TOUCH_MTIME | TOUCH_CTIME);
    inode_touch(to_dir, TOUCH_MTIME | TOUCH_CTIME);
    inode_touch(from, TOUCH_CTIME);
    inode_touch(to, TOUCH_CTIME);
    return 0;
}

static int tmpfs_rename(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
                        struct dentry *to, unsigned int flags)
{
    if (flags & RENAME_EXCHANGE)
        return tmpfs_exchange(from_dir, from->inode, to_dir, to->inode);
    if (to->inode && S_ISDIR(to->inode->mode) && !list_is_empty(&to->children))
        return -ENOTEMPTY;
    if (to->inode)
        drop_link(to_dir, to->inode);
    else
        directory_gains(to_dir);
    if (S_ISDIR(from->inode->mode)) {
        from_dir->nlink--;
        to_dir->nlink++;
    }
    inode_touch(to_dir, TOUCH_MTIME | TOUCH_CTIME);
    inode_touch(from->inode, TOUCH_CTIME);
    directory_loses(from_dir);
    return 0;
}

static struct inode *tmpfs_create_unnamed(struct inode *dir, mode_t mode, const struct cred *cred)
{
    struct inode *inode;
    if (tmpfs_new_inode(dir->sb, dir, mode, cred, &inode) != 0)
        return NULL;
    inode->nlink = 0;
    return inode;
}

struct inode *tmpfs_create_inode(struct super_block *sb, mode_t mode, const struct cred *cred)
{
    struct inode *inode;
    if (tmpfs_new_inode(sb, NULL, mode, cred, &inode) != 0)
        return NULL;
    inode->nlink = 0;
    return inode;
}

const struct inode_ops tmpfs_inode_ops = {
    .create = tmpfs_create,
    .symlink = tmpfs_symlink,
    .link = tmpfs_link,
    .unlink = tmpfs_unlink,
    .rename = tmpfs_rename,
    .truncate = tmpfs_truncate,
    .allocate = tmpfs_allocate,
    .create_unnamed = tmpfs_create_unnamed,
    .release = tmpfs_release,
};

static const struct inode_ops tmpfs_link_ops = {
    .readlink = tmpfs_readlink,
    .release = tmpfs_release,
};
