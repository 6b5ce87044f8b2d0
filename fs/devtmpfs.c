// SPDX-License-Identifier: BSD-2-Clause
// devtmpfs: a tmpfs of its own, made at boot, in which a node appears when a driver registers its
// device. Every mount of the type shows the same tree, so that /dev is complete wherever and
// whenever it is mounted. Users may add to it as to any tmpfs.
//
// Life: the super block and its tree are made by devtmpfs_init() and stay. Devices registered
// before that wait in a list of names. Locking: devtmpfs_lock guards list and tree growth by us; it
// comes before inode.lock.
#include <errno.h>
#include <fs/chrdev.h>
#include <lib/list.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

#include "devtmpfs_priv.h"

struct devtmpfs_waiting {
    struct list_node node;
    const char *name;
    mode_t mode;
    dev_t dev;
};

static struct mutex devtmpfs_lock = MUTEX_INIT(devtmpfs_lock);
static struct list_node devtmpfs_waiting_list = LIST_INIT(devtmpfs_waiting_list);
static struct super_block devtmpfs_sb;
static struct cred devtmpfs_cred = {.refs = {1}}; // root of everything

// A child of `dir` by name with a reference, or NULL.
static struct dentry *devtmpfs_find(struct dentry *dir, const char *name, size_t length)
{
    struct dentry *d;
    list_for_each_entry (d, &dir->children, siblings)
        if (d->name_length == length && memcmp(d->name, name, length) == 0 && d->inode != NULL) {
            dentry_get(d);
            return d;
        }
    return NULL;
}

// Make a node or directory under `dir`. 0 with the child and a reference, or -errno.
static int devtmpfs_create(struct dentry *dir, const char *name, size_t length, mode_t mode,
                           dev_t dev, struct dentry **child)
{
    int err = -EEXIST;

    mutex_lock(&dir->inode->lock);
    struct dentry *d = devtmpfs_find(dir, name, length);
    if (d == NULL) {
        d = dentry_create(dir, name, length);
        err =
            d == NULL ? -ENOMEM : dir->inode->ops->create(dir->inode, d, mode, dev, &devtmpfs_cred);
    }
    mutex_unlock(&dir->inode->lock);
    if (d != NULL && (err == 0 || (err == -EEXIST && S_ISDIR(mode) && S_ISDIR(d->inode->mode)))) {
        *child = d;
        return 0;
    }
    if (d != NULL)
        dentry_put(d);
    return err;
}

static int devtmpfs_create_node(const char *name, mode_t mode, dev_t dev)
{
    struct dentry *dir = devtmpfs_sb.root, *child;
    const char *slash = strchr(name, '/');
    int err;

    dentry_get(dir);
    if (slash != NULL) {
        err = devtmpfs_create(dir, name, (size_t)(slash - name), S_IFDIR | 0755, 0, &child);
        dentry_put(dir);
        if (err != 0)
            return err;
        dir = child;
        name = slash + 1;
    }
    err = devtmpfs_create(dir, name, strlen(name), mode, dev, &child);
    dentry_put(dir);
    if (err == 0)
        dentry_put(child); // the tree keeps it
    return err;
}

int devtmpfs_add(const char *name, mode_t mode, dev_t dev)
{
    int err = 0;

    mutex_lock(&devtmpfs_lock);
    if (devtmpfs_sb.root != NULL) {
        err = devtmpfs_create_node(name, mode, dev);
    } else {
        struct devtmpfs_waiting *w = kmalloc(sizeof(*w));
        if (w != NULL) {
            *w = (struct devtmpfs_waiting){.name = name, .mode = mode, .dev = dev};
            list_add_tail(&devtmpfs_waiting_list, &w->node);
        } else {
            err = -ENOMEM;
        }
    }
    mutex_unlock(&devtmpfs_lock);
    return err;
}

static int devtmpfs_mount(struct super_block *sb, const char *source, const char *options)
{
    dentry_get(devtmpfs_sb.root);
    sb->root = devtmpfs_sb.root;
    return 0;
}

static int devtmpfs_statfs(struct super_block *sb, uint64_t *blocks, uint64_t *blocks_free,
                           uint64_t *files, uint64_t *files_free)
{
    const struct file_system *tmpfs = file_system_find("tmpfs");
    return tmpfs->statfs != NULL
               ? tmpfs->statfs(&devtmpfs_sb, blocks, blocks_free, files, files_free)
               : -ENOSYS;
}

static const struct file_system devtmpfs_type = {
    .name = "devtmpfs",
    .nodev = true,
    .mount = devtmpfs_mount,
    .statfs = devtmpfs_statfs,
    .magic = TMPFS_MAGIC,
};

// Boot: without memory for this nothing works, hence the panics.
void devtmpfs_init(void)
{
    const struct file_system *tmpfs = file_system_find("tmpfs");
    struct devtmpfs_waiting *w, *next;

    ASSERT(tmpfs != NULL);
    mutex_lock(&devtmpfs_lock);
    refcount_init(&devtmpfs_sb.refs);
    devtmpfs_sb.fs = tmpfs;
    devtmpfs_sb.dev = dev_anonymous();
    devtmpfs_sb.next_ino = 1;
    if (tmpfs->mount(&devtmpfs_sb, NULL, "mode=755") != 0)
        panic("no memory for /dev: give the machine more");
    list_for_each_entry_safe (w, next, &devtmpfs_waiting_list, node) {
        if (devtmpfs_create_node(w->name, w->mode, w->dev) != 0)
            panic("no memory for /dev/%s: give the machine more", w->name);
        list_remove(&w->node);
        kfree(w);
    }
    mutex_unlock(&devtmpfs_lock);
    file_system_register(&devtmpfs_type);
}
