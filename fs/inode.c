// SPDX-License-Identifier: BSD-2-Clause
// Inodes: creation and end, who may do what with them, their times; and the registry of file system
// types.
//
// An inode lives while something refers to it: its dentries, open files by way of those. nlink says
// how many names it has; the file system frees its content in the release op.
#include <arch/clock.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <string.h>

#include "file_lock_priv.h"
#include "vfs_priv.h"

#define RELATIME_SECONDS (24 * 60 * 60)
#define TYPES_MAX        16

static struct slab_cache *inode_cache;
static const struct file_system *types[TYPES_MAX]; // written at boot only
static unsigned int nr_types;

void inode_init(void)
{
    inode_cache = slab_cache_create("inode", sizeof(struct inode), 8);
}

void file_system_register(const struct file_system *fs)
{
    ASSERT(nr_types < TYPES_MAX);
    types[nr_types++] = fs;
}

const struct file_system *file_system_find(const char *name)
{
    for (unsigned int i = 0; i < nr_types; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

const struct file_system *file_system_at(unsigned int index)
{
    return index < nr_types ? types[index] : NULL;
}

struct timestamp timestamp_now(void)
{
    uint64_t ns = clock_realtime_ns();
    return (struct timestamp){(int64_t)(ns / NS_PER_SEC), (uint32_t)(ns % NS_PER_SEC)};
}

struct inode *inode_create(struct super_block *sb, const struct inode_ops *ops, mode_t mode,
                           uid_t uid, gid_t gid)
{
    struct inode *inode = slab_zalloc(inode_cache);
    if (!inode)
        return NULL;
    refcount_init(&inode->refs);
    inode->sb = sb;
    inode->ops = ops;
    inode->ino = atomic_add_fetch(&sb->next_ino, 1);
    mutex_init(&inode->lock);
    inode->mode = mode;
    inode->uid = uid;
    inode->gid = gid;
    inode->nlink = 1;
    inode->atime = inode->mtime = inode->ctime = inode->btime = timestamp_now();
    return inode;
}

struct inode *inode_create_in(struct inode *dir, const struct inode_ops *ops, mode_t mode,
                              const struct cred *cred)
{
    gid_t gid = cred->fsgid;
    if (dir->mode & S_ISGID) {
        gid = dir->gid;
        if (S_ISDIR(mode))
            mode |= S_ISGID;
        else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !cred_in_group(cred, gid) &&
                 !cred_has_cap(cred, CAP_FSETID))
            mode &= ~(mode_t)S_ISGID;
    }
    return inode_create(dir->sb, ops, mode, cred->fsuid, gid);
}

void inode_get(struct inode *inode)
{
    refcount_get(&inode->refs);
}

void inode_put(struct inode *inode)
{
    if (!inode || !refcount_put(&inode->refs))
        return;
    if (inode->ops->release)
        inode->ops->release(inode);
    if (inode->object)
        vm_object_put(inode->object);
    if (inode->locks)
        file_locks_free(inode->locks);
    slab_free(inode_cache, inode);
}

bool inode_is_owner(const struct inode *inode, const struct cred *cred)
{
    return inode->uid == cred->fsuid || cred_has_cap(cred, CAP_FOWNER);
}

int inode_permission(const struct inode *inode, unsigned int mask, const struct cred *cred)
{
    mode_t mode = inode->mode;
    // What everybody may, the owner and the group may, too.
    if ((mode & (mask * 0111)) == mask * 0111)
        return 0;
    mode_t class = mode;
    if (inode->uid == cred->fsuid)
        class = mode >> 6;
    else if (cred_in_group(cred, inode->gid))
        class = mode >> 3;
    if ((class & mask) == mask)
        return 0;
    // capabilities(7): DAC_OVERRIDE gives all but executing what nobody may execute.
    if (S_ISDIR(mode) || !(mask & 1) || (mode & 0111))
        if (cred_has_cap(cred, CAP_DAC_OVERRIDE))
            return 0;
    if ((mask == 4 || (S_ISDIR(mode) && !(mask & 2))) && cred_has_cap(cred, CAP_DAC_READ_SEARCH))
        return 0;
    return -EACCES;
}

void inode_drop_privileges(struct inode *inode, const struct cred *cred)
{
    mutex_assert_held(&inode->lock);
    mode_t drop = S_ISUID;
    if ((inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
        drop |= S_ISGID;
    if ((inode->mode & drop) && !cred_has_cap(cred, CAP_FSETID))
        inode->mode &= ~drop;
}

void inode_touch(struct inode *inode, unsigned int which)
{
    struct timestamp now = timestamp_now();
    if (which & TOUCH_ATIME)
        inode->atime = now;
    if (which & TOUCH_MTIME)
        inode->mtime = now;
    if (which & TOUCH_CTIME)
        inode->ctime = now;
}

static bool timestamp_is_after(const struct timestamp *a, const struct timestamp *b)
{
    return a->seconds > b->seconds || (a->seconds == b->seconds && a->nanoseconds > b->nanoseconds);
}

// mount(2) MS_RELATIME: only when it would not be later than the last change, or a day old.
static bool atime_is_due(const struct inode *inode)
{
    if (!timestamp_is_after(&inode->atime, &inode->mtime) ||
        !timestamp_is_after(&inode->atime, &inode->ctime))
        return true;
    return (int64_t)(clock_realtime_ns() / NS_PER_SEC) - inode->atime.seconds >= RELATIME_SECONDS;
}

void inode_accessed(const struct path *path)
{
    struct inode *inode = path->dentry->inode;
    unsigned long flags = path->mount->flags | path->mount->sb->flags;

    if (flags & (MS_NOATIME | MS_RDONLY))
        return;
    if ((flags & MS_NODIRATIME) && S_ISDIR(inode->mode))
        return;
    if (!(flags & MS_STRICTATIME) && !atime_is_due(inode))
        return;
    mutex_lock(&inode->lock);
    inode_touch(inode, TOUCH_ATIME);
    mutex_unlock(&inode->lock);
}

// Step away from zero in one direction, unless somebody went in the other.
static int writers_begin(struct inode *inode, int32_t step)
{
    int32_t now = atomic_load(&inode->writers);
    do
        if ((step > 0 && now < 0) || (step < 0 && now > 0))
            return -ETXTBSY;
    while (!atomic_compare_exchange(&inode->writers, &now, now + step));
    return 0;
}

int inode_write_begin(struct inode *inode)
{
    return writers_begin(inode, 1);
}

void inode_write_end(struct inode *inode)
{
    atomic_sub_fetch(&inode->writers, 1);
}

int inode_run_begin(struct inode *inode)
{
    return writers_begin(inode, -1);
}

void inode_run_end(struct inode *inode)
{
    atomic_add_fetch(&inode->writers, 1);
}
