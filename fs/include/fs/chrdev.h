// SPDX-License-Identifier: BSD-2-Clause
// Device numbers: from (major, minor) to the operations of a file opened on such a node; and
// devtmpfs, where drivers' nodes appear by themselves.
#pragma once

#include <fs/file.h>

// Encoded as in struct stat (dev_t of the C libraries: makedev(3), low 32 bits).
#define DEV_MAKE(major, minor)                                                                     \
    ((((dev_t)(major)&0xfff) << 8) | ((dev_t)(minor)&0xff) | (((dev_t)(minor) & ~0xffULL) << 12))
#define DEV_MAJOR(dev) ((unsigned int)(((dev) >> 8) & 0xfff))
#define DEV_MINOR(dev) ((unsigned int)(((dev)&0xff) | (((dev) >> 12) & ~0xffULL)))

// A number that Linux gives out at run time, this one first.
#define GPIO_MAJOR 254

// Boot or driver probe. `name` appears in /dev (devtmpfs) and stays; may hold one '/'; NULL: the
// node is somebody else's business. ops, too, stay for ever. 0, -EEXIST or -ENOMEM. May sleep.
int chrdev_register(const char *name, dev_t dev, mode_t mode, const struct file_ops *ops,
                    void *private);
// ops of a character device, -ENXIO when nobody registered it. The opener sets file->ops and
// file->private to these and runs ops->open, which may replace both (/dev/tty, /dev/ptmx).
int chrdev_find(dev_t dev, const struct file_ops **ops, void **private);
// The same for block devices.
int blkdev_register(const char *name, dev_t dev, mode_t mode, const struct file_ops *ops,
                    void *private);
int blkdev_find(dev_t dev, const struct file_ops **ops, void **private);

// Walk the named devices of one kind in the order of registration: the index-th, false past the
// end. For /proc/devices and /sys.
bool device_at(bool block, unsigned int index, const char **name, dev_t *dev);

// An unused device number of major 0, for a super block.
dev_t dev_anonymous(void);

// Register the type "devtmpfs" (may be mounted many times, same content). After vfs_init.
void devtmpfs_init(void);
