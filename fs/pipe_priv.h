// SPDX-License-Identifier: BSD-2-Clause
// What pipe.c (the ring), pipe_fifo.c (opening by name, size) and pipe_splice.c (moving what is in
// them) share.
//
// Life: the pipe of pipe(2) lives as long as its inode (inode->private); the pipe of a FIFO from
// the first open to the last close, found by inode in a list. Lock order: fifo_list_lock >
// pipe.lock (two: the lower address first) > vm_map.lock (copying) and the wait queues' locks.
#pragma once

#include <fs/pipe.h>
#include <sync/wait_queue.h>

#define PIPE_NR_SPARE 2

// Bytes [offset, offset + length) of a page. After tee(2) another slot may have the same page:
// then nothing is added to it.
struct pipe_slot {
    struct page *page;
    uint16_t offset, length; // up to PAGE_SIZE
    bool packet;             // O_DIRECT: one write, one read
};

struct pipe {
    struct mutex lock; // guards the rest
    struct pipe_slot *slots;
    uint32_t nr_slots;                   // a power of two
    uint32_t head, tail;                 // free-running: [tail, head) are in use
    uint32_t nr_reserved;                // slots that splices fill or empty with the lock dropped
    bool polled;                         // somebody has waited by poll(2) or epoll(7)
    struct page *spare[PIPE_NR_SPARE];   // emptied pages to be filled again
    unsigned int nr_readers, nr_writers; // open ends
    // How often an end was opened: who waits in open(2) looks for a change, without the lock.
    uint32_t reader_opens, writer_opens;
    struct wait_queue readers, writers, opens;

    // FIFOs only, under fifo_list_lock.
    struct inode *inode;
    unsigned int nr_files;
    struct list_node fifo_node;
};

extern const struct inode_ops pipe_inode_ops;

struct pipe *pipe_new(void); // NULL: no memory
void pipe_free(struct pipe *p);
// A file of `p` closes: take its end out. Wakes who waits for it.
void pipe_leave(struct pipe *p, struct file *file);

ssize_t pipe_read(struct file *file, struct uio *uio, uint64_t *offset);
ssize_t pipe_write(struct file *file, struct uio *uio, uint64_t *offset);
long pipe_ioctl(struct file *file, unsigned int request, unsigned long arg);
unsigned int pipe_poll(struct file *file, struct poll_table *table);

static inline bool pipe_is_empty(const struct pipe *p)
{
    return p->head == p->tail;
}

static inline bool pipe_is_full(const struct pipe *p)
{
    return p->head - p->tail + p->nr_reserved >= p->nr_slots;
}

static inline struct pipe_slot *pipe_slot(const struct pipe *p, uint32_t index)
{
    return &p->slots[index & (p->nr_slots - 1)];
}

// All of these with the lock held. To wait, they drop it; `other` (may be NULL) is a queue to hand
// a wake on to before that.
int pipe_wait(struct pipe *p, struct wait_queue *queue, struct wait_queue *other);
// Until there are bytes or no writers: 0, -EAGAIN, -ERESTARTSYS.
int pipe_wait_bytes(struct pipe *p, bool nonblock);
// Until there is a free slot: 0, -EPIPE, -EAGAIN, -ERESTARTSYS.
int pipe_wait_room(struct pipe *p, bool nonblock);
struct page *pipe_get_page(struct pipe *p); // NULL: no memory
void pipe_put_page(struct pipe *p, struct page *page);
// The first n bytes of the oldest slot are gone.
void pipe_consume(struct pipe *p, uint32_t n);
// Put a slot into the ring, which isn't full.
void pipe_push(struct pipe *p, const struct pipe_slot *slot);
// Write as much as there is room for. Bytes, or -errno if none.
ssize_t pipe_put(struct pipe *p, struct uio *uio, bool packet, bool first);

static inline bool pipe_file_reads(const struct file *file)
{
    return (file->flags & 3) != 1; // O_RDONLY or O_RDWR
}

static inline bool pipe_file_writes(const struct file *file)
{
    return (file->flags & 3) != 0;
}
