// SPDX-License-Identifier: BSD-2-Clause
// Root directory, working directory and umask of a process. Shared with CLONE_FS, so counted.
//
// Locking: see path.h. A setter swaps the path under both locks and drops the old one after.
#include <mm/slab.h>

#include "vfs_priv.h"

struct fs_context *fs_context_create(struct path root)
{
    struct fs_context *c = kzalloc(sizeof(*c));
    if (!c)
        return NULL;
    refcount_init(&c->refs);
    rwlock_init(&c->lock);
    path_get(&root);
    path_get(&root);
    c->root = c->cwd = root;
    c->umask = 022;
    return c;
}

struct fs_context *fs_context_copy(struct fs_context *from)
{
    struct fs_context *c = kzalloc(sizeof(*c));
    if (!c)
        return NULL;
    refcount_init(&c->refs);
    rwlock_init(&c->lock);
    rwlock_read_lock(&from->lock);
    c->root = from->root;
    c->cwd = from->cwd;
    c->umask = from->umask;
    path_get(&c->root);
    path_get(&c->cwd);
    rwlock_read_unlock(&from->lock);
    return c;
}

void fs_context_get(struct fs_context *c)
{
    refcount_get(&c->refs);
}

void fs_context_put(struct fs_context *c)
{
    if (!c || !refcount_put(&c->refs))
        return;
    path_put(&c->root);
    path_put(&c->cwd);
    kfree(c);
}

static void context_set(struct fs_context *c, struct path *place, const struct path *path)
{
    path_get(path);
    rwlock_write_lock(&c->lock);
    dentry_tree_write_lock();
    struct path old = *place;
    *place = *path;
    dentry_tree_write_unlock();
    rwlock_write_unlock(&c->lock);
    path_put(&old);
}

void fs_context_set_cwd(struct fs_context *c, const struct path *path)
{
    context_set(c, &c->cwd, path);
}

void fs_context_set_root(struct fs_context *c, const struct path *path)
{
    context_set(c, &c->root, path);
}

static struct path context_read(struct fs_context *c, const struct path *place)
{
    rwlock_read_lock(&c->lock);
    struct path path = *place;
    path_get(&path);
    rwlock_read_unlock(&c->lock);
    return path;
}

struct path fs_context_cwd(struct fs_context *c)
{
    return context_read(c, &c->cwd);
}

struct path fs_context_root(struct fs_context *c)
{
    return context_read(c, &c->root);
}

mode_t fs_context_umask(struct fs_context *c)
{
    return __atomic_load_n(&c->umask, __ATOMIC_RELAXED);
}
