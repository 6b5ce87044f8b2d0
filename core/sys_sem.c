// SPDX-License-Identifier: BSD-2-Clause
// semget(2), semop(2), semtimedop(2), semctl(2): arguments of the ABI turned into calls of ipc/sem.
#include "ipc_priv.h"

#include <arch/uaccess.h>
#include <core/time.h>
#include <errno.h>
#include <ipc/sem.h>
#include <mm/slab.h>

#include "syscalls_priv.h"

#define OPS_ON_STACK 8U

_Static_assert(sizeof(struct sembuf) == 6, "uapi");
_Static_assert(sizeof(struct semid64_ds) == 88, "uapi");
_Static_assert(offsetof(struct semid64_ds, sem_nsems) == 64, "uapi");
_Static_assert(sizeof(struct seminfo) == 40, "uapi");

long sys_semget(int key, int nr_sems, int flags)
{
    const struct ipc_caller c = ipc_caller_self();
    return sem_get(&c, key, nr_sems, flags);
}

static bool any_undo(const struct sembuf *ops, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++)
        if (ops[i].sem_flg & SEM_UNDO)
            return true;
    return false;
}

static long operate(int id, const struct sembuf *ops, unsigned int nr, uint64_t deadline_ns)
{
    const struct ipc_caller c = ipc_caller_self();
    struct thread *t = thread_self();
    if (!t->sem_undo && any_undo(ops, nr)) {
        t->sem_undo = sem_undo_list_create();
        if (!t->sem_undo)
            return -ENOMEM;
    }
    return sem_operate(&c, id, ops, nr, t->sem_undo, deadline_ns);
}

long sys_semtimedop(int id, vaddr_t user_ops, unsigned int nr, vaddr_t timeout)
{
    struct sembuf on_stack[OPS_ON_STACK], *ops = on_stack;
    uint64_t ns = 0;
    // Read before all else, but judged after the operations are read, as Linux does.
    int time_err = timeout != 0 ? time_read_timespec(timeout, &ns) : 0;
    if (time_err == -EFAULT)
        return time_err;
    if (nr > ipc_limit(IPC_SEMOPM))
        return -E2BIG;
    if (nr == 0)
        return -EINVAL;
    if (nr > OPS_ON_STACK)
        ops = kmalloc(nr * sizeof(*ops));
    if (!ops)
        return -ENOMEM;
    long result = user_copy_in(ops, user_ops, nr * sizeof(*ops)) != 0 ? -EFAULT : time_err;
    if (result == 0)
        result = operate(id, ops, nr, timeout != 0 ? time_deadline(ns) : TIME_NEVER);
    if (ops != on_stack)
        kfree(ops);
    return result;
}

long sys_semop(int id, vaddr_t ops, unsigned int nr)
{
    return sys_semtimedop(id, ops, nr, 0);
}

static long stat_user(const struct ipc_caller *c, int id, int command, vaddr_t buf)
{
    struct semid64_ds ds;
    int result = sem_stat(c, id, command, &ds);
    if (result < 0)
        return result;
    return user_copy_out(buf, &ds, sizeof(ds)) != 0 ? -EFAULT : result;
}

static long set_user(const struct ipc_caller *c, int id, vaddr_t buf)
{
    struct semid64_ds ds;
    if (user_copy_in(&ds, buf, sizeof(ds)) != 0)
        return -EFAULT;
    return sem_set(c, id, &ds);
}

static long info_user(int command, vaddr_t buf)
{
    struct seminfo info;
    int highest = sem_info(&info, command == SEM_INFO);
    if (highest >= 0 && user_copy_out(buf, &info, sizeof(info)) != 0)
        return -EFAULT;
    return highest;
}

// GETALL and SETALL.
static long all_user(const struct ipc_caller *c, int id, int command, vaddr_t buf)
{
    int nr = sem_count(c, id, command == SETALL);
    if (nr < 0)
        return nr;
    size_t size = (unsigned int)nr * sizeof(uint16_t);
    uint16_t *values = kzalloc(size);
    if (!values)
        return -ENOMEM;
    int err;
    if (command == SETALL) {
        err = user_copy_in(values, buf, size);
        if (err == 0)
            err = sem_set_all(c, id, values, (unsigned int)nr);
    } else {
        err = sem_get_all(c, id, values, (unsigned int)nr);
        if (err == 0)
            err = user_copy_out(buf, values, size);
    }
    kfree(values);
    return err;
}

long sys_semctl(int id, int index, int command, unsigned long arg)
{
    const struct ipc_caller c = ipc_caller_self();
    if (id < 0)
        return -EINVAL;
    switch (command) {
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY:
        return stat_user(&c, id, command, arg);
    case IPC_SET:
        return set_user(&c, id, arg);
    case IPC_RMID:
        return sem_remove(&c, id);
    case IPC_INFO:
    case SEM_INFO:
        return info_user(command, arg);
    case GETALL:
    case SETALL:
        return all_user(&c, id, command, arg);
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
        return sem_query(&c, id, index, command);
    case SETVAL:
        return sem_set_value(&c, id, index, (int)arg);
    default:
        return -EINVAL;
    }
}
