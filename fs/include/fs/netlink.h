// SPDX-License-Identifier: BSD-2-Clause
// Netlink sockets (netlink(7)), as far as mq_notify(3) needs them: datagrams from the kernel, read
// in order. Nobody answers what a program sends. The only kind of socket here, until there is net/.
#pragma once

#include <fs/file.h>

struct netlink_message { // belongs to who made it until it is delivered
    struct list_node node;
    size_t size;
    char data[];
};

// flags: O_NONBLOCK. 0 or -ENOMEM.
int netlink_create(int flags, struct cred *cred, struct file **file);
bool netlink_is(const struct file *f); // the rest is for such files alone

struct netlink_message *netlink_message_create(size_t size); // NULL: no memory
// Have the socket keep a place for a message, so that it can be delivered at any time; waits while
// it holds as many as it may, whatever its O_NONBLOCK says. 0 or -EINTR.
int netlink_reserve(struct file *f);
void netlink_unreserve(struct file *f);
// Into the place that was kept. Any context that may take spinlocks.
void netlink_deliver(struct file *f, struct netlink_message *m);
// recv(2), flags MSG_PEEK, MSG_DONTWAIT, MSG_TRUNC. Bytes, or -errno.
ssize_t netlink_receive(struct file *f, struct uio *uio, unsigned int flags);
