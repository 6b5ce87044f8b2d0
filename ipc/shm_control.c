// SPDX-License-Identifier: BSD-2-Clause
// shmctl(2): what segments tell of themselves, and how they are changed and removed.
#include "shm_priv.h"

#include <errno.h>
#include <lib/atomic.h>
#include <linux/capability.h>
#include <string.h>

static void fill(const struct shm_segment *s, struct shmid64_ds *ds)
{
    memset(ds, 0, sizeof(*ds));
    ipc_fill_perm(&s->ipc, &ds->shm_perm);
    ds->shm_segsz = s->size;
    ds->shm_atime = s->atime;
    ds->shm_dtime = s->dtime;
    ds->shm_ctime = s->ctime;
    ds->shm_cpid = s->creator_pid;
    ds->shm_lpid = s->last_pid;
    ds->shm_nattch = s->nr_attaches;
}

int shm_stat(const struct ipc_caller *c, int id, int command, struct shmid64_ds *ds)
{
    struct ipc_object *o =
        command == IPC_STAT ? ipc_lock_id(&shm_ids, id) : ipc_lock_index(&shm_ids, id);
    if (!o)
        return -EINVAL;
    int result = command == IPC_STAT ? 0 : o->id;
    if (command != SHM_STAT_ANY && !ipc_permits(o, c->cred, IPC_READ))
        result = -EACCES;
    else
        fill(shm_segment_of(o), ds);
    ipc_unlock(o);
    return result;
}

int shm_set(const struct ipc_caller *c, int id, const struct shmid64_ds *ds)
{
    struct ipc_object *o = ipc_lock_id(&shm_ids, id);
    if (!o)
        return -EINVAL;
    int err = ipc_may_change(o, c->cred);
    if (err == 0)
        err = ipc_set_perm(o, &ds->shm_perm);
    if (err == 0)
        shm_segment_of(o)->ctime = ipc_now();
    ipc_unlock(o);
    return err;
}

int shm_remove(const struct ipc_caller *c, int id)
{
    spin_lock(&shm_ids.lock);
    struct ipc_object *o = ipc_lock_id_locked(&shm_ids, id);
    if (!o) {
        spin_unlock(&shm_ids.lock);
        return -EINVAL;
    }
    struct shm_segment *s = shm_segment_of(o);
    bool now = false;
    int err = ipc_may_change(o, c->cred);
    if (err == 0) {
        ipc_make_private_locked(o);
        o->mode |= SHM_DEST;
        now = shm_is_due(s);
        if (now)
            shm_remove_locked(s);
    }
    spin_unlock(&o->slot->lock);
    spin_unlock(&shm_ids.lock);
    if (now)
        vm_object_put(&s->object);
    return err;
}

// Bytes that `uid` has locked in all. The ids are locked.
static uint64_t locked_bytes(uid_t uid)
{
    struct ipc_object *o;
    uint64_t sum = 0;
    for (unsigned int index = 0; (o = ipc_lock_next(&shm_ids, &index)) != NULL; index++) {
        const struct shm_segment *s = shm_segment_of(o);
        if ((o->mode & SHM_LOCKED) && s->locked_by == uid)
            sum += ALIGN_UP(s->size, PAGE_SIZE);
        ipc_unlock(o);
    }
    return sum;
}

// Nothing is ever paged out, so a lock is an account and a bit in the mode. Huge pages are locked
// by nature: nothing is done and nothing counted, as on Linux.
int shm_lock(const struct ipc_caller *c, int id, bool lock, uint64_t memlock_bytes)
{
    bool limited = lock && !cred_has_cap(c->cred, CAP_IPC_LOCK);
    spin_lock(&shm_ids.lock);
    uint64_t used = limited ? locked_bytes(c->cred->uid) : 0;
    struct ipc_object *o = ipc_lock_id_locked(&shm_ids, id);
    int err = o ? 0 : -EINVAL;
    if (o) {
        struct shm_segment *s = shm_segment_of(o);
        uint64_t size = ALIGN_UP(s->size, PAGE_SIZE);
        if (!cred_has_cap(c->cred, CAP_IPC_LOCK) && c->cred->euid != o->uid &&
            c->cred->euid != o->cuid)
            err = -EPERM;
        else if (limited && memlock_bytes == 0)
            err = -EPERM;
        else if (limited && !s->object.huge && !(o->mode & SHM_LOCKED) &&
                 (size > memlock_bytes || used > memlock_bytes - size))
            err = -ENOMEM;
        if (err == 0 && lock && !(o->mode & SHM_LOCKED))
            s->locked_by = c->cred->uid;
        if (err == 0 && !s->object.huge)
            o->mode = lock ? o->mode | SHM_LOCKED : o->mode & ~(unsigned int)SHM_LOCKED;
        ipc_unlock(o);
    }
    spin_unlock(&shm_ids.lock);
    return err;
}

int shm_info_limits(struct shminfo64 *info)
{
    memset(info, 0, sizeof(*info));
    info->shmmax = ipc_limit(IPC_SHMMAX);
    info->shmmin = SHMMIN;
    info->shmmni = info->shmseg = ipc_limit(IPC_SHMMNI);
    info->shmall = ipc_limit(IPC_SHMALL);
    return ipc_highest_index(&shm_ids);
}

int shm_info_usage(struct shm_info *info)
{
    struct ipc_object *o;
    memset(info, 0, sizeof(*info));
    for (unsigned int index = 0; (o = ipc_lock_next(&shm_ids, &index)) != NULL; index++) {
        const struct shm_segment *s = shm_segment_of(o);
        info->used_ids++;
        info->shm_tot += DIV_ROUND_UP(s->size, PAGE_SIZE);
        info->shm_rss += atomic_load(&s->object.nr_pages);
        ipc_unlock(o);
    }
    return ipc_highest_index(&shm_ids);
}

bool shm_next(unsigned int *index, int *id, struct shmid64_ds *ds, uint64_t *rss_bytes)
{
    struct ipc_object *o = ipc_lock_next(&shm_ids, index);
    if (!o)
        return false;
    const struct shm_segment *s = shm_segment_of(o);
    fill(s, ds);
    *id = o->id;
    *rss_bytes = atomic_load(&s->object.nr_pages) * PAGE_SIZE;
    ipc_unlock(o);
    return true;
}
