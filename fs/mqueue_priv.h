// SPDX-License-Identifier: BSD-2-Clause
// A message queue, for the files that implement it: mqueue.c (messages and who waits) and
// mqueue_fs.c (names, limits, charges).
#pragma once

#include <fs/mqueue.h>
#include <lib/rbtree.h>
#include <sync/wait_queue.h>

struct mqueue_message {
    struct rb_node node; // the queue's lock
    unsigned int priority;
    size_t size;
    char text[];
};

struct mqueue {
    // Constant.
    uint64_t nr_max, size_max; // messages, bytes of one
    uint64_t charge;           // bytes of its user's allowance
    uid_t uid;
    struct spinlock lock; // guards the rest
    uint64_t nr, nr_bytes;
    struct rb_root messages; // most urgent first, then by age
    struct mqueue_message *first;
    struct list_node senders, receivers; // sleepers, by priority of their threads, then by age
    struct mqueue_notice *notice;
    struct wait_queue readable, writable; // pollers
};

extern const struct file_ops mqueue_file_ops;

struct mqueue *mqueue_create(uint64_t nr_max, uint64_t size_max); // NULL: no memory
void mqueue_destroy(struct mqueue *q);                            // nobody uses it
