// SPDX-License-Identifier: BSD-2-Clause
// fcntl(2), flock(2), ioctl(2).
#include <arch/uaccess.h>
#include <asm/ioctls.h>
#include <errno.h>
#include <fs/pipe.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

static void change_flags(struct file *f, uint32_t mask, uint32_t value)
{
    uint32_t old = atomic_load(&f->flags);
    while (!atomic_compare_exchange(&f->flags, &old, (old & ~mask) | (value & mask)))
        ;
}

static long set_flags(struct file *f, uint32_t flags)
{
    const struct cred *cred = thread_self()->cred;
    if ((flags & O_NOATIME) && !(f->flags & O_NOATIME) && f->inode->uid != cred->fsuid &&
        !cred_has_cap(cred, CAP_FOWNER))
        return -EPERM;
    change_flags(f, SETFL_MASK, flags);
    return 0;
}

static long duplicate(struct file *f, unsigned long min, bool cloexec)
{
    struct process *self = process_self();
    uint64_t limit = process_limit(self, RLIMIT_NOFILE);
    if (min >= limit || min >= FD_MAX)
        return -EINVAL;
    file_get(f);
    int fd = fd_install(self->fds, f, (unsigned int)min, limit, cloexec);
    if (fd < 0)
        file_put(f);
    return fd;
}

// struct flock to a half-open range. 0, -EINVAL, -EOVERFLOW.
static int range_of(const struct file *f, const struct flock *l, struct file_lock_request *r)
{
    int64_t base = 0, start, end;
    if (l->l_type != F_RDLCK && l->l_type != F_WRLCK && l->l_type != F_UNLCK)
        return -EINVAL;
    if (l->l_whence == SEEK_CUR)
        base = (int64_t)f->offset;
    else if (l->l_whence == SEEK_END)
        base = (int64_t)f->inode->size;
    else if (l->l_whence != SEEK_SET)
        return -EINVAL;
    if (__builtin_add_overflow(base, l->l_start, &start))
        return -EOVERFLOW;
    if (__builtin_add_overflow(start, l->l_len, &end))
        return -EOVERFLOW;
    if (l->l_len < 0) { // the bytes before start
        int64_t t = start;
        start = end;
        end = t;
    }
    if (start < 0)
        return -EINVAL;
    r->type = l->l_type;
    r->start = (uint64_t)start;
    r->end = l->l_len == 0 ? UINT64_MAX : (uint64_t)end;
    return 0;
}

// Another thread may have closed the descriptor, and with it the owner's locks, while this one
// waited: then nobody would ever release what it got.
static long set_record_lock(int fd, struct file *f, struct file_lock_request *r, bool wait)
{
    int err = file_lock_set(f, r, wait);
    if (err != 0 || r->type == F_UNLCK || r->owner == f)
        return err;
    struct file *now = fd_get(process_self()->fds, fd);
    if (now != f) {
        r->type = F_UNLCK;
        r->start = 0;
        r->end = UINT64_MAX;
        (void)file_lock_set(f, r, false);
        err = -EBADF;
    }
    if (now)
        file_put(now);
    return err;
}

static long record_lock(int fd, struct file *f, unsigned int command, vaddr_t user)
{
    struct process *self = process_self();
    struct file_lock_request r;
    struct flock l;
    bool ofd = command >= F_OFD_GETLK;
    bool get = command == F_GETLK || command == F_OFD_GETLK;
    bool wait = command == F_SETLKW || command == F_OFD_SETLKW;

    if (user_copy_in(&l, user, sizeof(l)) != 0)
        return -EFAULT;
    if (ofd && l.l_pid != 0)
        return -EINVAL;
    if (get && l.l_type == F_UNLCK && !ofd)
        return -EINVAL;
    int err = range_of(f, &l, &r);
    if (err != 0)
        return err;
    r.owner = ofd ? (const void *)f : (const void *)self->fds;
    r.pid = ofd ? -1 : self->pid;
    if (!get) {
        if ((r.type == F_RDLCK && !f->can_read) || (r.type == F_WRLCK && !f->can_write))
            return -EBADF;
        return set_record_lock(fd, f, &r, wait);
    }
    file_lock_test(f, &r);
    l.l_type = (short)r.type;
    if (r.type != F_UNLCK) {
        l.l_whence = SEEK_SET;
        l.l_start = (long)r.start;
        l.l_len = r.end == UINT64_MAX ? 0 : (long)(r.end - r.start);
        l.l_pid = r.pid;
    }
    return user_copy_out(user, &l, sizeof(l));
}

// Commands that work on O_PATH descriptors, too; -EAGAIN (never an answer of theirs): another one.
static long control_descriptor(int fd, struct file *f, unsigned int command, unsigned long arg)
{
    struct fd_table *fds = process_self()->fds;
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return duplicate(f, arg & UINT_MAX, command == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return fd_get_cloexec(fds, fd);
    case F_SETFD:
        return fd_set_cloexec(fds, fd, arg & FD_CLOEXEC);
    case F_GETFL:
        return f->flags;
    default:
        return f->flags & O_PATH ? -EBADF : -EAGAIN;
    }
}

static long control_file(int fd, struct file *f, unsigned int command, unsigned long arg)
{
    switch (command) {
    case F_SETFL:
        return set_flags(f, (uint32_t)arg);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return record_lock(fd, f, command, arg);
    case F_GETOWN:
        return f->owner;
    case F_SETOWN:
        f->owner = (pid_t)arg;
        return 0;
    case F_GETSIG:
        return 0;
    case F_ADD_SEALS:
        return file_add_seals(f, (unsigned int)arg);
    case F_GET_SEALS:
        return file_get_seals(f);
    case F_GETPIPE_SZ:
        return pipe_get_size(f);
    case F_SETPIPE_SZ:
        return pipe_set_size(f, arg & UINT_MAX, thread_self()->cred);
    default:
        return -EINVAL;
    }
}

long sys_fcntl(int fd, unsigned int command, unsigned long arg)
{
    struct fd_ref ref = sys_file_borrow_any(fd);
    if (!ref.file)
        return -EBADF;
    long result = control_descriptor(fd, ref.file, command, arg);
    if (result == -EAGAIN)
        result = control_file(fd, ref.file, command, arg);
    fd_return(ref);
    return result;
}

long sys_flock(int fd, unsigned int operation)
{
    struct fd_ref ref;
    int type;
    switch (operation & ~(unsigned int)LOCK_NB) {
    case LOCK_SH:
        type = F_RDLCK;
        break;
    case LOCK_EX:
        type = F_WRLCK;
        break;
    case LOCK_UN:
        type = F_UNLCK;
        break;
    default:
        return -EINVAL;
    }
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    err = file_lock_flock(ref.file, type, !(operation & LOCK_NB));
    fd_return(ref);
    return err;
}

static long set_nonblocking(struct file *f, vaddr_t user)
{
    int on;
    if (user_copy_in(&on, user, sizeof(on)) != 0)
        return -EFAULT;
    change_flags(f, O_NONBLOCK, on ? O_NONBLOCK : 0);
    return 0;
}

static long bytes_left(const struct file *f, vaddr_t user)
{
    int left = (int)(f->inode->size - f->offset);
    return user_copy_out(user, &left, sizeof(left));
}

long sys_ioctl(int fd, unsigned int request, unsigned long arg)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    struct file *f = ref.file;
    long result = -ENOTTY;
    if (request == FIOCLEX || request == FIONCLEX)
        result = fd_set_cloexec(process_self()->fds, fd, request == FIOCLEX);
    else if (request == FIONBIO)
        result = set_nonblocking(f, arg);
    else if (request == FIONREAD && S_ISREG(f->inode->mode))
        result = bytes_left(f, arg);
    else if (f->ops->ioctl)
        result = f->ops->ioctl(f, request, arg);
    fd_return(ref);
    return result;
}
