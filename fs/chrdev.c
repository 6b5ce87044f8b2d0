// SPDX-License-Identifier: BSD-2-Clause
// The tables of character and block devices: who serves a device number. Entries are added by
// drivers, live for ever, and are found by walking: there are a few dozen at most, and looking one
// up happens at open(2) only.
//
// Locking: an entry is complete before it is linked with a release store; readers walk without a
// lock. device_lock serialises those who add.
#include <errno.h>
#include <fs/chrdev.h>
#include <lib/atomic.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

#include "devtmpfs_priv.h"

struct device {
    struct device *next; // partner of the release in device_register
    const char *name;
    dev_t dev;
    mode_t mode;
    const struct file_ops *ops;
    void *private;
};

static struct mutex device_lock = MUTEX_INIT(device_lock);
static struct device *device_lists[2]; // character, block; oldest first
static uint32_t device_last_anonymous;

static struct device *device_find(bool block, dev_t dev)
{
    struct device *d = atomic_load_acquire(&device_lists[block]);
    while (d != NULL && d->dev != dev)
        d = atomic_load_acquire(&d->next);
    return d;
}

static int device_register(bool block, const struct device *device)
{
    struct device *d = kmalloc(sizeof(*d));
    if (d == NULL)
        return -ENOMEM;
    *d = *device;

    mutex_lock(&device_lock);
    int err = device_find(block, d->dev) != NULL ? -EEXIST : 0;
    if (err == 0 && d->name != NULL)
        err = devtmpfs_add(d->name, d->mode | (block ? S_IFBLK : S_IFCHR), d->dev);
    if (err == 0) {
        struct device **end = &device_lists[block];
        while (*end != NULL)
            end = &(*end)->next;
        atomic_store_release(end, d);
    }
    mutex_unlock(&device_lock);
    if (err != 0)
        kfree(d);
    return err;
}

int chrdev_register(const char *name, dev_t dev, mode_t mode, const struct file_ops *ops,
                    void *private)
{
    return device_register(false, &(struct device){NULL, name, dev, mode, ops, private});
}

int blkdev_register(const char *name, dev_t dev, mode_t mode, const struct file_ops *ops,
                    void *private)
{
    return device_register(true, &(struct device){NULL, name, dev, mode, ops, private});
}

static int device_find_ops(bool block, dev_t dev, const struct file_ops **ops, void **private)
{
    const struct device *d = device_find(block, dev);
    if (d == NULL)
        return -ENXIO;
    *ops = d->ops;
    *private = d->private;
    return 0;
}

int chrdev_find(dev_t dev, const struct file_ops **ops, void **private)
{
    return device_find_ops(false, dev, ops, private);
}

int blkdev_find(dev_t dev, const struct file_ops **ops, void **private)
{
    return device_find_ops(true, dev, ops, private);
}

bool device_at(bool block, unsigned int index, const char **name, dev_t *dev)
{
    const struct device *d = atomic_load_acquire(&device_lists[block]);
    while (d != NULL && (d->name == NULL || index-- > 0))
        d = atomic_load_acquire(&d->next);
    if (d == NULL)
        return false;
    *name = d->name;
    *dev = d->dev;
    return true;
}

dev_t dev_anonymous(void)
{
    return DEV_MAKE(0, atomic_add_fetch(&device_last_anonymous, 1));
}
