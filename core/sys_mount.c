// SPDX-License-Identifier: BSD-2-Clause
// mount(2), umount2(2), statfs(2), fstatfs(2).
#include <arch/uaccess.h>
#include <asm/statfs.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <mm/slab.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

// A string or NULL for NULL. 0, -EFAULT, -EINVAL (too long, as mount(2) has it), -ENOMEM.
static int copy_string(vaddr_t user, char **copy)
{
    *copy = NULL;
    if (user == 0)
        return 0;
    char *s = kmalloc(PATH_MAX_LEN);
    if (!s)
        return -ENOMEM;
    ssize_t n = user_copy_string(s, user, PATH_MAX_LEN);
    if (n < 0) {
        kfree(s);
        return n == -ENAMETOOLONG ? -EINVAL : (int)n;
    }
    *copy = s;
    return 0;
}

long sys_mount(vaddr_t user_source, vaddr_t target, vaddr_t user_type, unsigned long flags,
               vaddr_t user_options)
{
    char *source = NULL, *type = NULL, *options = NULL;
    struct sys_path p;
    int err = copy_string(user_type, &type);
    if (err == 0)
        err = copy_string(user_source, &source);
    if (err == 0)
        err = copy_string(user_options, &options);
    if (err == 0)
        err = sys_path_begin(&p, AT_FDCWD, target);
    if (err == 0) {
        err = path_mount(&p.walk, source, p.name, type, flags, options, p.walk.cred);
        sys_path_end(&p);
    }
    kfree(source);
    kfree(type);
    kfree(options);
    return err;
}

long sys_umount2(vaddr_t target, int flags)
{
    struct sys_path p;
    int err = sys_path_begin(&p, AT_FDCWD, target);
    if (err != 0)
        return err;
    err = path_umount(&p.walk, p.name, flags, p.walk.cred);
    sys_path_end(&p);
    return err;
}

static long copy_statfs(const struct path *path, vaddr_t user)
{
    struct statfs st;
    int err = path_statfs(path, &st);
    return err != 0 ? err : user_copy_out(user, &st, sizeof(st));
}

long sys_statfs(vaddr_t name, vaddr_t user)
{
    struct path path;
    int err = sys_path_lookup(AT_FDCWD, name, PATH_FOLLOW, &path);
    if (err != 0)
        return err;
    long result = copy_statfs(&path, user);
    path_put(&path);
    return result;
}

long sys_fstatfs(int fd, vaddr_t user)
{
    struct fd_ref ref = sys_file_borrow_any(fd);
    if (!ref.file)
        return -EBADF;
    long result = copy_statfs(&ref.file->path, user);
    fd_return(ref);
    return result;
}
