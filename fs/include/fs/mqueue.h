// SPDX-License-Identifier: BSD-2-Clause
// POSIX message queues: mq_overview(7). A queue is a file of the one file system "mqueue", open as
// any other; these are the calls that a file has no operation for.
#pragma once

#include <fs/file.h>
#include <linux/mqueue.h>

// On whose behalf.
struct mqueue_caller {
    struct cred *cred;
    struct fs_context *context; // for the umask
    uint64_t bytes_max;         // RLIMIT_MSGQUEUE
};

struct mqueue_message; // belongs to whoever holds it, until it was sent

// Who wants to know of a message that comes to an empty queue: made by the caller, the queue's
// until one of the calls below ends it. They run without a lock.
struct mqueue_notice {
    const void *owner, *table; // a process, which may take it back; the files it closes
    pid_t pid;                 // these three as the queue's file shows them
    int kind, signal;
    void (*tell)(struct mqueue_notice *n, pid_t sender, uid_t sender_uid); // a message came
    void (*drop)(struct mqueue_notice *n);                                 // none will
};

enum mqueue_limit {
    MQUEUE_QUEUES_MAX,
    MQUEUE_MSG_MAX, // messages of a queue
    MQUEUE_MSGSIZE_MAX,
    MQUEUE_MSG_DEFAULT,
    MQUEUE_MSGSIZE_DEFAULT,
    MQUEUE_NR_LIMITS,
};

void mqueue_init(void); // the type "mqueue", boot
uint64_t mqueue_limit(enum mqueue_limit which);
int mqueue_limit_set(enum mqueue_limit which, uint64_t value); // 0 or -EINVAL

// mq_open(3) of a name without its slash; attr NULL: the defaults. 0 and *file, or -errno.
int mqueue_open(const struct mqueue_caller *c, const char *name, int flags, mode_t mode,
                const struct mq_attr *attr, struct file **file);
int mqueue_unlink(const struct mqueue_caller *c, const char *name);
bool mqueue_is(const struct file *f); // the rest is for such files alone

size_t mqueue_message_size(const struct file *f);                                 // the most
struct mqueue_message *mqueue_message_create(size_t size, unsigned int priority); // NULL: no memory
void mqueue_message_free(struct mqueue_message *m);
void *mqueue_message_text(struct mqueue_message *m, size_t *size, unsigned int *priority);

// Until the deadline, of the wall clock (TIME_NEVER: none), or not at all by O_NONBLOCK. 0,
// -EAGAIN, -ETIMEDOUT, -EINTR. `pid`, `uid`: of the sender. Sent, the message is the queue's.
int mqueue_send(struct file *f, struct mqueue_message *m, uint64_t deadline_ns, pid_t pid,
                uid_t uid);
int mqueue_receive(struct file *f, uint64_t deadline_ns, struct mqueue_message **m);
// 0 and the queue has `n`, or -EBUSY.
int mqueue_notify(struct file *f, struct mqueue_notice *n);
void mqueue_unnotify(struct file *f, const void *owner); // if it is his
void mqueue_attributes(const struct file *f, struct mq_attr *attr);
