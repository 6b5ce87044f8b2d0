// SPDX-License-Identifier: BSD-2-Clause
// A semaphore array and who sleeps on it, for the files that implement sem. Everything is guarded
// by the array's slot lock, unless another is named.
#pragma once

#include "ids_priv.h"

#include <ipc/sem.h>

struct thread;

struct sem {
    int value;
    pid_t pid; // of the last operation
    // Sleepers with one op, on this semaphore, in order of arrival.
    struct list_node takers, zero_waiters;
};

struct sem_array {
    struct ipc_object ipc; // first
    unsigned int nr_sems;  // constant
    int64_t otime, ctime;
    struct list_node waiters; // all, in order of arrival
    unsigned int nr_complex;  // of them with more than one op
    struct list_node undos;
    struct sem sems[];
};

// A sleeper, on its thread's stack. Off the lists as soon as `result` isn't SEM_WAITING any more,
// which is the waker's last access.
struct sem_waiter {
    struct list_node node, sem_node;
    const struct sembuf *ops, *blocking; // blocking: the op it waits for
    unsigned int nr_ops;
    struct sem_undo *undo;
    pid_t pid;
    struct thread *thread;
    int result;
};
#define SEM_WAITING 1

// Adjustments of one process to one array. On both lists until the array or the process goes,
// whichever is first.
struct sem_undo {
    struct list_node list_node;  // owner->lock
    struct list_node array_node; // slot lock
    struct sem_undo_list *owner; // constant
    int id;                      // constant
    int16_t adjust[];            // slot lock
};

struct sem_undo_list {
    struct refcount refs;
    struct spinlock lock; // inside the slot lock
    struct list_node undos;
};

extern struct ipc_ids sem_ids;
extern uint64_t sem_nr_sems; // in all arrays; sem_ids.lock

void sem_registry_init(void);
static inline struct sem_array *sem_array_of(struct ipc_object *o)
{
    return container_of(o, struct sem_array, ipc);
}

// All of these: slot locked.
// All of ops or none. 0; SEM_WAITING: *blocking can't be done now; -EAGAIN: nor may it wait;
// -ERANGE.
int sem_try(struct sem_array *a, const struct sembuf *ops, unsigned int nr, struct sem_undo *undo,
            pid_t pid, const struct sembuf **blocking);
// Serve the sleepers that can go on since values of ops[nr] changed; ops NULL: any value may have.
void sem_serve(struct sem_array *a, const struct sembuf *ops, unsigned int nr);
void sem_enqueue(struct sem_array *a, struct sem_waiter *w);
void sem_dequeue(struct sem_array *a, struct sem_waiter *w);
// Take it off and let its thread go on with this result.
void sem_finish(struct sem_array *a, struct sem_waiter *w, int result);
// The adjustments of `list` to `a`, made if need be; NULL: no memory.
struct sem_undo *sem_undo_find(struct sem_undo_list *list, struct sem_array *a);
// Forget all adjustments: the array goes.
void sem_undo_drop_all(struct sem_array *a);
