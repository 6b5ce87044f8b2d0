// SPDX-License-Identifier: BSD-2-Clause
// New names: mknod(2), mkdir(2), symlink(2), link(2). Each finds the parent, locks it, makes sure
// that the name is free and may be made, and lets the file system attach an inode to a new dentry.
#include <errno.h>
#include <linux/capability.h>
#include <linux/stat.h>
#include <string.h>

#include "vfs_priv.h"

#define MAY_ADD        3u // write and search
#define MAY_READ_WRITE 6u

int path_may_create(const struct dentry *dir, const struct cred *cred)
{
    mutex_assert_held(&dir->inode->lock);
    if (dir->unlinked)
        return -ENOENT;
    return inode_permission(dir->inode, MAY_ADD, cred);
}

// Where a new name goes. After create_begin the parent is locked and `dentry` is new and negative.
struct creation {
    struct walk_result at;
    struct dentry *dentry;
    struct inode *dir;
};

static void create_end(struct creation *c)
{
    mutex_unlock(&c->dir->lock);
    dentry_put(c->dentry);
    path_walk_release(&c->at);
}

// Order of errors as Linux's: existence before permission, and a read-only file system last.
static int create_check(struct creation *c, bool directory, const struct cred *cred)
{
    struct dentry *parent = c->at.parent.dentry, *existing;
    int err = path_lookup_locked(parent, c->at.last, c->at.last_length, &existing);
    if (err == 0) {
        dentry_put(existing);
        return -EEXIST;
    }
    if (err != -ENOENT)
        return err;
    if (c->at.trailing_slash && !directory)
        return -ENOENT;
    if (path_is_read_only(&c->at.parent))
        return -EROFS;
    return path_may_create(parent, cred);
}

static int create_begin(struct creation *c, const struct path_walk *w, const char *name,
                        bool directory)
{
    c->dentry = NULL;
    int err = path_walk(w, name, WALK_PARENT, &c->at);
    if (err != 0)
        return err;
    if (c->at.kind != LAST_NAME) {
        path_walk_release(&c->at);
        return -EEXIST;
    }
    c->dir = c->at.parent.dentry->inode;
    mutex_lock(&c->dir->lock);
    err = create_check(c, directory, w->cred);
    if (err == 0) {
        c->dentry = dentry_create(c->at.parent.dentry, c->at.last, c->at.last_length);
        if (!c->dentry)
            err = -ENOMEM;
    }
    if (err != 0)
        create_end(c);
    return err;
}

int path_create_locked(struct dentry *dir, const char *name, size_t length, mode_t mode, dev_t rdev,
                       const struct cred *cred, struct dentry **child)
{
    const struct inode_ops *ops = dir->inode->ops;
    mutex_assert_held(&dir->inode->lock);
    if (!ops->create)
        return -EACCES;
    struct dentry *d = dentry_create(dir, name, length);
    if (!d)
        return -ENOMEM;
    int err = ops->create(dir->inode, d, mode, rdev, cred);
    if (err != 0) {
        dentry_put(d);
        return err;
    }
    *child = d;
    return 0;
}

static int create_node(const struct path_walk *w, const char *name, mode_t mode, dev_t rdev)
{
    struct creation c;
    bool directory = S_ISDIR(mode);
    int err = create_begin(&c, w, name, directory);
    if (err != 0)
        return err;
    mode &= ~fs_context_umask(w->context);
    if (!c.dir->ops->create)
        err = -EPERM;
    else
        err = c.dir->ops->create(c.dir, c.dentry, mode, rdev, w->cred);
    create_end(&c);
    return err;
}

int path_mknod(const struct path_walk *w, const char *name, mode_t mode, dev_t rdev)
{
    switch (mode & S_IFMT) {
    case 0:
        mode |= S_IFREG;
        break;
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK:
        break;
    case S_IFCHR:
    case S_IFBLK:
        if (!cred_has_cap(w->cred, CAP_MKNOD))
            return -EPERM;
        break;
    case S_IFDIR:
        return -EPERM;
    default:
        return -EINVAL;
    }
    return create_node(w, name, mode & (S_IFMT | 07777), rdev);
}

int path_mkdir(const struct path_walk *w, const char *name, mode_t mode)
{
    return create_node(w, name, S_IFDIR | (mode & 01777), 0);
}

int path_symlink(const struct path_walk *w, const char *target, const char *name)
{
    struct creation c;
    if (*target == '\0')
        return -ENOENT;
    int err = create_begin(&c, w, name, false);
    if (err != 0)
        return err;
    if (!c.dir->ops->symlink)
        err = -EPERM;
    else
        err = c.dir->ops->symlink(c.dir, c.dentry, target, w->cred);
    create_end(&c);
    return err;
}

static int link_locked(struct creation *c, struct inode *inode)
{
    if (!c->dir->ops->link)
        return -EPERM;
    if (inode->nlink == 0 && !inode->linkable)
        return -ENOENT;
    int err = c->dir->ops->link(c->dir, c->dentry, inode);
    if (err == 0)
        inode->linkable = false;
    return err;
}

// proc_sys_fs(5) protected_hardlinks, which Debian's kernels have on: who isn't the owner links
// only to what he may read and write, and nothing that runs with somebody else's rights.
static bool may_link(const struct inode *inode, const struct cred *cred)
{
    if (inode_is_owner(inode, cred))
        return true;
    return S_ISREG(inode->mode) && !(inode->mode & S_ISUID) &&
           (inode->mode & (S_ISGID | S_IXGRP)) != (S_ISGID | S_IXGRP) &&
           inode_permission(inode, MAY_READ_WRITE, cred) == 0;
}

int path_link(const struct path *old, const struct path_walk *w, const char *name)
{
    struct creation c;
    struct inode *inode = old->dentry->inode;
    int err = create_begin(&c, w, name, false);
    if (err != 0)
        return err;
    if (old->mount != c.at.parent.mount) {
        err = -EXDEV;
    } else if (!may_link(inode, w->cred)) {
        err = -EPERM;
    } else if (S_ISDIR(inode->mode)) {
        err = -EPERM;
    } else {
        mutex_lock(&inode->lock);
        err = link_locked(&c, inode);
        mutex_unlock(&inode->lock);
    }
    create_end(&c);
    return err;
}
