// SPDX-License-Identifier: BSD-2-Clause
// System V message queues: msgget(2), msgop(2), msgctl(2). Contract: shared/abi/sysv-ipc.md.
#pragma once

#include <asm/ipcbuf.h>
#include <ipc/ipc.h>
#include <lib/list.h>
#include <linux/msg.h>

// A message outside or inside a queue; it belongs to whoever holds it.
struct msg_message {
    struct list_node node; // the queue's lock
    long type;
    size_t size; // bytes
    char text[];
};
struct msg_message *msg_allocate(long type, size_t size); // NULL: no memory
void msg_free(struct msg_message *m);

// The id, or -errno of msgget(2).
int msg_get(const struct ipc_caller *c, int key, int flags);
// 0: the message is the queue's; else it stays the caller's. -errno of msgop(2), -EINTR.
int msg_send(const struct ipc_caller *c, int id, struct msg_message *m, int flags);
// A message of at most `size` bytes, chosen by type and flags: 0 and *m the caller's, or -errno of
// msgop(2), -EINTR.
int msg_receive(const struct ipc_caller *c, int id, size_t size, long type, int flags,
                struct msg_message **m);

// Each 0 or -errno of msgctl(2).
// IPC_STAT takes an id, MSG_STAT and MSG_STAT_ANY an index; the id is returned by the latter two.
int msg_stat(const struct ipc_caller *c, int id, int command, struct msqid64_ds *ds);
int msg_set(const struct ipc_caller *c, int id, const struct msqid64_ds *ds);
int msg_remove(const struct ipc_caller *c, int id);
// IPC_INFO, MSG_INFO (`usage`): the highest index in use.
int msg_info(struct msginfo *info, bool usage);

// The queue at or after *index for /proc/sysvipc/msg; *index becomes its own. False: none.
bool msg_next(unsigned int *index, int *id, struct msqid64_ds *ds);
