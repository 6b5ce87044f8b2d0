// SPDX-License-Identifier: BSD-2-Clause
// Attributes of existing files: access(2), truncate(2), chmod(2), chown(2), utimensat(2),
// statfs(2). Each checks the caller's rights and changes the inode under its lock.
#include <asm/statfs.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <string.h>

#include "vfs_priv.h"

#define MAY_EXECUTE  1u
#define MAY_WRITE    2u
#define STATFS_VALID 0x20 // ST_VALID: f_flags means something

int path_permission(const struct path *path, unsigned int mask, const struct cred *cred)
{
    const struct inode *inode = path->dentry->inode;
    bool has_content = S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode);
    if ((mask & MAY_EXECUTE) && S_ISREG(inode->mode) && (path->mount->flags & MS_NOEXEC))
        return -EACCES;
    if ((mask & MAY_WRITE) && has_content && (path->mount->sb->flags & MS_RDONLY))
        return -EROFS;
    int err = inode_permission(inode, mask, cred);
    if (err == 0 && (mask & MAY_WRITE) && has_content && (path->mount->flags & MS_RDONLY))
        err = -EROFS;
    return err;
}

static int set_attributes(struct inode *inode)
{
    mutex_assert_held(&inode->lock);
    return inode->ops->set_attributes ? inode->ops->set_attributes(inode) : 0;
}

int path_truncate(const struct path *path, uint64_t size, const struct cred *cred)
{
    struct inode *inode = path->dentry->inode;
    if (S_ISDIR(inode->mode))
        return -EISDIR;
    if (!S_ISREG(inode->mode))
        return -EINVAL;
    if (path_is_read_only(path))
        return -EROFS;
    int err = inode_permission(inode, MAY_WRITE, cred);
    if (err != 0)
        return err;
    if (!inode->ops->truncate)
        return -EINVAL;
    err = inode_write_begin(inode);
    if (err != 0)
        return err;
    mutex_lock(&inode->lock);
    uint64_t old_size = inode->size;
    err = inode->ops->truncate(inode, size);
    if (err == 0) {
        inode_drop_privileges(inode, cred);
        if (inode->size != old_size)
            inode_touch(inode, TOUCH_MTIME | TOUCH_CTIME);
    }
    mutex_unlock(&inode->lock);
    inode_write_end(inode);
    return err;
}

int path_chmod(const struct path *path, mode_t mode, const struct cred *cred)
{
    struct inode *inode = path->dentry->inode;
    if (path_is_read_only(path))
        return -EROFS;
    if (S_ISLNK(inode->mode))
        return -EOPNOTSUPP;
    if (!inode_is_owner(inode, cred))
        return -EPERM;
    mutex_lock(&inode->lock);
    if ((inode->seals & F_SEAL_EXEC) && ((inode->mode ^ mode) & 0111)) {
        mutex_unlock(&inode->lock);
        return -EPERM;
    }
    if (!cred_in_group(cred, inode->gid) && !cred_has_cap(cred, CAP_FSETID))
        mode &= ~(mode_t)S_ISGID;
    inode->mode = (inode->mode & S_IFMT) | (mode & 07777);
    inode_touch(inode, TOUCH_CTIME);
    int err = set_attributes(inode);
    mutex_unlock(&inode->lock);
    return err;
}

static bool may_chown(const struct inode *inode, uid_t uid, gid_t gid, const struct cred *cred)
{
    if (cred_has_cap(cred, CAP_CHOWN))
        return true;
    if (uid != (uid_t)-1 && (inode->uid != cred->fsuid || uid != inode->uid))
        return false;
    if (gid != (gid_t)-1 &&
        (inode->uid != cred->fsuid || !(gid == inode->gid || cred_in_group(cred, gid))))
        return false;
    return true;
}

int path_chown(const struct path *path, uid_t uid, gid_t gid, const struct cred *cred)
{
    struct inode *inode = path->dentry->inode;
    if (path_is_read_only(path))
        return -EROFS;
    mutex_lock(&inode->lock);
    int err = may_chown(inode, uid, gid, cred) ? 0 : -EPERM;
    if (err == 0) {
        if (uid != (uid_t)-1)
            inode->uid = uid;
        if (gid != (gid_t)-1)
            inode->gid = gid;
        // chown(2): of an executable file, whoever asks, the set-id bits go.
        if (!S_ISDIR(inode->mode)) {
            inode->mode &= ~(mode_t)S_ISUID;
            if (inode->mode & S_IXGRP)
                inode->mode &= ~(mode_t)S_ISGID;
        }
        inode_touch(inode, TOUCH_CTIME);
        err = set_attributes(inode);
    }
    mutex_unlock(&inode->lock);
    return err;
}

int path_utimens(const struct path *path, const struct timestamp *atime,
                 const struct timestamp *mtime, bool now, const struct cred *cred)
{
    struct inode *inode = path->dentry->inode;
    if (path_is_read_only(path))
        return -EROFS;
    if (!inode_is_owner(inode, cred)) {
        if (!now)
            return -EPERM;
        if (inode_permission(inode, MAY_WRITE, cred) != 0)
            return -EACCES;
    }
    mutex_lock(&inode->lock);
    inode_touch(inode, now ? TOUCH_ATIME | TOUCH_MTIME | TOUCH_CTIME : TOUCH_CTIME);
    if (!now && atime)
        inode->atime = *atime;
    if (!now && mtime)
        inode->mtime = *mtime;
    int err = set_attributes(inode);
    mutex_unlock(&inode->lock);
    return err;
}

static long statfs_flags(const struct path *path)
{
    unsigned long flags = path->mount->flags | (path->mount->sb->flags & MS_RDONLY), out;
    // ST_RDONLY..ST_NOEXEC have the numbers of MS_*; the others are shifted (statfs(2)).
    out = flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
    out |= (flags & (MS_NOATIME | MS_NODIRATIME));
    out |= (flags & MS_RELATIME) ? 0x1000 : 0;
    out |= (flags & MS_NOSYMFOLLOW) ? 0x2000 : 0;
    return (long)(out | STATFS_VALID);
}

int path_statfs(const struct path *path, struct statfs *out)
{
    struct super_block *sb = path->mount->sb;
    uint64_t blocks = 0, blocks_free = 0, files = 0, files_free = 0;
    memset(out, 0, sizeof(*out));
    if (sb->fs->statfs) {
        int err = sb->fs->statfs(sb, &blocks, &blocks_free, &files, &files_free);
        if (err != 0)
            return err;
    }
    out->f_type = sb->fs->magic;
    out->f_bsize = out->f_frsize = (long)PAGE_SIZE;
    out->f_blocks = (long)blocks;
    out->f_bfree = out->f_bavail = (long)blocks_free;
    out->f_files = (long)files;
    out->f_ffree = (long)files_free;
    out->f_fsid.val[0] = (int)sb->dev;
    out->f_namelen = NAME_MAX_LEN;
    out->f_flags = statfs_flags(path);
    return 0;
}
