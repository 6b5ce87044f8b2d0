// SPDX-License-Identifier: BSD-2-Clause
// Memory devices (null(4), full(4), random(4)): /dev/{null,zero,full,random,urandom}. No state but
// the random source, which is set once at boot.
#include <arch/log.h>
#include <arch/uaccess.h>
#include <asm/poll.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/devices.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/major.h>
#include <linux/random.h>
#include <mm/slab.h>
#include <sync/port.h>

#include "devices_priv.h"

#define DEVICE_CHUNK 256 // bytes of random data at a time, on the stack
#define ZERO_CHUNK   (64UL << 10)

static const struct device_random *device_random;

static ssize_t null_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    return 0;
}

static ssize_t null_write(struct file *file, struct uio *uio, uint64_t *offset)
{
    size_t n = uio->left;
    uio->left = 0;
    return (ssize_t)n;
}

static ssize_t zero_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    ssize_t done = 0;

    while (uio->left != 0) {
        size_t want = MIN(uio->left, ZERO_CHUNK);
        size_t n = uio_zero_out(uio, want);
        done += (ssize_t)n;
        if (n < want)
            return done != 0 ? done : -EFAULT;
        if (uio->left != 0 && port_relax(PARK_INTERRUPTIBLE) != 0)
            break;
    }
    return done;
}

static ssize_t full_write(struct file *file, struct uio *uio, uint64_t *offset)
{
    return -ENOSPC;
}

static int64_t device_seek(struct file *file, int64_t offset, int whence)
{
    return 0; // everywhere is the same
}

// Random bytes have no positions to seek to, but the call succeeds as it does on Linux.
static ssize_t random_device_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    char chunk[DEVICE_CHUNK];
    ssize_t done = 0;

    while (uio->left != 0) {
        ssize_t n = device_random->read(chunk, MIN(uio->left, sizeof(chunk)));
        if (n <= 0)
            return done != 0 ? done : n;
        size_t copied = uio_copy_out(uio, chunk, (size_t)n);
        done += (ssize_t)copied;
        if (copied < (size_t)n)
            return done != 0 ? done : -EFAULT;
        if (uio->left != 0 && port_relax(PARK_INTERRUPTIBLE) != 0)
            break;
    }
    return done;
}

static ssize_t random_device_write(struct file *file, struct uio *uio, uint64_t *offset)
{
    char chunk[DEVICE_CHUNK];
    ssize_t done = 0;

    while (uio->left != 0) {
        size_t want = MIN(uio->left, sizeof(chunk));
        size_t n = uio_copy_in(uio, chunk, want);
        device_random->add(chunk, n);
        done += (ssize_t)n;
        if (n < want)
            return done != 0 ? done : -EFAULT;
        if (uio->left != 0 && port_relax(PARK_INTERRUPTIBLE) != 0)
            break;
    }
    return done;
}

static const struct file_ops null_ops = {
    .read = null_read, .write = null_write, .seek = device_seek};
static const struct file_ops zero_ops = {
    .read = zero_read, .write = null_write, .seek = device_seek};
static const struct file_ops full_ops = {
    .read = zero_read, .write = full_write, .seek = device_seek};
static const struct file_ops random_ops = {
    .read = random_device_read, .write = random_device_write, .seek = device_seek};

static const struct {
    const char *name;
    unsigned int minor;
    const struct file_ops *ops;
} devices[] = {
    {"null", 3, &null_ops},     {"zero", 5, &zero_ops},      {"full", 7, &full_ops},
    {"random", 8, &random_ops}, {"urandom", 9, &random_ops},
};

void devices_init(const struct device_random *random)
{
    device_random = random;
    pipe_init();
    eventfd_init();
    netlink_init();
    hugetlbfs_init();
    epoll_init();
    file_object_init();
    for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++)
        if (chrdev_register(devices[i].name, DEV_MAKE(MEM_MAJOR, devices[i].minor), 0666,
                            devices[i].ops, NULL) != 0)
            log_err("no memory for /dev/%s", devices[i].name);
    kmsg_init();
    tty_init();
    pty_init();
}
