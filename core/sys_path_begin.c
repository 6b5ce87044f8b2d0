// SPDX-License-Identifier: BSD-2-Clause
// Arguments of system calls on names and descriptors. See sys_path_priv.h.
#include "sys_path_priv.h"

#include <arch/uaccess.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <mm/slab.h>

// Room for a long name, copied anew: it didn't fit inside.
static int copy_long_name(struct sys_path *p, vaddr_t name)
{
    p->name = kmalloc(PATH_MAX_LEN);
    if (!p->name)
        return -ENOMEM;
    ssize_t n = user_copy_string(p->name, name, PATH_MAX_LEN);
    if (n < 0)
        kfree(p->name);
    return n < 0 ? (int)n : 0;
}

static int copy_name(struct sys_path *p, vaddr_t name)
{
    p->name = p->inline_name;
    ssize_t n = user_copy_string(p->inline_name, name, SYS_NAME_INLINE);
    if (likely(n >= 0))
        return 0;
    return n == -ENAMETOOLONG ? copy_long_name(p, name) : (int)n;
}

int sys_path_begin(struct sys_path *p, int dirfd, vaddr_t name)
{
    return sys_path_begin_scoped(p, dirfd, name, 0);
}

int sys_path_begin_scoped(struct sys_path *p, int dirfd, vaddr_t name, unsigned int scope)
{
    struct process *self = process_self();
    int err = copy_name(p, name);
    if (err != 0)
        return err;
    p->walk.context = self->fs;
    p->walk.cred = thread_self()->cred;
    p->walk.at = (struct path){NULL, NULL};
    p->own_at = (struct path){NULL, NULL};
    p->at = (struct fd_ref){NULL, false};
    if (dirfd == AT_FDCWD && (scope & (PATH_IN_ROOT | PATH_BENEATH))) {
        p->own_at = fs_context_cwd(self->fs);
        p->walk.at = p->own_at;
        return 0;
    }
    if (dirfd == AT_FDCWD || (p->name[0] == '/' && !(scope & PATH_IN_ROOT)))
        return 0;
    p->at = fd_borrow(self->fds, dirfd);
    if (!p->at.file) {
        // An empty name is a mistake of its own unless the descriptor is meant.
        sys_path_end(p);
        return -EBADF;
    }
    p->walk.at = p->at.file->path;
    return 0;
}

void sys_path_end(struct sys_path *p)
{
    fd_return(p->at);
    if (p->own_at.dentry)
        path_put(&p->own_at);
    if (p->name != p->inline_name)
        kfree(p->name);
}

// The descriptor itself, for AT_EMPTY_PATH without a name.
static int lookup_descriptor(int dirfd, struct path *path)
{
    if (dirfd == AT_FDCWD) {
        *path = fs_context_cwd(process_self()->fs);
        return 0;
    }
    struct fd_ref ref = sys_file_borrow_any(dirfd);
    if (!ref.file)
        return -EBADF;
    *path = ref.file->path;
    path_get(path);
    fd_return(ref);
    return 0;
}

int sys_path_lookup(int dirfd, vaddr_t name, unsigned int flags, struct path *path)
{
    struct sys_path p;
    if (name == 0 && (flags & PATH_EMPTY))
        return lookup_descriptor(dirfd, path);
    int err = sys_path_begin(&p, dirfd, name);
    if (err != 0)
        return err;
    err = path_lookup(&p.walk, p.name, flags, path);
    sys_path_end(&p);
    return err;
}

int sys_file_install(struct file *f, bool cloexec)
{
    struct process *self = process_self();
    int fd = fd_install(self->fds, f, 0, process_limit(self, RLIMIT_NOFILE), cloexec);
    if (fd < 0)
        file_put(f);
    return fd;
}
