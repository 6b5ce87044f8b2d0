// SPDX-License-Identifier: BSD-2-Clause
// Calls that look at and change a file's attributes by name: newfstatat(2), statx(2), access(2),
// chmod(2), chown(2), utimensat(2), truncate(2), statfs(2).

#include "path_arguments_priv.h"
#include "stat_priv.h"
#include "syscalls_priv.h"

#include <arch/uaccess.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/stat.h>
#include <linux/time_types.h>
#include <mm/slab.h>
#include <string.h>

#define UTIME_NOW  ((1L << 30) - 1L)
#define UTIME_OMIT ((1L << 30) - 2L)

long sys_newfstatat(int dirfd, vaddr_t path, vaddr_t buf, int flags)
{
    struct path found;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
        return -EINVAL;
    int err = path_argument_lookup(dirfd, path, path_flags_of_at(flags, true), &found);
    if (err)
        return err;
    struct stat st;
    stat_fill(found.dentry->inode, &st);
    path_put(&found);
    return user_copy_out(buf, &st, sizeof(st));
}

long sys_statx(int dirfd, vaddr_t path, int flags, unsigned int mask, vaddr_t buf)
{
    struct path found;
    int known = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;

    if ((flags & ~known) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
        (mask & STATX__RESERVED))
        return -EINVAL;
    int err = path_argument_lookup(dirfd, path, path_flags_of_at(flags, true), &found);
    if (err)
        return err;
    struct statx stx;
    stat_fill_statx(&found, &stx);
    path_put(&found);
    return user_copy_out(buf, &stx, sizeof(stx));
}

// access(2) asks with the real ids, AT_EACCESS with the effective ones.
static long check_access(int dirfd, vaddr_t path, int mode, int flags)
{
    const struct cred *mine = thread_self()->cred;
    struct cred real = *mine;
    struct path found;

    if ((mode & ~7) || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
        return -EINVAL;
    if (!(flags & AT_EACCESS)) {
        real.fsuid = mine->uid;
        real.fsgid = mine->gid;
        real.cap_effective = mine->uid == 0 ? mine->cap_permitted : 0;
    }
    int err =
        path_argument_lookup(dirfd, path, path_flags_of_at(flags & ~AT_EACCESS, true), &found);
    if (err)
        return err;
    err = mode == 0 ? 0 : path_permission(&found, (unsigned int)mode, &real);
    path_put(&found);
    return err;
}

long sys_faccessat(int dirfd, vaddr_t path, int mode)
{
    return check_access(dirfd, path, mode, 0);
}

long sys_faccessat2(int dirfd, vaddr_t path, int mode, int flags)
{
    return check_access(dirfd, path, mode, flags);
}

long sys_fchmodat(int dirfd, vaddr_t path, mode_t mode)
{
    struct path found;
    int err = path_argument_lookup(dirfd, path, PATH_FOLLOW, &found);

    if (err)
        return err;
    err = path_chmod(&found, mode & 07777, thread_self()->cred);
    path_put(&found);
    return err;
}

long sys_fchownat(int dirfd, vaddr_t path, uid_t uid, gid_t gid, int flags)
{
    struct path found;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int err = path_argument_lookup(dirfd, path, path_flags_of_at(flags, true), &found);
    if (err)
        return err;
    err = path_chown(&found, uid, gid, thread_self()->cred);
    path_put(&found);
    return err;
}

// One of the two times of utimensat. *now: UTIME_NOW; *time NULL: UTIME_OMIT.
static int parse_time(const struct __kernel_timespec *ts, struct timestamp *buf,
                      const struct timestamp **time, bool *now)
{
    *time = NULL;
    *now = ts->tv_nsec == UTIME_NOW;
    if (ts->tv_nsec == UTIME_NOW) {
        *buf = timestamp_now();
        *time = buf;
    } else if (ts->tv_nsec != UTIME_OMIT) {
        if (ts->tv_nsec < 0 || ts->tv_nsec >= (long long)NS_PER_SEC)
            return -EINVAL;
        *buf = (struct timestamp){ts->tv_sec, (uint32_t)ts->tv_nsec};
        *time = buf;
    }
    return 0;
}

long sys_utimensat(int dirfd, vaddr_t path, vaddr_t times, int flags)
{
    struct __kernel_timespec ts[2];
    struct timestamp buf[2];
    const struct timestamp *atime = NULL, *mtime = NULL;
    bool now = times == 0, atime_now, mtime_now;
    struct path found;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (times != 0) {
        int err = user_copy_in(ts, times, sizeof(ts));
        if (!err)
            err = parse_time(&ts[0], &buf[0], &atime, &atime_now);
        if (!err)
            err = parse_time(&ts[1], &buf[1], &mtime, &mtime_now);
        if (err)
            return err;
        if (!atime && !mtime)
            return 0;
        now = atime_now && mtime_now;
    }
    unsigned int walk = path_flags_of_at(flags, true);
    if (path == 0) // futimens(3): the descriptor itself
        walk |= PATH_EMPTY;
    if (path == 0 && dirfd == AT_FDCWD)
        return -EFAULT;
    int err = path_argument_lookup(dirfd, path, walk, &found);
    if (err)
        return err;
    err = path_utimens(&found, now ? NULL : atime, now ? NULL : mtime, now, thread_self()->cred);
    path_put(&found);
    return err;
}

long sys_truncate(vaddr_t path, off_t size)
{
    struct path found;

    if (size < 0)
        return -EINVAL;
    int err = path_argument_lookup(AT_FDCWD, path, PATH_FOLLOW, &found);
    if (err)
        return err;
    err = path_truncate(&found, (uint64_t)size, thread_self()->cred);
    path_put(&found);
    return err;
}

long sys_statfs(vaddr_t path, vaddr_t buf)
{
    struct path found;
    struct statfs st;
    int err = path_argument_lookup(AT_FDCWD, path, PATH_FOLLOW, &found);

    if (err)
        return err;
    memset(&st, 0, sizeof(st));
    err = path_statfs(&found, &st);
    path_put(&found);
    return err ? err : user_copy_out(buf, &st, sizeof(st));
}
