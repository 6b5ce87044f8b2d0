// SPDX-License-Identifier: BSD-2-Clause
// Content of FAT files: pages of the inode's vm_object, which write(2) hands on to the device's
// cache before it returns. A FAT has no holes: whatever lies behind the end is written as zeros
// when a file grows over it. See fat_fs_priv.h.
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <mm/slab.h>

#include "fat_fs_priv.h"
#include "vfs_priv.h"

#define PIECE       (1U << 20) // so much is written between two looks at the memory in use
#define CACHE_SHARE 4          // of memory, for the pages of one file

static int fat_fill(struct vm_object *o, uint64_t index, struct page *const *pages, unsigned int nr)
{
    struct fat_node *node = container_of(o, struct fat_node, object);
    struct fat *fat = node->fat;
    uint64_t at = index << PAGE_SHIFT, end = MIN(at + nr * PAGE_SIZE, node->valid);
    int err = 0;

    fat_lock(fat);
    if (nr > 1 && at < end)
        fat_chain_want(&fat->volume, &node->dir.chain, at, end - at);
    for (; at < end && err == 0; at += PAGE_SIZE)
        err = fat_chain_read(&fat->volume, &node->dir.chain, at, page_to_virt(*pages++),
                             MIN(PAGE_SIZE, end - at));
    fat_unlock(fat);
    return err;
}

// To the device's cache, which hands runs on to the device.
static int fat_write_back(struct vm_object *o, uint64_t index, struct page *const *pages,
                          unsigned int nr)
{
    struct fat_node *node = container_of(o, struct fat_node, object);
    struct fat *fat = node->fat;
    uint64_t at = index << PAGE_SHIFT, end = MIN(at + nr * PAGE_SIZE, o->size_bytes);
    int err = 0;

    mutex_assert_held(&o->lock);
    fat_lock(fat);
    for (; at < end && err == 0; at += PAGE_SIZE)
        err = fat_chain_write(&fat->volume, &node->dir.chain, at, page_to_virt(*pages++),
                              MIN(PAGE_SIZE, end - at));
    fat_unlock(fat);
    return err;
}

static void fat_object_release(struct vm_object *o)
{
    kfree(container_of(o, struct fat_node, object));
}

const struct vm_object_ops fat_object_ops = {
    .fill = fat_fill,
    .write_back = fat_write_back,
    .release = fat_object_release,
};

static void limit_memory(struct fat_node *node)
{
    struct page_stats stats;

    page_stats(&stats);
    if (node->object.nr_pages > stats.total / CACHE_SHARE)
        vm_object_drop_clean(&node->object);
    block_trim(node->fat->device);
}

static ssize_t fat_read(struct file *f, struct uio *uio, uint64_t *offset)
{
    limit_memory(fat_node(f->inode));
    uio->exact = f->random_access;
    ssize_t n = vm_object_read(f->inode->object, *offset, uio);
    if (n > 0)
        *offset += (uint64_t)n;
    if (!(f->flags & O_NOATIME))
        inode_accessed(&f->path);
    return n;
}

// Clusters for a file of `*end` bytes; where there aren't enough, *end becomes what there is room
// for, if that is beyond `least`. 0, -ENOSPC, -EIO.
static int reserve(struct fat_node *node, uint64_t least, uint64_t *end)
{
    struct fat_volume *v = &node->fat->volume;
    unsigned int shift = v->cluster_shift;
    uint32_t have = (uint32_t)((node->valid + fat_cluster_size(v) - 1) >> shift);
    uint32_t want = (uint32_t)((*end + fat_cluster_size(v) - 1) >> shift);

    if (want <= have)
        return 0;
    fat_lock(node->fat);
    int err = fat_chain_grow(v, &node->dir.chain, want);
    uint64_t room = ((uint64_t)have + v->nr_free) << shift;
    if (err == -ENOSPC && v->nr_free > 0 && room > least) {
        *end = room;
        err = fat_chain_grow(v, &node->dir.chain, have + v->nr_free);
    }
    fat_unlock(node->fat);
    return err;
}

// Give back what lies behind the end. What was wrong is said in the log.
static void release_behind(struct fat_node *node)
{
    struct fat_volume *v = &node->fat->volume;
    uint64_t nr = (node->valid + fat_cluster_size(v) - 1) >> v->cluster_shift;

    fat_lock(node->fat);
    (void)fat_chain_cut(v, &node->dir.chain, (uint32_t)nr);
    fat_unlock(node->fat);
}

// The file is `size` bytes long, all of which are in the device's cache.
static int set_size(struct inode *inode, uint64_t size)
{
    fat_node(inode)->valid = size;
    inode->size = size;
    return fat_node_write(inode);
}

// Grow to `size` with zeros.
static int extend(struct inode *inode, uint64_t size)
{
    struct fat_node *node = fat_node(inode);
    struct fat *fat = node->fat;
    int err = 0;

    while (inode->size < size && err == 0) {
        uint64_t end = MIN(size, ALIGN_DOWN(inode->size, (uint64_t)PIECE) + PIECE);
        uint64_t asked = end;
        err = reserve(node, inode->size, &end);
        if (err == 0 && end < asked)
            err = -ENOSPC;
        if (err == 0) {
            fat_lock(fat);
            err = fat_chain_write(&fat->volume, &node->dir.chain, inode->size, NULL,
                                  end - inode->size);
            fat_unlock(fat);
        }
        if (err == 0) {
            vm_object_resize(&node->object, end);
            err = set_size(inode, end);
        }
        limit_memory(node);
    }
    return err;
}

int fat_truncate(struct inode *inode, uint64_t size)
{
    struct fat_node *node = fat_node(inode);
    uint64_t old = inode->size;

    if (!S_ISREG(inode->mode))
        return -EINVAL;
    if (size > FAT_SIZE_MAX)
        return -EFBIG;
    if (size > old) {
        int err = extend(inode, size);
        if (err != 0 && inode->size > old) {
            vm_object_resize(&node->object, old);
            (void)set_size(inode, old);
        }
        if (err != 0)
            release_behind(node);
        return err;
    }
    vm_object_resize(&node->object, size);
    node->valid = inode->size = size;
    fat_lock(node->fat);
    int err = fat_chain_cut(&node->fat->volume, &node->dir.chain,
                            (uint32_t)((size + fat_cluster_size(&node->fat->volume) - 1) >>
                                       node->fat->volume.cluster_shift));
    fat_unlock(node->fat);
    int write_err = fat_node_write(inode);
    return err != 0 ? err : write_err;
}

// At most PIECE bytes at `at`, which is not behind the end. Bytes done or -errno.
static ssize_t write_piece(struct inode *inode, struct uio *uio, uint64_t at)
{
    struct fat_node *node = fat_node(inode);
    struct vm_object *o = &node->object;
    uint64_t size = inode->size, end = at + MIN(uio->left, (size_t)PIECE);

    int err = reserve(node, at, &end);
    if (err != 0)
        return err;
    size_t held_back = uio->left - (end - at);
    if (end > size)
        vm_object_resize(o, end);
    uio->left = end - at;
    ssize_t done = vm_object_write(o, at, uio);
    uio->left += held_back;
    uint64_t reached = done > 0 ? at + (uint64_t)done : at;
    err = vm_object_sync_range(o, at >> PAGE_SHIFT, DIV_ROUND_UP(end, PAGE_SIZE));
    if (err != 0) {
        done = err;
        reached = size;
    }
    reached = MAX(reached, size);
    if (reached < end)
        vm_object_resize(o, reached);
    err = set_size(inode, reached);
    if (reached < end)
        release_behind(node);
    return err != 0 ? err : done;
}

static ssize_t fat_write_locked(struct file *f, struct uio *uio, uint64_t *offset)
{
    struct inode *inode = f->inode;
    uint64_t at = (f->flags & O_APPEND) ? inode->size : *offset;
    ssize_t total = 0;

    if (at >= FAT_SIZE_MAX)
        return -EFBIG;
    if (at > inode->size) {
        int err = extend(inode, at);
        if (err != 0)
            return err;
    }
    size_t n = MIN(uio->left, FAT_SIZE_MAX - at), held_back = uio->left - n;
    uio->left = n;
    while (uio->left > 0) {
        size_t before = uio->left;
        ssize_t done = write_piece(inode, uio, at);
        if (done <= 0) {
            total = total > 0 ? total : done;
            break;
        }
        total += done;
        at += (uint64_t)done;
        if ((size_t)done < MIN(before, (size_t)PIECE))
            break;
        limit_memory(fat_node(inode));
    }
    uio->left += held_back;
    if (total > 0)
        *offset = at;
    return total;
}

static int sync_inode(struct inode *inode)
{
    struct fat_node *node = fat_node(inode);
    int err = S_ISREG(inode->mode) ? vm_object_sync(&node->object) : 0;

    if (err == 0)
        err = fat_node_write(inode);
    int flush_err = block_flush(node->fat->device);
    return err != 0 ? err : flush_err;
}

static ssize_t fat_write(struct file *f, struct uio *uio, uint64_t *offset)
{
    struct inode *inode = f->inode;

    if (uio->left == 0)
        return 0;
    mutex_lock(&inode->lock);
    inode_touch(inode, TOUCH_MTIME | TOUCH_CTIME);
    ssize_t n = fat_write_locked(f, uio, offset);
    mutex_unlock(&inode->lock);
    if (n > 0 && (f->flags & O_DSYNC)) {
        int err = sync_inode(inode);
        if (err != 0)
            return err;
    }
    return n;
}

static int fat_mmap(struct file *f, uint64_t *offset, size_t size, struct vm_object **object)
{
    *object = f->inode->object;
    if (!(f->flags & O_NOATIME))
        inode_accessed(&f->path);
    return 0;
}

static void fat_read_ahead(struct file *f, uint64_t offset, size_t size)
{
    limit_memory(fat_node(f->inode));
    vm_object_read_ahead(f->inode->object, offset >> PAGE_SHIFT,
                         DIV_ROUND_UP(offset + size, PAGE_SIZE));
}

static int fat_sync(struct file *f, bool data_only)
{
    return sync_inode(f->inode);
}

const struct file_ops fat_file_ops = {
    .read = fat_read,
    .write = fat_write,
    .mmap = fat_mmap,
    .read_ahead = fat_read_ahead,
    .sync = fat_sync,
};

const struct file_ops fat_directory_ops = {
    .sync = fat_sync,
};
