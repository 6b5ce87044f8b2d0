// SPDX-License-Identifier: BSD-2-Clause
// FAT as a file system type, "vfat" (and "msdos", the same): mount(2) and its options. Names in
// UTF-8, times in UTC; damage makes a volume read-only.
#include <arch/log.h>
#include <errno.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <mm/slab.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fat_fs_priv.h"
#include "vfs_priv.h"

#define MASK_DEFAULT 0022
#define OPTIONS_MAX  256

static int device_read(void *ctx, uint64_t offset, void *buf, size_t n)
{
    return block_read_bytes(ctx, offset, buf, n);
}

static int device_write(void *ctx, uint64_t offset, const void *buf, size_t n)
{
    return block_write_bytes(ctx, offset, buf, n);
}

static void device_want(void *ctx, uint64_t offset, size_t n)
{
    block_want(ctx, offset, n);
}

static int parse_number(const char *value, int base, unsigned long *n)
{
    char *end;

    if (!value || *value == '\0')
        return -EINVAL;
    *n = strtoul(value, &end, base);
    return *end == '\0' ? 0 : -EINVAL;
}

// Options whose only value here is what is done anyway, and those that mean nothing to it.
static bool is_harmless(const char *name, const char *value)
{
    static const char *const plain[] = {"utf8",        "quiet", "flush",         "showexec",
                                        "dos1xfloppy", "rodir", "sys_immutable", "nonumtail=0"};
    static const char *const fixed[][2] = {
        {"iocharset", "utf8"}, {"codepage", "437"}, {"tz", "UTC"},       {"errors", "remount-ro"},
        {"shortname", NULL},   {"check", NULL},     {"time_offset", "0"}};

    for (unsigned int i = 0; i < ARRAY_SIZE(plain); i++)
        if (!value && strcmp(name, plain[i]) == 0)
            return true;
    for (unsigned int i = 0; i < ARRAY_SIZE(fixed); i++)
        if (value && strcmp(name, fixed[i][0]) == 0)
            return !fixed[i][1] || strcmp(value, fixed[i][1]) == 0;
    return false;
}

static int parse_option(struct fat *fat, const char *name, const char *value)
{
    unsigned long n;

    if (is_harmless(name, value))
        return 0;
    bool octal = strstr(name, "mask") != NULL;
    if (parse_number(value, octal ? 8 : 10, &n) != 0 || (octal && n > 0777) || n > UINT32_MAX)
        return -EINVAL;
    if (strcmp(name, "uid") == 0)
        fat->uid = (uid_t)n;
    else if (strcmp(name, "gid") == 0)
        fat->gid = (gid_t)n;
    else if (strcmp(name, "umask") == 0)
        fat->fmask = fat->dmask = (mode_t)n;
    else if (strcmp(name, "fmask") == 0)
        fat->fmask = (mode_t)n;
    else if (strcmp(name, "dmask") == 0)
        fat->dmask = (mode_t)n;
    else
        return -EINVAL;
    return 0;
}

static int parse_options(struct fat *fat, const char *options)
{
    char text[OPTIONS_MAX], *next = text;

    if (!options)
        return 0;
    if (strlen(options) >= sizeof(text))
        return -EINVAL;
    memcpy(text, options, strlen(options) + 1);
    while (next && *next) {
        char *option = next, *value;
        next = strchr(option, ',');
        if (next)
            *next++ = '\0';
        value = strchr(option, '=');
        if (value)
            *value++ = '\0';
        int err = *option ? parse_option(fat, option, value) : 0;
        if (err != 0)
            return err;
    }
    return 0;
}

// From now on changes are made: say so on the volume. 0 or -errno.
static int begin_writing(struct fat *fat)
{
    struct fat_volume *v = &fat->volume;

    if (v->damaged || fat->device->read_only)
        return -EROFS;
    if (v->was_in_use)
        log_warn("%s: FAT: it was not unmounted: run fsck.fat", v->io.name);
    v->read_only = false;
    int err = fat_volume_mark(v, true);
    return err != 0 ? err : block_flush(fat->device);
}

static int end_writing(struct fat *fat)
{
    struct fat_volume *v = &fat->volume;
    int err = 0;

    if (!v->read_only && !v->was_in_use)
        err = fat_volume_mark(v, false);
    v->read_only = true;
    int flush_err = block_flush(fat->device);
    return err != 0 ? err : flush_err;
}

static int mount_volume(struct fat *fat, const char *options)
{
    struct fat_volume *v = &fat->volume;
    struct block_device *b = fat->device;
    struct super_block *sb = fat->sb;
    struct inode *root;

    v->io =
        (struct fat_io){.read = device_read, .write = device_write, .want = device_want, .ctx = b};
    v->io.size_bytes = b->nr_sectors * 512;
    v->io.name = b->name;
    v->read_only = true;
    int err = parse_options(fat, options);
    if (err == 0)
        err = fat_volume_open(v);
    if (err == 0 && !(sb->flags & MS_RDONLY))
        err = begin_writing(fat);
    if (err != 0)
        return err;
    fat->written_free = v->nr_free;
    fat_lock(fat);
    err = fat_inode_create(fat, NULL, &root);
    fat_unlock(fat);
    if (err != 0)
        return err;
    sb->root = dentry_create(NULL, "", 0);
    if (!sb->root) {
        inode_put(root);
        return -ENOMEM;
    }
    dentry_attach(sb->root, root);
    return 0;
}

static int fat_mount(struct super_block *sb, const char *source, const char *options)
{
    struct fat *fat = kzalloc(sizeof(*fat));

    if (!fat)
        return -ENOMEM;
    mutex_init(&fat->lock);
    fat->sb = sb;
    fat->device = sb->device;
    fat->fmask = fat->dmask = MASK_DEFAULT;
    sb->private = fat;
    int err = mount_volume(fat, options);
    if (err != 0) {
        (void)end_writing(fat);
        kfree(fat);
    }
    return err;
}

static void fat_unmount(struct super_block *sb)
{
    struct fat *fat = sb->private;

    dentry_put(sb->root);
    int err = end_writing(fat);
    if (err != 0)
        log_err("%s: FAT: not all could be written (%d)", fat->volume.io.name, err);
    kfree(fat);
}

static int fat_remount(struct super_block *sb, unsigned long flags, const char *options)
{
    struct fat *fat = sb->private;
    struct fat checked = {.uid = 0};
    int err = parse_options(&checked, options);

    if (err != 0)
        return err;
    fat_lock(fat);
    if ((flags & MS_RDONLY) && !fat->volume.read_only)
        err = end_writing(fat);
    else if (!(flags & MS_RDONLY) && fat->volume.read_only)
        err = begin_writing(fat);
    fat_unlock(fat);
    return err;
}

static void fat_show_options(struct super_block *sb, char *buf, size_t size)
{
    const struct fat *fat = sb->private;
    char owner[40] = "";

    if (fat->uid != 0 || fat->gid != 0)
        snprintf(owner, sizeof(owner), ",uid=%u,gid=%u", fat->uid, fat->gid);
    snprintf(buf, size, "%s,fmask=%04o,dmask=%04o,codepage=437,iocharset=utf8,errors=remount-ro",
             owner, fat->fmask, fat->dmask);
}

// In pages, as path_statfs() says of every file system.
static int fat_statfs(struct super_block *sb, uint64_t *blocks, uint64_t *blocks_free,
                      uint64_t *files, uint64_t *files_free)
{
    struct fat *fat = sb->private;
    struct fat_volume *v = &fat->volume;

    fat_lock(fat);
    int err = fat_volume_count(v);
    if (err == 0) {
        *blocks = ((uint64_t)v->nr_clusters << v->cluster_shift) / PAGE_SIZE;
        *blocks_free = ((uint64_t)v->nr_free << v->cluster_shift) / PAGE_SIZE;
    }
    fat_unlock(fat);
    return err;
}

#define FAT_TYPE(type)                                                                             \
    {                                                                                              \
        .name = (type), .mount = fat_mount, .unmount = fat_unmount, .remount = fat_remount,        \
        .show_options = fat_show_options, .statfs = fat_statfs, .magic = MSDOS_SUPER_MAGIC,        \
    }

static const struct file_system vfat_type = FAT_TYPE("vfat"), msdos_type = FAT_TYPE("msdos");

void fat_init(void)
{
    file_system_register(&vfat_type);
    file_system_register(&msdos_type);
}
