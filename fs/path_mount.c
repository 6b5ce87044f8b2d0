// SPDX-License-Identifier: BSD-2-Clause
// mount(2): new, bind, move, remount; umount2(2). There is one mount namespace and no propagation:
// every mount is private, and asking for anything else is refused.
#include <errno.h>
#include <linux/capability.h>
#include <linux/stat.h>
#include <string.h>

#include "mount_priv.h"
#include "vfs_priv.h"

#define MNT_FORCE       1
#define MNT_DETACH      2
#define MNT_EXPIRE      4
#define UMOUNT_NOFOLLOW 8
#define PROPAGATION     (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

static bool is_mount_root(const struct path *p)
{
    return p->dentry == p->mount->root;
}

static unsigned long atime_flags(unsigned long flags)
{
    if (!(flags & (MS_NOATIME | MS_STRICTATIME)))
        flags |= MS_RELATIME;
    if (flags & MS_STRICTATIME)
        flags &= ~(unsigned long)(MS_NOATIME | MS_RELATIME);
    return flags & MOUNT_FLAGS;
}

// The block device that `source` names. 0, -ENOTBLK, -EACCES, or what the walk says.
static int find_device(const struct path_walk *w, const char *source, dev_t *device)
{
    struct path path;
    if (!source || *source == '\0')
        return -EINVAL;
    int err = path_lookup(w, source, PATH_FOLLOW, &path);
    if (err != 0)
        return err;
    *device = path.dentry->inode->rdev;
    if (!S_ISBLK(path.dentry->inode->mode))
        err = -ENOTBLK;
    else if (path.mount->flags & MS_NODEV)
        err = -EACCES;
    path_put(&path);
    return err;
}

static int mount_new(const struct path_walk *w, const struct path *place, const char *source,
                     const char *type, unsigned long flags, const char *options)
{
    struct mount *m;
    dev_t device = 0;
    if (!type)
        return -EINVAL;
    const struct file_system *fs = file_system_find(type);
    if (!fs)
        return -ENODEV;
    int err = fs->nodev ? 0 : find_device(w, source, &device);
    if (err == 0)
        err = mount_create(fs, source, device, atime_flags(flags), options, &m);
    if (err != 0)
        return err;
    mutex_lock(&mount_lock);
    err = mount_attach(m, place);
    mutex_unlock(&mount_lock);
    if (err != 0)
        mount_put(m);
    return err;
}

static int mount_bind(const struct path_walk *w, const struct path *place, const char *source)
{
    struct path from;
    if (!source || *source == '\0')
        return -EINVAL;
    int err = path_lookup(w, source, PATH_FOLLOW, &from);
    if (err != 0)
        return err;
    struct mount *m = mount_clone(&from);
    err = m ? 0 : -ENOMEM;
    if (m) {
        mutex_lock(&mount_lock);
        err = mount_attach(m, place);
        mutex_unlock(&mount_lock);
        if (err != 0)
            mount_put(m);
    }
    path_put(&from);
    return err;
}

static int mount_from(const struct path_walk *w, const struct path *place, const char *source)
{
    struct path from;
    if (!source || *source == '\0')
        return -EINVAL;
    int err = path_lookup(w, source, PATH_FOLLOW, &from);
    if (err != 0)
        return err;
    mutex_lock(&mount_lock);
    err = -EINVAL;
    if (is_mount_root(&from) && from.mount->parent)
        err = mount_move(from.mount, place);
    mutex_unlock(&mount_lock);
    path_put(&from);
    return err;
}

static int mount_change_flags(const struct path *place, unsigned long flags, const char *options)
{
    struct mount *m = place->mount;
    struct super_block *sb = m->sb;
    bool bind = flags & MS_BIND;
    if (!is_mount_root(place))
        return -EINVAL;
    if ((flags & MS_RDONLY) && atomic_load(&m->nr_writers) != 0)
        return -EBUSY;
    int err = !bind && sb->fs->remount ? sb->fs->remount(sb, flags, options) : 0;
    if (err != 0)
        return err;
    mutex_lock(&mount_lock);
    if (!bind)
        sb->flags = flags & MS_RDONLY;
    // Without a word about access times they stay as they are (mount(2)).
    if (!(flags & (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)))
        flags |= m->flags & (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME);
    m->flags = flags & MOUNT_FLAGS;
    mutex_unlock(&mount_lock);
    return 0;
}

static int mount_at_place(const struct path_walk *w, const struct path *place, const char *source,
                          const char *type, unsigned long flags, const char *options)
{
    if (flags & MS_REMOUNT)
        return mount_change_flags(place, flags, options);
    if (flags & MS_BIND)
        return mount_bind(w, place, source);
    if (flags & PROPAGATION) {
        unsigned long kind = flags & ~(unsigned long)(MS_REC | MS_SILENT);
        return kind == MS_PRIVATE && is_mount_root(place) ? 0 : -EINVAL;
    }
    if (flags & MS_MOVE)
        return mount_from(w, place, source);
    return mount_new(w, place, source, type, flags, options);
}

int path_mount(const struct path_walk *w, const char *source, const char *target, const char *type,
               unsigned long flags, const char *options, const struct cred *cred)
{
    struct path place;
    if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
        flags &= ~(unsigned long)MS_MGC_MSK;
    int err = path_lookup(w, target, PATH_FOLLOW, &place);
    if (err != 0)
        return err;
    if (!cred_has_cap(cred, CAP_SYS_ADMIN))
        err = -EPERM;
    else
        err = mount_at_place(w, &place, source, type, flags, options);
    path_put(&place);
    return err;
}

// The root can't go; umount(2) of it means: no more writing.
static int umount_root(const struct path *place)
{
    return mount_change_flags(place, place->mount->flags | MS_RDONLY, NULL);
}

static int umount_at_place(const struct path_walk *w, const struct path *place, int flags)
{
    struct mount *m = place->mount;
    if (!is_mount_root(place) || m == anonymous_mount)
        return -EINVAL;
    if (flags & MNT_EXPIRE) // expiry marks are not kept
        return (flags & (MNT_FORCE | MNT_DETACH)) ? -EINVAL : -EAGAIN;
    if (!m->parent)
        return (flags & MNT_DETACH) ? -EINVAL : umount_root(place);
    mutex_lock(&mount_lock);
    int err = 0;
    if (!m->parent)
        err = -EINVAL; // somebody was faster
    else if (flags & MNT_DETACH)
        mount_detach_tree(m);
    else
        err = mount_detach_idle(m, 2); // the table's and ours
    mutex_unlock(&mount_lock);
    return err;
}

int path_umount(const struct path_walk *w, const char *target, int flags, const struct cred *cred)
{
    struct path place;
    if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
        return -EINVAL;
    int err = path_lookup(w, target, (flags & UMOUNT_NOFOLLOW) ? 0 : PATH_FOLLOW, &place);
    if (err != 0)
        return err;
    if (!cred_has_cap(cred, CAP_SYS_ADMIN))
        err = -EPERM;
    else
        err = umount_at_place(w, &place, flags);
    path_put(&place);
    return err;
}
