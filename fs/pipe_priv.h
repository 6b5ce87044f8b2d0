// SPDX-License-Identifier: BSD-2-Clause
// What pipe.c (the ring) and pipe_fifo.c (opening by name, size) share.
//
// Life: the pipe of pipe(2) lives as long as its inode (inode->private); the pipe of a FIFO from
// the first open to the last close, found by inode in a list. Lock order: fifo_list_lock >
// pipe.lock > vm_map.lock (copying) and the wait queues' locks.
#pragma once

#include <fs/pipe.h>
#include <sync/wait_queue.h>

#define PIPE_NR_SPARE 2

struct pipe_slot { // bytes [offset, offset + length) of a page that belongs to the pipe
    struct page *page;
    uint32_t offset, length;
    bool packet; // O_DIRECT: one write, one read
};

struct pipe {
    struct mutex lock; // guards the rest
    struct pipe_slot *slots;
    uint32_t nr_slots;                   // a power of two
    uint32_t head, tail;                 // free-running: [tail, head) are in use
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

static inline bool pipe_file_reads(const struct file *file)
{
    return (file->flags & 3) != 1; // O_RDONLY or O_RDWR
}

static inline bool pipe_file_writes(const struct file *file)
{
    return (file->flags & 3) != 0;
}
