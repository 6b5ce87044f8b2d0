// SPDX-License-Identifier: BSD-2-Clause
// Reading directories. Positions: 0 and 1 are "." and ".."; 2 is the start of the entries. In a
// directory that is the dentry tree an entry's own cookie, always larger than 2, is the position
// after it: newest first, and removals move nothing (as tmpfs on Linux). Where the file system
// makes its names up, its own positions follow, moved by two.
#include <errno.h>
#include <linux/stat.h>

#include "file_priv.h"
#include "vfs_priv.h"

#define POSITION_ENTRIES 2
#define TYPE_DIRECTORY   4u // DT_DIR

static unsigned int type_of(const struct inode *inode)
{
    return (inode->mode & S_IFMT) >> 12; // DT_* are S_IF* shifted
}

static bool read_dots(struct file *f, file_fill_fn fill, void *ctx)
{
    const struct dentry *d = f->path.dentry;
    if (f->offset == 0) {
        if (!fill(ctx, ".", 1, d->inode->ino, TYPE_DIRECTORY, 1))
            return false;
        f->offset = 1;
    }
    if (f->offset == 1) {
        if (!fill(ctx, "..", 2, d->parent->inode->ino, TYPE_DIRECTORY, POSITION_ENTRIES))
            return false;
        f->offset = POSITION_ENTRIES;
    }
    return true;
}

// The children list changes only with dir->lock held, which is ours.
static void read_tree(struct file *f, file_fill_fn fill, void *ctx)
{
    struct dentry *d;
    list_for_each_entry (d, &f->path.dentry->children, siblings) {
        if (f->offset > POSITION_ENTRIES && d->cookie >= f->offset)
            continue;
        if (!fill(ctx, d->name, d->name_length, d->inode->ino, type_of(d->inode), d->cookie))
            return;
        f->offset = d->cookie;
    }
}

struct moved_fill {
    file_fill_fn fill;
    void *ctx;
};

static bool fill_moved(void *ctx, const char *name, size_t length, ino_t ino, unsigned int type,
                       uint64_t next)
{
    const struct moved_fill *m = ctx;
    return m->fill(m->ctx, name, length, ino, type, next + POSITION_ENTRIES);
}

static int read_made_up(struct file *f, file_fill_fn fill, void *ctx)
{
    struct moved_fill m = {fill, ctx};
    uint64_t position = f->offset - POSITION_ENTRIES;
    int err = f->inode->ops->readdir(f->inode, &position, fill_moved, &m);
    f->offset = position + POSITION_ENTRIES;
    return err;
}

int directory_read(struct file *f, file_fill_fn fill, void *ctx)
{
    struct inode *dir = f->inode;
    int err = 0;
    mutex_lock(&dir->lock);
    if (f->path.dentry->unlinked)
        err = -ENOENT;
    else if (read_dots(f, fill, ctx)) {
        if (dir->ops->readdir)
            err = read_made_up(f, fill, ctx);
        else
            read_tree(f, fill, ctx);
    }
    mutex_unlock(&dir->lock);
    if (err == 0)
        inode_accessed(&f->path);
    return err;
}

const struct file_ops directory_file_ops = {.open = NULL};
