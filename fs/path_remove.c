// SPDX-License-Identifier: BSD-2-Clause
// unlink(2) and rmdir(2). The parent is locked, then what is removed (parent before child), so that
// nothing can be created in a directory while it goes.
#include <errno.h>
#include <linux/capability.h>
#include <linux/stat.h>

#include "vfs_priv.h"

#define MAY_REMOVE 3u // write and search

int path_may_delete(const struct dentry *dir, const struct dentry *child, bool directory,
                    const struct cred *cred)
{
    const struct inode *parent = dir->inode, *inode = child->inode;
    mutex_assert_held(&parent->lock);
    int err = inode_permission(parent, MAY_REMOVE, cred);
    if (err != 0)
        return err;
    if ((parent->mode & S_ISVTX) && inode->uid != cred->fsuid && parent->uid != cred->fsuid &&
        !cred_has_cap(cred, CAP_FOWNER))
        return -EPERM;
    if (directory && !S_ISDIR(inode->mode))
        return -ENOTDIR;
    if (!directory && S_ISDIR(inode->mode))
        return -EISDIR;
    if (dir->unlinked)
        return -ENOENT;
    return dentry_is_mountpoint(child) ? -EBUSY : 0;
}

static int remove_locked(const struct walk_result *at, struct dentry *child, bool directory,
                         const struct cred *cred)
{
    struct dentry *parent = at->parent.dentry;
    struct inode *dir = parent->inode, *inode = child->inode;
    mutex_lock(&inode->lock); // also keeps mounts away (mount_attach)
    int err = path_may_delete(parent, child, directory, cred);
    if (err == 0)
        err = dir->ops->unlink ? dir->ops->unlink(dir, child) : -EPERM;
    if (err == 0)
        dentry_detach(child);
    mutex_unlock(&inode->lock);
    return err;
}

// "dir/" may be removed as a directory only; the errors for the rest are unlink(2)'s.
static int remove_last(const struct walk_result *at, bool directory, const struct cred *cred)
{
    struct dentry *child;
    if (path_is_read_only(&at->parent))
        return -EROFS;
    int err = path_lookup_locked(at->parent.dentry, at->last, at->last_length, &child);
    if (err != 0)
        return err;
    if (!directory && at->trailing_slash)
        err = S_ISDIR(child->inode->mode) ? -EISDIR : -ENOTDIR;
    else
        err = remove_locked(at, child, directory, cred);
    dentry_put(child);
    return err;
}

static int remove_refused(enum last_kind kind, bool directory)
{
    if (!directory)
        return -EISDIR;
    switch (kind) {
    case LAST_DOTDOT:
        return -ENOTEMPTY;
    case LAST_DOT:
        return -EINVAL;
    default:
        return -EBUSY;
    }
}

int path_unlink(const struct path_walk *w, const char *name, bool directory)
{
    struct walk_result at;
    int err = path_walk(w, name, WALK_PARENT, &at);
    if (err != 0)
        return err;
    if (at.kind != LAST_NAME) {
        err = remove_refused(at.kind, directory);
    } else {
        struct inode *dir = at.parent.dentry->inode;
        mutex_lock(&dir->lock);
        err = remove_last(&at, directory, w->cred);
        mutex_unlock(&dir->lock);
    }
    path_walk_release(&at);
    return err;
}
