// SPDX-License-Identifier: BSD-2-Clause
// Unpacking the initramfs: archives, plain or gzip, become files of the root. Runs once at boot in
// one thread; what it keeps (first names of hard links, times of directories) is freed at the end.
//
// A member that can't be made is told of in the log and left out. An archive that can't be read on
// ends the unpacking with one line.

#include <arch/log.h>
#include <asm/stat.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/file.h>
#include <fs/initramfs.h>
#include <fs/path.h>
#include <lib/cpio.h>
#include <lib/inflate.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

// Remembered by name: the first name of a hard-linked file, or a directory whose time is set last.
struct remembered {
    struct list_node node;
    uint32_t ino, dev_major, dev_minor, mtime;
    char name[];
};

struct unpacking {
    struct cpio_reader reader;
    struct fs_context *context;
    struct path_walk walk;
    struct list_node links, directories;
    struct cpio_entry entry; // the member at hand; its name is in `name`
    char name[CPIO_NAME_MAX];
    struct file *file; // open, while the data of a regular file comes
    uint64_t offset;
    char target[PATH_MAX_LEN]; // a symbolic link's text so far
    size_t target_length;
};

static struct cred root_cred = {
    .refs = {1},
    .cap_effective = UINT64_MAX,
    .cap_permitted = UINT64_MAX,
};

static void complain(const struct unpacking *u, int err)
{
    log_warn("initramfs: can't make %s (error %d)", u->name, -err);
}

static int remember(struct list_node *list, const struct cpio_entry *e, const char *name)
{
    size_t size = strlen(name) + 1;
    struct remembered *r = kmalloc(sizeof(*r) + size);

    if (!r)
        return -ENOMEM;
    r->ino = e->ino;
    r->dev_major = e->dev_major;
    r->dev_minor = e->dev_minor;
    r->mtime = e->mtime;
    memcpy(r->name, name, size);
    list_add_tail(list, &r->node);
    return 0;
}

static void forget_all(struct list_node *list)
{
    struct remembered *r, *next;

    list_for_each_entry_safe (r, next, list, node) {
        list_remove(&r->node);
        kfree(r);
    }
}

static void set_time(struct unpacking *u, const char *name, uint32_t mtime)
{
    struct timestamp time = {.seconds = mtime};
    struct path path;

    if (path_lookup(&u->walk, name, 0, &path) != 0)
        return;
    path_utimens(&path, &time, &time, false, &root_cred);
    path_put(&path);
}

static void set_owner(struct unpacking *u)
{
    struct path path;

    if (path_lookup(&u->walk, u->name, 0, &path) != 0)
        return;
    path_chown(&path, u->entry.uid, u->entry.gid, &root_cred);
    if (!S_ISLNK(u->entry.mode))
        path_chmod(&path, u->entry.mode & 07777, &root_cred);
    path_put(&path);
}

// An earlier name of the same file: link to it. True if there is one.
static bool link_to_earlier(struct unpacking *u)
{
    const struct cpio_entry *e = &u->entry;
    struct remembered *r;
    struct path old;

    if (e->nlink < 2)
        return false;
    list_for_each_entry (r, &u->links, node) {
        if (r->ino != e->ino || r->dev_major != e->dev_major || r->dev_minor != e->dev_minor)
            continue;
        int err = path_lookup(&u->walk, r->name, 0, &old);
        if (err == 0) {
            err = path_link(&old, &u->walk, u->name);
            path_put(&old);
        }
        if (err)
            complain(u, err);
        return true;
    }
    int err = remember(&u->links, e, u->name);
    if (err)
        complain(u, err);
    return false;
}

// A later archive replaces what an earlier one made, except directories by directories.
static void make_room(struct unpacking *u)
{
    struct path path;

    if (path_lookup(&u->walk, u->name, 0, &path) != 0)
        return;
    mode_t old = path.dentry->inode->mode;
    path_put(&path);
    if (S_ISDIR(old) != S_ISDIR(u->entry.mode) || !S_ISDIR(old))
        path_unlink(&u->walk, u->name, S_ISDIR(old));
}

static int begin_regular(struct unpacking *u)
{
    bool linked = link_to_earlier(u);

    if (linked && u->entry.size == 0)
        return 0;
    return file_open(&u->walk, u->name, O_WRONLY | O_CREAT | O_TRUNC | O_LARGEFILE,
                     u->entry.mode & 07777, &u->file);
}

static int begin_directory(struct unpacking *u)
{
    int err = path_mkdir(&u->walk, u->name, u->entry.mode & 07777);

    if (err == -EEXIST)
        err = 0;
    return err ? err : remember(&u->directories, &u->entry, u->name);
}

static int begin_member(void *ctx, const struct cpio_entry *entry)
{
    struct unpacking *u = ctx;
    int err = 0;

    u->entry = *entry;
    strlcpy(u->name, entry->name, sizeof(u->name));
    u->offset = 0;
    u->target_length = 0;
    make_room(u);
    switch (entry->mode & S_IFMT) {
    case S_IFREG:
        err = begin_regular(u);
        break;
    case S_IFDIR:
        err = begin_directory(u);
        break;
    case S_IFLNK:
        break; // when its text is there
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
        if (!link_to_earlier(u))
            err = path_mknod(&u->walk, u->name, entry->mode,
                             DEV_MAKE(entry->rdev_major, entry->rdev_minor));
        break;
    default:
        err = -EINVAL;
        break;
    }
    if (err == -ENOMEM)
        return err;
    if (err)
        complain(u, err);
    return 0;
}

static int member_data(void *ctx, const void *data, size_t size)
{
    struct unpacking *u = ctx;

    if (S_ISLNK(u->entry.mode)) {
        size_t n = MIN(size, sizeof(u->target) - 1 - u->target_length);
        memcpy(u->target + u->target_length, data, n);
        u->target_length += n;
    }
    while (u->file && size > 0) {
        ssize_t n = file_write_kernel(u->file, data, size, &u->offset);
        if (n <= 0)
            return n < 0 ? (int)n : -ENOSPC;
        data = (const char *)data + n;
        size -= (size_t)n;
    }
    return 0;
}

static int end_member(void *ctx)
{
    struct unpacking *u = ctx;

    if (u->file)
        file_put(u->file);
    u->file = NULL;
    if (S_ISLNK(u->entry.mode)) {
        u->target[u->target_length] = '\0';
        int err = path_symlink(&u->walk, u->target, u->name);
        if (err)
            complain(u, err);
    }
    set_owner(u);
    if (!S_ISDIR(u->entry.mode))
        set_time(u, u->name, u->entry.mtime);
    return 0;
}

static const struct cpio_ops unpack_ops = {begin_member, member_data, end_member};

static int feed_inflated(void *ctx, const void *data, size_t size)
{
    struct unpacking *u = ctx;
    size_t used;
    int err = cpio_feed(&u->reader, data, size, &used);

    if (err == 0 && used < size) {
        u->reader.why = "the gzip data holds something else than cpio archives";
        err = -EINVAL;
    }
    return err;
}

// One cpio archive or one gzip member at `data`. 0 with *used, or -errno with reader.why.
static int unpack_next(struct unpacking *u, const char *data, size_t size, size_t *used)
{
    const char *why;

    cpio_reader_init(&u->reader, &unpack_ops, u);
    int err;
    if (inflate_is_gzip(data, size)) {
        err = inflate_gzip(data, size, used, feed_inflated, u, kmalloc, kfree, &why);
        if (err == -EINVAL && why[0] != '\0')
            u->reader.why = why;
    } else {
        err = cpio_feed(&u->reader, data, size, used);
        if (err == 0 && *used == 0) {
            u->reader.why = "neither a newc cpio archive nor gzip";
            err = -EINVAL;
        }
    }
    if (err == 0 && !cpio_reader_is_done(&u->reader)) {
        u->reader.why = "the archive ends too early";
        err = -EINVAL;
    }
    return err;
}

static int unpack_all(struct unpacking *u, const char *archive, size_t size)
{
    struct remembered *r;
    int err = 0;

    for (size_t at = 0, used; at < size && err == 0; at += used) {
        used = 1; // zeros may stand between archives
        if (archive[at] != '\0')
            err = unpack_next(u, archive + at, size - at, &used);
        if (err == -EINVAL)
            log_err("initramfs: %s (at byte %lu of %lu)", u->reader.why, (unsigned long)at,
                    (unsigned long)size);
        else if (err)
            log_err("initramfs: error %d at %s: the machine has too little memory for it", -err,
                    u->name);
    }
    if (u->file)
        file_put(u->file);
    list_for_each_entry (r, &u->directories, node)
        set_time(u, r->name, r->mtime);
    forget_all(&u->links);
    forget_all(&u->directories);
    return err;
}

int initramfs_unpack(const void *archive, size_t size)
{
    struct unpacking *u = kzalloc(sizeof(*u));
    struct path root = vfs_root();
    int err = -ENOMEM;

    if (u)
        u->context = fs_context_create(root);
    if (u && u->context) {
        list_init(&u->links);
        list_init(&u->directories);
        u->walk = (struct path_walk){.context = u->context, .cred = &root_cred};
        err = unpack_all(u, archive, size);
        fs_context_put(u->context);
    }
    if (!u || !u->context)
        log_err("initramfs: no memory to begin with");
    kfree(u);
    path_put(&root);
    return err;
}
