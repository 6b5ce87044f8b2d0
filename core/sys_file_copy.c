// SPDX-License-Identifier: BSD-2-Clause
// Copies inside the kernel: sendfile(2), copy_file_range(2), through a buffer; splice(2), tee(2),
// through the pages of pipes (fs/pipe.h).
//
// The source is read at a position of its own, which moves by what the destination took.
#include <arch/uaccess.h>
#include <errno.h>
#include <fs/pipe.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <mm/slab.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

#define BUFFER_SIZE (16 * PAGE_SIZE)
#define COPY_MAX    ((size_t)INT_MAX & PAGE_MASK)

struct copy {
    struct file *in, *out;
    uint64_t in_offset, out_offset;
    uint64_t *in_at, *out_at; // these, or NULL: a pipe or the like
    size_t left;
    size_t chunk;
    char *buffer;
    bool nonblock; // splice
};

static ssize_t transfer(struct file *f, void *buffer, size_t size, uint64_t *at, bool write)
{
    struct uio_segment segment;
    struct uio uio;
    uio_init_kernel(&uio, &segment, buffer, size);
    return write ? file_write(f, &uio, at) : file_read(f, &uio, at);
}

// Write all of n bytes if possible. Bytes written, or -errno if none.
static ssize_t write_out(struct copy *c, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t part = transfer(c->out, c->buffer + done, n - done, c->out_at, true);
        if (part <= 0)
            return done ? (ssize_t)done : part;
        done += (size_t)part;
    }
    return (ssize_t)done;
}

// Bytes copied, or -errno if none.
static ssize_t copy_run(struct copy *c)
{
    size_t total = 0;
    ssize_t n = 0;
    while (c->left > 0) {
        uint64_t at = c->in_at ? *c->in_at : 0;
        size_t want = MIN(c->left, c->chunk);
        n = transfer(c->in, c->buffer, want, c->in_at ? &at : NULL, false);
        if (n <= 0)
            break;
        size_t taken = (size_t)n;
        n = write_out(c, taken);
        if (n <= 0)
            break;
        if (c->in_at)
            *c->in_at += (uint64_t)n;
        total += (size_t)n;
        c->left -= (size_t)n;
        if ((size_t)n < taken || signal_is_pending(thread_self()))
            break;
        sched_relax();
    }
    return total ? (ssize_t)total : n;
}

static ssize_t copy_files(struct copy *c)
{
    if (!c->in->can_read || !c->out->can_write)
        return -EBADF;
    if (c->left == 0)
        return 0;
    int err = sys_file_limit(c->out, c->out_at, &c->left);
    if (err != 0)
        return err;
    c->chunk = MIN(ALIGN_UP(c->left, PAGE_SIZE), BUFFER_SIZE);
    c->buffer = kmalloc(c->chunk);
    if (!c->buffer) {
        c->chunk = PAGE_SIZE;
        c->buffer = kmalloc(c->chunk);
    }
    if (!c->buffer)
        return -ENOMEM;
    c->left = MIN(c->left, COPY_MAX);
    ssize_t n = copy_run(c);
    kfree(c->buffer);
    return n;
}

struct two_files {
    struct fd_ref in, out;
};

static int borrow_two(struct two_files *two, int in, int out)
{
    int err = sys_file_borrow(in, &two->in);
    if (err != 0)
        return err;
    err = sys_file_borrow(out, &two->out);
    if (err != 0)
        fd_return(two->in);
    return err;
}

static void return_two(struct two_files *two)
{
    fd_return(two->in);
    fd_return(two->out);
}

static int read_offset(vaddr_t user, uint64_t *at)
{
    if (user_copy_in(at, user, sizeof(*at)) != 0)
        return -EFAULT;
    return (int64_t)*at < 0 ? -EINVAL : 0;
}

// With the files' own positions, or with positions given in user memory and written back.
static ssize_t copy_with_offsets(struct copy *c, vaddr_t user_in, vaddr_t user_out,
                                 ssize_t (*run)(struct copy *c))
{
    struct file *in = c->in, *out = c->out;
    if ((user_in && in->ops->stream) || (user_out && out->ops->stream))
        return -ESPIPE;
    c->in_offset = in->offset;
    c->out_offset = out->offset;
    int err = user_in ? read_offset(user_in, &c->in_offset) : 0;
    if (err == 0 && user_out)
        err = read_offset(user_out, &c->out_offset);
    if (err != 0)
        return err;
    c->in_at = in->ops->stream ? NULL : &c->in_offset;
    c->out_at = out->ops->stream ? NULL : &c->out_offset;
    ssize_t n = run(c);
    if (n <= 0)
        return n;
    if (user_in)
        err = user_copy_out(user_in, &c->in_offset, sizeof(c->in_offset));
    else if (c->in_at)
        in->offset = c->in_offset;
    if (err == 0 && user_out)
        err = user_copy_out(user_out, &c->out_offset, sizeof(c->out_offset));
    else if (!user_out && c->out_at)
        out->offset = c->out_offset;
    return err != 0 ? err : n;
}

static ssize_t copy_two(struct two_files *two, vaddr_t user_in, vaddr_t user_out, size_t size)
{
    struct copy c = {.in = two->in.file, .out = two->out.file, .left = size};
    if (c.in->ops->stream)
        return user_in ? -ESPIPE : -EINVAL;
    return copy_with_offsets(&c, user_in, user_out, copy_files);
}

long sys_sendfile(int out, int in, vaddr_t offset, size_t size)
{
    struct two_files two;
    int err = borrow_two(&two, in, out);
    if (err != 0)
        return err;
    ssize_t n = -EINVAL;
    if (!two.in.file->can_read || !two.out.file->can_write)
        n = -EBADF;
    else if (!(two.out.file->flags & O_APPEND) && !S_ISDIR(two.in.file->inode->mode))
        n = copy_two(&two, offset, 0, size);
    if (n == -EPIPE && S_ISFIFO(two.out.file->inode->mode))
        signal_send_thread(thread_self(), SIGPIPE, NULL);
    return_two(&two);
    return n;
}

static ssize_t copy_range(struct two_files *two, vaddr_t in_at, vaddr_t out_at, size_t size)
{
    const struct file *in = two->in.file, *out = two->out.file;
    if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
        return -EISDIR;
    if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
        return -EINVAL;
    if (!in->can_read || !out->can_write || (out->flags & O_APPEND))
        return -EBADF;
    if (in->inode == out->inode) {
        uint64_t from = in->offset, to = out->offset;
        if ((in_at && read_offset(in_at, &from) != 0) || (out_at && read_offset(out_at, &to) != 0))
            return -EFAULT;
        if (from < to + size && to < from + size)
            return -EINVAL;
    }
    return copy_two(two, in_at, out_at, size);
}

long sys_copy_file_range(int in, vaddr_t in_at, int out, vaddr_t out_at, size_t size,
                         unsigned int flags)
{
    struct two_files two;
    int err = borrow_two(&two, in, out);
    if (err != 0)
        return err;
    ssize_t n = flags != 0 ? -EINVAL : copy_range(&two, in_at, out_at, size);
    return_two(&two);
    return n;
}

static bool is_nonblock(const struct file *f)
{
    return (f->flags & O_NONBLOCK) != 0;
}

static ssize_t splice_run(struct copy *c)
{
    bool from_pipe = file_is_pipe(c->in), to_pipe = file_is_pipe(c->out);
    bool nonblock =
        c->nonblock || (from_pipe && is_nonblock(c->in)) || (to_pipe && is_nonblock(c->out));
    if (from_pipe && to_pipe)
        return pipe_splice_to_pipe(c->in, c->out, c->left, nonblock, false);
    if (from_pipe) {
        int err = sys_file_limit(c->out, c->out_at, &c->left);
        return err != 0 ? err : pipe_splice_to_file(c->in, c->out, c->out_at, c->left, nonblock);
    }
    return pipe_splice_from_file(c->in, c->in_at, c->out, c->left, nonblock);
}

static ssize_t splice(struct two_files *two, vaddr_t in_at, vaddr_t out_at, size_t size,
                      unsigned int flags)
{
    struct copy c = {.in = two->in.file, .out = two->out.file, .left = MIN(size, COPY_MAX)};
    if (!c.in->can_read || !c.out->can_write)
        return -EBADF;
    if (!(file_is_pipe(c.in) || file_is_pipe(c.out)) || c.in->inode == c.out->inode ||
        (c.out->flags & O_APPEND))
        return -EINVAL;
    c.nonblock = (flags & SPLICE_F_NONBLOCK) != 0;
    return copy_with_offsets(&c, in_at, out_at, splice_run);
}

long sys_splice(int in, vaddr_t in_at, int out, vaddr_t out_at, size_t size, unsigned int flags)
{
    struct two_files two;
    if (size == 0)
        return 0;
    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    int err = borrow_two(&two, in, out);
    if (err != 0)
        return err;
    ssize_t n = splice(&two, in_at, out_at, size, flags);
    if (n == -EPIPE)
        signal_send_thread(thread_self(), SIGPIPE, NULL);
    return_two(&two);
    return n;
}

static ssize_t tee(const struct two_files *two, size_t size, unsigned int flags)
{
    struct file *in = two->in.file, *out = two->out.file;
    if (!in->can_read || !out->can_write)
        return -EBADF;
    if (!file_is_pipe(in) || !file_is_pipe(out) || in->inode == out->inode)
        return -EINVAL;
    bool nonblock = (flags & SPLICE_F_NONBLOCK) || is_nonblock(in) || is_nonblock(out);
    return pipe_splice_to_pipe(in, out, size, nonblock, true);
}

long sys_tee(int in, int out, size_t size, unsigned int flags)
{
    struct two_files two;
    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    if (size == 0)
        return 0;
    int err = borrow_two(&two, in, out);
    if (err != 0)
        return err;
    ssize_t n = tee(&two, size, flags);
    if (n == -EPIPE)
        signal_send_thread(thread_self(), SIGPIPE, NULL);
    return_two(&two);
    return n;
}
