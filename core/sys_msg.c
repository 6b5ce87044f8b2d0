// SPDX-License-Identifier: BSD-2-Clause
// msgget(2), msgsnd(2), msgrcv(2), msgctl(2): arguments of the ABI turned into calls of ipc/msg.
#include "ipc_priv.h"

#include <arch/uaccess.h>
#include <core/signal.h>
#include <errno.h>
#include <ipc/msg.h>

#include "signal_priv.h"
#include "syscalls_priv.h"

_Static_assert(sizeof(struct msqid64_ds) == 120, "uapi");
_Static_assert(offsetof(struct msqid64_ds, msg_qbytes) == 88, "uapi");
_Static_assert(sizeof(struct msginfo) == 32, "uapi");

#define TEXT_OFFSET sizeof(long) // struct msgbuf: the type, then the text

long sys_msgget(int key, int flags)
{
    const struct ipc_caller c = ipc_caller_self();
    return msg_get(&c, key, flags);
}

long sys_msgsnd(int id, vaddr_t buf, size_t size, int flags)
{
    const struct ipc_caller c = ipc_caller_self();
    long type;
    if (user_copy_in(&type, buf, sizeof(type)) != 0)
        return -EFAULT;
    if (size > ipc_limit(IPC_MSGMAX) || (ssize_t)size < 0 || id < 0 || type < 1)
        return -EINVAL;
    struct msg_message *m = msg_allocate(type, size);
    if (!m)
        return -ENOMEM;
    int err = user_copy_in(m->text, buf + TEXT_OFFSET, size);
    if (err == 0)
        err = msg_send(&c, id, m, flags);
    if (err != 0)
        msg_free(m);
    return err == -EINTR ? -ERESTARTNOHAND : err;
}

long sys_msgrcv(int id, vaddr_t buf, size_t size, long type, int flags)
{
    const struct ipc_caller c = ipc_caller_self();
    struct msg_message *m = NULL;
    if (id < 0 || (ssize_t)size < 0)
        return -EINVAL;
    int err = msg_receive(&c, id, size, type, flags, &m);
    if (err != 0)
        return err == -EINTR ? -ERESTARTNOHAND : err;
    size_t n = MIN(m->size, size);
    err = user_copy_out(buf, &m->type, sizeof(m->type));
    if (err == 0)
        err = user_copy_out(buf + TEXT_OFFSET, m->text, n);
    msg_free(m);
    return err != 0 ? err : (long)n;
}

static long stat_user(const struct ipc_caller *c, int id, int command, vaddr_t buf)
{
    struct msqid64_ds ds;
    int result = msg_stat(c, id, command, &ds);
    if (result < 0)
        return result;
    return user_copy_out(buf, &ds, sizeof(ds)) != 0 ? -EFAULT : result;
}

static long set_user(const struct ipc_caller *c, int id, vaddr_t buf)
{
    struct msqid64_ds ds;
    if (user_copy_in(&ds, buf, sizeof(ds)) != 0)
        return -EFAULT;
    return msg_set(c, id, &ds);
}

static long info_user(int command, vaddr_t buf)
{
    struct msginfo info;
    int highest = msg_info(&info, command == MSG_INFO);
    if (highest >= 0 && user_copy_out(buf, &info, sizeof(info)) != 0)
        return -EFAULT;
    return highest;
}

long sys_msgctl(int id, int command, vaddr_t buf)
{
    const struct ipc_caller c = ipc_caller_self();
    if (id < 0 || command < 0)
        return -EINVAL;
    switch (command) {
    case IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY:
        return stat_user(&c, id, command, buf);
    case IPC_SET:
        return set_user(&c, id, buf);
    case IPC_RMID:
        return msg_remove(&c, id);
    case IPC_INFO:
    case MSG_INFO:
        return info_user(command, buf);
    default:
        return -EINVAL;
    }
}
