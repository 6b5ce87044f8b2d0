// SPDX-License-Identifier: BSD-2-Clause
// Splicing (splice(2), tee(2), vmsplice(2)): between two pipes pages change hands; between a pipe
// and a file bytes go straight from or to a page that is out of the ring meanwhile, with its slot
// kept for it (nr_reserved): the lock isn't held while the file may wait, and what the file didn't
// take goes back to where it was.
//
// Life and lock order: pipe_priv.h.
#include <arch/uaccess.h>
#include <errno.h>
#include <linux/fcntl.h>

#include "pipe_priv.h"

// Wake who waits for what a change of the ring brought, without the lock.
static void pipe_wake(struct pipe *p, bool readers, bool writers)
{
    if (readers)
        wait_queue_wake_one(&p->readers);
    if (writers)
        wait_queue_wake_one(&p->writers);
}

static ssize_t splice_transfer(struct file *f, char *buffer, size_t size, uint64_t *at, bool write)
{
    struct uio_segment segment;
    struct uio uio;
    uio_init_kernel(&uio, &segment, buffer, size);
    return write ? file_write(f, &uio, at) : file_read(f, &uio, at);
}

// Write the oldest slot, which isn't in the ring meanwhile, and put back what is left of it. Bytes,
// or -errno.
static ssize_t splice_slot_out(struct pipe *p, struct file *out, uint64_t *at, size_t want)
{
    struct pipe_slot slot = *pipe_slot(p, p->tail++);
    char *data = (char *)page_to_virt(slot.page) + slot.offset;

    p->nr_reserved++;
    mutex_unlock(&p->lock);
    ssize_t n = splice_transfer(out, data, want, at, true);
    mutex_lock(&p->lock);
    p->nr_reserved--;
    if (n > 0) {
        slot.offset = (uint16_t)(slot.offset + n);
        slot.length = (uint16_t)(slot.length - n);
    }
    if (slot.length > 0)
        *pipe_slot(p, --p->tail) = slot;
    else
        pipe_put_page(p, slot.page);
    return n;
}

ssize_t pipe_splice_to_file(struct file *in, struct file *out, uint64_t *out_at, size_t size,
                            bool nonblock)
{
    struct pipe *p = in->private;
    size_t done = 0;

    mutex_lock(&p->lock);
    ssize_t n = pipe_wait_bytes(p, nonblock);
    while (n >= 0 && done < size && !pipe_is_empty(p)) {
        size_t want = MIN(pipe_slot(p, p->tail)->length, size - done);
        n = splice_slot_out(p, out, out_at, want);
        if (n > 0)
            done += (size_t)n;
        if (n < (ssize_t)want)
            break;
    }
    bool bytes = !pipe_is_empty(p), room = !pipe_is_full(p);
    mutex_unlock(&p->lock);
    pipe_wake(p, bytes, room);
    return done != 0 ? (ssize_t)done : n;
}

// Read into a page that is nobody's yet and put it into the ring, where a slot is kept free for it.
// Bytes, or -errno.
static ssize_t splice_slot_in(struct pipe *p, struct file *in, uint64_t *at, size_t want)
{
    struct pipe_slot slot = {.page = pipe_get_page(p)};

    if (slot.page == NULL)
        return -ENOMEM;
    p->nr_reserved++;
    mutex_unlock(&p->lock);
    ssize_t n = splice_transfer(in, page_to_virt(slot.page), want, at, false);
    mutex_lock(&p->lock);
    p->nr_reserved--;
    if (n > 0) {
        slot.length = (uint16_t)n;
        pipe_push(p, &slot);
    } else {
        pipe_put_page(p, slot.page);
    }
    return n;
}

ssize_t pipe_splice_from_file(struct file *in, uint64_t *in_at, struct file *out, size_t size,
                              bool nonblock)
{
    struct pipe *p = out->private;
    size_t done = 0;

    mutex_lock(&p->lock);
    ssize_t n = pipe_wait_room(p, nonblock);
    while (n >= 0 && done < size && !pipe_is_full(p)) {
        size_t want = MIN(PAGE_SIZE, size - done);
        n = splice_slot_in(p, in, in_at, want);
        if (n > 0)
            done += (size_t)n;
        if (n < (ssize_t)want || in->ops->stream) // a second read might wait
            break;
    }
    bool bytes = !pipe_is_empty(p), room = !pipe_is_full(p);
    mutex_unlock(&p->lock);
    pipe_wake(p, bytes, room);
    return done != 0 ? (ssize_t)done : n;
}

ssize_t pipe_splice_from_user(struct file *out, struct uio *uio, bool nonblock)
{
    struct pipe *p = out->private;

    if (uio->left == 0)
        return 0;
    mutex_lock(&p->lock);
    ssize_t n = pipe_wait_room(p, nonblock);
    if (n == 0)
        n = pipe_put(p, uio, false, false);
    bool room = !pipe_is_full(p);
    mutex_unlock(&p->lock);
    pipe_wake(p, n > 0, room);
    return n;
}

static void pipe_lock_two(struct pipe *a, struct pipe *b)
{
    mutex_lock(a < b ? &a->lock : &b->lock);
    mutex_lock(a < b ? &b->lock : &a->lock);
}

static void pipe_unlock_two(struct pipe *a, struct pipe *b)
{
    mutex_unlock(&a->lock);
    mutex_unlock(&b->lock);
}

// Both locks are held when this starts and when it ends. A wake that we got on one side is handed
// on before we wait on the other. 1: there are bytes and room; 0: no more will come; or -errno.
static int pipe_wait_both(struct pipe *in, struct pipe *out, bool nonblock)
{
    for (;;) {
        int err = 0;
        if (out->nr_readers == 0)
            return -EPIPE;
        if (!pipe_is_empty(in) && !pipe_is_full(out))
            return 1;
        if (pipe_is_empty(in) && in->nr_writers == 0)
            return 0;
        if (nonblock)
            return -EAGAIN;
        if (pipe_is_empty(in)) {
            mutex_unlock(&out->lock);
            err = pipe_wait(in, &in->readers, &out->writers);
            mutex_unlock(&in->lock);
        } else {
            mutex_unlock(&in->lock);
            err = pipe_wait(out, &out->writers, &in->readers);
            mutex_unlock(&out->lock);
        }
        pipe_lock_two(in, out);
        if (err != 0)
            return err;
    }
}

// Give `out` what the slots of `in` hold, from its tail on. With `copy` they stay. Bytes.
static size_t pipe_move_slots(struct pipe *in, struct pipe *out, size_t size, bool copy)
{
    size_t done = 0;

    for (uint32_t i = in->tail; done < size && i != in->head && !pipe_is_full(out); i++) {
        struct pipe_slot slot = *pipe_slot(in, i);
        slot.length = (uint16_t)MIN(slot.length, size - done);
        page_get(slot.page);
        pipe_push(out, &slot);
        done += slot.length;
        if (!copy)
            pipe_consume(in, slot.length);
    }
    return done;
}

ssize_t pipe_splice_to_pipe(struct file *in_file, struct file *out_file, size_t size, bool nonblock,
                            bool copy)
{
    struct pipe *in = in_file->private, *out = out_file->private;
    size_t done = 0;

    pipe_lock_two(in, out);
    int err = pipe_wait_both(in, out, nonblock);
    bool was_full = pipe_is_full(in);
    if (err > 0)
        done = pipe_move_slots(in, out, size, copy);
    bool bytes = !pipe_is_empty(in), in_room = !pipe_is_full(in), room = !pipe_is_full(out);
    pipe_unlock_two(in, out);
    pipe_wake(in, bytes, was_full && in_room);
    pipe_wake(out, done != 0, room);
    return err > 0 ? (ssize_t)done : err;
}
