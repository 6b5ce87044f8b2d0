// SPDX-License-Identifier: BSD-2-Clause
// getdents64(2), and where a process stands: getcwd(2), chdir(2), fchdir(2), chroot(2), umask(2).
#include <arch/uaccess.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

#define MAY_SEARCH  1u
#define CHUNK_SIZE  (2 * PAGE_SIZE)
#define HEADER_SIZE offsetof(struct dirent64, name)

struct dirent64 { // struct linux_dirent64 of getdents64(2)
    uint64_t ino;
    int64_t next;
    uint16_t size;
    uint8_t type;
    char name[];
};

// Entries collect in a chunk, which goes to user memory when it is full.
struct dents {
    char *chunk;
    size_t in_chunk;
    vaddr_t user;
    size_t done, room; // bytes delivered; bytes that may still be added
    int error;
};

static bool dents_flush(struct dents *d)
{
    if (user_copy_out(d->user + d->done, d->chunk, d->in_chunk) != 0) {
        d->error = -EFAULT;
        return false;
    }
    d->done += d->in_chunk;
    d->in_chunk = 0;
    return true;
}

static bool dents_fill(void *ctx, const char *name, size_t length, ino_t ino, unsigned int type,
                       uint64_t next)
{
    struct dents *d = ctx;
    size_t size = ALIGN_UP(HEADER_SIZE + length + 1, 8);
    if (size > d->room) {
        if (d->done + d->in_chunk == 0)
            d->error = -EINVAL; // not even one fits
        return false;
    }
    if (d->in_chunk + size > CHUNK_SIZE && !dents_flush(d))
        return false;
    struct dirent64 *e = (struct dirent64 *)(d->chunk + d->in_chunk);
    e->ino = ino;
    e->next = (int64_t)next;
    e->size = (uint16_t)size;
    e->type = (uint8_t)type;
    memcpy(e->name, name, length);
    memset(e->name + length, 0, size - HEADER_SIZE - length);
    d->in_chunk += size;
    d->room -= size;
    return true;
}

long sys_getdents64(int fd, vaddr_t user, unsigned int size)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    struct dents d = {.chunk = kmalloc(CHUNK_SIZE), .user = user, .room = size};
    long result = -ENOMEM;
    if (d.chunk) {
        result = file_readdir(ref.file, dents_fill, &d);
        if (result == 0 && d.error == 0 && d.in_chunk > 0)
            dents_flush(&d);
        if (result == 0)
            result = d.error != 0 ? d.error : (long)d.done;
    }
    kfree(d.chunk);
    fd_return(ref);
    return result;
}

long sys_getcwd(vaddr_t user, size_t size)
{
    char *buf = kmalloc(PATH_MAX_LEN), *text;
    if (!buf)
        return -ENOMEM;
    ssize_t n = fs_context_getcwd(process_self()->fs, buf, PATH_MAX_LEN, &text);
    if (n > 0 && (size_t)n > size)
        n = -ERANGE;
    if (n > 0 && user_copy_out(user, text, (size_t)n) != 0)
        n = -EFAULT;
    kfree(buf);
    return n;
}

static int may_stand_in(const struct path *path)
{
    if (!S_ISDIR(path->dentry->inode->mode))
        return -ENOTDIR;
    return path_permission(path, MAY_SEARCH, thread_self()->cred);
}

long sys_chdir(vaddr_t name)
{
    struct path path;
    int err = sys_path_lookup(AT_FDCWD, name, PATH_FOLLOW | PATH_DIRECTORY, &path);
    if (err != 0)
        return err;
    err = may_stand_in(&path);
    if (err == 0)
        fs_context_set_cwd(process_self()->fs, &path);
    path_put(&path);
    return err;
}

long sys_fchdir(int fd)
{
    struct fd_ref ref = sys_file_borrow_any(fd);
    if (!ref.file)
        return -EBADF;
    int err = may_stand_in(&ref.file->path);
    if (err == 0)
        fs_context_set_cwd(process_self()->fs, &ref.file->path);
    fd_return(ref);
    return err;
}

long sys_chroot(vaddr_t name)
{
    struct path path;
    int err = sys_path_lookup(AT_FDCWD, name, PATH_FOLLOW | PATH_DIRECTORY, &path);
    if (err != 0)
        return err;
    err = may_stand_in(&path);
    if (err == 0 && !cred_has_cap(thread_self()->cred, CAP_SYS_CHROOT))
        err = -EPERM;
    if (err == 0)
        fs_context_set_root(process_self()->fs, &path);
    path_put(&path);
    return err;
}

long sys_umask(mode_t mask)
{
    struct fs_context *c = process_self()->fs;
    rwlock_write_lock(&c->lock);
    mode_t old = c->umask;
    c->umask = mask & 0777;
    rwlock_write_unlock(&c->lock);
    return (long)old;
}
