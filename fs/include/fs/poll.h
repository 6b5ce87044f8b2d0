// SPDX-License-Identifier: BSD-2-Clause
// Waiting for many files at once: poll(2), ppoll, select, pselect (epoll later, on the same op).
#pragma once

#include <fs/fd_table.h>
#include <sync/wait_queue.h>

struct poll_entry {
    struct wait_queue *queue;
    struct waiter waiter;
};

#define POLL_INLINE 16
struct poll_table {
    unsigned int nr;
    unsigned int capacity;
    struct poll_entry *entries;
    struct poll_entry inline_entries[POLL_INLINE];
    int error; // -ENOMEM once an entry could not be added
};

// From a file's poll op: wake the poller when `queue` is woken. table NULL: nothing.
void poll_add(struct poll_table *table, struct wait_queue *queue);

struct pollfd;
// poll(2) over kernel copies of the descriptors. Fills revents. How many are ready, 0 at the
// deadline, -EINTR, -ENOMEM.
int poll_wait(struct fd_table *fds, struct pollfd *polls, unsigned int nr, uint64_t deadline_ns);
