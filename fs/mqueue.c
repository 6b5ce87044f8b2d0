// SPDX-License-Identifier: BSD-2-Clause
// Messages of a POSIX queue, who waits for them, who is told. mq_send(3), mq_receive(3),
// mq_notify(3).
//
// Whoever finds a sleeper does what that asked for in its stead: a sender hands its message to the
// first receiver, a receiver puts the first sender's into the queue. So a sleeper wakes only when
// it is done, and nobody overtakes it. Queues live as long as their inodes, which open files hold.
#include <asm/poll.h>
#include <asm/siginfo.h>
#include <errno.h>
#include <fs/poll.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <stdio.h>
#include <string.h>
#include <sync/port.h>

#include "mqueue_priv.h"

#define WAITING 1

// A sleeper, on its thread's stack. Off its list as soon as `result` isn't WAITING any more, which
// is the waker's last access.
struct mqueue_waiter {
    struct list_node node;
    struct thread *thread;
    struct mqueue_message *message; // to send; or received, if the result is 0
    int priority, result;
};

struct mqueue *mqueue_create(uint64_t nr_max, uint64_t size_max)
{
    struct mqueue *q = kzalloc(sizeof(*q));
    if (!q)
        return NULL;
    q->nr_max = nr_max;
    q->size_max = size_max;
    spin_init(&q->lock);
    list_init(&q->senders);
    list_init(&q->receivers);
    wait_queue_init(&q->readable);
    wait_queue_init(&q->writable);
    return q;
}

static struct mqueue *queue_of(const struct file *f)
{
    return f->inode->private;
}

bool mqueue_is(const struct file *f)
{
    return f->ops == &mqueue_file_ops;
}

size_t mqueue_message_size(const struct file *f)
{
    return queue_of(f)->size_max;
}

struct mqueue_message *mqueue_message_create(size_t size, unsigned int priority)
{
    struct mqueue_message *m = kmalloc(sizeof(*m) + size);
    if (!m)
        return NULL;
    m->priority = priority;
    m->size = size;
    return m;
}

void mqueue_message_free(struct mqueue_message *m)
{
    kfree(m);
}

void *mqueue_message_text(struct mqueue_message *m, size_t *size, unsigned int *priority)
{
    *size = m->size;
    *priority = m->priority;
    return m->text;
}

static void insert_locked(struct mqueue *q, struct mqueue_message *m)
{
    struct rb_node **link = &q->messages.node, *parent = NULL;
    bool first = true;
    spin_assert_held(&q->lock);
    while (*link) {
        parent = *link;
        if (m->priority > rb_entry(parent, struct mqueue_message, node)->priority) {
            link = &parent->left;
        } else {
            link = &parent->right;
            first = false;
        }
    }
    rb_insert(&q->messages, parent, link, &m->node, NULL);
    if (first)
        q->first = m;
    q->nr++;
    q->nr_bytes += m->size;
}

static struct mqueue_message *take_locked(struct mqueue *q)
{
    struct mqueue_message *m = q->first;
    spin_assert_held(&q->lock);
    q->first = rb_entry_or_null(rb_next(&m->node), struct mqueue_message, node);
    rb_erase(&q->messages, &m->node, NULL);
    q->nr--;
    q->nr_bytes -= m->size;
    return m;
}

void mqueue_destroy(struct mqueue *q)
{
    spin_lock(&q->lock);
    struct mqueue_notice *notice = q->notice;
    while (q->nr != 0)
        kfree(take_locked(q));
    spin_unlock(&q->lock);
    if (notice)
        notice->drop(notice);
    kfree(q);
}

static void finish(struct mqueue_waiter *w, int result)
{
    struct thread *t = w->thread;
    port_thread_get(t);
    list_remove(&w->node);
    atomic_store_release(&w->result, result); // pairs with sleep_on; *w may be gone
    port_unpark(t);
    port_thread_put(t);
}

static struct mqueue_waiter *first_waiter(struct list_node *list)
{
    return list_is_empty(list) ? NULL : list_first_entry(list, struct mqueue_waiter, node);
}

// Before the first whose thread is less urgent.
static void queue_waiter(struct list_node *list, struct mqueue_waiter *w)
{
    struct mqueue_waiter *other;
    w->thread = port_thread_self();
    w->priority = port_thread_rt_priority(w->thread);
    w->result = WAITING;
    list_for_each_entry (other, list, node)
        if (other->priority < w->priority)
            break;
    list_insert_before(&other->node, &w->node);
}

// Sleep in `list`. Unlocks the queue; off the list in any case when this returns.
static int sleep_on(struct mqueue *q, struct list_node *list, struct mqueue_waiter *w,
                    uint64_t deadline_ns)
{
    int err = 0, result;
    queue_waiter(list, w);
    spin_unlock(&q->lock);
    while ((result = atomic_load_acquire(&w->result)) == WAITING && err == 0)
        err = deadline_ns == TIME_NEVER ? port_park(PARK_INTERRUPTIBLE, TIME_NEVER)
                                        : port_park_realtime(PARK_INTERRUPTIBLE, deadline_ns);
    if (result != WAITING)
        return result;
    spin_lock(&q->lock);
    result = w->result;
    if (result == WAITING) {
        list_remove(&w->node);
        result = err;
    }
    spin_unlock(&q->lock);
    return result;
}

int mqueue_send(struct file *f, struct mqueue_message *m, uint64_t deadline_ns, pid_t pid,
                uid_t uid)
{
    struct mqueue *q = queue_of(f);
    struct mqueue_waiter w = {.message = m}, *receiver;
    struct mqueue_notice *notice = NULL;
    spin_lock(&q->lock);
    if (q->nr == q->nr_max) {
        if (!(f->flags & O_NONBLOCK))
            return sleep_on(q, &q->senders, &w, deadline_ns);
        spin_unlock(&q->lock);
        return -EAGAIN;
    }
    receiver = first_waiter(&q->receivers);
    if (receiver) {
        receiver->message = m;
        finish(receiver, 0);
    } else {
        insert_locked(q, m);
        if (q->nr == 1) {
            notice = q->notice;
            q->notice = NULL;
        }
    }
    spin_unlock(&q->lock);
    if (!receiver)
        wait_queue_wake_all(&q->readable);
    if (notice)
        notice->tell(notice, pid, uid);
    return 0;
}

int mqueue_receive(struct file *f, uint64_t deadline_ns, struct mqueue_message **m)
{
    struct mqueue *q = queue_of(f);
    struct mqueue_waiter w = {.message = NULL}, *sender;
    spin_lock(&q->lock);
    if (q->nr == 0) {
        if (f->flags & O_NONBLOCK) {
            spin_unlock(&q->lock);
            return -EAGAIN;
        }
        int err = sleep_on(q, &q->receivers, &w, deadline_ns);
        *m = w.message;
        return err;
    }
    *m = take_locked(q);
    sender = first_waiter(&q->senders);
    if (sender) {
        insert_locked(q, sender->message);
        finish(sender, 0);
    }
    spin_unlock(&q->lock);
    wait_queue_wake_all(sender ? &q->readable : &q->writable);
    return 0;
}

int mqueue_notify(struct file *f, struct mqueue_notice *n)
{
    struct mqueue *q = queue_of(f);
    spin_lock(&q->lock);
    bool free = !q->notice;
    if (free)
        q->notice = n;
    spin_unlock(&q->lock);
    return free ? 0 : -EBUSY;
}

// Of this owner, or of who has this table of files.
static void remove_notice(struct mqueue *q, const void *owner, const void *table)
{
    spin_lock(&q->lock);
    struct mqueue_notice *n = q->notice;
    if (n && (n->owner == owner || n->table == table))
        q->notice = NULL;
    else
        n = NULL;
    spin_unlock(&q->lock);
    if (n)
        n->drop(n);
}

void mqueue_unnotify(struct file *f, const void *owner)
{
    remove_notice(queue_of(f), owner, NULL);
}

void mqueue_attributes(const struct file *f, struct mq_attr *attr)
{
    struct mqueue *q = queue_of(f);
    memset(attr, 0, sizeof(*attr));
    attr->mq_flags = f->flags & O_NONBLOCK;
    attr->mq_maxmsg = (long)q->nr_max;
    attr->mq_msgsize = (long)q->size_max;
    attr->mq_curmsgs = (long)atomic_load(&q->nr);
}

static unsigned int mqueue_poll(struct file *f, struct poll_table *table)
{
    struct mqueue *q = queue_of(f);
    unsigned int events = 0;
    poll_add(table, &q->readable);
    poll_add(table, &q->writable);
    spin_lock(&q->lock);
    if (q->nr != 0)
        events |= POLLIN | POLLRDNORM;
    if (q->nr < q->nr_max)
        events |= POLLOUT | POLLWRNORM;
    spin_unlock(&q->lock);
    return events;
}

// What cat(1) shows of a queue: mq_overview(7).
static ssize_t mqueue_read(struct file *f, struct uio *uio, uint64_t *offset)
{
    struct mqueue *q = queue_of(f);
    char text[96];
    int kind = 0, signal = 0;
    pid_t pid = 0;
    spin_lock(&q->lock);
    uint64_t bytes = q->nr_bytes;
    if (q->notice) {
        kind = q->notice->kind;
        signal = kind == SIGEV_SIGNAL ? q->notice->signal : 0;
        pid = q->notice->pid;
    }
    spin_unlock(&q->lock);
    size_t n = (size_t)snprintf(text, sizeof(text),
                                "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
                                (unsigned long)bytes, kind, signal, pid);
    if (*offset >= n)
        return 0;
    size_t wanted = MIN(n - *offset, uio->left), done = uio_copy_out(uio, text + *offset, wanted);
    *offset += done;
    return done != 0 || wanted == 0 ? (ssize_t)done : -EFAULT;
}

static void mqueue_closed(struct file *f, const void *table)
{
    remove_notice(queue_of(f), NULL, table);
}

const struct file_ops mqueue_file_ops = {
    .read = mqueue_read,
    .poll = mqueue_poll,
    .closed = mqueue_closed,
};
