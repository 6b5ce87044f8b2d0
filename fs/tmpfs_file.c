// SPDX-License-Identifier: BSD-2-Clause
// Content of tmpfs files: the vm_object of the inode is the file. Reads take no lock here;
// whatever changes size or content holds inode->lock.
#include <errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <string.h>

#include "tmpfs_priv.h"
#include "vfs_priv.h"

#define FILE_SIZE_MAX INT64_MAX

static bool has_page(struct vm_object *o, uint64_t index)
{
    struct page *page;
    if (vm_object_page(o, index, false, &page) != 0)
        return false;
    page_put(page);
    return true;
}

// How much of [offset, offset + n) the file system has room for, counting from offset.
static size_t tmpfs_room(struct inode *inode, uint64_t offset, size_t n)
{
    struct tmpfs *fs = inode->sb->private;
    uint64_t used = atomic_load(&fs->used_pages), first = offset >> PAGE_SHIFT;
    uint64_t last = (offset + n - 1) >> PAGE_SHIFT;
    if (likely(used + (last - first) + 1 <= fs->max_pages))
        return n;
    uint64_t free = fs->max_pages > used ? fs->max_pages - used : 0;
    for (uint64_t i = first; i <= last; i++) {
        if (has_page(inode->object, i))
            continue;
        if (free-- == 0)
            return i == first ? 0 : (i << PAGE_SHIFT) - offset;
    }
    return n;
}

static ssize_t tmpfs_read(struct file *f, struct uio *uio, uint64_t *offset)
{
    ssize_t n = vm_object_read(f->inode->object, *offset, uio);
    if (n > 0)
        *offset += (uint64_t)n;
    if (!(f->flags & O_NOATIME))
        inode_accessed(&f->path);
    return n;
}

// At most n bytes of `uio` at `offset`; the size follows what was really written.
static ssize_t write_at(struct inode *inode, struct uio *uio, uint64_t offset, size_t n)
{
    uint64_t size = inode->size, end = offset + n;
    size_t held_back = uio->left - n;
    if (end > size)
        vm_object_resize(inode->object, end);
    uio->left = n;
    ssize_t done = vm_object_write(inode->object, offset, uio);
    uio->left += held_back;
    if (end > size) {
        uint64_t reached = done > 0 ? MAX(size, offset + (uint64_t)done) : size;
        if (reached < end)
            vm_object_resize(inode->object, reached);
        inode->size = reached;
    }
    tmpfs_account(inode);
    return done;
}

static bool write_is_sealed(const struct inode *inode, uint64_t end)
{
    return (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) ||
           ((inode->seals & F_SEAL_GROW) && end > inode->size);
}

static ssize_t tmpfs_write(struct file *f, struct uio *uio, uint64_t *offset)
{
    struct inode *inode = f->inode;
    ssize_t done = 0;
    if (uio->left == 0)
        return 0;
    mutex_lock(&inode->lock);
    uint64_t at = (f->flags & O_APPEND) ? inode->size : *offset;
    if (at >= FILE_SIZE_MAX) {
        done = -EFBIG;
    } else if (write_is_sealed(inode, at + MIN(uio->left, FILE_SIZE_MAX - at))) {
        done = -EPERM;
    } else {
        size_t n = tmpfs_room(inode, at, MIN(uio->left, FILE_SIZE_MAX - at));
        done = n == 0 ? -ENOSPC : write_at(inode, uio, at, n);
    }
    if (done > 0) {
        *offset = at + (uint64_t)done;
        inode_drop_privileges(inode, f->cred);
        inode_touch(inode, TOUCH_MTIME | TOUCH_CTIME);
    }
    mutex_unlock(&inode->lock);
    return done;
}

int tmpfs_truncate(struct inode *inode, uint64_t size)
{
    if (!inode->object)
        return -EINVAL;
    if (size > FILE_SIZE_MAX)
        return -EFBIG;
    if (inode->seals & (size < inode->size ? F_SEAL_SHRINK : size > inode->size ? F_SEAL_GROW : 0))
        return -EPERM;
    vm_object_resize(inode->object, size);
    inode->size = size;
    tmpfs_account(inode);
    return 0;
}

static void zero_part(struct vm_object *o, uint64_t offset, uint64_t end)
{
    struct page *page;
    if (vm_object_page(o, offset >> PAGE_SHIFT, false, &page) != 0)
        return;
    memset((char *)page_to_virt(page) + offset % PAGE_SIZE, 0, end - offset);
    page_put(page);
}

// [offset, end) reads as zeros from now on.
static void punch_hole(struct inode *inode, uint64_t offset, uint64_t end)
{
    struct vm_object *o = inode->object;
    uint64_t first = ALIGN_UP(offset, PAGE_SIZE), last = ALIGN_DOWN(end, PAGE_SIZE);
    if (first > last) {
        zero_part(o, offset, end);
        return;
    }
    if (offset < first)
        zero_part(o, offset, first);
    if (last < end)
        zero_part(o, last, end);
    if (first < last)
        vm_object_drop(o, first >> PAGE_SHIFT, last >> PAGE_SHIFT);
    tmpfs_account(inode);
}

// The size alone, with the pages beyond it kept (FALLOC_FL_KEEP_SIZE).
static void set_object_size(struct vm_object *o, uint64_t size)
{
    mutex_lock(&o->lock);
    o->size_bytes = size;
    mutex_unlock(&o->lock);
}

static int populate(struct inode *inode, uint64_t offset, uint64_t size)
{
    struct page *page;
    uint64_t end = offset + size;
    if (tmpfs_room(inode, offset, size) < size)
        return -ENOSPC;
    for (uint64_t at = ALIGN_DOWN(offset, PAGE_SIZE); at < end; at += PAGE_SIZE) {
        int err = vm_object_page(inode->object, at >> PAGE_SHIFT, true, &page);
        if (err != 0)
            return err;
        page_put(page);
    }
    return 0;
}

int tmpfs_allocate(struct inode *inode, int mode, uint64_t offset, uint64_t size)
{
    uint64_t end = offset + size, old_size = inode->size;
    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
        return -EOPNOTSUPP;
    if (mode & FALLOC_FL_PUNCH_HOLE) {
        if (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
            return -EPERM;
        punch_hole(inode, offset, end);
        return 0;
    }
    if ((inode->seals & F_SEAL_GROW) && end > old_size)
        return -EPERM;
    // Pages past the size are dropped by the next resize, so grow first.
    if (end > old_size)
        vm_object_resize(inode->object, end);
    int err = populate(inode, offset, size);
    if (end > old_size && err != 0)
        vm_object_resize(inode->object, old_size);
    else if (end > old_size && (mode & FALLOC_FL_KEEP_SIZE))
        set_object_size(inode->object, old_size);
    else if (end > old_size)
        inode->size = end;
    tmpfs_account(inode);
    return err;
}

static int64_t seek_data_or_hole(struct file *f, int64_t offset, int whence)
{
    struct inode *inode = f->inode;
    bool want = whence == SEEK_DATA;
    if (offset < 0 || (uint64_t)offset >= inode->size)
        return -ENXIO;
    uint64_t at = (uint64_t)offset;
    while (at < inode->size && has_page(inode->object, at >> PAGE_SHIFT) != want)
        at = ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE;
    if (at >= inode->size) {
        if (want)
            return -ENXIO;
        at = inode->size;
    }
    return (int64_t)at;
}

static int64_t tmpfs_seek(struct file *f, int64_t offset, int whence)
{
    if (unlikely(whence == SEEK_DATA || whence == SEEK_HOLE))
        return seek_data_or_hole(f, offset, whence);
    return file_seek_regular(f, offset, whence);
}

static int tmpfs_mmap(struct file *f, uint64_t *offset, size_t size, struct vm_object **object)
{
    *object = f->inode->object;
    if (!(f->flags & O_NOATIME))
        inode_accessed(&f->path);
    return 0;
}

const struct file_ops tmpfs_file_ops = {
    .read = tmpfs_read,
    .write = tmpfs_write,
    .seek = tmpfs_seek,
    .mmap = tmpfs_mmap,
};
