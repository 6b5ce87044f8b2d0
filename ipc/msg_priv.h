// SPDX-License-Identifier: BSD-2-Clause
// A message queue and who sleeps on it, for the files that implement msg. Everything is guarded by
// the queue's slot lock.
#pragma once

#include "ids_priv.h"

#include <ipc/msg.h>

struct thread;

struct msg_queue {
    struct ipc_object ipc; // first
    int64_t stime, rtime, ctime;
    uint64_t nr_bytes, nr_messages, max_bytes;
    pid_t sent_by, received_by;
    struct list_node messages, senders, receivers; // in order of arrival
};

// What a receiver wants.
struct msg_filter {
    enum { MSG_ANY, MSG_EQUAL, MSG_NOT_EQUAL, MSG_AT_MOST, MSG_NUMBER } how;
    long type;
};

// A sleeper, on its thread's stack. Off its list as soon as `result` isn't MSG_WAITING any more,
// which is the waker's last access.
struct msg_waiter {
    struct list_node node;
    struct thread *thread;
    const struct ipc_caller *caller;
    struct msg_message *message; // to send; or received, if the result is 0
    struct msg_filter filter;    // receivers
    size_t size;                 // receivers: the largest they take
    bool cut;                    // ... unless they take any, cut
    int result;
};
#define MSG_WAITING 1

extern struct ipc_ids msg_ids;
extern uint64_t msg_total_bytes, msg_total_messages; // in all queues; atomic

void msg_registry_init(void);
static inline struct msg_queue *msg_queue_of(struct ipc_object *o)
{
    return container_of(o, struct msg_queue, ipc);
}

// All of these: slot locked.
// Take it off its list and let its thread go on with this result.
void msg_finish(struct msg_waiter *w, int result);
// Let in what sleeping senders hold, as far as it fits, in order.
void msg_admit_senders(struct msg_queue *q);
// Drop all messages: the queue goes.
void msg_drop_all(struct msg_queue *q);
