// SPDX-License-Identifier: BSD-2-Clause
// epoll(7). An item is the interest of one epoll in one file. It stays on the file's wait queues
// with a callback that puts it on the epoll's ready list; epoll_wait() asks the files on that list.
// Level-triggered items that were reported stay on the list, edge-triggered ones leave it until the
// next wake.
//
// Life: an item holds no reference on its file. It ends by EPOLL_CTL_DEL, with its epoll, or when
// the last reference on the file goes: file->watchers lists the items for that. Lock order:
// epoll_control_lock (items of all files and epolls) > epoll.lock (its items, and asking files; an
// epoll inside another: outer first, one level deep) > a file's poll op. From wakers: the file's
// queue lock > epoll.ready_lock > the epoll's queue lock.
#include <asm/poll.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/epoll.h>
#include <fs/poll.h>
#include <lib/atomic.h>
#include <lib/rbtree.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <mm/slab.h>
#include <stdio.h>

#include "devices_priv.h"

#define EPOLL_ALWAYS (EPOLLERR | EPOLLHUP)

struct epoll {
    struct mutex lock;
    struct rb_root items;       // by file and descriptor; changed with epoll_control_lock, too
    unsigned int nr_inner;      // items that watch an epoll
    struct spinlock ready_lock; // irq-safe
    struct list_node ready;
    bool collecting; // a collector has items in hand that it may put on the list again
    struct wait_queue waiters;
};

struct epoll_watch { // one wait queue of an item's file
    struct epoll_watch *next;
    struct epoll_item *item;
    struct wait_queue *queue;
    struct waiter waiter;
};

struct epoll_item {
    struct rb_node node;
    struct epoll *epoll;
    struct file *file;
    int fd;
    uint32_t events; // wanted, with modes and what is always told; 0: a one-shot that was reported
    uint64_t data;
    struct epoll_watch *watches;
    struct list_node ready_node;     // ready_lock
    struct epoll_item *next_of_file; // epoll_control_lock
};

// A poll table that makes watches.
struct epoll_table {
    struct poll_table table;
    struct epoll_item *item;
};

static const struct file_system epoll_type = {
    .name = "anon_inodefs", .nodev = true, .magic = ANON_INODE_FS_MAGIC};
static struct super_block epoll_sb = {.refs = {1}, .fs = &epoll_type};
static struct mutex epoll_control_lock = MUTEX_INIT(epoll_control_lock);
static const struct file_ops epoll_ops;

static void epoll_mark_ready(struct epoll_item *item)
{
    struct epoll *e = item->epoll;

    irq_flags_t flags = spin_lock_irqsave(&e->ready_lock);
    if (!list_is_linked(&item->ready_node))
        list_add_tail(&e->ready, &item->ready_node);
    spin_unlock_irqrestore(&e->ready_lock, flags);
    wait_queue_wake_one(&e->waiters);
}

static void epoll_unmark_ready(struct epoll_item *item)
{
    struct epoll *e = item->epoll;

    irq_flags_t flags = spin_lock_irqsave(&e->ready_lock);
    list_remove(&item->ready_node);
    spin_unlock_irqrestore(&e->ready_lock, flags);
}

// A wait queue of the file was woken.
static void epoll_woken(struct waiter *waiter)
{
    struct epoll_watch *w = container_of(waiter, struct epoll_watch, waiter);
    if (atomic_load(&w->item->events) != 0)
        epoll_mark_ready(w->item);
}

static void epoll_add_watch(struct poll_table *table, struct wait_queue *queue)
{
    struct epoll_item *item = container_of(table, struct epoll_table, table)->item;
    struct epoll_watch *w = kmalloc(sizeof(*w));

    if (w == NULL) {
        table->error = -ENOMEM;
        return;
    }
    w->item = item;
    w->queue = queue;
    waiter_init(&w->waiter, (item->events & EPOLLEXCLUSIVE) != 0);
    w->waiter.wake = epoll_woken;
    w->next = item->watches;
    item->watches = w;
    wait_queue_add(queue, &w->waiter);
}

static uint32_t epoll_ask(const struct epoll_item *item)
{
    return file_poll(item->file, NULL) & item->events;
}

static int epoll_compare(const struct epoll_item *item, const struct file *file, int fd)
{
    if (item->file != file)
        return (uintptr_t)item->file < (uintptr_t)file ? -1 : 1;
    return item->fd < fd ? -1 : item->fd > fd;
}

// The item, or NULL with the place where it would go.
static struct epoll_item *epoll_find(struct epoll *e, const struct file *file, int fd,
                                     struct rb_node **parent, struct rb_node ***link)
{
    *parent = NULL;
    *link = &e->items.node;
    while (**link != NULL) {
        struct epoll_item *item = rb_entry(**link, struct epoll_item, node);
        int order = epoll_compare(item, file, fd);
        if (order == 0)
            return item;
        *parent = **link;
        *link = order > 0 ? &(**link)->left : &(**link)->right;
    }
    return NULL;
}

// Both locks held. After this nothing refers to the item.
static void epoll_remove_item(struct epoll_item *item)
{
    struct epoll *e = item->epoll;
    struct epoll_item **link = &item->file->watchers;
    struct epoll_watch *w;

    mutex_assert_held(&epoll_control_lock);
    mutex_assert_held(&e->lock);
    while ((w = item->watches) != NULL) {
        item->watches = w->next;
        wait_queue_remove(w->queue, &w->waiter);
        kfree(w);
    }
    epoll_unmark_ready(item);
    while (*link != item)
        link = &(*link)->next_of_file;
    *link = item->next_of_file;
    rb_erase(&e->items, &item->node, NULL);
    if (item->file->ops == &epoll_ops)
        e->nr_inner--;
    kfree(item);
}

void epoll_file_released(struct file *file)
{
    mutex_lock(&epoll_control_lock);
    while (file->watchers != NULL) {
        struct epoll *e = file->watchers->epoll;
        mutex_lock(&e->lock);
        epoll_remove_item(file->watchers);
        mutex_unlock(&e->lock);
    }
    mutex_unlock(&epoll_control_lock);
}

static int epoll_add(struct file *epoll, struct file *target, int fd,
                     const struct epoll_event *event)
{
    struct epoll *e = epoll->private;
    struct epoll_table table;
    struct rb_node *parent, **link;

    // An epoll in an epoll is fine, three levels or a circle aren't.
    if (target->ops == &epoll_ops &&
        (((struct epoll *)target->private)->nr_inner != 0 || epoll->watchers != NULL))
        return -ELOOP;
    if (epoll_find(e, target, fd, &parent, &link) != NULL)
        return -EEXIST;
    struct epoll_item *item = kzalloc(sizeof(*item));
    if (item == NULL)
        return -ENOMEM;
    item->epoll = e;
    item->file = target;
    item->fd = fd;
    item->events = event->events | EPOLL_ALWAYS;
    item->data = event->data;
    list_init(&item->ready_node);
    rb_insert(&e->items, parent, link, &item->node, NULL);
    item->next_of_file = target->watchers;
    target->watchers = item;
    if (target->ops == &epoll_ops)
        e->nr_inner++;

    poll_table_init(&table.table);
    table.table.add = epoll_add_watch;
    table.item = item;
    unsigned int now = poll_table_ask(&table.table, target);
    if (table.table.error != 0) {
        epoll_remove_item(item);
        return table.table.error;
    }
    if (now & item->events)
        epoll_mark_ready(item);
    return 0;
}

static int epoll_modify(struct epoll_item *item, const struct epoll_event *event)
{
    if ((event->events | item->events) & EPOLLEXCLUSIVE)
        return -EINVAL;
    atomic_store(&item->events, event->events | EPOLL_ALWAYS);
    item->data = event->data;
    if (epoll_ask(item) != 0)
        epoll_mark_ready(item);
    return 0;
}

int epoll_control(struct file *epoll, int op, int fd, struct file *target,
                  const struct epoll_event *event)
{
    struct rb_node *parent, **link;
    int err = -ENOENT;

    if (target->ops->poll == NULL)
        return -EPERM;
    if (epoll->ops != &epoll_ops || epoll == target ||
        (op != EPOLL_CTL_ADD && op != EPOLL_CTL_DEL && op != EPOLL_CTL_MOD))
        return -EINVAL;
    struct epoll *e = epoll->private;
    mutex_lock(&epoll_control_lock);
    mutex_lock(&e->lock);
    struct epoll_item *item = epoll_find(e, target, fd, &parent, &link);
    if (op == EPOLL_CTL_ADD) {
        err = epoll_add(epoll, target, fd, event);
    } else if (item != NULL && op == EPOLL_CTL_MOD) {
        err = epoll_modify(item, event);
    } else if (item != NULL) {
        epoll_remove_item(item);
        err = 0;
    }
    mutex_unlock(&e->lock);
    mutex_unlock(&epoll_control_lock);
    return err;
}

static struct epoll_item *epoll_next_ready(struct epoll *e)
{
    struct epoll_item *item = NULL;

    irq_flags_t flags = spin_lock_irqsave(&e->ready_lock);
    if (!list_is_empty(&e->ready)) {
        item = list_first_entry(&e->ready, struct epoll_item, ready_node);
        list_remove(&item->ready_node);
        e->collecting = true;
    }
    spin_unlock_irqrestore(&e->ready_lock, flags);
    return item;
}

// Ask the files on the ready list. How many events. `events` NULL: only whether there is one.
static int epoll_collect(struct epoll *e, struct epoll_event *events, int max)
{
    struct list_node again = LIST_INIT(again);
    struct epoll_item *item;
    int nr = 0;

    mutex_lock(&e->lock);
    while (nr < max && (item = epoll_next_ready(e)) != NULL) {
        // It left the list first: a wake from now on puts it there again.
        uint32_t now = item->events != 0 ? epoll_ask(item) : 0;
        if (now == 0)
            continue;
        if (events != NULL) {
            events[nr].events = now;
            events[nr].data = item->data;
            if (item->events & EPOLLONESHOT)
                atomic_store(&item->events, 0);
        }
        nr++;
        if (events != NULL && (item->events & EPOLLET || item->events == 0))
            continue;
        irq_flags_t flags = spin_lock_irqsave(&e->ready_lock);
        if (!list_is_linked(&item->ready_node))
            list_add_tail(&again, &item->ready_node);
        spin_unlock_irqrestore(&e->ready_lock, flags);
    }
    irq_flags_t flags = spin_lock_irqsave(&e->ready_lock);
    list_splice_tail(&e->ready, &again); // behind those that had no turn
    e->collecting = false;
    spin_unlock_irqrestore(&e->ready_lock, flags);
    mutex_unlock(&e->lock);
    return nr;
}

// What another collector has in hand counts: nobody is woken when it puts that back, so who wants
// to know waits for it on epoll.lock.
static bool epoll_has_ready(struct epoll *e)
{
    irq_flags_t flags = spin_lock_irqsave(&e->ready_lock);
    bool has = !list_is_empty(&e->ready) || e->collecting;
    spin_unlock_irqrestore(&e->ready_lock, flags);
    return has;
}

int epoll_wait(struct file *epoll, struct epoll_event *events, int max, uint64_t deadline_ns)
{
    struct epoll *e = epoll->private;

    if (epoll->ops != &epoll_ops)
        return -EINVAL;
    for (;;) {
        int nr = epoll_collect(e, events, max);
        if (nr != 0 || deadline_ns == 0)
            return nr;
        int err = wait_event(&e->waiters, epoll_has_ready(e), PARK_INTERRUPTIBLE, deadline_ns);
        if (err != 0)
            return err == -ETIMEDOUT ? 0 : err;
    }
}

static unsigned int epoll_poll(struct file *file, struct poll_table *table)
{
    struct epoll *e = file->private;
    poll_add(table, &e->waiters);
    return epoll_collect(e, NULL, 1) != 0 ? POLLIN | POLLRDNORM : 0;
}

static void epoll_release(struct file *file)
{
    struct epoll *e = file->private;
    struct rb_node *first;

    mutex_lock(&epoll_control_lock);
    mutex_lock(&e->lock);
    while ((first = rb_first(&e->items)) != NULL)
        epoll_remove_item(rb_entry(first, struct epoll_item, node));
    mutex_unlock(&e->lock);
    mutex_unlock(&epoll_control_lock);
    kfree(e);
}

static const struct file_ops epoll_ops = {
    .poll = epoll_poll,
    .release = epoll_release,
    .stream = true,
};

static ssize_t epoll_readlink(struct inode *inode, char *buf, size_t size)
{
    int n = snprintf(buf, size, "anon_inode:[eventpoll]");
    return MIN(n, (int)size - 1);
}

static const struct inode_ops epoll_inode_ops = {.readlink = epoll_readlink};

int epoll_create(struct cred *cred, struct file **file)
{
    struct epoll *e = kzalloc(sizeof(*e));
    if (e == NULL)
        return -ENOMEM;
    mutex_init(&e->lock);
    spin_init(&e->ready_lock);
    list_init(&e->ready);
    wait_queue_init(&e->waiters);
    struct inode *inode = inode_create(&epoll_sb, &epoll_inode_ops, 0600, 0, 0);
    int err = -ENOMEM;
    if (inode != NULL)
        err = file_create_anonymous(inode, &epoll_ops, O_RDWR, cred, file);
    if (err != 0) {
        kfree(e);
        return err;
    }
    (*file)->private = e;
    return 0;
}

void epoll_init(void)
{
    epoll_sb.dev = dev_anonymous();
    epoll_sb.next_ino = 1;
}
