// SPDX-License-Identifier: BSD-2-Clause
// Copies inside the kernel: sendfile(2), copy_file_range(2), from the pages of a file that has
// them, else through a buffer; splice(2), tee(2), through the pages of pipes (fs/pipe.h).
//
// The source is read at a position of its own, which moves by what the destination took.
#include <arch/uaccess.h>
#include <errno.h>
#include <fs/pipe.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <lib/atomic.h>
#include <mm/slab.h>
#include <mm/vm_object.h>

#include "sys_path_priv.h"
#include "syscalls_priv.h"

#define BUFFER_PAGES 16
#define COPY_MAX     ((size_t)INT_MAX & PAGE_MASK)

struct copy {
    struct file *in, *out;
    uint64_t in_offset, out_offset;
    uint64_t *in_at, *out_at; // these, or NULL: a pipe or the like
    size_t left;
    bool nonblock; // splice
    // Of copy_files(): what is to be written next, in a buffer or in pages of the source.
    char *buffer;
    size_t buffer_size;
    struct page *pages[BUFFER_PAGES];
    struct uio_segment segments[BUFFER_PAGES];
    unsigned int nr_pages;
};

static int copy_get_buffer(struct copy *c)
{
    c->buffer_size = MIN(ALIGN_UP(c->left, PAGE_SIZE), BUFFER_PAGES * PAGE_SIZE);
    c->buffer = kmalloc(c->buffer_size);
    if (!c->buffer) {
        c->buffer_size = PAGE_SIZE;
        c->buffer = kmalloc(c->buffer_size);
    }
    return c->buffer ? 0 : -ENOMEM;
}

static ssize_t copy_from_buffer(struct copy *c, struct uio *uio)
{
    int err = c->buffer ? 0 : copy_get_buffer(c);
    if (err != 0)
        return err;
    uint64_t at = c->in_at ? *c->in_at : 0;
    uio_init_kernel(uio, c->segments, c->buffer, MIN(c->left, c->buffer_size));
    ssize_t n = file_read(c->in, uio, c->in_at ? &at : NULL);
    if (n > 0)
        uio_init_kernel(uio, c->segments, c->buffer, (size_t)n);
    return n;
}

// What comes next, if it is there, straight from the pages of a file that has them. Bytes, maybe 0.
static size_t copy_from_pages(struct copy *c, struct uio *uio)
{
    struct vm_object *o = c->in->inode->object;
    uint64_t at = c->in_offset, size = o ? atomic_load(&o->size_bytes) : 0;
    if (at >= size || c->in->inode == c->out->inode) // within a file they may overlap
        return 0;
    size_t in_page = at % PAGE_SIZE, left = MIN(c->left, size - at), done = 0;
    unsigned int max = (unsigned int)MIN(DIV_ROUND_UP(in_page + left, PAGE_SIZE), BUFFER_PAGES);
    c->nr_pages = vm_object_pages(o, at >> PAGE_SHIFT, max, c->pages);
    for (unsigned int i = 0; i < c->nr_pages; i++, in_page = 0) {
        size_t part = MIN(PAGE_SIZE - in_page, left - done);
        c->segments[i].base = (vaddr_t)page_to_virt(c->pages[i]) + in_page;
        c->segments[i].size = part;
        done += part;
    }
    uio_init_kernel_segments(uio, c->segments, c->nr_pages);
    return done;
}

static void copy_put_pages(struct copy *c)
{
    while (c->nr_pages > 0)
        page_put(c->pages[--c->nr_pages]);
}

// Bytes copied, or -errno if none. Less than was asked for was written: that is all.
static ssize_t copy_run(struct copy *c)
{
    size_t total = 0;
    ssize_t n = 0;
    struct uio uio;
    while (c->left > 0) {
        n = (ssize_t)copy_from_pages(c, &uio);
        if (n == 0)
            n = copy_from_buffer(c, &uio);
        if (n <= 0)
            break;
        ssize_t taken = n;
        n = file_write(c->out, &uio, c->out_at);
        copy_put_pages(c);
        if (n <= 0)
            break;
        if (c->in_at)
            *c->in_at += (uint64_t)n;
        total += (size_t)n;
        c->left -= (size_t)n;
        if (n < taken || signal_is_pending(thread_self()))
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
    c->left = MIN(c->left, COPY_MAX);
    ssize_t n = copy_run(c);
    kfree(c->buffer);
    if (n > 0 && c->in->inode->object && !(c->in->flags & O_NOATIME))
        inode_accessed(&c->in->path);
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
