// SPDX-License-Identifier: BSD-2-Clause
// Making, removing and moving names: mkdirat(2), mknodat(2), symlinkat(2), linkat(2), unlinkat(2),
// renameat2(2); readlinkat(2).
#include <arch/uaccess.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <mm/slab.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

long sys_mkdirat(int dirfd, vaddr_t name, mode_t mode)
{
    struct sys_path p;
    int err = sys_path_begin(&p, dirfd, name);
    if (err != 0)
        return err;
    err = path_mkdir(&p.walk, p.name, mode);
    sys_path_end(&p);
    return err;
}

long sys_mknodat(int dirfd, vaddr_t name, mode_t mode, unsigned int dev)
{
    struct sys_path p;
    int err = sys_path_begin(&p, dirfd, name);
    if (err != 0)
        return err;
    err = path_mknod(&p.walk, p.name, mode, dev);
    sys_path_end(&p);
    return err;
}

long sys_unlinkat(int dirfd, vaddr_t name, int flags)
{
    struct sys_path p;
    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    int err = sys_path_begin(&p, dirfd, name);
    if (err != 0)
        return err;
    err = path_unlink(&p.walk, p.name, flags & AT_REMOVEDIR);
    sys_path_end(&p);
    return err;
}

static char *copy_target(vaddr_t user, int *error)
{
    char *target = kmalloc(PATH_MAX_LEN);
    *error = -ENOMEM;
    if (!target)
        return NULL;
    ssize_t n = user_copy_string(target, user, PATH_MAX_LEN);
    if (n >= 0)
        return target;
    *error = (int)n;
    kfree(target);
    return NULL;
}

long sys_symlinkat(vaddr_t target, int dirfd, vaddr_t name)
{
    struct sys_path p;
    int err;
    char *text = copy_target(target, &err);
    if (!text)
        return err;
    err = *text == '\0' ? -ENOENT : sys_path_begin(&p, dirfd, name);
    if (err == 0) {
        err = path_symlink(&p.walk, text, p.name);
        sys_path_end(&p);
    }
    kfree(text);
    return err;
}

long sys_linkat(int old_dirfd, vaddr_t old_name, int dirfd, vaddr_t name, int flags)
{
    struct sys_path p;
    struct path old;
    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if ((flags & AT_EMPTY_PATH) && !cred_has_cap(thread_self()->cred, CAP_DAC_READ_SEARCH))
        return -ENOENT;
    unsigned int walk =
        (flags & AT_SYMLINK_FOLLOW ? PATH_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? PATH_EMPTY : 0);
    int err = sys_path_lookup(old_dirfd, old_name, walk, &old);
    if (err != 0)
        return err;
    err = sys_path_begin(&p, dirfd, name);
    if (err == 0) {
        err = path_link(&old, &p.walk, p.name);
        sys_path_end(&p);
    }
    path_put(&old);
    return err;
}

long sys_renameat2(int from_dirfd, vaddr_t from_name, int to_dirfd, vaddr_t to_name,
                   unsigned int flags)
{
    struct sys_path from, to;
    int err = sys_path_begin(&from, from_dirfd, from_name);
    if (err != 0)
        return err;
    err = sys_path_begin(&to, to_dirfd, to_name);
    if (err == 0) {
        err = path_rename(&from.walk, from.name, &to.walk, to.name, flags);
        sys_path_end(&to);
    }
    sys_path_end(&from);
    return err;
}

static long copy_link(const struct path *path, bool was_empty, vaddr_t user, size_t size)
{
    struct inode *inode = path->dentry->inode;
    if (!S_ISLNK(inode->mode))
        return was_empty ? -ENOENT : -EINVAL;
    char *text = kmalloc(PATH_MAX_LEN);
    if (!text)
        return -ENOMEM;
    inode_accessed(path);
    ssize_t n = inode->ops->readlink(inode, text, PATH_MAX_LEN);
    if (n > 0) {
        n = (ssize_t)MIN((size_t)n, size);
        if (user_copy_out(user, text, (size_t)n) != 0)
            n = -EFAULT;
    }
    kfree(text);
    return n;
}

long sys_readlinkat(int dirfd, vaddr_t name, vaddr_t user, int size)
{
    struct sys_path p;
    struct path path;
    if (size <= 0)
        return -EINVAL;
    int err = sys_path_begin(&p, dirfd, name);
    if (err != 0)
        return err;
    bool is_empty = p.name[0] == '\0';
    err = path_lookup(&p.walk, p.name, PATH_EMPTY, &path);
    sys_path_end(&p);
    if (err != 0)
        return err;
    long result = copy_link(&path, is_empty, user, (size_t)size);
    path_put(&path);
    return result;
}
