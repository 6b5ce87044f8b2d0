// SPDX-License-Identifier: BSD-2-Clause
// Calls that make, remove and rename names, and those on the current directory: mkdirat(2),
// mknod(2), unlink(2), link(2), symlink(2), rename(2), readlink(2), getcwd(2), chdir(2), umask(2).

#include "path_arguments_priv.h"
#include "syscalls_priv.h"

#include <arch/uaccess.h>
#include <asm/stat.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

long sys_mkdirat(int dirfd, vaddr_t path, mode_t mode)
{
    struct path_argument a;
    int err = path_argument_get(&a, dirfd, path, 0);

    if (err)
        return err;
    err = path_mkdir(&a.walk, a.text, mode & (07777 & ~a.walk.context->umask));
    path_argument_put(&a);
    return err;
}

long sys_mknodat(int dirfd, vaddr_t path, mode_t mode, unsigned int dev)
{
    struct path_argument a;

    switch (mode & S_IFMT) {
    case 0:
        mode |= S_IFREG;
        break;
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK:
        break;
    case S_IFCHR:
    case S_IFBLK:
        if (!cred_has_cap(thread_self()->cred, CAP_MKNOD))
            return -EPERM;
        break;
    case S_IFDIR:
        return -EPERM;
    default:
        return -EINVAL;
    }
    int err = path_argument_get(&a, dirfd, path, 0);
    if (err)
        return err;
    err = path_mknod(&a.walk, a.text, mode & ~a.walk.context->umask, dev);
    path_argument_put(&a);
    return err;
}

long sys_unlinkat(int dirfd, vaddr_t path, int flags)
{
    struct path_argument a;

    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    int err = path_argument_get(&a, dirfd, path, 0);
    if (err)
        return err;
    err = path_unlink(&a.walk, a.text, flags & AT_REMOVEDIR);
    path_argument_put(&a);
    return err;
}

long sys_symlinkat(vaddr_t target, int dirfd, vaddr_t path)
{
    struct path_argument a;
    char *text = kmalloc(PATH_MAX_LEN);

    if (!text)
        return -ENOMEM;
    ssize_t n = user_copy_string(text, target, PATH_MAX_LEN);
    int err = n < 0 ? (int)n : n == 0 ? -ENOENT : 0;
    if (!err)
        err = path_argument_get(&a, dirfd, path, 0);
    if (!err) {
        err = path_symlink(&a.walk, text, a.text);
        path_argument_put(&a);
    }
    kfree(text);
    return err;
}

long sys_linkat(int old_dirfd, vaddr_t old_path, int dirfd, vaddr_t path, int flags)
{
    struct path_argument a;
    struct path old;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if ((flags & AT_EMPTY_PATH) && !cred_has_cap(thread_self()->cred, CAP_DAC_READ_SEARCH))
        return -ENOENT;
    int err = path_argument_lookup(old_dirfd, old_path, path_flags_of_at(flags, false), &old);
    if (err)
        return err;
    err = path_argument_get(&a, dirfd, path, 0);
    if (!err) {
        err = path_link(&old, &a.walk, a.text);
        path_argument_put(&a);
    }
    path_put(&old);
    return err;
}

long sys_renameat2(int old_dirfd, vaddr_t old_path, int dirfd, vaddr_t path, unsigned int flags)
{
    struct path_argument from, to;

    if ((flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
        flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    int err = path_argument_get(&from, old_dirfd, old_path, 0);
    if (err)
        return err;
    err = path_argument_get(&to, dirfd, path, 0);
    if (!err) {
        err = path_rename(&from.walk, from.text, &to.walk, to.text, flags);
        path_argument_put(&to);
    }
    path_argument_put(&from);
    return err;
}

static ssize_t readlink_of(const struct path *path, bool empty_name, char *buf)
{
    struct inode *inode = path->dentry->inode;

    if (!S_ISLNK(inode->mode) || !inode->ops->readlink)
        return empty_name ? -ENOENT : -EINVAL;
    return inode->ops->readlink(inode, buf, PATH_MAX_LEN);
}

long sys_readlinkat(int dirfd, vaddr_t path, vaddr_t buf, int size)
{
    struct path_argument a;
    struct path found;

    if (size <= 0)
        return -EINVAL;
    int err = path_argument_get(&a, dirfd, path, PATH_EMPTY);
    if (err)
        return err;
    // "" names the link that dirfd was opened on with O_PATH | O_NOFOLLOW.
    bool empty = a.text[0] == '\0';
    err = empty && dirfd == AT_FDCWD ? -ENOENT
                                     : path_lookup(&a.walk, a.text, empty ? PATH_EMPTY : 0, &found);
    ssize_t n = err;
    if (!err) {
        n = readlink_of(&found, empty, a.text); // the name's buffer has done its work
        if (n > 0) {
            n = MIN(n, (ssize_t)size);
            err = user_copy_out(buf, a.text, (size_t)n);
            n = err ? err : n;
        }
        path_put(&found);
    }
    path_argument_put(&a);
    return n;
}

long sys_getcwd(vaddr_t buf, size_t size)
{
    char *page = kmalloc(PATH_MAX_LEN), *text;

    if (!page)
        return -ENOMEM;
    ssize_t n = fs_context_getcwd(process_self()->fs, page, PATH_MAX_LEN, &text);
    if (n > 0 && (size_t)n > size)
        n = -ERANGE;
    if (n > 0) {
        int err = user_copy_out(buf, text, (size_t)n);
        n = err ? err : n;
    }
    kfree(page);
    return n;
}

static int change_directory(const struct path *path, const struct path_walk *walk)
{
    int err = path_permission(path, 1, walk->cred);

    if (!err)
        fs_context_set_cwd(walk->context, path);
    return err;
}

long sys_chdir(vaddr_t path)
{
    struct path_walk walk = path_walk_self();
    struct path found;
    int err = path_argument_lookup(AT_FDCWD, path, PATH_FOLLOW | PATH_DIRECTORY, &found);

    if (err)
        return err;
    err = change_directory(&found, &walk);
    path_put(&found);
    return err;
}

long sys_fchdir(int fd)
{
    struct path_walk walk = path_walk_self();
    struct fd_ref r = fd_borrow(process_self()->fds, fd);

    if (!r.file)
        return -EBADF;
    int err = S_ISDIR(r.file->inode->mode) ? change_directory(&r.file->path, &walk) : -ENOTDIR;
    fd_return(r);
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
