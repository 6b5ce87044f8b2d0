// SPDX-License-Identifier: BSD-2-Clause
// Netlink sockets: a list of datagrams, as long as its file lives.
//
// Locking: netlink.lock, a spinlock, guards the list and the count; user memory is copied outside,
// so a message that is being read is off the list, and at its head again if it was only peeked at.
#include <asm/poll.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <fs/netlink.h>
#include <fs/poll.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <stdio.h>

#include "devices_priv.h"

#define MESSAGES_MAX 256 // waiting or announced, about what Linux's default buffer holds
#define SOCKFS_MAGIC 0x534f434b

#ifndef MSG_PEEK
#define MSG_PEEK     0x02
#define MSG_TRUNC    0x20
#define MSG_DONTWAIT 0x40
#endif

struct netlink {
    struct spinlock lock; // guards the next two
    struct list_node messages;
    unsigned int nr; // with the places kept
    struct wait_queue readers, room;
};

static const struct file_ops netlink_ops;
static const struct file_system sockfs_type = {
    .name = "sockfs", .nodev = true, .magic = SOCKFS_MAGIC};
static struct super_block sockfs_sb = {.refs = {1}, .fs = &sockfs_type};

bool netlink_is(const struct file *f)
{
    return f->ops == &netlink_ops;
}

struct netlink_message *netlink_message_create(size_t size)
{
    struct netlink_message *m = kmalloc(sizeof(*m) + size);
    if (m)
        m->size = size;
    return m;
}

static bool reserve(struct netlink *s)
{
    spin_lock(&s->lock);
    bool fits = s->nr < MESSAGES_MAX;
    s->nr += fits;
    spin_unlock(&s->lock);
    return fits;
}

int netlink_reserve(struct file *f)
{
    struct netlink *s = f->private;
    return wait_event(&s->room, reserve(s), PARK_INTERRUPTIBLE, TIME_NEVER);
}

void netlink_unreserve(struct file *f)
{
    struct netlink *s = f->private;
    spin_lock(&s->lock);
    s->nr--;
    spin_unlock(&s->lock);
    wait_queue_wake_one(&s->room);
}

void netlink_deliver(struct file *f, struct netlink_message *m)
{
    struct netlink *s = f->private;
    spin_lock(&s->lock);
    list_add_tail(&s->messages, &m->node);
    spin_unlock(&s->lock);
    wait_queue_wake_all(&s->readers);
}

static bool take(struct netlink *s, struct netlink_message **m)
{
    spin_lock(&s->lock);
    bool some = !list_is_empty(&s->messages);
    if (some) {
        *m = list_first_entry(&s->messages, struct netlink_message, node);
        list_remove(&(*m)->node);
    }
    spin_unlock(&s->lock);
    return some;
}

static void put_first(struct netlink *s, struct netlink_message *m)
{
    spin_lock(&s->lock);
    list_add_head(&s->messages, &m->node);
    spin_unlock(&s->lock);
    wait_queue_wake_all(&s->readers);
}

ssize_t netlink_receive(struct file *f, struct uio *uio, unsigned int flags)
{
    struct netlink *s = f->private;
    struct netlink_message *m;

    if ((flags & MSG_DONTWAIT) || (f->flags & O_NONBLOCK)) {
        if (!take(s, &m))
            return -EAGAIN;
    } else if (wait_event(&s->readers, take(s, &m), PARK_INTERRUPTIBLE, TIME_NEVER) != 0) {
        return -EINTR;
    }
    size_t size = m->size, wanted = MIN(size, uio->left);
    size_t done = uio_copy_out(uio, m->data, wanted);
    if (flags & MSG_PEEK) {
        put_first(s, m);
    } else {
        kfree(m);
        netlink_unreserve(f);
    }
    if (done < wanted)
        return -EFAULT;
    return (ssize_t)(flags & MSG_TRUNC ? size : done);
}

static ssize_t netlink_read(struct file *f, struct uio *uio, uint64_t *offset)
{
    ssize_t n = netlink_receive(f, uio, 0);
    return n == -EINTR ? -ERESTARTSYS : n;
}

static unsigned int netlink_poll(struct file *f, struct poll_table *table)
{
    struct netlink *s = f->private;
    poll_add(table, &s->readers);
    spin_lock(&s->lock);
    bool some = !list_is_empty(&s->messages);
    spin_unlock(&s->lock);
    return POLLOUT | POLLWRNORM | POLLWRBAND | (some ? POLLIN | POLLRDNORM : 0);
}

static void netlink_release(struct file *f)
{
    struct netlink *s = f->private;
    struct netlink_message *m, *next;
    list_for_each_entry_safe (m, next, &s->messages, node)
        kfree(m);
    kfree(s);
}

static const struct file_ops netlink_ops = {
    .read = netlink_read,
    .poll = netlink_poll,
    .release = netlink_release,
    .stream = true,
};

static ssize_t netlink_readlink(struct inode *inode, char *buf, size_t size)
{
    int n = snprintf(buf, size, "socket:[%lu]", (unsigned long)inode->ino);
    return MIN(n, (int)size - 1);
}

static const struct inode_ops netlink_inode_ops = {.readlink = netlink_readlink};

int netlink_create(int flags, struct cred *cred, struct file **file)
{
    struct netlink *s = kzalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    spin_init(&s->lock);
    list_init(&s->messages);
    wait_queue_init(&s->readers);
    wait_queue_init(&s->room);
    struct inode *inode =
        inode_create(&sockfs_sb, &netlink_inode_ops, S_IFSOCK | 0777, cred->fsuid, cred->fsgid);
    int err =
        inode ? file_create_anonymous(inode, &netlink_ops, flags | O_RDWR, cred, file) : -ENOMEM;
    if (err != 0) {
        kfree(s);
        return err;
    }
    (*file)->private = s;
    return 0;
}

void netlink_init(void)
{
    sockfs_sb.dev = dev_anonymous();
    sockfs_sb.next_ino = 1;
}
