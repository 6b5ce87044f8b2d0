// SPDX-License-Identifier: BSD-2-Clause
// Block devices as files: reads and writes go through the page cache (one vm_object for each
// device), which is written back by fsync(2), BLKFLSBUF, sync(2), the last close, and when it grows
// beyond its share of memory.
//
// Life: a device is registered at probe and stays. Locking: the object's own lock guards the cache;
// drop_lock keeps those who empty it apart. The list of devices only grows: linked with a release
// store, walked without a lock.
#include <arch/uaccess.h>
#include <errno.h>
#include <fs/block.h>
#include <fs/chrdev.h>
#include <fs/procfs.h>
#include <lib/atomic.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "block_priv.h"
#include "procfs_priv.h"

#define SECTOR_SIZE       512
#define SECTORS_PER_PAGE  (PAGE_SIZE / SECTOR_SIZE)
#define BLOCK_CACHE_SHARE 4 // the cache may take one part in so many of memory

static struct mutex block_list_lock = MUTEX_INIT(block_list_lock);
static struct block_device *block_list;

static uint64_t block_size_bytes(const struct block_device *b)
{
    return b->nr_sectors * SECTOR_SIZE;
}

// Pages of the cache; of the device's last one only what it has.
static int block_transfer_pages(struct vm_object *o, bool write, uint64_t index,
                                struct page *const *pages, unsigned int nr_pages)
{
    struct block_device *b = container_of(o, struct block_device, object);
    uint64_t sector = index * SECTORS_PER_PAGE;
    uint64_t nr = MIN(b->nr_sectors - sector, (uint64_t)nr_pages * SECTORS_PER_PAGE);

    return block_transfer(b, write, sector, pages, (unsigned int)nr);
}

static int block_fill(struct vm_object *o, uint64_t index, struct page *const *pages,
                      unsigned int nr)
{
    return block_transfer_pages(o, false, index, pages, nr);
}

static int block_write_back(struct vm_object *o, uint64_t index, struct page *const *pages,
                            unsigned int nr)
{
    return block_transfer_pages(o, true, index, pages, nr);
}

static void block_release_object(struct vm_object *o)
{
    panic("the cache of a block device lost its last reference");
}

static const struct vm_object_ops block_object_ops = {
    .fill = block_fill,
    .write_back = block_write_back,
    .release = block_release_object,
};

int block_flush(struct block_device *b)
{
    int err = vm_object_sync(&b->object);
    int flush_err = block_flush_device(b);
    return err != 0 ? err : flush_err;
}

// Write back and forget every page. What can't be written stays. 0 or -errno.
static int block_empty_cache(struct block_device *b)
{
    mutex_lock(&b->drop_lock);
    int err = block_flush(b);
    if (err == 0)
        vm_object_drop_clean(&b->object);
    mutex_unlock(&b->drop_lock);
    return err;
}

void block_trim(struct block_device *b)
{
    struct page_stats stats;

    page_stats(&stats);
    if (b->object.nr_pages > stats.total / BLOCK_CACHE_SHARE)
        block_empty_cache(b);
}

static int block_open(struct file *file)
{
    struct block_device *b = file->private;

    if (b->read_only && (file->flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    atomic_add_fetch(&b->nr_open, 1);
    return 0;
}

static void block_release(struct file *file)
{
    struct block_device *b = file->private;
    if (atomic_sub_fetch(&b->nr_open, 1) == 0)
        block_empty_cache(b);
}

static ssize_t block_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct block_device *b = file->private;

    block_trim(b);
    uio->exact = file->random_access;
    ssize_t n = vm_object_read(&b->object, *offset, uio);
    if (n > 0)
        *offset += (uint64_t)n;
    return n;
}

static ssize_t block_write(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct block_device *b = file->private;

    if (uio->left == 0)
        return 0;
    if (*offset >= block_size_bytes(b))
        return -ENOSPC;
    block_trim(b);
    ssize_t n = vm_object_write(&b->object, *offset, uio);
    if (n > 0)
        *offset += (uint64_t)n;
    if (n > 0 && (file->flags & O_DSYNC)) {
        int err = block_flush(b);
        if (err != 0)
            return err;
    }
    return n;
}

static int64_t block_seek(struct file *file, int64_t offset, int whence)
{
    uint64_t size = block_size_bytes(file->private);
    int64_t base;

    switch (whence) {
    case SEEK_SET:
        base = 0;
        break;
    case SEEK_CUR:
        base = (int64_t)file->offset;
        break;
    case SEEK_END:
        base = (int64_t)size;
        break;
    default:
        return -EINVAL;
    }
    int64_t to;
    if (__builtin_add_overflow(base, offset, &to) || to < 0 || (uint64_t)to > size)
        return -EINVAL;
    file->offset = (uint64_t)to;
    return to;
}

static long block_put_int(unsigned long arg, int value)
{
    return user_copy_out(arg, &value, sizeof(value));
}

static long block_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
    struct block_device *b = file->private;
    uint64_t bytes = block_size_bytes(b);
    unsigned long sectors = bytes / SECTOR_SIZE;

    switch (request) {
    case BLKGETSIZE64:
        return user_copy_out(arg, &bytes, sizeof(bytes));
    case BLKGETSIZE:
        return user_copy_out(arg, &sectors, sizeof(sectors));
    case BLKSSZGET:
    case BLKPBSZGET:
        return block_put_int(arg, SECTOR_SIZE);
    case BLKBSZGET:
        return block_put_int(arg, PAGE_SIZE);
    case BLKROGET:
        return block_put_int(arg, b->read_only);
    case BLKFLSBUF:
        return cred_has_cap(file->cred, CAP_SYS_ADMIN) ? block_empty_cache(b) : -EACCES;
    default:
        return -ENOTTY;
    }
}

static int block_mmap(struct file *file, uint64_t *offset, size_t size, struct vm_object **object)
{
    struct block_device *b = file->private;
    *object = &b->object;
    return 0;
}

static void block_read_ahead(struct file *file, uint64_t offset, size_t size)
{
    block_trim(file->private);
    block_want(file->private, offset, size);
}

static int block_file_sync(struct file *file, bool data_only)
{
    return block_flush(file->private);
}

static const struct file_ops block_file_ops = {
    .open = block_open,
    .read = block_read,
    .write = block_write,
    .seek = block_seek,
    .ioctl = block_ioctl,
    .mmap = block_mmap,
    .read_ahead = block_read_ahead,
    .sync = block_file_sync,
    .release = block_release,
};

// /proc/partitions: disks, each before its partitions.
static int block_show_partitions(struct text *t, uint64_t key)
{
    const char *name;
    dev_t dev;

    for (unsigned int i = 0; device_at(true, i, &name, &dev); i++) {
        const struct file_ops *ops;
        void *private;
        if (blkdev_find(dev, &ops, &private) != 0)
            continue;
        const struct block_device *b = private;
        if (i == 0)
            text_printf(t, "major minor  #blocks  name\n\n");
        text_printf(t, "%4u  %7u %10llu %s\n", DEV_MAJOR(dev), DEV_MINOR(dev),
                    (unsigned long long)b->nr_sectors / 2, name);
    }
    return 0;
}

const struct proc_file block_proc_files[] = {
    {.name = "partitions", .mode = S_IFREG | 0444, .show = block_show_partitions},
    {.name = "diskstats", .mode = S_IFREG | 0444, .show = block_show_stats},
    {0},
};

int block_add(struct block_device *b, dev_t dev)
{
    vm_object_init(&b->object, &block_object_ops, block_size_bytes(b));
    mutex_init(&b->drop_lock);
    spin_init(&b->stats.lock);
    b->nr_open = b->nr_holders = 0;
    int err = blkdev_register(b->name, dev, 0660, &block_file_ops, b);
    if (err != 0)
        return err;
    mutex_lock(&block_list_lock);
    b->next = block_list;
    atomic_store_release(&block_list, b); // partner: block_sync_all
    mutex_unlock(&block_list_lock);
    return 0;
}

int block_register(struct block_device *b, dev_t dev)
{
    int err = block_add(b, dev);
    if (err == 0)
        block_scan_partitions(b, dev);
    return err;
}

static int block_transfer_bytes(struct block_device *b, bool write, uint64_t offset, char *buf,
                                size_t n)
{
    while (n > 0) {
        struct uio_segment segment;
        struct uio uio;
        // Never across pages: that looks whether the caller is to die, and stops early.
        size_t part = MIN(n, PAGE_SIZE - offset % PAGE_SIZE);
        uio_init_kernel(&uio, &segment, buf, part);
        ssize_t done = write ? vm_object_write(&b->object, offset, &uio)
                             : vm_object_read(&b->object, offset, &uio);
        if (done != (ssize_t)part)
            return done < 0 ? (int)done : -EIO;
        buf += part;
        offset += part;
        n -= part;
    }
    return 0;
}

int block_read_bytes(struct block_device *b, uint64_t offset, void *buf, size_t n)
{
    return block_transfer_bytes(b, false, offset, buf, n);
}

int block_write_bytes(struct block_device *b, uint64_t offset, const void *buf, size_t n)
{
    return block_transfer_bytes(b, true, offset, (char *)(uintptr_t)buf, n);
}

void block_want(struct block_device *b, uint64_t offset, size_t n)
{
    vm_object_read_ahead(&b->object, offset >> PAGE_SHIFT, DIV_ROUND_UP(offset + n, PAGE_SIZE));
}

int block_hold(dev_t dev, bool write, struct block_device **b)
{
    const struct file_ops *ops;
    void *private;

    if (blkdev_find(dev, &ops, &private) != 0 || ops != &block_file_ops)
        return -ENXIO;
    *b = private;
    if (write && (*b)->read_only)
        return -EACCES;
    uint32_t none = 0;
    if (!atomic_compare_exchange(&(*b)->nr_holders, &none, 1))
        return -EBUSY;
    atomic_add_fetch(&(*b)->nr_open, 1);
    return 0;
}

void block_drop(struct block_device *b)
{
    atomic_sub_fetch(&b->nr_holders, 1);
    if (atomic_sub_fetch(&b->nr_open, 1) == 0)
        block_empty_cache(b);
}

int block_sync_all(void)
{
    int first_error = 0;

    for (struct block_device *b = atomic_load_acquire(&block_list); b != NULL; b = b->next) {
        int err = block_flush(b);
        if (first_error == 0)
            first_error = err;
    }
    return first_error;
}
