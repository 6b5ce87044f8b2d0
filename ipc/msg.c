// SPDX-License-Identifier: BSD-2-Clause
// Message queues: made, found, sent to and received from. msgget(2), msgop(2).
//
// Whoever changes a queue finishes what sleepers asked for in their stead, in order of arrival: a
// sender hands its message to a waiting receiver, a receiver lets in what waiting senders hold. So
// a sleeper wakes only when it is done. A queue's lock is its slot's; it is freed by whoever
// removes it, under that lock: a sleeper has nothing but its own waiter and the slot, which stays.
#include "msg_priv.h"

#include <errno.h>
#include <lib/atomic.h>
#include <mm/slab.h>
#include <string.h>
#include <sync/port.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

struct ipc_ids msg_ids;
uint64_t msg_total_bytes, msg_total_messages;

void msg_registry_init(void)
{
    ipc_ids_init(&msg_ids, IPC_MSG_NEXT_ID);
}

struct msg_message *msg_allocate(long type, size_t size)
{
    struct msg_message *m = kmalloc(sizeof(*m) + size);
    if (!m)
        return NULL;
    list_init(&m->node);
    m->type = type;
    m->size = size;
    return m;
}

void msg_free(struct msg_message *m)
{
    kfree(m);
}

static int create(const struct ipc_caller *c, int key, int flags)
{
    struct msg_queue *q = kzalloc(sizeof(*q));
    if (!q)
        return -ENOMEM;
    ipc_object_init(&q->ipc, c, key, flags);
    q->ctime = ipc_now();
    q->max_bytes = ipc_limit(IPC_MSGMNB);
    list_init(&q->messages);
    list_init(&q->senders);
    list_init(&q->receivers);
    spin_lock(&msg_ids.lock);
    int id = ipc_add_locked(&msg_ids, &q->ipc, (unsigned int)ipc_limit(IPC_MSGMNI));
    spin_unlock(&msg_ids.lock);
    if (id < 0)
        kfree(q);
    return id;
}

static int fits_any(const struct ipc_object *o, uint64_t size)
{
    return 0;
}

int msg_get(const struct ipc_caller *c, int key, int flags)
{
    int id;
    do {
        id = ipc_find_key(&msg_ids, c, key, flags, fits_any, 0);
        if (id != -ENOENT || (key != IPC_PRIVATE && !(flags & IPC_CREAT)))
            return id;
        id = create(c, key, flags);
    } while (id == -EEXIST); // somebody made the key between the two
    return id;
}

void msg_finish(struct msg_waiter *w, int result)
{
    struct thread *t = w->thread;
    port_thread_get(t);
    list_remove(&w->node);
    atomic_store_release(&w->result, result); // pairs with msg_sleep; *w may be gone
    port_unpark(t);
    port_thread_put(t);
}

// Queue `w` and sleep. Unlocks the slot; off the list in any case when this returns.
static int msg_sleep(struct ipc_slot *slot, struct list_node *list, struct msg_waiter *w)
{
    int err = 0, result;
    w->result = MSG_WAITING;
    w->thread = port_thread_self();
    list_add_tail(list, &w->node);
    spin_unlock(&slot->lock);
    while ((result = atomic_load_acquire(&w->result)) == MSG_WAITING && err == 0)
        err = port_park(PARK_INTERRUPTIBLE, TIME_NEVER);
    if (result != MSG_WAITING)
        return result;
    spin_lock(&slot->lock);
    result = w->result;
    if (result == MSG_WAITING) {
        list_remove(&w->node);
        result = err;
    }
    spin_unlock(&slot->lock);
    return result;
}

static bool matches(const struct msg_filter *f, const struct msg_message *m)
{
    switch (f->how) {
    case MSG_EQUAL:
        return m->type == f->type;
    case MSG_NOT_EQUAL:
        return m->type != f->type;
    case MSG_AT_MOST:
        return m->type <= f->type;
    default:
        return true;
    }
}

static void note_sent(struct msg_queue *q, pid_t pid)
{
    q->sent_by = pid;
    q->stime = ipc_now();
}

static void note_received(struct msg_queue *q, pid_t pid)
{
    q->received_by = pid;
    q->rtime = ipc_now();
}

// Give the message to the first receiver that waits for it, else to the queue. A receiver for whom
// it is too large ends with E2BIG, and the message goes on to the next.
static void deliver(struct msg_queue *q, struct msg_message *m, pid_t pid)
{
    struct msg_waiter *w, *next;
    note_sent(q, pid);
    list_for_each_entry_safe (w, next, &q->receivers, node) {
        if (!matches(&w->filter, m))
            continue;
        if (m->size > w->size && !w->cut) {
            msg_finish(w, -E2BIG);
            continue;
        }
        note_received(q, w->caller->pid);
        w->message = m;
        msg_finish(w, 0);
        return;
    }
    list_add_tail(&q->messages, &m->node);
    q->nr_bytes += m->size;
    q->nr_messages++;
    atomic_add_relaxed(&msg_total_bytes, m->size);
    atomic_add_relaxed(&msg_total_messages, 1);
}

// Empty messages count, too: there are never more messages than bytes allowed.
static bool has_room(const struct msg_queue *q, size_t size)
{
    return q->nr_bytes + size <= q->max_bytes && q->nr_messages + 1 <= q->max_bytes;
}

void msg_admit_senders(struct msg_queue *q)
{
    struct msg_waiter *w, *next;
    ipc_assert_locked(&q->ipc);
    list_for_each_entry_safe (w, next, &q->senders, node) {
        if (!has_room(q, w->message->size))
            continue;
        deliver(q, w->message, w->caller->pid);
        msg_finish(w, 0);
    }
}

int msg_send(const struct ipc_caller *c, int id, struct msg_message *m, int flags)
{
    struct ipc_object *o = ipc_lock_id(&msg_ids, id);
    int err = 0;
    if (!o)
        return -EINVAL;
    struct msg_queue *q = msg_queue_of(o);
    if (!ipc_permits(o, c->cred, IPC_WRITE)) {
        err = -EACCES;
    } else if (has_room(q, m->size)) {
        deliver(q, m, c->pid);
    } else if (flags & IPC_NOWAIT) {
        err = -EAGAIN;
    } else {
        struct msg_waiter w = {.caller = c, .message = m};
        return msg_sleep(o->slot, &q->senders, &w);
    }
    ipc_unlock(o);
    return err;
}

static struct msg_filter filter_of(long type, int flags)
{
    if (flags & MSG_COPY)
        return (struct msg_filter){MSG_NUMBER, type};
    if (type == 0)
        return (struct msg_filter){MSG_ANY, 0};
    if (type < 0)
        return (struct msg_filter){MSG_AT_MOST, type == LONG_MIN ? LONG_MAX : -type};
    return (struct msg_filter){flags & MSG_EXCEPT ? MSG_NOT_EQUAL : MSG_EQUAL, type};
}

// The message that the filter chooses, or NULL.
static struct msg_message *choose(const struct msg_queue *q, const struct msg_filter *f)
{
    struct msg_message *m, *best = NULL;
    long number = 0;
    list_for_each_entry (m, &q->messages, node) {
        if (f->how == MSG_NUMBER) {
            if (number++ == f->type)
                return m;
        } else if (matches(f, m)) {
            if (f->how != MSG_AT_MOST)
                return m;
            if (!best || m->type < best->type)
                best = m;
        }
    }
    return best;
}

static void take(struct msg_queue *q, struct msg_message *m)
{
    list_remove(&m->node);
    q->nr_bytes -= m->size;
    q->nr_messages--;
    atomic_add_relaxed(&msg_total_bytes, -m->size);
    atomic_add_relaxed(&msg_total_messages, -1UL);
}

void msg_drop_all(struct msg_queue *q)
{
    struct msg_message *m, *next;
    ipc_assert_locked(&q->ipc);
    list_for_each_entry_safe (m, next, &q->messages, node) {
        take(q, m);
        kfree(m);
    }
}

// MSG_COPY: the message stays, nothing is noted.
static int copy(const struct msg_message *m, size_t size, struct msg_message **copied)
{
    if (m->size > size)
        return -EINVAL; // with MSG_NOERROR, too, as Linux answers
    struct msg_message *own = msg_allocate(m->type, m->size);
    if (!own)
        return -ENOMEM;
    memcpy(own->text, m->text, m->size);
    *copied = own;
    return 0;
}

// The queue is locked and has `m`, which the filter chose.
static int receive_one(struct msg_queue *q, const struct ipc_caller *c, struct msg_message *m,
                       size_t size, int flags, struct msg_message **received)
{
    if (m->size > size && !(flags & MSG_NOERROR))
        return -E2BIG;
    if (flags & MSG_COPY)
        return copy(m, size, received);
    take(q, m);
    note_received(q, c->pid);
    *received = m;
    msg_admit_senders(q);
    return 0;
}

int msg_receive(const struct ipc_caller *c, int id, size_t size, long type, int flags,
                struct msg_message **m)
{
    struct msg_filter filter = filter_of(type, flags);
    int err;
    if ((flags & MSG_COPY) && ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT)))
        return -EINVAL;
    struct ipc_object *o = ipc_lock_id(&msg_ids, id);
    if (!o)
        return -EINVAL;
    struct msg_queue *q = msg_queue_of(o);
    struct msg_message *chosen = choose(q, &filter);
    if (!ipc_permits(o, c->cred, IPC_READ)) {
        err = -EACCES;
    } else if (chosen) {
        err = receive_one(q, c, chosen, size, flags, m);
    } else if (flags & IPC_NOWAIT) {
        err = -ENOMSG;
    } else {
        struct msg_waiter w = {
            .caller = c, .filter = filter, .size = size, .cut = flags & MSG_NOERROR};
        err = msg_sleep(o->slot, &q->receivers, &w);
        if (err == 0)
            *m = w.message;
        return err;
    }
    ipc_unlock(o);
    return err;
}
