// SPDX-License-Identifier: BSD-2-Clause
// Mounts: what is mounted where, and the life of super blocks.
//
// mount_lock serialises every change; the dentry tree lock, held for writing, makes a change one
// step for walks. A mount in the table has a reference of the table, so one that only the table
// refers to is not busy, and stays so while the tree lock is held: walks take references under it.
#include <errno.h>
#include <fs/block.h>
#include <fs/chrdev.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <stdio.h>

#include "mount_priv.h"
#include "vfs_priv.h"

struct mutex mount_lock = MUTEX_INIT(mount_lock);
static struct list_node mounts = LIST_INIT(mounts); // mount_lock
static struct mount *root_mount;
struct mount *anonymous_mount;

static int super_block_fill(struct super_block *sb, const char *source, dev_t device,
                            const char *options)
{
    if (sb->fs->nodev) {
        sb->dev = dev_anonymous();
        return sb->fs->mount(sb, source, options);
    }
    sb->dev = device;
    int err = block_hold(device, !(sb->flags & MS_RDONLY), &sb->device);
    if (err != 0)
        return err;
    err = sb->fs->mount(sb, source, options);
    if (err != 0)
        block_drop(sb->device);
    return err;
}

static struct super_block *super_block_create(const struct file_system *type, const char *source,
                                              dev_t device, unsigned long flags,
                                              const char *options, int *error)
{
    struct super_block *sb = kzalloc(sizeof(*sb));
    *error = -ENOMEM;
    if (!sb)
        return NULL;
    refcount_init(&sb->refs);
    sb->fs = type;
    sb->flags = type->nodev ? 0 : flags & MS_RDONLY;
    *error = super_block_fill(sb, source, device, options);
    if (*error != 0) {
        kfree(sb);
        return NULL;
    }
    return sb;
}

static void super_block_put(struct super_block *sb)
{
    if (!refcount_put(&sb->refs))
        return;
    if (sb->fs->unmount)
        sb->fs->unmount(sb);
    else
        dentry_put(sb->root);
    if (sb->device)
        block_drop(sb->device);
    kfree(sb);
}

// Takes over the reference on sb, also on failure.
static struct mount *mount_of_super(struct super_block *sb, struct dentry *root, const char *source,
                                    unsigned long flags)
{
    struct mount *m = kzalloc(sizeof(*m));
    if (!m) {
        super_block_put(sb);
        return NULL;
    }
    refcount_init(&m->refs);
    m->sb = sb;
    m->root = root;
    dentry_get(root);
    m->flags = flags;
    snprintf(m->source, sizeof(m->source), "%s", source);
    list_init(&m->node);
    return m;
}

int mount_create(const struct file_system *type, const char *source, dev_t device,
                 unsigned long flags, const char *options, struct mount **mount)
{
    int err;
    struct super_block *sb = super_block_create(type, source, device, flags, options, &err);
    if (!sb)
        return err;
    *mount = mount_of_super(sb, sb->root, source ? source : "none", flags & MOUNT_FLAGS);
    return *mount ? 0 : -ENOMEM;
}

struct mount *mount_clone(const struct path *path)
{
    refcount_get(&path->mount->sb->refs);
    return mount_of_super(path->mount->sb, path->dentry, path->mount->source, path->mount->flags);
}

void mount_get(struct mount *m)
{
    refcount_get(&m->refs);
}

void mount_put(struct mount *m)
{
    if (!m || !refcount_put(&m->refs))
        return;
    ASSERT(!m->parent && !list_is_linked(&m->node));
    dentry_put(m->root);
    super_block_put(m->sb);
    kfree(m);
}

// Both tree lock. `m` takes over references on the place.
static void chain_add(struct mount *m, const struct path *place)
{
    m->parent = place->mount;
    m->mountpoint = place->dentry;
    m->next_here = place->dentry->mounted;
    place->dentry->mounted = m;
}

static struct path chain_remove(struct mount *m)
{
    struct mount **link = &m->mountpoint->mounted;
    while (*link != m)
        link = &(*link)->next_here;
    *link = m->next_here;
    struct path place = {m->parent, m->mountpoint};
    m->parent = NULL;
    m->mountpoint = NULL;
    return place;
}

int mount_attach(struct mount *m, const struct path *place)
{
    mutex_assert_held(&mount_lock);
    struct inode *inode = place->dentry->inode;
    if (S_ISDIR(inode->mode) != S_ISDIR(m->root->inode->mode))
        return -ENOTDIR;
    if (place->dentry == place->mount->root && place->dentry == m->root)
        return -EBUSY;
    mutex_lock(&inode->lock); // against rmdir and rename, which look at `mounted`
    if (place->dentry->unlinked) {
        mutex_unlock(&inode->lock);
        return -ENOENT;
    }
    path_get(place);
    dentry_tree_write_lock();
    chain_add(m, place);
    dentry_tree_write_unlock();
    mutex_unlock(&inode->lock);
    list_add_tail(&mounts, &m->node);
    return 0;
}

int mount_move(struct mount *m, const struct path *place)
{
    mutex_assert_held(&mount_lock);
    for (const struct mount *p = place->mount; p; p = p->parent)
        if (p == m)
            return -ELOOP;
    dentry_tree_write_lock();
    struct path old = chain_remove(m);
    dentry_tree_write_unlock();
    list_remove(&m->node);
    int err = mount_attach(m, place);
    if (err == 0) {
        path_put(&old);
        return 0;
    }
    dentry_tree_write_lock(); // the references on the old place are still ours
    chain_add(m, &old);
    dentry_tree_write_unlock();
    list_add_tail(&mounts, &m->node);
    return err;
}

// Out of the tree and the table; the table's reference goes to the caller.
static void mount_take_out(struct mount *m, struct path *place)
{
    dentry_tree_write_lock();
    *place = chain_remove(m);
    dentry_tree_write_unlock();
    list_remove(&m->node);
}

int mount_detach_idle(struct mount *m, unsigned int expected_references)
{
    struct path place;
    mutex_assert_held(&mount_lock);
    dentry_tree_write_lock();
    bool busy = atomic_load(&m->refs.count) > expected_references;
    if (!busy)
        place = chain_remove(m);
    dentry_tree_write_unlock();
    if (busy)
        return -EBUSY;
    list_remove(&m->node);
    path_put(&place);
    mount_put(m);
    return 0;
}

static bool mount_is_below(const struct mount *m, const struct mount *top)
{
    for (; m; m = m->parent)
        if (m == top)
            return true;
    return false;
}

// The last mounted of those in the tree of `top`: nothing is mounted on it... but by a move, so
// a parent may go first; it lives on by its child's reference.
static struct mount *mount_last_below(const struct mount *top)
{
    for (struct list_node *n = mounts.prev; n != &mounts; n = n->prev) {
        struct mount *m = list_entry(n, struct mount, node);
        if (m != top && mount_is_below(m, top))
            return m;
    }
    return NULL;
}

void mount_detach_tree(struct mount *top)
{
    struct mount *m;
    struct path place;
    mutex_assert_held(&mount_lock);
    while ((m = mount_last_below(top)) != NULL) {
        mount_take_out(m, &place);
        path_put(&place);
        mount_put(m);
    }
    mount_take_out(top, &place);
    path_put(&place);
    mount_put(top);
}

int path_sync(const struct path *path)
{
    struct block_device *device = path->mount->sb->device;
    return device ? block_flush(device) : 0;
}

int mount_for_each(int (*fn)(void *ctx, const struct mount *m), void *ctx)
{
    struct mount *m;
    int result = 0;
    mutex_lock(&mount_lock);
    list_for_each_entry (m, &mounts, node) {
        result = fn(ctx, m);
        if (result != 0)
            break;
    }
    mutex_unlock(&mount_lock);
    return result;
}

struct path vfs_root(void)
{
    struct path root = {root_mount, root_mount->root};
    path_get(&root);
    return root;
}

void vfs_init(void)
{
    dentry_init();
    inode_init();
    file_init();
    tmpfs_init();
    int err = mount_create(&rootfs_type, "rootfs", 0, 0, NULL, &root_mount);
    if (err == 0)
        err = mount_create(&anonymous_type, "none", 0, 0, NULL, &anonymous_mount);
    if (err != 0)
        panic("no memory for the root file system: give the machine more");
    list_add_tail(&mounts, &root_mount->node);
}
