// SPDX-License-Identifier: BSD-2-Clause
// The walk of a path: path_resolution(7).
//
// A walk goes from name to name under the dentry tree lock (reader side), without a reference to
// anything it passes. What may sleep (asking a file system, reading a symbolic link) is done
// outside: the place is pinned by references first, and the old pin is dropped while the lock is
// not held. A symbolic link's text and the rest of the path become the new path, in `buffer`.
#include <errno.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

#include "vfs_priv.h"

#define LINKS_MAX   40
#define BUFFER_SIZE (2 * PATH_MAX_LEN)
#define MAY_SEARCH  1u

struct walk {
    const struct path_walk *start;
    unsigned int flags;
    unsigned int links;
    unsigned int slot;    // of the tree lock, held while walking
    const char *next;     // what is still to be walked
    char *buffer;         // next points into it once a link was followed
    struct path here;     // valid under the tree lock
    struct path pinned;   // references that keep `here` over sleeping; mount NULL: none
    struct dentry *asked; // a reference on what the file system made up last
    struct path root;
    struct path base; // where it started, for PATH_BENEATH
    struct walk_result *result;
};

void path_get(const struct path *p)
{
    mount_get(p->mount);
    dentry_get(p->dentry);
}

void path_put(struct path *p)
{
    dentry_put(p->dentry);
    mount_put(p->mount);
    p->dentry = NULL;
    p->mount = NULL;
}

// Let go of the tree lock, with `here` pinned instead.
static void walk_pin(struct walk *w)
{
    struct path old = w->pinned;
    w->pinned = w->here;
    path_get(&w->pinned);
    dentry_tree_read_unlock(w->slot);
    if (old.mount)
        path_put(&old);
}

static void walk_start(struct walk *w)
{
    const struct path_walk *start = w->start;
    w->slot = dentry_tree_read_lock();
    w->root = start->context->root;
    bool scoped = w->flags & PATH_IN_ROOT;
    struct path at = start->at.dentry ? start->at : start->context->cwd;
    if (scoped)
        w->root = at;
    w->base = at;
    w->here = *w->next == '/' ? w->root : at;
}

static int walk_cross_mounts(struct walk *w, struct path *p)
{
    struct mount *m;
    while (unlikely(p->dentry->mounted != NULL) && (m = mount_at(p->mount, p->dentry)) != NULL) {
        if (w->flags & PATH_NO_XDEV)
            return -EXDEV;
        p->mount = m;
        p->dentry = m->root;
    }
    return 0;
}

static int walk_up(struct walk *w)
{
    struct path *p = &w->here;
    if ((w->flags & PATH_BENEATH) && p->dentry == w->base.dentry && p->mount == w->base.mount)
        return -EXDEV;
    while (p->dentry != w->root.dentry || p->mount != w->root.mount) {
        if (p->dentry != p->mount->root) {
            p->dentry = p->dentry->parent;
            break;
        }
        if (!p->mount->parent)
            break;
        if (w->flags & PATH_NO_XDEV)
            return -EXDEV;
        p->dentry = p->mount->mountpoint;
        p->mount = p->mount->parent;
    }
    return walk_cross_mounts(w, p);
}

// A child is not in the tree: ask the file system. 0: it is now, and stays as long as `asked`.
static int walk_ask(struct walk *w, const char *name, size_t length)
{
    struct dentry *child = NULL;
    walk_pin(w);
    struct inode *dir = w->pinned.dentry->inode;
    mutex_lock(&dir->lock);
    int err = path_lookup_locked(w->pinned.dentry, name, length, &child);
    mutex_unlock(&dir->lock);
    dentry_put(w->asked);
    w->asked = child;
    w->slot = dentry_tree_read_lock();
    return err;
}

// Read the text of the link `inode`, put the rest of the path behind it, and go on with that.
static int walk_splice(struct walk *w, struct inode *inode)
{
    char *buffer = kmalloc(BUFFER_SIZE);
    if (!buffer)
        return -ENOMEM;
    ssize_t n = inode->ops->readlink(inode, buffer, PATH_MAX_LEN);
    if (n > 0) {
        size_t rest = strlen(w->next);
        if ((size_t)n + rest >= BUFFER_SIZE)
            n = -ENAMETOOLONG;
        else
            memcpy(buffer + n, w->next, rest + 1);
    }
    if (n <= 0) {
        kfree(buffer);
        return n < 0 ? (int)n : -ENOENT;
    }
    kfree(w->buffer);
    w->buffer = buffer;
    w->next = buffer;
    return 0;
}

static int walk_read_link(struct walk *w, const struct path *link)
{
    struct inode *inode = link->dentry->inode;
    inode_accessed(link);
    if (!inode->ops->follow)
        return walk_splice(w, inode);
    if (w->flags & (PATH_NO_MAGICLINKS | PATH_BENEATH | PATH_IN_ROOT))
        return (w->flags & PATH_NO_MAGICLINKS) ? -ELOOP : -EXDEV;
    struct path target;
    int err = inode->ops->follow(inode, &target);
    if (err != 0)
        return err;
    path_put(&w->pinned);
    w->pinned = target;
    return 0;
}

// Nothing but slashes left? Then whether there were any says if the name must be a directory.
static bool is_at_end(const char *rest)
{
    while (*rest == '/')
        rest++;
    return *rest == '\0';
}

// Debian's kernels, and so its programs, have the rule on: in a directory like /tmp (sticky,
// writable for all) a link at the end of a path is followed only if its owner made the path's
// request or owns the directory (proc_sys_fs(5), protected_symlinks).
static bool may_follow(const struct walk *w, const struct inode *link)
{
    const struct inode *dir = w->here.dentry->inode;
    return (dir->mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH) ||
           link->uid == w->start->cred->fsuid || link->uid == dir->uid;
}

// `link` is a child of `here` that must be followed. `next` is the rest after its name.
static int walk_follow(struct walk *w, struct path link)
{
    bool magic = link.dentry->inode->ops->follow != NULL;
    if (is_at_end(w->next) && !may_follow(w, link.dentry->inode))
        return -EACCES;
    if (++w->links > LINKS_MAX || (w->flags & PATH_NO_SYMLINKS) ||
        (link.mount->flags & MS_NOSYMFOLLOW))
        return -ELOOP;
    path_get(&link);
    walk_pin(w);
    int err = walk_read_link(w, &link);
    path_put(&link);
    w->slot = dentry_tree_read_lock();
    w->here = w->pinned;
    if (err == 0 && magic && (w->flags & PATH_NO_XDEV) && w->here.mount != link.mount)
        return -EXDEV;
    if (err == 0 && !magic && *w->next == '/') {
        if (w->flags & PATH_BENEATH)
            return -EXDEV;
        w->root = (w->flags & PATH_IN_ROOT) ? w->root : w->start->context->root;
        if ((w->flags & PATH_NO_XDEV) && w->root.mount != w->here.mount)
            return -EXDEV;
        w->here = w->root;
    }
    return err;
}

static enum last_kind kind_of(const char *name, size_t length)
{
    if (name[0] != '.' || length > 2)
        return LAST_NAME;
    if (length == 1)
        return LAST_DOT;
    return name[1] == '.' ? LAST_DOTDOT : LAST_NAME;
}

// The child of `here`; its dentry is NULL if there is none.
static int walk_child(struct walk *w, const char *name, size_t length, uint32_t hash,
                      struct path *child)
{
    child->mount = w->here.mount;
    child->dentry = dentry_find_hashed(w->here.dentry, name, length, hash);
    if (unlikely(child->dentry == NULL)) {
        if (w->here.dentry->inode->ops->lookup == NULL)
            return 0; // the tree is the directory
        int err = walk_ask(w, name, length);
        if (err != 0)
            return err == -ENOENT ? 0 : err;
        // Its name may be another one (stored_name); gone meanwhile is not found.
        const struct dentry *asked = w->asked;
        child->dentry = asked->hash_link && asked->parent == w->here.dentry ? w->asked : NULL;
        if (child->dentry == NULL)
            return 0;
    }
    const struct inode *inode = child->dentry->inode;
    if (unlikely(inode->ops->is_gone != NULL) && inode->ops->is_gone(inode)) {
        child->dentry = NULL;
        return 0;
    }
    return walk_cross_mounts(w, child);
}

static int walk_step(struct walk *w, const char *name, size_t length, uint32_t hash, bool follow)
{
    struct path child;
    enum last_kind kind = kind_of(name, length);
    if (kind == LAST_DOT)
        return 0;
    if (kind == LAST_DOTDOT)
        return walk_up(w);
    int err = walk_child(w, name, length, hash, &child);
    if (err != 0)
        return err;
    if (!child.dentry)
        return -ENOENT;
    if (follow && unlikely(S_ISLNK(child.dentry->inode->mode)))
        return walk_follow(w, child);
    w->here = child;
    return 0;
}

// The last component of a WALK_PARENT walk: look it up if that was asked for. 1: it was a link, the
// walk goes on.
static int walk_last(struct walk *w, const char *name, size_t length, uint32_t hash)
{
    struct walk_result *r = w->result;
    struct path child;
    r->kind = kind_of(name, length);
    if (!(w->flags & WALK_CHILD))
        return 0;
    if (r->kind != LAST_NAME) {
        struct path parent = w->here;
        int err = walk_step(w, name, length, hash, false);
        r->child = w->here;
        w->here = parent;
        if (err == 0)
            path_get(&r->child);
        else
            r->child = (struct path){NULL, NULL};
        return err;
    }
    int err = walk_child(w, name, length, hash, &child);
    if (err != 0 || !child.dentry)
        return err;
    if ((w->flags & PATH_FOLLOW) && S_ISLNK(child.dentry->inode->mode)) {
        err = walk_follow(w, child);
        return err != 0 ? err : 1;
    }
    path_get(&child);
    r->child = child;
    return 0;
}

// Take the next name off the path. Its length; 0: the path is over.
static size_t walk_next_name(struct walk *w, const char **name, uint32_t *hash)
{
    const char *s = w->next;
    while (*s == '/')
        s++;
    uint32_t h = DENTRY_HASH_START;
    const char *end = s;
    for (; *end != '\0' && *end != '/'; end++)
        h = dentry_hash_add(h, (unsigned char)*end);
    *name = s;
    *hash = h;
    w->next = end;
    return (size_t)(end - s);
}

static int walk_components(struct walk *w)
{
    struct walk_result *r = w->result;
    const char *name;
    uint32_t hash;
    size_t length;

    r->kind = LAST_ROOT;
    r->trailing_slash = false;
    while ((length = walk_next_name(w, &name, &hash)) != 0) {
        struct inode *dir = w->here.dentry->inode;
        if (!S_ISDIR(dir->mode))
            return -ENOTDIR;
        int err = inode_permission(dir, MAY_SEARCH, w->start->cred);
        if (err != 0)
            return err;
        if (length > NAME_MAX_LEN)
            return -ENAMETOOLONG;
        bool last = is_at_end(w->next);
        r->trailing_slash = last && *w->next == '/';
        if (last && (w->flags & WALK_PARENT)) {
            r->last = name;
            r->last_length = length;
            err = walk_last(w, name, length, hash);
            if (err <= 0)
                return err;
            continue;
        }
        bool follow = !last || r->trailing_slash || (w->flags & PATH_FOLLOW);
        err = walk_step(w, name, length, hash, follow);
        if (err != 0)
            return err;
    }
    // "/" and what a link of procfs leads to: there is no parent to speak of.
    if (w->flags & WALK_PARENT) {
        r->kind = LAST_ROOT;
        r->child = w->here;
        path_get(&r->child);
        return 0;
    }
    if ((r->trailing_slash || (w->flags & PATH_DIRECTORY)) && !S_ISDIR(w->here.dentry->inode->mode))
        return -ENOTDIR;
    return 0;
}

int path_walk(const struct path_walk *start, const char *name, unsigned int flags,
              struct walk_result *result)
{
    struct walk w = {.start = start, .flags = flags, .next = name, .result = result};
    memset(result, 0, sizeof(*result));
    if (*name == '\0' && !(flags & PATH_EMPTY))
        return -ENOENT;
    if (*name == '/' && (flags & PATH_BENEATH))
        return -EXDEV;
    walk_start(&w);
    int err = walk_components(&w);
    if (err == 0) {
        result->parent = w.here;
        path_get(&result->parent);
    }
    dentry_tree_read_unlock(w.slot);
    if (w.pinned.mount)
        path_put(&w.pinned);
    dentry_put(w.asked);
    result->buffer = w.buffer;
    if (err != 0)
        path_walk_release(result);
    return err;
}

void path_walk_release(struct walk_result *result)
{
    if (result->parent.dentry)
        path_put(&result->parent);
    if (result->child.dentry)
        path_put(&result->child);
    kfree(result->buffer);
    result->buffer = NULL;
}

int path_lookup(const struct path_walk *w, const char *name, unsigned int flags, struct path *path)
{
    struct walk_result result;
    int err = path_walk(w, name, flags, &result);
    if (err != 0)
        return err;
    *path = result.parent;
    result.parent.dentry = NULL;
    if (unlikely(result.buffer != NULL))
        kfree(result.buffer);
    return 0;
}

int path_lookup_locked(struct dentry *dir, const char *name, size_t length, struct dentry **child)
{
    mutex_assert_held(&dir->inode->lock);
    char stored[NAME_MAX_LEN];
    struct dentry *d = dentry_find(dir, name, length);
    if (!d && dir->inode->ops->stored_name && !dir->unlinked) {
        ssize_t n = dir->inode->ops->stored_name(dir->inode, name, length, stored);
        if (n < 0)
            return (int)n;
        name = stored;
        length = (size_t)n;
        d = dentry_find(dir, name, length);
    }
    if (!d && dir->inode->ops->lookup) {
        d = dentry_create(dir, name, length);
        if (!d)
            return -ENOMEM;
        int err = dir->unlinked ? -ENOENT : dir->inode->ops->lookup(dir->inode, d);
        if (err != 0) {
            dentry_put(d);
            return err;
        }
    }
    *child = d;
    return d ? 0 : -ENOENT;
}
