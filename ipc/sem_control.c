// SPDX-License-Identifier: BSD-2-Clause
// semctl(2): what arrays tell of themselves, and how they are set and removed.
#include "sem_priv.h"

#include <errno.h>
#include <lib/atomic.h>
#include <mm/slab.h>
#include <string.h>

static void fill(const struct sem_array *a, struct semid64_ds *ds)
{
    memset(ds, 0, sizeof(*ds));
    ipc_fill_perm(&a->ipc, &ds->sem_perm);
    ds->sem_otime = a->otime;
    ds->sem_ctime = a->ctime;
    ds->sem_nsems = a->nr_sems;
}

int sem_stat(const struct ipc_caller *c, int id, int command, struct semid64_ds *ds)
{
    struct ipc_object *o =
        command == IPC_STAT ? ipc_lock_id(&sem_ids, id) : ipc_lock_index(&sem_ids, id);
    if (!o)
        return -EINVAL;
    int result = command == IPC_STAT ? 0 : o->id;
    if (command != SEM_STAT_ANY && !ipc_permits(o, c->cred, IPC_READ))
        result = -EACCES;
    else
        fill(sem_array_of(o), ds);
    ipc_unlock(o);
    return result;
}

int sem_set(const struct ipc_caller *c, int id, const struct semid64_ds *ds)
{
    struct ipc_object *o = ipc_lock_id(&sem_ids, id);
    if (!o)
        return -EINVAL;
    int err = ipc_may_change(o, c->cred);
    if (err == 0)
        err = ipc_set_perm(o, &ds->sem_perm);
    if (err == 0)
        sem_array_of(o)->ctime = ipc_now();
    ipc_unlock(o);
    return err;
}

int sem_remove(const struct ipc_caller *c, int id)
{
    struct sem_waiter *w, *next;
    spin_lock(&sem_ids.lock);
    struct ipc_object *o = ipc_lock_id_locked(&sem_ids, id);
    int err = o ? ipc_may_change(o, c->cred) : -EINVAL;
    if (err != 0) {
        if (o)
            ipc_unlock(o);
        spin_unlock(&sem_ids.lock);
        return err;
    }
    struct sem_array *a = sem_array_of(o);
    struct ipc_slot *slot = o->slot;
    atomic_store(&sem_nr_sems, sem_nr_sems - a->nr_sems);
    sem_undo_drop_all(a);
    list_for_each_entry_safe (w, next, &a->waiters, node)
        sem_finish(a, w, -EIDRM);
    ipc_remove_locked(&sem_ids, o);
    spin_unlock(&slot->lock);
    spin_unlock(&sem_ids.lock);
    kfree(a);
    return 0;
}

// The array of `id`, locked, for somebody who may do `want`. 0 or -errno with nothing locked.
static int lock_array(const struct ipc_caller *c, int id, unsigned int want, struct sem_array **a)
{
    struct ipc_object *o = ipc_lock_id(&sem_ids, id);
    if (!o)
        return -EINVAL;
    if (!ipc_permits(o, c->cred, want)) {
        ipc_unlock(o);
        return -EACCES;
    }
    *a = sem_array_of(o);
    return 0;
}

// Sleepers that wait for semaphore `index` to grow, or (`zero`) to become zero.
static int count_waiters(const struct sem_array *a, unsigned int index, bool zero)
{
    const struct sem_waiter *w;
    int n = 0;
    list_for_each_entry (w, &a->waiters, node)
        n += w->blocking->sem_num == index && (w->blocking->sem_op == 0) == zero;
    return n;
}

int sem_query(const struct ipc_caller *c, int id, int index, int command)
{
    struct sem_array *a;
    int result = lock_array(c, id, IPC_READ, &a);
    if (result != 0)
        return result;
    if (index < 0 || (unsigned int)index >= a->nr_sems) {
        result = -EINVAL;
    } else if (command == GETVAL) {
        result = a->sems[index].value;
    } else if (command == GETPID) {
        result = a->sems[index].pid;
    } else {
        result = count_waiters(a, (unsigned int)index, command == GETZCNT);
    }
    ipc_unlock(&a->ipc);
    return result;
}

// No process adjusts this semaphore any more.
static void clear_undo(struct sem_array *a, unsigned int index)
{
    struct sem_undo *u;
    list_for_each_entry (u, &a->undos, array_node)
        u->adjust[index] = 0;
}

int sem_set_value(const struct ipc_caller *c, int id, int index, int value)
{
    struct sem_array *a;
    if (value < 0 || value > SEMVMX)
        return -ERANGE;
    struct ipc_object *o = ipc_lock_id(&sem_ids, id);
    if (!o)
        return -EINVAL;
    a = sem_array_of(o);
    int err = 0;
    if (index < 0 || (unsigned int)index >= a->nr_sems) {
        err = -EINVAL;
    } else if (!ipc_permits(o, c->cred, IPC_WRITE)) {
        err = -EACCES;
    } else {
        clear_undo(a, (unsigned int)index);
        a->sems[index].value = value;
        a->sems[index].pid = c->pid;
        a->ctime = ipc_now();
        sem_serve(a, &(struct sembuf){.sem_num = (unsigned short)index, .sem_op = 1}, 1);
    }
    ipc_unlock(o);
    return err;
}

int sem_count(const struct ipc_caller *c, int id, bool write)
{
    struct sem_array *a;
    int result = lock_array(c, id, write ? IPC_WRITE : IPC_READ, &a);
    if (result == 0) {
        result = (int)a->nr_sems;
        ipc_unlock(&a->ipc);
    }
    return result;
}

int sem_get_all(const struct ipc_caller *c, int id, uint16_t *values, unsigned int nr)
{
    struct sem_array *a;
    int err = lock_array(c, id, IPC_READ, &a);
    if (err != 0)
        return err;
    for (unsigned int i = 0; i < MIN(nr, a->nr_sems); i++)
        values[i] = (uint16_t)a->sems[i].value;
    ipc_unlock(&a->ipc);
    return 0;
}

int sem_set_all(const struct ipc_caller *c, int id, const uint16_t *values, unsigned int nr)
{
    struct sem_array *a;
    for (unsigned int i = 0; i < nr; i++)
        if (values[i] > SEMVMX)
            return -ERANGE;
    int err = lock_array(c, id, IPC_WRITE, &a);
    if (err != 0)
        return err;
    for (unsigned int i = 0; i < MIN(nr, a->nr_sems); i++) {
        a->sems[i].value = values[i];
        a->sems[i].pid = c->pid;
        clear_undo(a, i);
    }
    a->ctime = ipc_now();
    sem_serve(a, NULL, 0);
    ipc_unlock(&a->ipc);
    return 0;
}

int sem_info(struct seminfo *info, bool usage)
{
    memset(info, 0, sizeof(*info));
    info->semmni = (int)ipc_limit(IPC_SEMMNI);
    info->semmns = (int)ipc_limit(IPC_SEMMNS);
    info->semmsl = (int)ipc_limit(IPC_SEMMSL);
    info->semopm = (int)ipc_limit(IPC_SEMOPM);
    info->semvmx = SEMVMX;
    info->semmnu = SEMMNU;
    info->semmap = SEMMAP;
    info->semume = SEMUME;
    info->semusz = SEMUSZ;
    info->semaem = SEMAEM;
    if (usage) {
        spin_lock(&sem_ids.lock);
        info->semusz = (int)atomic_load(&sem_ids.nr_used);
        info->semaem = (int)sem_nr_sems;
        spin_unlock(&sem_ids.lock);
    }
    return ipc_highest_index(&sem_ids);
}

bool sem_next(unsigned int *index, int *id, struct semid64_ds *ds)
{
    struct ipc_object *o = ipc_lock_next(&sem_ids, index);
    if (!o)
        return false;
    fill(sem_array_of(o), ds);
    *id = o->id;
    ipc_unlock(o);
    return true;
}
