// SPDX-License-Identifier: BSD-2-Clause
// Waiting for many files at once: poll(2), ppoll, select, pselect; epoll(7) uses the same op.
//
// A poll_table lives on the waiting thread's stack while it waits. Each entry keeps its file open,
// and thereby the queue it waits on.
#pragma once

#include <fs/fd_table.h>
#include <sync/wait_queue.h>

struct poll_entry {
    struct file *file;
    struct wait_queue *queue;
    struct waiter waiter;
};

#define POLL_INLINE 8
struct poll_block { // entries beyond the inline ones; never moved, they are linked in queues
    struct poll_block *next;
    unsigned int nr;
    struct poll_entry entries[40];
};
struct poll_table {
    struct file *file; // whose poll op runs now
    // Instead of an entry that wakes the calling thread; epoll's. NULL: an entry.
    void (*add)(struct poll_table *table, struct wait_queue *queue);
    unsigned int nr; // inline entries in use
    int error;       // -ENOMEM once an entry could not be added
    struct poll_block *blocks;
    struct poll_entry inline_entries[POLL_INLINE];
};

void poll_table_init(struct poll_table *table);
// Ask a file, with its wait queues added to `table` (NULL: only ask).
unsigned int poll_table_ask(struct poll_table *table, struct file *file);
void poll_table_release(struct poll_table *table); // leave every queue, drop the files

// From a file's poll op: wake the poller when `queue` is woken. table NULL: nothing.
void poll_add(struct poll_table *table, struct wait_queue *queue);

struct pollfd;
// poll(2) over kernel copies of the descriptors. Fills revents with what holds of `events` and of
// `always` (POLLERR | POLLHUP for poll, 0 for select, which asks for them by `events`); POLLNVAL
// for a descriptor that isn't open. How many are ready, 0 at the deadline, -EINTR, -ENOMEM.
int poll_wait(struct fd_table *fds, struct pollfd *polls, unsigned int nr, unsigned int always,
              uint64_t deadline_ns);
