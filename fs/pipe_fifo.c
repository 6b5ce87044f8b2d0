// SPDX-License-Identifier: BSD-2-Clause
// Pipes with names: opening a FIFO (fifo(7)), and opening a pipe of pipe(2) again through
// /proc/PID/fd; and the size of a pipe (fcntl(2), F_SETPIPE_SZ).
//
// Life and lock order: pipe_priv.h.
#include <errno.h>
#include <lib/atomic.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <mm/slab.h>

#include "pipe_priv.h"

static struct mutex fifo_list_lock = MUTEX_INIT(fifo_list_lock);
static struct list_node fifo_list = LIST_INIT(fifo_list); // pipes of the FIFOs open now

// The pipe of an inode, made when nobody has it open; counted as one file more.
static struct pipe *fifo_get(struct inode *inode)
{
    struct pipe *p;

    if (inode->ops == &pipe_inode_ops)
        return inode->private;
    mutex_lock(&fifo_list_lock);
    list_for_each_entry (p, &fifo_list, fifo_node)
        if (p->inode == inode)
            goto found;
    p = pipe_new();
    if (p != NULL) {
        p->inode = inode; // every file on it holds the inode
        list_add_tail(&fifo_list, &p->fifo_node);
    }
found:
    if (p != NULL)
        p->nr_files++;
    mutex_unlock(&fifo_list_lock);
    return p;
}

static void fifo_put(struct pipe *p)
{
    if (p->inode == NULL)
        return; // lives with its inode
    mutex_lock(&fifo_list_lock);
    bool last = --p->nr_files == 0;
    if (last)
        list_remove(&p->fifo_node);
    mutex_unlock(&fifo_list_lock);
    if (last)
        pipe_free(p);
}

// Wait until *opens differs from `seen`: the other side came, perhaps to leave at once.
static int fifo_wait_partner(struct pipe *p, const uint32_t *opens, uint32_t seen)
{
    return wait_event(&p->opens, atomic_load_acquire(opens) != seen, PARK_INTERRUPTIBLE,
                      TIME_NEVER) != 0
               ? -ERESTARTSYS
               : 0;
}

static int fifo_open(struct file *file)
{
    bool reads = pipe_file_reads(file), writes = pipe_file_writes(file);
    bool nonblock = (file->flags & O_NONBLOCK) != 0;
    struct pipe *p = fifo_get(file->inode);
    int err = 0;

    if (p == NULL)
        return -ENOMEM;
    mutex_lock(&p->lock);
    if (writes && !reads && nonblock && p->nr_readers == 0) {
        mutex_unlock(&p->lock);
        fifo_put(p);
        return -ENXIO;
    }
    file->private = p;
    if (reads) {
        p->nr_readers++;
        atomic_store_release(&p->reader_opens, p->reader_opens + 1);
    }
    if (writes) {
        p->nr_writers++;
        atomic_store_release(&p->writer_opens, p->writer_opens + 1);
    }
    bool lonely = (reads && p->nr_writers == 0) || (writes && p->nr_readers == 0);
    uint32_t seen_readers = p->reader_opens, seen_writers = p->writer_opens;
    file->offset = lonely ? seen_writers : seen_writers - 1;
    mutex_unlock(&p->lock);
    wait_queue_wake_all(&p->opens);

    if (lonely && !nonblock) {
        err = reads ? fifo_wait_partner(p, &p->writer_opens, seen_writers)
                    : fifo_wait_partner(p, &p->reader_opens, seen_readers);
        if (err != 0) {
            pipe_leave(p, file);
            fifo_put(p);
        }
    }
    return err;
}

static void fifo_release(struct file *file)
{
    struct pipe *p = file->private;
    pipe_leave(p, file);
    fifo_put(p);
}

const struct file_ops pipe_fifo_ops = {
    .open = fifo_open,
    .read = pipe_read,
    .write = pipe_write,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
    .release = fifo_release,
    .stream = true,
};

static struct pipe *pipe_of_file(const struct file *f)
{
    return file_is_pipe(f) ? f->private : NULL;
}

long pipe_get_size(struct file *f)
{
    struct pipe *p = pipe_of_file(f);
    return p != NULL ? (long)(atomic_load(&p->nr_slots) * PAGE_SIZE) : -EBADF;
}

// Move the ring into one of nr_slots slots. Caller holds the lock. 0, -EBUSY, -ENOMEM.
static int pipe_resize(struct pipe *p, uint32_t nr_slots)
{
    uint32_t used = p->head - p->tail;

    mutex_assert_held(&p->lock);
    if (used + p->nr_reserved > nr_slots)
        return -EBUSY;
    struct pipe_slot *slots = kmalloc(nr_slots * sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < used; i++)
        slots[i] = p->slots[(p->tail + i) & (p->nr_slots - 1)];
    kfree(p->slots);
    p->slots = slots;
    p->tail = 0;
    p->head = used;
    atomic_store(&p->nr_slots, nr_slots);
    wait_queue_wake_one(&p->writers); // there may be room now
    return 0;
}

long pipe_set_size(struct file *f, unsigned long size, const struct cred *cred)
{
    struct pipe *p = pipe_of_file(f);
    uint32_t nr_slots = 1;

    if (p == NULL)
        return -EBADF;
    if (size == 0 || size > 1UL << 31)
        return -EINVAL;
    while (nr_slots * PAGE_SIZE < size)
        nr_slots *= 2;
    mutex_lock(&p->lock);
    int err = 0;
    if (nr_slots > p->nr_slots && nr_slots * PAGE_SIZE > PIPE_SIZE_MAX &&
        !cred_has_cap(cred, CAP_SYS_RESOURCE))
        err = -EPERM;
    if (err == 0 && nr_slots != p->nr_slots)
        err = pipe_resize(p, nr_slots);
    mutex_unlock(&p->lock);
    return err != 0 ? err : (long)(nr_slots * PAGE_SIZE);
}
