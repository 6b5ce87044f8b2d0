// SPDX-License-Identifier: BSD-2-Clause
// A queue of pending signals: a bit for each, and an entry with its siginfo for those that have
// one. Standard signals are pending once, real-time ones as often as they were sent, first in first
// out. Pure list work on memory of the caller, under the caller's lock.
#pragma once

#include <core/signal.h>

// Of the 128 bytes of a siginfo_t the kernel's own kinds use no more; the rest is zero.
#define SIGNAL_INFO_SIZE 48

struct posix_timer;

struct signal_entry {
    struct list_node node;
    struct posix_timer *timer; // the entry is its; NULL: the queue's
    int signal;
    union {
        uint8_t bytes[SIGNAL_INFO_SIZE] __attribute__((aligned(8))); // copied by words
        struct {
            int info_signo, info_errno, info_code;
        };
    };
};

// Caused by the thread itself: they are delivered first, so that their handler sees the place.
#define SIGMASK_SYNCHRONOUS                                                                        \
    (SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) | SIGMASK(SIGFPE) |   \
     SIGMASK(SIGSYS))

void signal_queue_init(struct signal_queue *q);
// entry NULL: only the bit. A standard signal that is pending already comes again only from a
// timer.
void signal_queue_add(struct signal_queue *q, int signal, struct signal_entry *entry);
// The next signal of `wanted`: synchronous ones first, then by number. 0: none.
int signal_queue_next(const struct signal_queue *q, sigmask_t wanted);
// Take it: its first entry (NULL if it had none), and the bit with the last one.
struct signal_entry *signal_queue_take(struct signal_queue *q, int signal);
// Take this entry, which is queued, and the bit if it is the last of its signal.
void signal_queue_remove(struct signal_queue *q, struct signal_entry *entry);
// Drop every pending signal of `mask`; the entries go to `dead`.
void signal_queue_drop(struct signal_queue *q, sigmask_t mask, struct list_node *dead);
