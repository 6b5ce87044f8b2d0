// SPDX-License-Identifier: BSD-2-Clause
// Names and inodes of a FAT. See fat_fs_priv.h for what is where and for locks.
//
// Life: an inode lives with its dentry, that is, as long as somebody uses it. A removed file keeps
// its clusters until then; a crash before leaves them lost, for fsck.fat to find.
#include <errno.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

#include "fat_fs_priv.h"
#include "vfs_priv.h"

#define ROOT_INO    1
#define ORPHAN_INO  BIT(48) // numbers of what has no entry any more
#define TYPE_FILE   8U      // DT_REG
#define TYPE_FOLDER 4U      // DT_DIR

static const struct inode_ops fat_inode_ops;

void fat_lock(struct fat *fat)
{
    mutex_lock(&fat->lock);
}

void fat_unlock(struct fat *fat)
{
    (void)fat_volume_flush(&fat->volume); // what can't be written is said there
    if (fat->volume.nr_free != fat->written_free) {
        fat->written_free = fat->volume.nr_free;
        (void)fat_volume_write_info(&fat->volume); // a hint: the table counts
    }
    if (fat->volume.damaged)
        fat->sb->flags |= MS_RDONLY;
    mutex_unlock(&fat->lock);
}

static void fat_release(struct inode *inode)
{
    struct fat_node *node = fat_node(inode);
    struct fat *fat = node->fat;

    if (inode->nlink == 0) {
        fat_lock(fat);
        (void)fat_chain_cut(&fat->volume, &node->dir.chain, 0);
        fat_unlock(fat);
    } else if (!fat->volume.read_only) {
        if (inode->object)
            (void)vm_object_sync(inode->object);
        (void)fat_node_write(inode);
    }
    if (!inode->object)
        kfree(node);
}

static void node_place(struct inode *inode, struct fat_node *node, const struct fat_entry *e)
{
    node->at = e->at;
    node->slot = e->slot;
    node->nr_slots = e->nr_slots;
    memcpy(node->raw, e->raw, sizeof(node->raw));
    inode->ino = e->at / FAT_ENTRY_SIZE;
}

static void inode_init_root(struct inode *inode, struct fat_node *node)
{
    inode->ino = ROOT_INO;
    node->dir = fat_dir_root(&node->fat->volume);
    inode->mtime = inode->ctime = inode->atime = (struct timestamp){0, 0}; // it has none
}

int fat_inode_create(struct fat *fat, const struct fat_entry *e, struct inode **result)
{
    static const uint8_t root[FAT_ENTRY_SIZE] = {[11] = FAT_DIRECTORY};
    const uint8_t *raw = e ? e->raw : root;
    mode_t mode = fat_mode(fat, raw);
    struct fat_volume *v = &fat->volume;
    uint32_t first = fat_entry_first(v, raw);

    mutex_assert_held(&fat->lock);
    if (e && S_ISDIR(mode) && (first == 0 || (v->bits == 32 && first == v->root_cluster))) {
        (void)fat_damaged(v, "a directory is the root, or nothing, says the entry at byte", e->at);
        return -EIO;
    }
    struct fat_node *node = kzalloc(sizeof(*node));
    if (!node)
        return -ENOMEM;
    struct inode *inode = inode_create(fat->sb, &fat_inode_ops, mode, fat->uid, fat->gid);
    if (!inode) {
        kfree(node);
        return -ENOMEM;
    }
    node->fat = fat;
    inode->private = node;
    if (e) {
        node_place(inode, node, e);
        node->dir.chain.first = first;
        fat_times_decode(inode, raw);
    } else {
        inode_init_root(inode, node);
    }
    if (S_ISDIR(mode)) {
        inode->file_ops = &fat_directory_ops;
        inode->size = fat_cluster_size(v);
    } else {
        inode->file_ops = &fat_file_ops;
        inode->size = node->valid = fat_get32(raw + 28);
        vm_object_init(&node->object, &fat_object_ops, inode->size);
        inode->object = &node->object;
    }
    *result = inode;
    return 0;
}

// The name a file has on the disk, for any name that means it.
static ssize_t fat_stored_name(struct inode *dir, const char *name, size_t length, char *stored)
{
    struct fat_node *node = fat_node(dir);
    struct fat *fat = node->fat;

    fat_lock(fat);
    ssize_t n = fat_dir_find(&fat->volume, &node->dir, name, length, &fat->scratch);
    if (n == 0) {
        n = fat->scratch.length;
        memcpy(stored, fat->scratch.name, (size_t)n);
    }
    fat_unlock(fat);
    return n;
}

static int fat_lookup(struct inode *dir, struct dentry *dentry)
{
    struct fat_node *node = fat_node(dir);
    struct fat *fat = node->fat;
    struct fat_entry *e = &fat->scratch;
    struct inode *inode;

    fat_lock(fat);
    int err = fat_dir_find(&fat->volume, &node->dir, dentry->name, dentry->name_length, e);
    if (err == 0)
        err = fat_inode_create(fat, e, &inode);
    fat_unlock(fat);
    if (err == 0)
        dentry_attach(dentry, inode);
    return err;
}

static int fat_readdir(struct inode *dir, uint64_t *position,
                       bool (*fill)(void *ctx, const char *name, size_t length, ino_t ino,
                                    unsigned int type, uint64_t next),
                       void *ctx)
{
    struct fat_node *node = fat_node(dir);
    struct fat *fat = node->fat;
    char name[FAT_NAME_BYTES];

    for (;;) {
        struct fat_entry *e = &fat->scratch;
        uint32_t slot = (uint32_t)MIN(*position, (uint64_t)UINT32_MAX);
        fat_lock(fat);
        int found = fat_dir_next(&fat->volume, &node->dir, &slot, e);
        size_t length = e->length;
        ino_t ino = e->at / FAT_ENTRY_SIZE;
        unsigned int type = e->raw[11] & FAT_DIRECTORY ? TYPE_FOLDER : TYPE_FILE;
        memcpy(name, e->name, sizeof(name));
        fat_unlock(fat); // fill may fault
        if (found <= 0)
            return found;
        if (!fill(ctx, name, length, ino, type, slot))
            return 0;
        *position = slot;
    }
}

static int create_entry(struct fat_node *parent, const struct dentry *dentry, mode_t mode,
                        struct inode **inode)
{
    struct fat *fat = parent->fat;
    struct fat_volume *v = &fat->volume;
    struct fat_entry *e = &fat->scratch;
    uint8_t raw[FAT_ENTRY_SIZE];
    uint32_t first = 0;
    int err = 0;

    fat_raw_init(raw, S_ISDIR(mode) ? FAT_DIRECTORY : FAT_ARCHIVE);
    if (S_ISREG(mode) && !(mode & 0222))
        raw[11] |= FAT_READ_ONLY;
    if (S_ISDIR(mode)) {
        err = fat_dir_create(v, parent->at == 0 ? 0 : parent->dir.chain.first, raw, &first);
        fat_entry_set_first(v, raw, first);
    }
    if (err == 0)
        err = fat_dir_add(v, &parent->dir, dentry->name, dentry->name_length, raw, e);
    if (err == 0) {
        err = fat_inode_create(fat, e, inode);
        if (err != 0)
            (void)fat_dir_remove(v, &parent->dir, e->slot, e->nr_slots);
    }
    if (err != 0 && first != 0) {
        struct fat_chain chain = {.first = first};
        (void)fat_chain_cut(v, &chain, 0);
    }
    return err;
}

static int fat_create(struct inode *dir, struct dentry *dentry, mode_t mode, dev_t rdev,
                      const struct cred *cred)
{
    struct fat_node *node = fat_node(dir);
    struct inode *inode;

    if (!S_ISREG(mode) && !S_ISDIR(mode))
        return -EPERM;
    fat_lock(node->fat);
    int err = create_entry(node, dentry, mode, &inode);
    fat_unlock(node->fat);
    if (err != 0)
        return err;
    dentry_attach(dentry, inode);
    inode_touch(dir, TOUCH_MTIME | TOUCH_CTIME);
    return fat_node_write(dir);
}

// The inode has no entry any more; fat->lock held.
static void orphan(struct inode *inode)
{
    inode->nlink = 0;
    inode->ino = ORPHAN_INO + inode->sb->next_ino++;
    inode_touch(inode, TOUCH_CTIME);
}

static int check_empty(struct fat_volume *v, const struct inode *inode)
{
    if (!S_ISDIR(inode->mode))
        return 0;
    int empty = fat_dir_is_empty(v, &fat_node(inode)->dir);
    return empty == 0 ? -ENOTEMPTY : MIN(empty, 0);
}

static int fat_unlink(struct inode *dir, struct dentry *dentry)
{
    struct fat_node *parent = fat_node(dir), *node = fat_node(dentry->inode);
    struct fat *fat = parent->fat;

    fat_lock(fat);
    int err = check_empty(&fat->volume, dentry->inode);
    if (err == 0)
        err = fat_dir_remove(&fat->volume, &parent->dir, node->slot, node->nr_slots);
    if (err == 0)
        orphan(dentry->inode);
    fat_unlock(fat);
    if (err != 0)
        return err;
    inode_touch(dir, TOUCH_MTIME | TOUCH_CTIME);
    return fat_node_write(dir);
}

// The entry of `target` becomes one of `node`: nothing has to be allocated.
static int rename_over(struct fat_volume *v, struct fat_node *node, struct inode *target,
                       struct fat_entry *e)
{
    const struct fat_node *old = fat_node(target);

    int err = check_empty(v, target);
    if (err != 0)
        return err;
    memcpy(e->raw, old->raw, 12);
    memcpy(e->raw + 12, node->raw + 12, sizeof(e->raw) - 12);
    e->raw[11] = node->raw[11];
    e->raw[12] = old->raw[12]; // case of the name
    e->at = old->at;
    e->slot = old->slot;
    e->nr_slots = old->nr_slots;
    err = fat_entry_write(v, e->at, e->raw);
    if (err == 0)
        orphan(target);
    return err;
}

static int rename_locked(struct inode *from_dir, struct inode *inode, struct inode *to_dir,
                         struct dentry *to)
{
    struct fat_node *node = fat_node(inode), *to_parent = fat_node(to_dir);
    struct fat_volume *v = &node->fat->volume;
    struct fat_entry *e = &node->fat->scratch;

    int err = to->inode ? rename_over(v, node, to->inode, e)
                        : fat_dir_add(v, &to_parent->dir, to->name, to->name_length, node->raw, e);
    if (err == 0)
        err = fat_dir_remove(v, &fat_node(from_dir)->dir, node->slot, node->nr_slots);
    if (err != 0)
        return err;
    node_place(inode, node, e);
    if (S_ISDIR(inode->mode) && from_dir != to_dir)
        err =
            fat_dir_set_parent(v, &node->dir, to_parent->at == 0 ? 0 : to_parent->dir.chain.first);
    return err;
}

static int fat_rename(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
                      struct dentry *to, unsigned int flags)
{
    struct fat *fat = fat_node(from_dir)->fat;

    if (flags & RENAME_EXCHANGE)
        return -EINVAL;
    fat_lock(fat);
    int err = rename_locked(from_dir, from->inode, to_dir, to);
    fat_unlock(fat);
    if (err != 0)
        return err;
    inode_touch(from_dir, TOUCH_MTIME | TOUCH_CTIME);
    inode_touch(to_dir, TOUCH_MTIME | TOUCH_CTIME);
    (void)fat_node_write(from_dir);
    (void)fat_node_write(to_dir);
    return 0;
}

static uint64_t fat_nr_sectors(const struct inode *inode)
{
    uint64_t mask = fat_cluster_size(&fat_node(inode)->fat->volume) - 1;
    return ((inode->size + mask) & ~mask) / 512;
}

static const struct inode_ops fat_inode_ops = {
    .nr_sectors = fat_nr_sectors,
    .lookup = fat_lookup,
    .stored_name = fat_stored_name,
    .create = fat_create,
    .unlink = fat_unlink,
    .rename = fat_rename,
    .readdir = fat_readdir,
    .truncate = fat_truncate,
    .set_attributes = fat_set_attributes,
    .release = fat_release,
};
