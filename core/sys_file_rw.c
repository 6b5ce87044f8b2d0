// SPDX-License-Identifier: BSD-2-Clause
// read(2), write(2) and their vector and positioned forms, vmsplice(2), lseek(2).
#include <arch/uaccess.h>
#include <errno.h>
#include <fs/pipe.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <linux/uio.h>
#include <mm/slab.h>
#include <string.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

#define TRANSFER_MAX   ((size_t)INT_MAX & PAGE_MASK) // MAX_RW_COUNT
#define SEGMENTS_SMALL 8

// write(2): SIGPIPE for whoever writes to a pipe that nobody reads.
static void send_sigpipe(void)
{
    struct process *self = process_self();
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    info.si_signo = SIGPIPE;
    info.si_code = SI_USER;
    info.si_pid = self->pid;
    info.si_uid = thread_self()->cred->uid;
    signal_send_thread(thread_self(), SIGPIPE, &info);
}

int sys_file_limit(const struct file *f, const uint64_t *offset, size_t *size)
{
    uint64_t limit = process_limit(process_self(), RLIMIT_FSIZE);
    if (likely(limit == RLIM_INFINITY) || !S_ISREG(f->inode->mode))
        return 0;
    uint64_t at = f->flags & O_APPEND ? f->inode->size : offset ? *offset : f->offset;
    if (at >= limit) {
        signal_send_thread(thread_self(), SIGXFSZ, NULL);
        return -EFBIG;
    }
    *size = MIN(*size, limit - at);
    return 0;
}

static ssize_t write_file(struct file *f, struct uio *uio, uint64_t *offset)
{
    int err = sys_file_limit(f, offset, &uio->left);
    if (err != 0)
        return err;
    ssize_t n = file_write(f, uio, offset);
    if (n == -EPIPE && S_ISFIFO(f->inode->mode))
        send_sigpipe();
    return n;
}

static bool is_user_range(vaddr_t base, size_t size)
{
    return size <= USER_END && base <= USER_END - size;
}

static ssize_t transfer(int fd, vaddr_t base, size_t size, uint64_t *offset, bool write)
{
    struct fd_ref ref;
    struct uio uio;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    ssize_t n = -EFAULT;
    if (is_user_range(base, size)) {
        struct uio_segment segment = {base, MIN(size, TRANSFER_MAX)};
        uio_init_user(&uio, &segment, 1);
        n = write ? write_file(ref.file, &uio, offset) : file_read(ref.file, &uio, offset);
    } else if (write ? !ref.file->can_write : !ref.file->can_read) {
        n = -EBADF;
    }
    fd_return(ref);
    return n;
}

long sys_read(int fd, vaddr_t buf, size_t size)
{
    return transfer(fd, buf, size, NULL, false);
}

long sys_write(int fd, vaddr_t buf, size_t size)
{
    return transfer(fd, buf, size, NULL, true);
}

long sys_pread64(int fd, vaddr_t buf, size_t size, long offset)
{
    uint64_t at = (uint64_t)offset;
    return offset < 0 ? -EINVAL : transfer(fd, buf, size, &at, false);
}

long sys_pwrite64(int fd, vaddr_t buf, size_t size, long offset)
{
    uint64_t at = (uint64_t)offset;
    return offset < 0 ? -EINVAL : transfer(fd, buf, size, &at, true);
}

// Check segments copied from user memory and cut them where a transfer must end. 0, -EINVAL,
// -EFAULT.
static int check_segments(struct uio_segment *segments, unsigned int nr)
{
    size_t room = TRANSFER_MAX;
    for (unsigned int i = 0; i < nr; i++) {
        struct uio_segment *s = &segments[i];
        if ((ssize_t)s->size < 0)
            return -EINVAL;
        if (!is_user_range(s->base, s->size))
            return -EFAULT;
        s->size = MIN(s->size, room);
        room -= s->size;
    }
    return 0;
}

_Static_assert(sizeof(struct uio_segment) == sizeof(struct iovec), "a segment is an iovec");

// What is done with a file and memory: file_read, write_file, or a direction of vmsplice(2).
typedef ssize_t transfer_fn(struct file *f, struct uio *uio, uint64_t *offset);

static ssize_t transfer_segments(struct file *f, vaddr_t vector, unsigned int nr, uint64_t *offset,
                                 transfer_fn *fn)
{
    struct uio_segment small[SEGMENTS_SMALL], *segments = small;
    struct uio uio;
    if (nr > SEGMENTS_SMALL) {
        segments = kmalloc(nr * sizeof(*segments));
        if (!segments)
            return -ENOMEM;
    }
    ssize_t n = user_copy_in(segments, vector, nr * sizeof(*segments));
    if (n == 0)
        n = check_segments(segments, nr);
    if (n == 0) {
        uio_init_user(&uio, segments, nr);
        n = fn(f, &uio, offset);
    }
    if (segments != small)
        kfree(segments);
    return n;
}

static ssize_t transfer_vector(int fd, vaddr_t vector, size_t nr, uint64_t *offset, bool write)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    ssize_t n;
    if (write ? !ref.file->can_write : !ref.file->can_read)
        n = -EBADF;
    else if (nr > UIO_MAXIOV)
        n = -EINVAL;
    else
        n = transfer_segments(ref.file, vector, (unsigned int)nr, offset,
                              write ? write_file : file_read);
    fd_return(ref);
    return n;
}

long sys_readv(int fd, vaddr_t vector, size_t nr)
{
    return transfer_vector(fd, vector, nr, NULL, false);
}

long sys_writev(int fd, vaddr_t vector, size_t nr)
{
    return transfer_vector(fd, vector, nr, NULL, true);
}

static ssize_t splice_in(struct file *f, struct uio *uio, uint64_t *offset)
{
    ssize_t n = pipe_splice_from_user(f, uio, (f->flags & O_NONBLOCK) != 0);
    if (n == -EPIPE)
        send_sigpipe();
    return n;
}

static ssize_t splice_in_now(struct file *f, struct uio *uio, uint64_t *offset)
{
    ssize_t n = pipe_splice_from_user(f, uio, true);
    if (n == -EPIPE)
        send_sigpipe();
    return n;
}

// The bytes are copied: a caller who gives pages away (SPLICE_F_GIFT) can't tell.
static ssize_t vmsplice(struct file *f, vaddr_t vector, size_t nr, unsigned int flags)
{
    bool now = (flags & SPLICE_F_NONBLOCK) != 0;
    if (!file_is_pipe(f))
        return -EBADF;
    if (nr > UIO_MAXIOV)
        return -EINVAL;
    if (f->can_write)
        return transfer_segments(f, vector, (unsigned int)nr, NULL,
                                 now ? splice_in_now : splice_in);
    return transfer_segments(f, vector, (unsigned int)nr, NULL, now ? pipe_read_now : file_read);
}

long sys_vmsplice(int fd, vaddr_t vector, size_t nr, unsigned int flags)
{
    struct fd_ref ref;
    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    ssize_t n = vmsplice(ref.file, vector, nr, flags);
    fd_return(ref);
    return n;
}

long sys_preadv(int fd, vaddr_t vector, size_t nr, long offset)
{
    uint64_t at = (uint64_t)offset;
    return offset < 0 ? -EINVAL : transfer_vector(fd, vector, nr, &at, false);
}

long sys_pwritev(int fd, vaddr_t vector, size_t nr, long offset)
{
    uint64_t at = (uint64_t)offset;
    return offset < 0 ? -EINVAL : transfer_vector(fd, vector, nr, &at, true);
}

// preadv2(2): hints and what memory files fulfil by themselves; the others are refused.
static int check_rwf(int flags)
{
    return flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC) ? -EOPNOTSUPP : 0;
}

long sys_preadv2(int fd, vaddr_t vector, size_t nr, long offset, long high, int flags)
{
    int err = check_rwf(flags);
    if (err != 0)
        return err;
    return offset == -1 ? sys_readv(fd, vector, nr) : sys_preadv(fd, vector, nr, offset);
}

long sys_pwritev2(int fd, vaddr_t vector, size_t nr, long offset, long high, int flags)
{
    int err = check_rwf(flags);
    if (err != 0)
        return err;
    return offset == -1 ? sys_writev(fd, vector, nr) : sys_pwritev(fd, vector, nr, offset);
}

long sys_lseek(int fd, long offset, int whence)
{
    struct fd_ref ref;
    int err = sys_file_borrow(fd, &ref);
    if (err != 0)
        return err;
    long result = (unsigned int)whence > SEEK_MAX ? -EINVAL : file_seek(ref.file, offset, whence);
    fd_return(ref);
    return result;
}
