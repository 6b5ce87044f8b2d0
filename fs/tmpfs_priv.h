// SPDX-License-Identifier: BSD-2-Clause
// The two halves of tmpfs: names and inodes (tmpfs.c), content (tmpfs_file.c), super blocks
// (tmpfs_mount.c).
#pragma once

#include <fs/file.h>

struct tmpfs {                        // super_block.private
    uint64_t max_pages, max_inodes;   // UINT64_MAX: no limit
    uint64_t used_pages, used_inodes; // atomic
};

extern const struct file_ops tmpfs_file_ops;
int tmpfs_truncate(struct inode *inode, uint64_t size);
int tmpfs_allocate(struct inode *inode, int mode, uint64_t offset, uint64_t size);
// After a change: charge the pages the file has more now, or give back. inode->lock held.
void tmpfs_account(struct inode *inode);
