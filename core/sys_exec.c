// SPDX-License-Identifier: BSD-2-Clause
// execve(2) and execveat(2): arguments from user memory.
#include <arch/uaccess.h>
#include <core/process.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <stdio.h>
#include <string.h>

#include "exec_priv.h"
#include "syscalls_priv.h"

static int read_user_args(struct exec_args *a, vaddr_t argv, vaddr_t envp)
{
    int err = exec_args_add_user_vector(a, argv, &a->argc);
    if (err == 0 && a->argc == 0) {
        err = exec_args_add(a, "");
        a->argc = 1;
    }
    if (err == 0)
        err = exec_args_add_user_vector(a, envp, &a->envc);
    return err;
}

// A name that reaches what dirfd and `name` mean from anywhere.
static int way_by_descriptor(char **way, int dirfd, const char *name)
{
    size_t size = sizeof("/dev/fd/-2147483648/") + strlen(name);
    *way = kmalloc(size);
    if (!*way)
        return -ENOMEM;
    snprintf(*way, size, name[0] == '\0' ? "/dev/fd/%d" : "/dev/fd/%d/%s", dirfd, name);
    return 0;
}

static long exec_user(int dirfd, vaddr_t user_name, vaddr_t argv, vaddr_t envp, int flags)
{
    struct process *p = process_self();
    struct exec_args args;
    struct file *at = NULL;
    struct exec *x = kzalloc(sizeof(*x));
    char *name = kmalloc(PATH_MAX_LEN), *way = NULL;
    int err = x && name ? 0 : -ENOMEM;
    exec_args_init(&args);
    if (err == 0) {
        ssize_t n = user_copy_string(name, user_name, PATH_MAX_LEN);
        err = n < 0 ? (int)n : 0;
    }
    if (err == 0 && name[0] == '\0' && !(flags & AT_EMPTY_PATH))
        err = -ENOENT;
    if (err == 0 && dirfd != AT_FDCWD && name[0] != '/') {
        at = fd_get(p->fds, dirfd);
        err = at ? 0 : -EBADF;
        if (err == 0)
            err = way_by_descriptor(&way, dirfd, name);
    }
    if (err == 0)
        err = read_user_args(&args, argv, envp);
    if (err == 0) {
        x->name = name;
        x->way = way ? way : name;
        x->closes = at && fd_get_cloexec(p->fds, dirfd) == 1;
        x->args = &args;
        x->walk = (struct path_walk){.context = p->fs, .cred = thread_self()->cred};
        if (at)
            x->walk.at = at->path;
        err = exec_run(x, (flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW) |
                              (flags & AT_EMPTY_PATH ? PATH_EMPTY : 0));
    }
    if (at)
        file_put(at);
    exec_args_free(&args);
    kfree(way);
    kfree(name);
    kfree(x);
    return err;
}

long sys_execve(vaddr_t name, vaddr_t argv, vaddr_t envp)
{
    return exec_user(AT_FDCWD, name, argv, envp, 0);
}

long sys_execveat(int dirfd, vaddr_t name, vaddr_t argv, vaddr_t envp, int flags)
{
    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EINVAL;
    return exec_user(dirfd, name, argv, envp, flags);
}
