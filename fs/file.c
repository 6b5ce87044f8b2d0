// SPDX-License-Identifier: BSD-2-Clause
// Open files: their life, and reading, writing and seeking with the checks that all kinds share.
//
// A file ends with its last reference: ops->release, then path, credentials. Locking:
// position_lock for calls that use the file's own offset; it is skipped when the caller's is the
// only reference, in a table of his own (fd_borrow). flags are changed atomically.
#include <asm/fcntl.h>
#include <errno.h>
#include <fs/epoll.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

#include "file_priv.h"
#include "vfs_priv.h"

#define READ_AHEAD_MAX (2UL << 20) // of one advice

static struct slab_cache *file_cache;

void file_init(void)
{
    file_cache = slab_cache_create("file", sizeof(struct file), 8);
}

void file_cred_put(struct cred *c)
{
    if (c && refcount_put(&c->refs))
        kfree(c);
}

struct file *file_create(const struct path *path, int flags, struct cred *cred)
{
    struct file *f = slab_zalloc(file_cache);
    if (!f)
        return NULL;
    refcount_init(&f->refs);
    mutex_init(&f->position_lock);
    f->path = *path;
    path_get(path);
    f->inode = path->dentry->inode;
    f->flags = (uint32_t)flags;
    if (!(flags & O_PATH)) {
        int mode = flags & O_ACCMODE;
        f->can_read = mode == O_RDONLY || mode == O_RDWR;
        f->can_write = mode == O_WRONLY || mode == O_RDWR;
    }
    f->counts_as_writer =
        f->can_write && S_ISREG(f->inode->mode) && inode_write_begin(f->inode) == 0;
    if (f->counts_as_writer)
        atomic_add_fetch(&path->mount->nr_writers, 1);
    refcount_get(&cred->refs);
    f->cred = cred;
    return f;
}

void file_destroy(struct file *f)
{
    if (f->counts_as_writer) {
        atomic_sub_fetch(&f->path.mount->nr_writers, 1);
        inode_write_end(f->inode);
    }
    path_put(&f->path);
    file_cred_put(f->cred);
    slab_free(file_cache, f);
}

void file_get(struct file *f)
{
    refcount_get(&f->refs);
}

void file_put(struct file *f)
{
    if (!f || !refcount_put(&f->refs))
        return;
    if (f->watchers)
        epoll_file_released(f);
    if (f->has_locks)
        file_lock_released(f);
    if (f->ops->release)
        f->ops->release(f);
    file_destroy(f);
}

// The file's own position for one call. False: nobody else can use it.
static bool position_lock(struct file *f)
{
    if (atomic_load(&f->refs.count) == 1)
        return false;
    mutex_lock(&f->position_lock);
    return true;
}

static void position_unlock(struct file *f, bool locked)
{
    if (locked)
        mutex_unlock(&f->position_lock);
}

typedef ssize_t transfer_fn(struct file *f, struct uio *uio, uint64_t *offset);

static ssize_t transfer(struct file *f, transfer_fn *fn, struct uio *uio, uint64_t *offset)
{
    if (f->ops->stream) {
        uint64_t none = 0;
        return offset ? -ESPIPE : fn(f, uio, &none);
    }
    if (offset)
        return fn(f, uio, offset);
    bool locked = position_lock(f);
    ssize_t n = fn(f, uio, &f->offset);
    position_unlock(f, locked);
    return n;
}

ssize_t file_read(struct file *f, struct uio *uio, uint64_t *offset)
{
    if (offset && f->ops->stream)
        return -ESPIPE;
    if (!f->can_read)
        return -EBADF;
    if (!f->ops->read)
        return S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
    return transfer(f, f->ops->read, uio, offset);
}

ssize_t file_write(struct file *f, struct uio *uio, uint64_t *offset)
{
    if (offset && f->ops->stream)
        return -ESPIPE;
    if (!f->can_write)
        return -EBADF;
    if (!f->ops->write)
        return -EINVAL;
    return transfer(f, f->ops->write, uio, offset);
}

int64_t file_seek_regular(const struct file *f, int64_t offset, int whence)
{
    int64_t base = 0, result;
    switch (whence) {
    case SEEK_SET:
        break;
    case SEEK_CUR:
        base = (int64_t)f->offset;
        break;
    case SEEK_END:
        if (S_ISDIR(f->inode->mode))
            return -EINVAL;
        base = (int64_t)f->inode->size;
        break;
    case SEEK_DATA:
    case SEEK_HOLE:
        if (S_ISDIR(f->inode->mode))
            return -EINVAL;
        if (offset < 0 || (uint64_t)offset >= f->inode->size)
            return -ENXIO;
        return whence == SEEK_DATA ? offset : (int64_t)f->inode->size;
    default:
        return -EINVAL;
    }
    if (__builtin_add_overflow(base, offset, &result))
        return -EOVERFLOW;
    return result < 0 ? -EINVAL : result;
}

int64_t file_seek(struct file *f, int64_t offset, int whence)
{
    if (f->flags & O_PATH)
        return -EBADF;
    if (f->ops->stream)
        return -ESPIPE;
    bool locked = position_lock(f);
    int64_t result =
        f->ops->seek ? f->ops->seek(f, offset, whence) : file_seek_regular(f, offset, whence);
    if (result >= 0)
        f->offset = (uint64_t)result;
    position_unlock(f, locked);
    return result;
}

ssize_t file_read_kernel(struct file *f, void *buf, size_t n, uint64_t offset)
{
    struct uio_segment segment;
    struct uio uio;
    uio_init_kernel(&uio, &segment, buf, n);
    return file_read(f, &uio, &offset);
}

ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, uint64_t *offset)
{
    struct uio_segment segment;
    struct uio uio;
    uio_init_kernel(&uio, &segment, (void *)(uintptr_t)buf, n);
    return file_write(f, &uio, offset);
}

int file_readdir(struct file *f, file_fill_fn fill, void *ctx)
{
    if (!S_ISDIR(f->inode->mode) || f->flags & O_PATH)
        return f->flags & O_PATH ? -EBADF : -ENOTDIR;
    bool locked = position_lock(f);
    int err = directory_read(f, fill, ctx);
    position_unlock(f, locked);
    return err;
}

int file_truncate(struct file *f, uint64_t size)
{
    struct inode *inode = f->inode;
    if (!f->can_write || !S_ISREG(inode->mode) || !inode->ops->truncate)
        return f->flags & O_PATH ? -EBADF : -EINVAL;
    mutex_lock(&inode->lock);
    int err = inode->ops->truncate(inode, size);
    if (err == 0) {
        inode_drop_privileges(inode, f->cred);
        inode_touch(inode, TOUCH_MTIME | TOUCH_CTIME);
    }
    mutex_unlock(&inode->lock);
    return err;
}

static int allocate_refused(const struct inode *inode)
{
    if (S_ISFIFO(inode->mode))
        return -ESPIPE;
    if (S_ISDIR(inode->mode))
        return -EISDIR;
    return S_ISREG(inode->mode) ? -EOPNOTSUPP : -ENODEV;
}

int file_allocate(struct file *f, int mode, uint64_t offset, uint64_t size)
{
    struct inode *inode = f->inode;
    if (!f->can_write)
        return -EBADF;
    if (!inode->ops->allocate || !S_ISREG(inode->mode))
        return allocate_refused(inode);
    if (offset + size > INT64_MAX)
        return -EFBIG;
    mutex_lock(&inode->lock);
    int err = inode->ops->allocate(inode, mode, offset, size);
    if (err == 0)
        inode_touch(inode, TOUCH_MTIME | TOUCH_CTIME);
    mutex_unlock(&inode->lock);
    return err;
}

int file_sync(struct file *f, bool data_only)
{
    if (f->flags & O_PATH)
        return -EBADF;
    if (f->ops->sync)
        return f->ops->sync(f, data_only);
    return S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode) ? 0 : -EINVAL;
}

void file_read_ahead(struct file *f, uint64_t offset, uint64_t size)
{
    if (f->ops->read_ahead)
        f->ops->read_ahead(f, offset, MIN(size, READ_AHEAD_MAX));
}

static void vm_file_get(void *file)
{
    file_get(file);
}

static void vm_file_put(void *file)
{
    file_put(file);
}

static void vm_file_describe(void *file, char *buf, size_t size, dev_t *dev, ino_t *ino)
{
    const struct file *f = file;
    *dev = f->inode->sb->dev;
    *ino = f->inode->ino;
    if (size == 0)
        return;
    buf[0] = '\0';
    char *text = path_text(&f->path, NULL, buf, size);
    if (text)
        memmove(buf, text, strlen(text) + 1);
}

static int vm_file_punch(void *file, uint64_t offset, uint64_t size)
{
    return file_allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}

const struct vm_file_ops file_vm_ops = {vm_file_get, vm_file_put, vm_file_describe, vm_file_punch};
