// SPDX-License-Identifier: BSD-2-Clause
// Rights, owners, times and size of files: faccessat2(2), fchmodat(2), fchownat(2), utimensat(2),
// truncate(2), and the forms for descriptors.
#include <arch/uaccess.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <linux/time_types.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

#define MODE_MASK   7 // R_OK | W_OK | X_OK
#define UTIME_NOW_  ((1L << 30) - 1)
#define UTIME_OMIT_ ((1L << 30) - 2)

static unsigned int walk_flags(int flags)
{
    return (flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW) |
           (flags & AT_EMPTY_PATH ? PATH_EMPTY : 0);
}

// access(2) asks for the real user: his ids, and capabilities only if he is root.
static const struct cred *real_cred(struct cred *copy)
{
    const struct cred *c = thread_self()->cred;
    if (c->fsuid == c->uid && c->fsgid == c->gid &&
        (c->uid != 0 || c->cap_effective == c->cap_permitted))
        return c;
    *copy = *c;
    copy->fsuid = c->uid;
    copy->fsgid = c->gid;
    copy->cap_effective = c->uid == 0 ? c->cap_permitted : 0;
    return copy;
}

static long check_access(int dirfd, vaddr_t name, int mode, int flags)
{
    struct cred copy;
    struct sys_path p;
    struct path path;
    if ((mode & ~MODE_MASK) || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
        return -EINVAL;
    const struct cred *cred = flags & AT_EACCESS ? thread_self()->cred : real_cred(&copy);
    int err = sys_path_begin(&p, dirfd, name);
    if (err != 0)
        return err;
    p.walk.cred = cred;
    err = path_lookup(&p.walk, p.name, walk_flags(flags), &path);
    if (err == 0) {
        err = mode == 0 ? 0 : path_permission(&path, (unsigned int)mode, cred);
        path_put(&path);
    }
    sys_path_end(&p);
    return err;
}

long sys_faccessat(int dirfd, vaddr_t name, int mode)
{
    return check_access(dirfd, name, mode, 0);
}

long sys_faccessat2(int dirfd, vaddr_t name, int mode, int flags)
{
    return check_access(dirfd, name, mode, flags);
}

long sys_fchmod(int fd, mode_t mode)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    err = path_chmod(&ref.file->path, mode, thread_self()->cred);
    fd_return(ref);
    return err;
}

long sys_fchmodat2(int dirfd, vaddr_t name, mode_t mode, unsigned int flags)
{
    struct path path;
    if (flags & ~(unsigned int)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int err = sys_path_lookup(dirfd, name, walk_flags((int)flags), &path);
    if (err != 0)
        return err;
    err = path_chmod(&path, mode, thread_self()->cred);
    path_put(&path);
    return err;
}

long sys_fchmodat(int dirfd, vaddr_t name, mode_t mode)
{
    return sys_fchmodat2(dirfd, name, mode, 0);
}

long sys_fchown(int fd, uid_t uid, gid_t gid)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    err = path_chown(&ref.file->path, uid, gid, thread_self()->cred);
    fd_return(ref);
    return err;
}

long sys_fchownat(int dirfd, vaddr_t name, uid_t uid, gid_t gid, int flags)
{
    struct path path;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int err = sys_path_lookup(dirfd, name, walk_flags(flags), &path);
    if (err != 0)
        return err;
    err = path_chown(&path, uid, gid, thread_self()->cred);
    path_put(&path);
    return err;
}

// One of the two times: *t is NULL to leave it. 0 or -EINVAL.
static int time_of(const struct __kernel_timespec *ts, struct timestamp *room,
                   const struct timestamp **t)
{
    *t = room;
    if (ts->tv_nsec == UTIME_OMIT_) {
        *t = NULL;
    } else if (ts->tv_nsec == UTIME_NOW_) {
        *room = timestamp_now();
    } else if (ts->tv_nsec < 0 || ts->tv_nsec >= (long long)NS_PER_SEC) {
        return -EINVAL;
    } else {
        room->seconds = ts->tv_sec;
        room->nanoseconds = (uint32_t)ts->tv_nsec;
    }
    return 0;
}

struct new_times {
    bool now, nothing;
    struct timestamp room[2];
    const struct timestamp *atime, *mtime;
};

static int read_times(vaddr_t user, struct new_times *n)
{
    struct __kernel_timespec ts[2];
    *n = (struct new_times){.now = user == 0};
    if (user == 0)
        return 0;
    if (user_copy_in(ts, user, sizeof(ts)) != 0)
        return -EFAULT;
    int err = time_of(&ts[0], &n->room[0], &n->atime);
    if (err == 0)
        err = time_of(&ts[1], &n->room[1], &n->mtime);
    n->now = ts[0].tv_nsec == UTIME_NOW_ && ts[1].tv_nsec == UTIME_NOW_;
    n->nothing = !n->atime && !n->mtime && !n->now;
    return err;
}

long sys_utimensat(int dirfd, vaddr_t name, vaddr_t times, int flags)
{
    struct new_times n;
    struct path path;
    int err = read_times(times, &n);
    if (err != 0 || n.nothing)
        return err;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (name == 0) { // futimens(3)
        if (flags != 0)
            return -EINVAL;
        struct fd_ref ref;
        err = sys_file_borrow(dirfd, &ref);
        if (err != 0)
            return err;
        err = path_utimens(&ref.file->path, n.atime, n.mtime, n.now, thread_self()->cred);
        fd_return(ref);
        return err;
    }
    err = sys_path_lookup(dirfd, name, walk_flags(flags), &path);
    if (err != 0)
        return err;
    err = path_utimens(&path, n.atime, n.mtime, n.now, thread_self()->cred);
    path_put(&path);
    return err;
}

long sys_truncate(vaddr_t name, long size)
{
    struct path path;
    if (size < 0)
        return -EINVAL;
    int err = sys_path_lookup(AT_FDCWD, name, PATH_FOLLOW, &path);
    if (err != 0)
        return err;
    err = path_truncate(&path, (uint64_t)size, thread_self()->cred);
    path_put(&path);
    return err;
}
