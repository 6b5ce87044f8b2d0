// SPDX-License-Identifier: BSD-2-Clause
// Makes the files that an initramfs names, as root with every capability and umask 0.
//
// A file with several names has its data in one of its entries, and its device and inode number in
// all: the first name is remembered, later ones are linked to it. Directories get their times last,
// since each file made in them moves those.
#include <arch/log.h>
#include <asm/fcntl.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

#include "initramfs_priv.h"
#include "vfs_priv.h"

#define FAILURES_SHOWN 3

struct initramfs_link {
    struct initramfs_link *next;
    uint32_t ino, major, minor;
    char name[];
};

struct initramfs_dir {
    struct initramfs_dir *next;
    uint32_t mtime;
    char name[];
};

static struct cred all_powerful = {
    .refs = {1},
    .cap_effective = UINT64_MAX,
    .cap_permitted = UINT64_MAX,
};

int initramfs_target_init(struct initramfs_target *t)
{
    memset(t, 0, sizeof(*t));
    struct path root = vfs_root();
    t->context = fs_context_create(root);
    path_put(&root);
    if (!t->context)
        return -ENOMEM;
    t->context->umask = 0;
    t->walk = (struct path_walk){.context = t->context, .cred = &all_powerful};
    return 0;
}

void initramfs_forget_links(struct initramfs_target *t)
{
    for (struct initramfs_link *l = t->links, *next; l; l = next) {
        next = l->next;
        kfree(l);
    }
    t->links = NULL;
}

static void set_mtime(const struct path *path, uint32_t mtime)
{
    struct timestamp time = {.seconds = mtime};
    path_utimens(path, NULL, &time, false, &all_powerful);
}

void initramfs_target_end(struct initramfs_target *t)
{
    struct path path;
    initramfs_forget_links(t);
    file_put(t->file);
    kfree(t->link_text);
    for (struct initramfs_dir *d = t->dirs, *next; d; d = next) {
        next = d->next;
        if (path_lookup(&t->walk, d->name, 0, &path) == 0) {
            set_mtime(&path, d->mtime);
            path_put(&path);
        }
        kfree(d);
    }
    if (t->nr_failed > FAILURES_SHOWN)
        log_err("initramfs: %u entries in all could not be made", t->nr_failed);
    fs_context_put(t->context);
}

// What of an entry's failure ends the unpacking.
static int failed(struct initramfs_target *t, const struct cpio_entry *e, int err)
{
    if (err == 0 || err == -ENOMEM || err == -ENOSPC)
        return err;
    if (++t->nr_failed <= FAILURES_SHOWN)
        log_err("initramfs: %s: error %d; skipped", e->name, -err);
    return 0;
}

// Something of another kind has the name: it goes (buffer-format: later entries win).
static void clear_the_way(struct initramfs_target *t, const struct cpio_entry *e)
{
    struct path path;
    if (path_lookup(&t->walk, e->name, 0, &path) != 0)
        return;
    mode_t mode = path.dentry->inode->mode;
    path_put(&path);
    if ((mode & S_IFMT) != (e->mode & S_IFMT))
        path_unlink(&t->walk, e->name, S_ISDIR(mode));
}

static struct initramfs_link *find_link(struct initramfs_target *t, const struct cpio_entry *e)
{
    struct initramfs_link *l = t->links;
    while (l && (l->ino != e->ino || l->major != e->dev_major || l->minor != e->dev_minor))
        l = l->next;
    return l;
}

static int remember_link(struct initramfs_target *t, const struct cpio_entry *e)
{
    struct initramfs_link *l = kmalloc(sizeof(*l) + e->name_size);
    if (!l)
        return -ENOMEM;
    l->ino = e->ino;
    l->major = e->dev_major;
    l->minor = e->dev_minor;
    memcpy(l->name, e->name, e->name_size);
    l->next = t->links;
    t->links = l;
    return 0;
}

// 1: the entry is a further name of a file that is there now; 0: it is new.
static int link_entry(struct initramfs_target *t, const struct cpio_entry *e)
{
    struct path old;
    if (e->nlink < 2)
        return 0;
    struct initramfs_link *l = find_link(t, e);
    if (!l)
        return remember_link(t, e);
    path_unlink(&t->walk, e->name, false);
    int err = path_lookup(&t->walk, l->name, 0, &old);
    if (err != 0)
        return err;
    err = path_link(&old, &t->walk, e->name);
    path_put(&old);
    return err != 0 ? err : 1;
}

static void set_attributes(const struct path *path, const struct cpio_entry *e)
{
    path_chown(path, e->uid, e->gid, &all_powerful);
    if (!S_ISLNK(e->mode))
        path_chmod(path, e->mode & 07777, &all_powerful);
}

static int set_attributes_by_name(struct initramfs_target *t, const struct cpio_entry *e)
{
    struct path path;
    int err = path_lookup(&t->walk, e->name, 0, &path);
    if (err != 0)
        return err;
    set_attributes(&path, e);
    set_mtime(&path, e->mtime);
    path_put(&path);
    return 0;
}

static int begin_regular(struct initramfs_target *t, const struct cpio_entry *e)
{
    int linked = link_entry(t, e);
    if (linked < 0)
        return linked;
    int flags = O_WRONLY | O_CREAT | O_LARGEFILE | (linked ? 0 : O_TRUNC);
    int err = file_open(&t->walk, e->name, flags, 0600, &t->file);
    if (err != 0)
        return err;
    t->offset = 0;
    set_attributes(&t->file->path, e);
    return 0;
}

static int make_directory(struct initramfs_target *t, const struct cpio_entry *e)
{
    int err = path_mkdir(&t->walk, e->name, e->mode & 07777);
    if (err != 0 && err != -EEXIST)
        return err;
    err = set_attributes_by_name(t, e);
    if (err != 0)
        return err;
    struct initramfs_dir *d = kmalloc(sizeof(*d) + e->name_size);
    if (!d)
        return -ENOMEM;
    memcpy(d->name, e->name, e->name_size);
    d->mtime = e->mtime;
    d->next = t->dirs;
    t->dirs = d;
    return 0;
}

static int make_node(struct initramfs_target *t, const struct cpio_entry *e)
{
    int linked = link_entry(t, e);
    if (linked != 0)
        return linked < 0 ? linked : 0;
    path_unlink(&t->walk, e->name, false);
    int err = path_mknod(&t->walk, e->name, e->mode, DEV_MAKE(e->rdev_major, e->rdev_minor));
    return err != 0 ? err : set_attributes_by_name(t, e);
}

static int begin_symlink(struct initramfs_target *t, const struct cpio_entry *e)
{
    if (e->size == 0 || e->size >= PATH_MAX_LEN)
        return -ENAMETOOLONG;
    t->link_text = kmalloc(e->size + 1);
    t->link_length = 0;
    return t->link_text ? 0 : -ENOMEM;
}

int initramfs_begin_entry(struct initramfs_target *t, const struct cpio_entry *e)
{
    int err;
    clear_the_way(t, e);
    switch (e->mode & S_IFMT) {
    case S_IFREG:
        err = begin_regular(t, e);
        break;
    case S_IFDIR:
        err = make_directory(t, e);
        break;
    case S_IFLNK:
        err = begin_symlink(t, e);
        break;
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
        err = make_node(t, e);
        break;
    default:
        err = -EINVAL;
    }
    return failed(t, e, err);
}

int initramfs_write(struct initramfs_target *t, const struct cpio_entry *e, const void *data,
                    size_t size)
{
    if (t->link_text) {
        memcpy(t->link_text + t->link_length, data, size);
        t->link_length += size;
        return 0;
    }
    while (t->file && size > 0) {
        ssize_t n = file_write_kernel(t->file, data, size, &t->offset);
        if (n < 0)
            return (int)n;
        data = (const char *)data + n;
        size -= (size_t)n;
    }
    return 0;
}

static int end_symlink(struct initramfs_target *t, const struct cpio_entry *e)
{
    t->link_text[t->link_length] = '\0';
    path_unlink(&t->walk, e->name, false);
    int err = path_symlink(&t->walk, t->link_text, e->name);
    return err != 0 ? err : set_attributes_by_name(t, e);
}

void initramfs_end_entry(struct initramfs_target *t, const struct cpio_entry *e)
{
    if (t->link_text) {
        failed(t, e, end_symlink(t, e));
        kfree(t->link_text);
        t->link_text = NULL;
    }
    if (t->file) {
        set_mtime(&t->file->path, e->mtime);
        file_put(t->file);
        t->file = NULL;
    }
}
