// SPDX-License-Identifier: BSD-2-Clause
// open(2): walk, perhaps create, rights, then a file with the operations of its kind.
#include <asm/fcntl.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/pipe.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>

#include "file_priv.h"
#include "vfs_priv.h"

#define MAY_EXECUTE 1u
#define MAY_WRITE   2u
#define MAY_READ    4u
#define OPEN_ONLY   (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC) // not shown by F_GETFL
#define OPEN_TRIES  8
#define PATH_SCOPES                                                                                \
    (PATH_NO_XDEV | PATH_NO_MAGICLINKS | PATH_NO_SYMLINKS | PATH_BENEATH | PATH_IN_ROOT)

static const struct file_ops no_ops; // O_PATH, symbolic links, sockets

static int choose_ops(struct file *f)
{
    struct inode *inode = f->inode;
    f->ops = inode->file_ops ? inode->file_ops : &no_ops;
    if (f->flags & O_PATH) {
        f->ops = &no_ops;
        return 0;
    }
    switch (inode->mode & S_IFMT) {
    case S_IFCHR:
        return inode->file_ops ? 0 : chrdev_find(inode->rdev, &f->ops, &f->private);
    case S_IFBLK:
        return inode->file_ops ? 0 : blkdev_find(inode->rdev, &f->ops, &f->private);
    case S_IFIFO:
        if (!inode->file_ops)
            f->ops = &pipe_fifo_ops;
        return 0;
    case S_IFSOCK:
        return -ENXIO;
    case S_IFLNK:
        return -ELOOP;
    default:
        return 0;
    }
}

int file_open_path(const struct path *path, int flags, struct cred *cred, struct file **file)
{
    struct file *f = file_create(path, flags & ~O_CLOEXEC, cred);
    if (!f)
        return -ENOMEM;
    int err = choose_ops(f);
    if (err == 0 && f->can_write && S_ISREG(f->inode->mode) && !f->counts_as_writer)
        err = -ETXTBSY;
    if (err == 0 && f->ops->open)
        err = f->ops->open(f);
    if (err != 0) {
        file_destroy(f);
        return err;
    }
    f->flags &= ~(uint32_t)OPEN_ONLY;
    *file = f;
    return 0;
}

int file_create_anonymous(struct inode *inode, const struct file_ops *ops, int flags,
                          struct cred *cred, struct file **file)
{
    struct dentry *d = dentry_create(NULL, "", 0);
    if (!d) {
        inode_put(inode);
        return -ENOMEM;
    }
    dentry_attach(d, inode);
    struct path path = {anonymous_mount, d};
    *file = file_create(&path, flags & ~OPEN_ONLY, cred);
    dentry_put(d);
    if (!*file)
        return -ENOMEM;
    (*file)->ops = ops;
    return 0;
}

int file_create_memory(const char *name, int flags, mode_t mode, uint32_t seals, bool huge,
                       struct cred *cred, struct file **file)
{
    char text[NAME_MAX_LEN + 1];
    struct inode *inode = huge ? hugetlbfs_create_inode(mode, cred)
                               : tmpfs_create_inode(anonymous_mount->sb, S_IFREG | mode, cred);
    if (!inode)
        return -ENOMEM;
    inode->seals = seals;
    snprintf(text, sizeof(text), "memfd:%s", name);
    struct dentry *d = dentry_create(NULL, text, strlen(text));
    if (!d) {
        inode_put(inode);
        return -ENOMEM;
    }
    dentry_attach(d, inode);
    struct path path = {anonymous_mount, d};
    int err = file_open_path(&path, flags, cred, file);
    dentry_put(d);
    return err;
}

static unsigned int rights_for(int flags)
{
    static const unsigned char rights[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
                                           MAY_READ | MAY_WRITE};
    unsigned int mask = rights[flags & O_ACCMODE];
    return flags & O_TRUNC ? mask | MAY_WRITE : mask;
}

// May `path`, which existed before, be opened so? inode(7), open(2).
static int open_check(const struct path *path, int flags, const struct cred *cred)
{
    const struct inode *inode = path->dentry->inode;
    unsigned int mask = rights_for(flags);
    mode_t kind = inode->mode & S_IFMT;

    if ((flags & O_CREAT) && kind == S_IFDIR)
        return -EISDIR;
    if ((flags & O_DIRECTORY) && kind != S_IFDIR)
        return -ENOTDIR;
    if (kind == S_IFLNK)
        return -ELOOP;
    if (kind == S_IFDIR && (mask & MAY_WRITE))
        return -EISDIR;
    if ((kind == S_IFCHR || kind == S_IFBLK) && (path->mount->flags & MS_NODEV))
        return -EACCES;
    int err = path_permission(path, mask, cred);
    if (err != 0)
        return err;
    if ((flags & O_NOATIME) && !inode_is_owner(inode, cred))
        return -EPERM;
    return 0;
}

static int open_truncate(struct file *f)
{
    struct inode *inode = f->inode;
    if (!S_ISREG(inode->mode) || !inode->ops->truncate)
        return 0;
    mutex_lock(&inode->lock);
    int err = inode->ops->truncate(inode, 0);
    if (err == 0) {
        inode_drop_privileges(inode, f->cred);
        inode_touch(inode, TOUCH_MTIME | TOUCH_CTIME);
    }
    mutex_unlock(&inode->lock);
    return err;
}

static int open_existing(const struct path *path, int flags, struct cred *cred, struct file **file)
{
    if (flags & O_PATH) {
        if ((flags & O_DIRECTORY) && !S_ISDIR(path->dentry->inode->mode))
            return -ENOTDIR;
        return file_open_path(path, flags, cred, file);
    }
    int err = open_check(path, flags, cred);
    if (err == 0)
        err = file_open_path(path, flags, cred, file);
    if (err != 0 || !(flags & O_TRUNC))
        return err;
    err = open_truncate(*file);
    if (err != 0)
        file_put(*file);
    return err;
}

// The name was free a moment ago: make it. -EEXIST: somebody else was faster.
static int create_in(const struct walk_result *at, mode_t mode, const struct cred *cred,
                     struct path *child)
{
    struct dentry *parent = at->parent.dentry, *d;
    mutex_lock(&parent->inode->lock);
    int err = path_lookup_locked(parent, at->last, at->last_length, &d);
    if (err == 0) {
        dentry_put(d);
        err = -EEXIST;
    } else if (err == -ENOENT) {
        err = path_is_read_only(&at->parent) ? -EROFS : path_may_create(parent, cred);
        if (err == 0)
            err = path_create_locked(parent, at->last, at->last_length, mode, 0, cred, &d);
    }
    mutex_unlock(&parent->inode->lock);
    if (err != 0)
        return err;
    child->mount = at->parent.mount;
    child->dentry = d;
    mount_get(child->mount);
    return 0;
}

// One try of open with O_CREAT. -EAGAIN: the name came up meanwhile.
static int open_create(const struct path_walk *w, const char *name, int flags, mode_t mode,
                       unsigned int walk_flags, struct file **file)
{
    struct walk_result at;
    struct path child;
    struct cred *cred = (struct cred *)(uintptr_t)w->cred; // only its count changes
    int err = path_walk(w, name, walk_flags | WALK_PARENT | WALK_CHILD, &at);
    if (err != 0)
        return err;
    if (at.trailing_slash && at.kind == LAST_NAME) {
        err = -EISDIR;
    } else if (at.child.dentry) {
        err = flags & O_EXCL ? -EEXIST : open_existing(&at.child, flags, cred, file);
    } else {
        err =
            create_in(&at, S_IFREG | (mode & 07777 & ~fs_context_umask(w->context)), cred, &child);
        if (err == 0) {
            err = file_open_path(&child, flags, cred, file); // whatever the mode says
            path_put(&child);
        } else if (err == -EEXIST && !(flags & O_EXCL)) {
            err = -EAGAIN;
        }
    }
    path_walk_release(&at);
    return err;
}

static int open_unnamed(const struct path_walk *w, const char *name, int flags, mode_t mode,
                        unsigned int walk_flags, struct file **file)
{
    struct path dir;
    char text[24];
    if (!(flags & (O_WRONLY | O_RDWR)))
        return -EINVAL;
    int err = path_lookup(w, name, walk_flags | PATH_DIRECTORY, &dir);
    if (err != 0)
        return err;
    struct inode *parent = dir.dentry->inode, *inode = NULL;
    err = path_permission(&dir, MAY_WRITE | MAY_EXECUTE, w->cred);
    if (err == 0 && !parent->ops->create_unnamed)
        err = -EOPNOTSUPP;
    if (err == 0) {
        mode = S_IFREG | (mode & 07777 & ~fs_context_umask(w->context));
        inode = parent->ops->create_unnamed(parent, mode, w->cred);
        err = inode ? 0 : -ENOSPC;
    }
    if (err == 0) {
        inode->linkable = !(flags & O_EXCL);
        int n = snprintf(text, sizeof(text), "#%lu", inode->ino);
        struct path path = {dir.mount, dentry_create(dir.dentry, text, (size_t)n)};
        if (path.dentry) {
            path.dentry->inode = inode; // never in the tree
            path.dentry->unlinked = true;
            err = file_open_path(&path, flags & ~__O_TMPFILE, (struct cred *)(uintptr_t)w->cred,
                                 file);
            dentry_put(path.dentry);
        } else {
            inode_put(inode);
            err = -ENOMEM;
        }
    }
    path_put(&dir);
    return err;
}

int file_open_scoped(const struct path_walk *w, const char *name, int flags, mode_t mode,
                     unsigned int scope, struct file **file)
{
    unsigned int walk_flags = scope & PATH_SCOPES;
    struct path path;
    int err;

    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (!(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
        walk_flags |= PATH_FOLLOW;
    if (flags & __O_TMPFILE)
        return open_unnamed(w, name, flags, mode, walk_flags, file);
    if (flags & O_CREAT) {
        for (int i = 0; i < OPEN_TRIES; i++) {
            err = open_create(w, name, flags, mode, walk_flags, file);
            if (err != -EAGAIN)
                return err;
        }
        return -EEXIST;
    }
    if (flags & O_DIRECTORY)
        walk_flags |= PATH_DIRECTORY;
    err = path_lookup(w, name, walk_flags, &path);
    if (err != 0)
        return err;
    err = open_existing(&path, flags, (struct cred *)(uintptr_t)w->cred, file);
    path_put(&path);
    return err;
}

int file_open(const struct path_walk *w, const char *name, int flags, mode_t mode,
              struct file **file)
{
    return file_open_scoped(w, name, flags, mode, 0, file);
}
