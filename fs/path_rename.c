// SPDX-License-Identifier: BSD-2-Clause
// rename(2), renameat2(2): NOREPLACE and EXCHANGE.
//
// Locks: rename_lock for renames between two directories, so that the shape of the tree above the
// parents stands still; then the two parents, an ancestor first, else by address; then the inodes
// that are moved or replaced, by address.
#include <errno.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "vfs_priv.h"

#define MAY_WRITE 2u

static struct mutex rename_lock = MUTEX_INIT(rename_lock);

struct rename {
    struct walk_result from, to;
    struct dentry *source, *target; // target NULL: the name is free
    unsigned int flags;
    const struct cred *cred;
};

static void lock_pair(struct inode *a, struct inode *b)
{
    if (a > b) {
        struct inode *t = a;
        a = b;
        b = t;
    }
    if (a)
        mutex_lock(&a->lock);
    if (b && b != a)
        mutex_lock(&b->lock);
}

static void unlock_pair(struct inode *a, struct inode *b)
{
    if (a)
        mutex_unlock(&a->lock);
    if (b && b != a)
        mutex_unlock(&b->lock);
}

static bool is_ancestor(const struct dentry *a, const struct dentry *d)
{
    unsigned int slot = dentry_tree_read_lock();
    bool result = dentry_is_ancestor(a, d);
    dentry_tree_read_unlock(slot);
    return result;
}

static void lock_parents(struct dentry *a, struct dentry *b)
{
    if (a == b) {
        mutex_lock(&a->inode->lock);
        return;
    }
    mutex_lock(&rename_lock);
    if (is_ancestor(b, a)) {
        mutex_lock(&b->inode->lock);
        mutex_lock(&a->inode->lock);
    } else if (is_ancestor(a, b)) {
        mutex_lock(&a->inode->lock);
        mutex_lock(&b->inode->lock);
    } else {
        lock_pair(a->inode, b->inode);
    }
}

static void unlock_parents(struct dentry *a, struct dentry *b)
{
    mutex_unlock(&a->inode->lock);
    if (a == b)
        return;
    mutex_unlock(&b->inode->lock);
    mutex_unlock(&rename_lock);
}

// Names, kinds and loops; rights come after.
static int rename_check_names(struct rename *r)
{
    struct dentry *from = r->from.parent.dentry, *to = r->to.parent.dentry;
    bool exchange = r->flags & RENAME_EXCHANGE;

    int err = path_lookup_locked(from, r->from.last, r->from.last_length, &r->source);
    if (err != 0)
        return err;
    err = path_lookup_locked(to, r->to.last, r->to.last_length, &r->target);
    if (err != 0 && err != -ENOENT)
        return err;
    if ((r->flags & RENAME_NOREPLACE) && r->target)
        return -EEXIST;
    if (exchange && !r->target)
        return -ENOENT;
    if (exchange && !S_ISDIR(r->target->inode->mode) && r->to.trailing_slash)
        return -ENOTDIR;
    if (!S_ISDIR(r->source->inode->mode) &&
        (r->from.trailing_slash || (!exchange && r->to.trailing_slash)))
        return -ENOTDIR;
    if (from != to && is_ancestor(r->source, to))
        return -EINVAL;
    if (from != to && r->target && is_ancestor(r->target, from))
        return exchange ? -EINVAL : -ENOTEMPTY;
    return 0;
}

static int rename_check_rights(struct rename *r)
{
    struct dentry *from = r->from.parent.dentry, *to = r->to.parent.dentry;
    bool is_dir = S_ISDIR(r->source->inode->mode), target_is_dir = is_dir;
    bool exchange = r->flags & RENAME_EXCHANGE;

    int err = path_may_delete(from, r->source, is_dir, r->cred);
    if (err != 0)
        return err;
    if (exchange)
        target_is_dir = S_ISDIR(r->target->inode->mode);
    err = r->target ? path_may_delete(to, r->target, target_is_dir, r->cred)
                    : path_may_create(to, r->cred);
    if (err != 0 || from == to)
        return err;
    // A directory's ".." is going to change.
    if (is_dir)
        err = inode_permission(r->source->inode, MAY_WRITE, r->cred);
    if (err == 0 && exchange && target_is_dir)
        err = inode_permission(r->target->inode, MAY_WRITE, r->cred);
    return err;
}

static int rename_perform(struct rename *r)
{
    struct dentry *from = r->from.parent.dentry, *to = r->to.parent.dentry, *target = r->target;
    const struct inode_ops *ops = from->inode->ops;
    if (!ops->rename)
        return -EPERM;
    if (target)
        dentry_get(target);
    else
        target = dentry_create(to, r->to.last, r->to.last_length);
    if (!target)
        return -ENOMEM;
    int err = ops->rename(from->inode, r->source, to->inode, target, r->flags);
    if (err == 0)
        dentry_move(r->source, target, r->flags & RENAME_EXCHANGE);
    dentry_put(target);
    return err;
}

static int rename_locked(struct rename *r)
{
    int err = rename_check_names(r);
    if (err != 0)
        return err;
    struct inode *source = r->source->inode, *target = r->target ? r->target->inode : NULL;
    if (source == target)
        return 0; // two names of one file: both stay
    lock_pair(source, target);
    err = rename_check_rights(r);
    if (err == 0)
        err = rename_perform(r);
    unlock_pair(source, target);
    return err;
}

static int rename_check_ends(const struct rename *r)
{
    if (r->from.parent.mount != r->to.parent.mount)
        return -EXDEV;
    if (r->from.kind != LAST_NAME)
        return -EBUSY;
    if (r->to.kind != LAST_NAME)
        return (r->flags & RENAME_NOREPLACE) ? -EEXIST : -EBUSY;
    return path_is_read_only(&r->from.parent) ? -EROFS : 0;
}

int path_rename(const struct path_walk *from, const char *from_name, const struct path_walk *to,
                const char *to_name, unsigned int flags)
{
    struct rename r = {.flags = flags, .cred = from->cred};
    if (flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    if (flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    int err = path_walk(from, from_name, WALK_PARENT, &r.from);
    if (err != 0)
        return err;
    err = path_walk(to, to_name, WALK_PARENT, &r.to);
    if (err != 0) {
        path_walk_release(&r.from);
        return err;
    }
    err = rename_check_ends(&r);
    if (err == 0) {
        lock_parents(r.from.parent.dentry, r.to.parent.dentry);
        err = rename_locked(&r);
        unlock_parents(r.from.parent.dentry, r.to.parent.dentry);
    }
    dentry_put(r.source);
    dentry_put(r.target);
    path_walk_release(&r.from);
    path_walk_release(&r.to);
    return err;
}
