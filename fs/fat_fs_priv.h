// SPDX-License-Identifier: BSD-2-Clause
// FAT as a file system of the VFS: names and inodes (fat.c), content (fat_file.c), entries on disk
// and their times (fat_node.c), super blocks (fat_mount.c).
//
// Everything that changes is in the device's page cache when a call returns, so that sync(2) and
// fsync(2) of the device find it; stores through a shared mapping get there by msync(2), fsync(2)
// or the last close. A file's own pages are read from the device's cache and copied to it.
//
// A file has one inode, found by one dentry whose name is the stored one in its stored case
// (inode_ops.stored_name). Its number is the place of its entry.
//
// Locking: inode.lock > vm_object.lock of a file > fat->lock > vm_object.lock of the device. With
// fat->lock held no user memory is touched.
#pragma once

#include <fs/block.h>
#include <fs/file.h>

#include "fat_priv.h"

struct fat {
    struct mutex lock; // guards the volume, the scratch and every node's chain and place
    struct fat_volume volume;
    struct super_block *sb;
    struct block_device *device;
    struct fat_entry scratch;
    uint32_t written_free; // what FSInfo says
    uid_t uid;             // options of mount(2)
    gid_t gid;
    mode_t fmask, dmask; // permission bits that files and directories have not
};

struct fat_node {            // inode.private
    struct vm_object object; // pages of a regular file, whose last reference frees the node
    struct fat *fat;
    uint64_t valid;     // bytes on disk that are the file's; behind them a new page is zeros
    struct fat_dir dir; // chain of a file, too
    uint64_t at;        // of its entry; 0: the root
    uint32_t slot;
    unsigned int nr_slots;
    uint8_t raw[FAT_ENTRY_SIZE]; // its entry, as it was last written
};

static inline struct fat_node *fat_node(const struct inode *inode)
{
    return inode->private;
}

void fat_lock(struct fat *fat);
// Also writes FSInfo if it changed, and makes a damaged volume's mounts read-only.
void fat_unlock(struct fat *fat);

extern const struct vm_object_ops fat_object_ops;
extern const struct file_ops fat_file_ops, fat_directory_ops;
int fat_truncate(struct inode *inode, uint64_t size);

// An inode for an entry, or for the root (e NULL), with a reference. fat->lock held. 0, -ENOMEM,
// -EIO.
int fat_inode_create(struct fat *fat, const struct fat_entry *e, struct inode **inode);

// fat_node.c. What a new entry says: attributes, times now.
void fat_raw_init(uint8_t raw[FAT_ENTRY_SIZE], unsigned int attributes);
mode_t fat_mode(const struct fat *fat, const uint8_t raw[FAT_ENTRY_SIZE]);
void fat_times_decode(struct inode *inode, const uint8_t raw[FAT_ENTRY_SIZE]);
// Write size, times, attributes and first cluster of an inode to its entry, if they changed. Takes
// fat->lock. 0 or -errno.
int fat_node_write(struct inode *inode);
int fat_set_attributes(struct inode *inode);
