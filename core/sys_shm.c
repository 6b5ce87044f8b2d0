// SPDX-License-Identifier: BSD-2-Clause
// shmget(2), shmat(2), shmdt(2), shmctl(2): arguments of the ABI turned into calls of ipc/shm.
#include "ipc_priv.h"

#include <arch/uaccess.h>
#include <errno.h>
#include <ipc/shm.h>

#include "syscalls_priv.h"

_Static_assert(sizeof(struct ipc64_perm) == 48, "uapi");
_Static_assert(sizeof(struct shmid64_ds) == 112, "uapi");
_Static_assert(offsetof(struct shmid64_ds, shm_nattch) == 88, "uapi");
_Static_assert(sizeof(struct shminfo64) == 72, "uapi");
_Static_assert(sizeof(struct shm_info) == 48, "uapi");

long sys_shmget(int key, size_t size, int flags)
{
    const struct ipc_caller c = ipc_caller_self();
    return shm_get(&c, key, size, flags);
}

long sys_shmat(int id, vaddr_t addr, int flags)
{
    const struct ipc_caller c = ipc_caller_self();
    return shm_attach(&c, process_self()->map, id, addr, flags);
}

long sys_shmdt(vaddr_t addr)
{
    return shm_detach(process_self()->map, addr);
}

static long stat_user(const struct ipc_caller *c, int id, int command, vaddr_t buf)
{
    struct shmid64_ds ds;
    int result = shm_stat(c, id, command, &ds);
    if (result < 0)
        return result;
    return user_copy_out(buf, &ds, sizeof(ds)) != 0 ? -EFAULT : result;
}

static long set_user(const struct ipc_caller *c, int id, vaddr_t buf)
{
    struct shmid64_ds ds;
    if (user_copy_in(&ds, buf, sizeof(ds)) != 0)
        return -EFAULT;
    return shm_set(c, id, &ds);
}

static long info_user(int command, vaddr_t buf)
{
    struct shminfo64 limits;
    struct shm_info usage;
    int highest, err;
    if (command == IPC_INFO) {
        highest = shm_info_limits(&limits);
        err = highest < 0 ? highest : user_copy_out(buf, &limits, sizeof(limits));
    } else {
        highest = shm_info_usage(&usage);
        err = highest < 0 ? highest : user_copy_out(buf, &usage, sizeof(usage));
    }
    return err != 0 ? err : highest;
}

long sys_shmctl(int id, int command, vaddr_t buf)
{
    const struct ipc_caller c = ipc_caller_self();
    if (id < 0 || command < 0)
        return -EINVAL;
    switch (command) {
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY:
        return stat_user(&c, id, command, buf);
    case IPC_SET:
        return set_user(&c, id, buf);
    case IPC_RMID:
        return shm_remove(&c, id);
    case SHM_LOCK:
    case SHM_UNLOCK:
        return shm_lock(&c, id, command == SHM_LOCK, process_limit(process_self(), RLIMIT_MEMLOCK));
    case IPC_INFO:
    case SHM_INFO:
        return info_user(command, buf);
    default:
        return -EINVAL;
    }
}
