// SPDX-License-Identifier: BSD-2-Clause
// Paths from user memory: one buffer from a cache of PATH_MAX bytes for each, kept for the length
// of the call.

#include "path_arguments_priv.h"

#include <arch/uaccess.h>
#include <errno.h>
#include <linux/stat.h>
#include <asm/stat.h>
#include <mm/slab.h>

static int find_directory(struct path_argument *a, int dirfd)
{
    a->directory = fd_borrow(process_self()->fds, dirfd);
    if (!a->directory.file)
        return -EBADF;
    if (a->text[0] != '\0' && !S_ISDIR(a->directory.file->inode->mode)) {
        fd_return(a->directory);
        return -ENOTDIR;
    }
    a->walk.at = a->directory.file->path;
    return 0;
}

int path_argument_get(struct path_argument *a, int dirfd, vaddr_t addr, unsigned int flags)
{
    a->walk = path_walk_self();
    a->directory = (struct fd_ref){NULL, false};
    a->text = kmalloc(PATH_MAX_LEN);
    if (!a->text)
        return -ENOMEM;
    ssize_t n = 0;
    if (addr == 0 && (flags & PATH_EMPTY))
        a->text[0] = '\0';
    else
        n = user_copy_string(a->text, addr, PATH_MAX_LEN);
    int err = n < 0 ? (int)n : 0;
    if (!err && a->text[0] == '\0' && !(flags & PATH_EMPTY))
        err = -ENOENT;
    if (!err && a->text[0] != '/' && dirfd != AT_FDCWD)
        err = find_directory(a, dirfd);
    if (err)
        kfree(a->text);
    return err;
}

void path_argument_put(struct path_argument *a)
{
    kfree(a->text);
    if (a->directory.file)
        fd_return(a->directory);
}

int path_argument_lookup(int dirfd, vaddr_t addr, unsigned int flags, struct path *path)
{
    struct path_argument a;
    int err = path_argument_get(&a, dirfd, addr, flags);

    if (err)
        return err;
    err = path_lookup(&a.walk, a.text, flags, path);
    path_argument_put(&a);
    return err;
}

unsigned int path_flags_of_at(int at_flags, bool follow)
{
    if (at_flags & AT_SYMLINK_FOLLOW)
        follow = true;
    if (at_flags & AT_SYMLINK_NOFOLLOW)
        follow = false;
    return (follow ? PATH_FOLLOW : 0) | (at_flags & AT_EMPTY_PATH ? PATH_EMPTY : 0);
}
