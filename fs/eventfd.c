// SPDX-License-Identifier: BSD-2-Clause
// eventfd(2): a 64-bit counter as a file. Lives as long as its file.
// Locking: eventfd.lock guards the count; it is a spinlock, user memory is copied outside.
#include <asm/poll.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/eventfd.h>
#include <fs/poll.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <stdio.h>

#include "devices_priv.h"

#define EVENTFD_MAX (UINT64_MAX - 1)

struct eventfd {
    struct spinlock lock; // guards count
    uint64_t count;
    bool semaphore;
    struct wait_queue readers, writers;
};

static const struct file_system eventfd_type = {
    .name = "anon_inodefs", .nodev = true, .magic = ANON_INODE_FS_MAGIC};
static struct super_block eventfd_sb = {.refs = {1}, .fs = &eventfd_type};

// Take from the counter. True with *value unless it is zero.
static bool eventfd_take(struct eventfd *e, uint64_t *value)
{
    spin_lock(&e->lock);
    *value = e->semaphore && e->count != 0 ? 1 : e->count;
    e->count -= *value;
    spin_unlock(&e->lock);
    return *value != 0;
}

static bool eventfd_add(struct eventfd *e, uint64_t value)
{
    spin_lock(&e->lock);
    bool fits = EVENTFD_MAX - e->count >= value;
    if (fits)
        e->count += value;
    spin_unlock(&e->lock);
    return fits;
}

static ssize_t eventfd_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct eventfd *e = file->private;
    uint64_t value;

    if (uio->left < sizeof(value))
        return -EINVAL;
    if (file->flags & EFD_NONBLOCK) {
        if (!eventfd_take(e, &value))
            return -EAGAIN;
    } else if (wait_event(&e->readers, eventfd_take(e, &value), PARK_INTERRUPTIBLE, TIME_NEVER) !=
               0) {
        return -ERESTARTSYS;
    }
    wait_queue_wake_all(&e->writers);
    return uio_copy_out(uio, &value, sizeof(value)) == sizeof(value) ? (ssize_t)sizeof(value)
                                                                     : -EFAULT;
}

static ssize_t eventfd_write(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct eventfd *e = file->private;
    uint64_t value;

    if (uio->left < sizeof(value))
        return -EINVAL;
    if (uio_copy_in(uio, &value, sizeof(value)) != sizeof(value))
        return -EFAULT;
    if (value == UINT64_MAX)
        return -EINVAL;
    if (file->flags & EFD_NONBLOCK) {
        if (!eventfd_add(e, value))
            return -EAGAIN;
    } else if (wait_event(&e->writers, eventfd_add(e, value), PARK_INTERRUPTIBLE, TIME_NEVER) !=
               0) {
        return -ERESTARTSYS;
    }
    wait_queue_wake_all(&e->readers);
    return sizeof(value);
}

static unsigned int eventfd_poll(struct file *file, struct poll_table *table)
{
    struct eventfd *e = file->private;
    unsigned int events = 0;

    poll_add(table, &e->readers);
    poll_add(table, &e->writers);
    spin_lock(&e->lock);
    if (e->count != 0)
        events |= POLLIN | POLLRDNORM;
    if (e->count < EVENTFD_MAX)
        events |= POLLOUT | POLLWRNORM;
    spin_unlock(&e->lock);
    return events;
}

static void eventfd_release(struct file *file)
{
    kfree(file->private);
}

static ssize_t eventfd_readlink(struct inode *inode, char *buf, size_t size)
{
    int n = snprintf(buf, size, "anon_inode:[eventfd]");
    return MIN(n, (int)size - 1);
}

static const struct inode_ops eventfd_inode_ops = {.readlink = eventfd_readlink};

static const struct file_ops eventfd_ops = {
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .release = eventfd_release,
    .stream = true,
};

int eventfd_create(unsigned int count, int flags, struct cred *cred, struct file **file)
{
    struct eventfd *e = kzalloc(sizeof(*e));
    if (e == NULL)
        return -ENOMEM;
    spin_init(&e->lock);
    e->count = count;
    e->semaphore = (flags & EFD_SEMAPHORE) != 0;
    wait_queue_init(&e->readers);
    wait_queue_init(&e->writers);

    struct inode *inode = inode_create(&eventfd_sb, &eventfd_inode_ops, 0600, 0, 0);
    int err = -ENOMEM;
    if (inode != NULL)
        err =
            file_create_anonymous(inode, &eventfd_ops, (flags & EFD_NONBLOCK) | O_RDWR, cred, file);
    if (err != 0) {
        kfree(e);
        return err;
    }
    (*file)->private = e;
    return 0;
}

void eventfd_init(void)
{
    eventfd_sb.dev = dev_anonymous();
    eventfd_sb.next_ino = 1;
}
