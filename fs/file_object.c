// SPDX-License-Identifier: BSD-2-Clause
// Files that stand for an object of the kernel and have no place in the tree: timerfd, signalfd.
// Their inodes belong to one super block that is mounted nowhere.
#include <errno.h>
#include <fs/chrdev.h>
#include <linux/magic.h>
#include <stdio.h>

#include "devices_priv.h"

static const struct file_system object_type = {
    .name = "anon_inodefs", .nodev = true, .magic = ANON_INODE_FS_MAGIC};
static struct super_block object_sb = {.refs = {1}, .fs = &object_type};

static ssize_t object_readlink(struct inode *inode, char *buf, size_t size)
{
    int n = snprintf(buf, size, "%s", (const char *)inode->private);
    return MIN(n, (int)size - 1);
}

static const struct inode_ops object_inode_ops = {.readlink = object_readlink};

int file_create_object(const char *name, const struct file_ops *ops, void *private, int flags,
                       struct cred *cred, struct file **file)
{
    struct inode *inode = inode_create(&object_sb, &object_inode_ops, 0600, 0, 0);
    if (!inode)
        return -ENOMEM;
    inode->private = (void *)(uintptr_t)name; // constant text
    int err = file_create_anonymous(inode, ops, flags, cred, file);
    if (err == 0)
        (*file)->private = private;
    return err;
}

void file_object_init(void)
{
    object_sb.dev = dev_anonymous();
    object_sb.next_ino = 1;
}
