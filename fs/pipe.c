// SPDX-License-Identifier: BSD-2-Clause
// Pipes (pipe(7)): a ring of page slots between writers and readers. A write of up to PIPE_BUF
// bytes needs one slot or the room left in the last one, so that it is never torn. Readers and
// writers wait exclusively, one is woken when the ring stops being empty or full, and who leaves
// something behind wakes the next.
//
// Life and lock order: pipe_priv.h. Copies from and to user memory run under pipe.lock.
#include <arch/uaccess.h>
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/poll.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <stdio.h>

#include "devices_priv.h"
#include "pipe_priv.h"

static const struct file_system pipe_type = {.name = "pipefs", .nodev = true, .magic = 0x50495045};
static struct super_block pipe_sb = {.refs = {1}, .fs = &pipe_type};
static const struct file_ops pipe_ops;

struct pipe *pipe_new(void)
{
    struct pipe *p = kzalloc(sizeof(*p));
    if (p == NULL)
        return NULL;
    p->nr_slots = PIPE_SIZE_DEFAULT / PAGE_SIZE;
    p->slots = kmalloc(p->nr_slots * sizeof(*p->slots));
    if (p->slots == NULL) {
        kfree(p);
        return NULL;
    }
    mutex_init(&p->lock);
    wait_queue_init(&p->readers);
    wait_queue_init(&p->writers);
    wait_queue_init(&p->opens);
    list_init(&p->fifo_node);
    return p;
}

void pipe_free(struct pipe *p)
{
    for (; !pipe_is_empty(p); p->tail++)
        page_put(pipe_slot(p, p->tail)->page);
    for (unsigned int i = 0; i < PIPE_NR_SPARE; i++)
        if (p->spare[i] != NULL)
            page_put(p->spare[i]);
    kfree(p->slots);
    kfree(p);
}

struct page *pipe_get_page(struct pipe *p)
{
    for (unsigned int i = 0; i < PIPE_NR_SPARE; i++) {
        struct page *page = p->spare[i];
        if (page != NULL) {
            p->spare[i] = NULL;
            return page;
        }
    }
    return page_alloc(0, PAGE_ALLOC_USER);
}

void pipe_put_page(struct pipe *p, struct page *page)
{
    for (unsigned int i = 0; i < PIPE_NR_SPARE && page_has_one_owner(page); i++)
        if (p->spare[i] == NULL) {
            p->spare[i] = page;
            return;
        }
    page_put(page);
}

// Sleep on one of the pipe's queues with the lock dropped; wake `other` (may be NULL) first,
// without the lock, lest he run into it. 0 or -ERESTARTSYS. The waker changes the ring under the
// lock, before he looks at the queue: we are on it before he gets the lock.
int pipe_wait(struct pipe *p, struct wait_queue *queue, struct wait_queue *other)
{
    struct waiter w;

    mutex_assert_held(&p->lock);
    waiter_init(&w, true);
    wait_queue_add(queue, &w);
    mutex_unlock(&p->lock);
    if (other != NULL)
        wait_queue_wake_one(other);
    int err = port_park(PARK_INTERRUPTIBLE, TIME_NEVER);
    wait_queue_remove(queue, &w);
    mutex_lock(&p->lock);
    return err != 0 ? -ERESTARTSYS : 0;
}

int pipe_wait_bytes(struct pipe *p, bool nonblock)
{
    int err = 0;
    while (pipe_is_empty(p) && p->nr_writers != 0 && err == 0)
        err = nonblock ? -EAGAIN : pipe_wait(p, &p->readers, NULL);
    return err;
}

int pipe_wait_room(struct pipe *p, bool nonblock)
{
    int err = 0;
    while (pipe_is_full(p) && p->nr_readers != 0 && err == 0)
        err = nonblock ? -EAGAIN : pipe_wait(p, &p->writers, NULL);
    return err == 0 && p->nr_readers == 0 ? -EPIPE : err;
}

void pipe_consume(struct pipe *p, uint32_t n)
{
    struct pipe_slot *slot = pipe_slot(p, p->tail);

    slot->offset = (uint16_t)(slot->offset + n);
    slot->length = (uint16_t)(slot->length - n);
    if (slot->length == 0) {
        pipe_put_page(p, slot->page);
        p->tail++;
    }
}

void pipe_push(struct pipe *p, const struct pipe_slot *slot)
{
    *pipe_slot(p, p->head) = *slot;
    p->head++;
}

// Move bytes of the oldest slots to the reader. Bytes, or -EFAULT if none.
static ssize_t pipe_take(struct pipe *p, struct uio *uio)
{
    ssize_t done = 0;

    while (uio->left != 0 && !pipe_is_empty(p)) {
        struct pipe_slot *slot = pipe_slot(p, p->tail);
        uint32_t want = (uint32_t)MIN((size_t)slot->length, uio->left);
        uint32_t n = (uint32_t)uio_copy_out(
            uio, (const char *)page_to_virt(slot->page) + slot->offset, want);
        bool packet = slot->packet;
        done += n;
        pipe_consume(p, packet && n == want ? slot->length : n); // the rest of a packet is lost
        if (n < want)
            return done != 0 ? done : -EFAULT;
        if (packet)
            break;
    }
    return done;
}

static ssize_t pipe_read_bytes(struct pipe *p, struct uio *uio, bool nonblock)
{
    bool wake_writer = false;
    ssize_t result = 0;

    if (uio->left == 0)
        return 0;
    mutex_lock(&p->lock);
    result = pipe_wait_bytes(p, nonblock);
    if (result == 0) {
        bool was_full = pipe_is_full(p);
        result = pipe_take(p, uio);
        wake_writer = was_full && !pipe_is_full(p);
    }
    // What is left, or was meant for us while a signal came, is the next reader's.
    bool wake_reader = !pipe_is_empty(p);
    mutex_unlock(&p->lock);
    if (wake_writer)
        wait_queue_wake_one(&p->writers);
    if (wake_reader)
        wait_queue_wake_one(&p->readers);
    return result;
}

ssize_t pipe_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    return pipe_read_bytes(file->private, uio, (file->flags & O_NONBLOCK) != 0);
}

ssize_t pipe_read_now(struct file *file, struct uio *uio, uint64_t *offset)
{
    return pipe_read_bytes(file->private, uio, true);
}

bool file_is_pipe(const struct file *f)
{
    return f->ops->read == pipe_read;
}

// Append to the last page what doesn't make a whole page of a write, if it fits. Bytes or -EFAULT.
static ssize_t pipe_merge(struct pipe *p, struct uio *uio)
{
    size_t n = uio->left & (PAGE_SIZE - 1);
    if (n == 0 || pipe_is_empty(p))
        return 0;
    struct pipe_slot *slot = pipe_slot(p, p->head - 1);
    uint32_t end = (uint32_t)slot->offset + slot->length;
    if (slot->packet || n > PAGE_SIZE - end || !page_has_one_owner(slot->page))
        return 0;
    size_t copied = uio_copy_in(uio, (char *)page_to_virt(slot->page) + end, n);
    slot->length = (uint16_t)(slot->length + copied);
    return copied != 0 ? (ssize_t)copied : -EFAULT;
}

// Fill one free slot. Bytes, -ENOMEM or -EFAULT.
static ssize_t pipe_fill_slot(struct pipe *p, struct uio *uio, bool packet)
{
    struct page *page = pipe_get_page(p);
    if (page == NULL)
        return -ENOMEM;
    size_t n = uio_copy_in(uio, page_to_virt(page), MIN(uio->left, PAGE_SIZE));
    if (n == 0) {
        pipe_put_page(p, page);
        return -EFAULT;
    }
    pipe_push(p, &(struct pipe_slot){.page = page, .length = (uint16_t)n, .packet = packet});
    return (ssize_t)n;
}

// Write as much as there is room for. Bytes, or -errno if none.
ssize_t pipe_put(struct pipe *p, struct uio *uio, bool packet, bool first)
{
    ssize_t done = 0;

    if (first && !packet) {
        done = pipe_merge(p, uio);
        if (done < 0)
            return done;
    }
    while (uio->left != 0 && !pipe_is_full(p)) {
        size_t want = MIN(uio->left, PAGE_SIZE);
        ssize_t n = pipe_fill_slot(p, uio, packet);
        if (n < 0)
            return done != 0 ? done : n;
        done += n;
        if ((size_t)n < want)
            break;
    }
    return done;
}

ssize_t pipe_write(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct pipe *p = file->private;
    bool packet = (file->flags & O_DIRECT) != 0, wake_reader = false;
    ssize_t result = 0, done = 0;

    if (uio->left == 0)
        return 0;
    mutex_lock(&p->lock);
    for (;;) {
        result = -EPIPE;
        if (p->nr_readers == 0)
            break;
        bool was_empty = pipe_is_empty(p);
        result = pipe_put(p, uio, packet, done == 0);
        if (result > 0) {
            done += result;
            wake_reader |= was_empty || p->polled; // each write is an event for EPOLLET
        }
        if (uio->left == 0 || result < 0)
            break;
        if (!pipe_is_full(p)) { // a fault in the middle
            result = -EFAULT;
            break;
        }
        result = -EAGAIN;
        if (file->flags & O_NONBLOCK)
            break;
        result = pipe_wait(p, &p->writers, wake_reader ? &p->readers : NULL);
        wake_reader = false;
        if (result != 0)
            break;
    }
    // Room that is left, or was meant for us while a signal came, is the next writer's.
    bool wake_writer = !pipe_is_full(p);
    mutex_unlock(&p->lock);
    if (wake_reader)
        wait_queue_wake_one(&p->readers);
    if (wake_writer)
        wait_queue_wake_one(&p->writers);
    return done != 0 ? done : result;
}

long pipe_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
    struct pipe *p = file->private;
    int bytes = 0;

    if (request != FIONREAD)
        return -ENOTTY;
    mutex_lock(&p->lock);
    for (uint32_t i = p->tail; i != p->head; i++)
        bytes += (int)pipe_slot(p, i)->length;
    mutex_unlock(&p->lock);
    return user_copy_out(arg, &bytes, sizeof(bytes));
}

static unsigned int pipe_events(const struct file *file, const struct pipe *p)
{
    unsigned int events = 0;

    if (pipe_file_reads(file)) {
        if (!pipe_is_empty(p))
            events |= POLLIN | POLLRDNORM;
        // A FIFO opened without a writer doesn't hang up before one has come (file->offset, which
        // a stream has no other use for, says how many there had been at open).
        if (p->nr_writers == 0 && file->offset != p->writer_opens)
            events |= POLLHUP;
    }
    if (pipe_file_writes(file)) {
        if (!pipe_is_full(p))
            events |= POLLOUT | POLLWRNORM;
        if (p->nr_readers == 0)
            events |= POLLERR;
    }
    return events;
}

// Who may sleep after this takes the lock, so that he sees what is there or is seen on the queue.
static unsigned int pipe_poll_wait(struct file *file, struct pipe *p, struct poll_table *table)
{
    if (pipe_file_reads(file))
        poll_add(table, &p->readers);
    if (pipe_file_writes(file))
        poll_add(table, &p->writers);
    mutex_lock(&p->lock);
    p->polled = true;
    unsigned int events = pipe_events(file, p);
    mutex_unlock(&p->lock);
    return events;
}

// Who just looks gets what was true a moment ago, with or without the lock.
unsigned int pipe_poll(struct file *file, struct poll_table *table)
{
    struct pipe *p = file->private;

    return likely(table == NULL) ? pipe_events(file, p) : pipe_poll_wait(file, p, table);
}

void pipe_leave(struct pipe *p, struct file *file)
{
    mutex_lock(&p->lock);
    if (pipe_file_reads(file))
        p->nr_readers--;
    if (pipe_file_writes(file))
        p->nr_writers--;
    if (p->nr_readers == 0 || p->nr_writers == 0) {
        wait_queue_wake_all(&p->readers);
        wait_queue_wake_all(&p->writers);
    }
    mutex_unlock(&p->lock);
}

static void pipe_release(struct file *file)
{
    pipe_leave(file->private, file);
}

static ssize_t pipe_inode_readlink(struct inode *inode, char *buf, size_t size)
{
    int n = snprintf(buf, size, "pipe:[%llu]", (unsigned long long)inode->ino);
    return MIN(n, (int)size - 1);
}

static void pipe_inode_release(struct inode *inode)
{
    pipe_free(inode->private);
}

const struct inode_ops pipe_inode_ops = {
    .readlink = pipe_inode_readlink, // what /proc/PID/fd/N shows
    .release = pipe_inode_release,
};

static const struct file_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
    .release = pipe_release,
    .stream = true,
};

// One end of a new pipe. The inode's reference is taken over.
static int pipe_create_end(struct pipe *p, struct inode *inode, int flags, struct cred *cred,
                           struct file **file)
{
    int err = file_create_anonymous(inode, &pipe_ops, flags, cred, file);
    if (err != 0)
        return err;
    (*file)->private = p;
    mutex_lock(&p->lock);
    if (pipe_file_reads(*file))
        p->nr_readers++;
    else
        p->nr_writers++;
    mutex_unlock(&p->lock);
    return 0;
}

int pipe_create(int flags, struct cred *cred, struct file **read_end, struct file **write_end)
{
    struct pipe *p = pipe_new();
    if (p == NULL)
        return -ENOMEM;
    struct inode *inode =
        inode_create(&pipe_sb, &pipe_inode_ops, S_IFIFO | 0600, cred->fsuid, cred->fsgid);
    if (inode == NULL) {
        pipe_free(p);
        return -ENOMEM;
    }
    inode->private = p;
    p->writer_opens = p->reader_opens = 1;

    inode_get(inode);
    int err = pipe_create_end(p, inode, (flags & O_NONBLOCK) | O_RDONLY, cred, read_end);
    if (err == 0) {
        err = pipe_create_end(p, inode, (flags & (O_NONBLOCK | O_DIRECT)) | O_WRONLY, cred,
                              write_end);
        if (err != 0)
            file_put(*read_end);
    } else {
        inode_put(inode);
    }
    return err;
}

void pipe_init(void)
{
    pipe_sb.dev = dev_anonymous();
    pipe_sb.next_ino = 1;
}
