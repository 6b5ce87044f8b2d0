// SPDX-License-Identifier: BSD-2-Clause
// tmpfs as file system types: "tmpfs" of mount(2) with its options (tmpfs(5)), "rootfs" of boot and
// the one of files without names.
#include <ctype.h>
#include <errno.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mount_priv.h"
#include "tmpfs_priv.h"
#include "vfs_priv.h"

struct tmpfs_options {
    uint64_t max_pages, max_inodes;
    mode_t mode;
    uid_t uid;
    gid_t gid;
};

static uint64_t ram_pages(void)
{
    struct page_stats stats;
    page_stats(&stats);
    return stats.total;
}

// "64", "64k", "64m", "64g", and with `percent_of` "50%". False: malformed.
static bool parse_size(const char *s, uint64_t percent_of, uint64_t *value)
{
    char *end;
    *value = strtoul(s, &end, 0);
    if (end == s)
        return false;
    switch (tolower((unsigned char)*end)) {
    case '%':
        if (percent_of == 0)
            return false;
        *value = percent_of / 100 * *value;
        end++;
        break;
    case 'g':
        *value <<= 10;
        __attribute__((fallthrough));
    case 'm':
        *value <<= 10;
        __attribute__((fallthrough));
    case 'k':
        *value <<= 10;
        end++;
    }
    return *end == '\0';
}

static int parse_option(struct tmpfs_options *o, const char *name, const char *value)
{
    uint64_t n;
    if (strcmp(name, "inode64") == 0)
        return value ? -EINVAL : 0;
    if (!value)
        return -EINVAL;
    if (strcmp(name, "mode") == 0) {
        char *end;
        o->mode = (mode_t)strtoul(value, &end, 8) & 07777;
        return *end == '\0' && end != value ? 0 : -EINVAL;
    }
    if (strcmp(name, "size") == 0) {
        if (!parse_size(value, ram_pages() * PAGE_SIZE, &n))
            return -EINVAL;
        o->max_pages = n == 0 ? UINT64_MAX : DIV_ROUND_UP(n, PAGE_SIZE);
        return 0;
    }
    if (!parse_size(value, 0, &n))
        return -EINVAL;
    if (strcmp(name, "nr_blocks") == 0)
        o->max_pages = n == 0 ? UINT64_MAX : n;
    else if (strcmp(name, "nr_inodes") == 0)
        o->max_inodes = n == 0 ? UINT64_MAX : n;
    else if (strcmp(name, "uid") == 0)
        o->uid = (uid_t)n;
    else if (strcmp(name, "gid") == 0)
        o->gid = (gid_t)n;
    else
        return -EINVAL;
    return 0;
}

static int parse_options(struct tmpfs_options *o, const char *options)
{
    if (!options)
        return 0;
    char *copy = kstrdup(options);
    if (!copy)
        return -ENOMEM;
    int err = 0;
    for (char *s = copy, *next; s && err == 0; s = next) {
        next = strchr(s, ',');
        if (next)
            *next++ = '\0';
        char *value = strchr(s, '=');
        if (value)
            *value++ = '\0';
        if (*s != '\0')
            err = parse_option(o, s, value);
    }
    kfree(copy);
    return err;
}

static int make_root(struct super_block *sb, const struct tmpfs_options *o)
{
    struct inode *inode =
        inode_create(sb, &tmpfs_inode_ops, S_IFDIR | (o->mode & 07777), o->uid, o->gid);
    if (!inode)
        return -ENOMEM;
    inode->nlink = 2;
    inode->size = 40;
    inode->file_ops = &directory_file_ops;
    sb->root = dentry_create(NULL, "", 0);
    if (!sb->root) {
        inode_put(inode);
        return -ENOMEM;
    }
    dentry_attach(sb->root, inode);
    return 0;
}

static int tmpfs_mount_with(struct super_block *sb, const struct tmpfs_options *o)
{
    struct tmpfs *fs = kzalloc(sizeof(*fs));
    if (!fs)
        return -ENOMEM;
    fs->max_pages = o->max_pages;
    fs->max_inodes = o->max_inodes;
    fs->used_inodes = 1; // the root
    sb->private = fs;
    int err = make_root(sb, o);
    if (err != 0)
        kfree(fs);
    return err;
}

static int tmpfs_mount(struct super_block *sb, const char *source, const char *options)
{
    struct tmpfs_options o = {ram_pages() / 2, ram_pages() / 2, 01777, 0, 0};
    int err = parse_options(&o, options);
    return err != 0 ? err : tmpfs_mount_with(sb, &o);
}

static int anonymous_mount_super(struct super_block *sb, const char *source, const char *options)
{
    struct tmpfs_options o = {UINT64_MAX, UINT64_MAX, 0700, 0, 0};
    return tmpfs_mount_with(sb, &o);
}

static void tmpfs_unmount(struct super_block *sb)
{
    dentry_destroy_tree(sb->root);
    kfree(sb->private);
}

// New limits may not be below what is in use.
static int tmpfs_remount(struct super_block *sb, unsigned long flags, const char *options)
{
    struct tmpfs *fs = sb->private;
    struct tmpfs_options o = {fs->max_pages, fs->max_inodes, 0, 0, 0};
    int err = parse_options(&o, options);
    if (err != 0)
        return err;
    if (o.max_pages < atomic_load(&fs->used_pages) || o.max_inodes < atomic_load(&fs->used_inodes))
        return -EINVAL;
    fs->max_pages = o.max_pages;
    fs->max_inodes = o.max_inodes;
    return 0;
}

static int tmpfs_statfs(struct super_block *sb, uint64_t *blocks, uint64_t *blocks_free,
                        uint64_t *files, uint64_t *files_free)
{
    const struct tmpfs *fs = sb->private;
    uint64_t pages = atomic_load(&fs->used_pages), inodes = atomic_load(&fs->used_inodes);
    if (fs->max_pages != UINT64_MAX) {
        *blocks = fs->max_pages;
        *blocks_free = fs->max_pages > pages ? fs->max_pages - pages : 0;
    }
    if (fs->max_inodes != UINT64_MAX) {
        *files = fs->max_inodes;
        *files_free = fs->max_inodes > inodes ? fs->max_inodes - inodes : 0;
    }
    return 0;
}

static void tmpfs_show_options(struct super_block *sb, char *buf, size_t size)
{
    const struct tmpfs *fs = sb->private;
    mode_t mode = sb->root->inode->mode & 07777;
    size_t n = 0;
    buf[0] = '\0';
    if (fs->max_pages != ram_pages() / 2)
        n = (size_t)snprintf(buf, size, ",size=%luk", fs->max_pages * (PAGE_SIZE / 1024));
    if (n < size && fs->max_inodes != ram_pages() / 2)
        n += (size_t)snprintf(buf + n, size - n, ",nr_inodes=%lu", fs->max_inodes);
    if (n < size && mode != 01777)
        n += (size_t)snprintf(buf + n, size - n, ",mode=%03o", mode);
    if (n < size)
        snprintf(buf + n, size - n, ",inode64"); // as inode numbers are
}

static const struct file_system tmpfs_type = {
    .name = "tmpfs",
    .nodev = true,
    .mount = tmpfs_mount,
    .unmount = tmpfs_unmount,
    .remount = tmpfs_remount,
    .statfs = tmpfs_statfs,
    .show_options = tmpfs_show_options,
    .magic = TMPFS_MAGIC,
};

const struct file_system rootfs_type = {
    .name = "rootfs",
    .nodev = true,
    .mount = tmpfs_mount,
    .unmount = tmpfs_unmount,
    .remount = tmpfs_remount,
    .show_options = tmpfs_show_options,
    .statfs = tmpfs_statfs,
    .magic = TMPFS_MAGIC,
};

const struct file_system anonymous_type = {
    .name = "anon_inodefs",
    .nodev = true,
    .mount = anonymous_mount_super,
    .unmount = tmpfs_unmount,
    .magic = ANON_INODE_FS_MAGIC,
};

void tmpfs_init(void)
{
    file_system_register(&tmpfs_type);
}
