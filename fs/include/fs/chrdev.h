// SPDX-License-Identifier: BSD-2-Clause
// Character and block device numbers: from (major, minor) to the operations of a file opened on
// such a node; and devtmpfs, where drivers' nodes appear by themselves.
#pragma once

#include <fs/file.h>

#define DEV_MAKE(major, minor) ((((dev_t)(major) & 0xfff) << 8) | ((minor) & 0xff) | (((dev_t)(minor) & ~0xffULL) << 12))
#define DEV_MAJOR(dev) ((unsigned int)(((dev) >> 8) & 0xfff))
#define DEV_MINOR(dev) ((unsigned int)(((dev) & 0xff) | (((dev) >> 12) & ~0xffULL)))

// Boot or driver probe. `name` appears in /dev (devtmpfs); may hold one '/'. 0 or -errno.
int chrdev_register(const char *name, dev_t dev, mode_t mode, const struct file_ops *ops, void *private);
// ops of a character device, -ENXIO when nobody registered it.
int chrdev_find(dev_t dev, const struct file_ops **ops, void **private);
