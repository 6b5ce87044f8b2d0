// SPDX-License-Identifier: BSD-2-Clause
// mount(2), umount2(2), chroot(2).

#include "path_arguments_priv.h"
#include "syscalls_priv.h"

#include <arch/uaccess.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <mm/slab.h>
#include <string.h>

#define MOUNT_TYPE_MAX 64

// umount2(2); the uapi headers leave them to the C library.
#define MNT_FORCE       1
#define MNT_DETACH      2
#define MNT_EXPIRE      4
#define UMOUNT_NOFOLLOW 8

// A string that may be NULL, into `buf`. *text becomes NULL or buf.
static int copy_optional(vaddr_t addr, char *buf, size_t size, const char **text)
{
    *text = NULL;
    if (addr == 0)
        return 0;
    ssize_t n = user_copy_string(buf, addr, size);
    if (n < 0)
        return n == -ENAMETOOLONG ? -EINVAL : (int)n;
    *text = buf;
    return 0;
}

// Options are a page of data to mount(2); ours are text.
struct mount_strings {
    char source[PATH_MAX_LEN], target[PATH_MAX_LEN], type[MOUNT_TYPE_MAX], options[PATH_MAX_LEN];
};

long sys_mount(vaddr_t source, vaddr_t target, vaddr_t type, unsigned long flags, vaddr_t data)
{
    const char *source_text, *type_text, *options_text;

    if (!cred_has_cap(thread_self()->cred, CAP_SYS_ADMIN))
        return -EPERM;
    struct mount_strings *s = kmalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
        flags &= ~(unsigned long)MS_MGC_MSK;
    struct path_walk walk = path_walk_self();
    ssize_t n = user_copy_string(s->target, target, sizeof(s->target));
    int err = n < 0 ? (int)n : 0;
    if (!err)
        err = copy_optional(source, s->source, sizeof(s->source), &source_text);
    if (!err)
        err = copy_optional(type, s->type, sizeof(s->type), &type_text);
    if (!err)
        err = copy_optional(data, s->options, sizeof(s->options), &options_text);
    if (!err)
        err = path_mount(&walk, source_text, s->target, type_text, flags, options_text, walk.cred);
    kfree(s);
    return err;
}

long sys_umount2(vaddr_t target, int flags)
{
    struct path_argument name;

    if (!cred_has_cap(thread_self()->cred, CAP_SYS_ADMIN))
        return -EPERM;
    if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
        return -EINVAL;
    int err = path_argument_get(&name, AT_FDCWD, target, 0);
    if (err)
        return err;
    err = path_umount(&name.walk, name.text, flags, name.walk.cred);
    path_argument_put(&name);
    return err;
}

long sys_chroot(vaddr_t path)
{
    struct path_argument name;
    struct path found;

    int err = path_argument_get(&name, AT_FDCWD, path, 0);
    if (err)
        return err;
    err = path_lookup(&name.walk, name.text, PATH_FOLLOW | PATH_DIRECTORY, &found);
    if (!err) {
        err = path_permission(&found, 1, name.walk.cred);
        if (!err && !cred_has_cap(name.walk.cred, CAP_SYS_CHROOT))
            err = -EPERM;
        if (!err)
            fs_context_set_root(name.walk.context, &found);
        path_put(&found);
    }
    path_argument_put(&name);
    return err;
}
