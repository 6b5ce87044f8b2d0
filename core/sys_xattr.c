// SPDX-License-Identifier: BSD-2-Clause
// Extended attributes (xattr(7)): no file system of ours has any, so there are none to list, and
// reading or setting one is EOPNOTSUPP, once file and name are right.
#include <arch/uaccess.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

static long check_name(vaddr_t user)
{
    char name[XATTR_NAME_MAX + 1];
    ssize_t n = user_copy_string(name, user, sizeof(name));
    if (n == -ENAMETOOLONG || n == 0)
        return -ERANGE;
    return n < 0 ? n : -EOPNOTSUPP;
}

static long refuse_path(vaddr_t path_name, unsigned int flags, vaddr_t name)
{
    struct path path;
    int err = sys_path_lookup(AT_FDCWD, path_name, flags, &path);
    if (err != 0)
        return err;
    path_put(&path);
    return name ? check_name(name) : 0;
}

static long refuse_file(int fd, vaddr_t name)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    fd_return(ref);
    return name ? check_name(name) : 0;
}

long sys_setxattr(vaddr_t path, vaddr_t name, vaddr_t value, size_t size, int flags)
{
    return refuse_path(path, PATH_FOLLOW, name);
}

long sys_lsetxattr(vaddr_t path, vaddr_t name, vaddr_t value, size_t size, int flags)
{
    return refuse_path(path, 0, name);
}

long sys_fsetxattr(int fd, vaddr_t name, vaddr_t value, size_t size, int flags)
{
    return refuse_file(fd, name);
}

long sys_getxattr(vaddr_t path, vaddr_t name, vaddr_t value, size_t size)
{
    return refuse_path(path, PATH_FOLLOW, name);
}

long sys_lgetxattr(vaddr_t path, vaddr_t name, vaddr_t value, size_t size)
{
    return refuse_path(path, 0, name);
}

long sys_fgetxattr(int fd, vaddr_t name, vaddr_t value, size_t size)
{
    return refuse_file(fd, name);
}

long sys_listxattr(vaddr_t path, vaddr_t list, size_t size)
{
    return refuse_path(path, PATH_FOLLOW, 0);
}

long sys_llistxattr(vaddr_t path, vaddr_t list, size_t size)
{
    return refuse_path(path, 0, 0);
}

long sys_flistxattr(int fd, vaddr_t list, size_t size)
{
    return refuse_file(fd, 0);
}

long sys_removexattr(vaddr_t path, vaddr_t name)
{
    return refuse_path(path, PATH_FOLLOW, name);
}

long sys_lremovexattr(vaddr_t path, vaddr_t name)
{
    return refuse_path(path, 0, name);
}

long sys_fremovexattr(int fd, vaddr_t name)
{
    return refuse_file(fd, name);
}
