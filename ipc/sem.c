// SPDX-License-Identifier: BSD-2-Clause
// Semaphore arrays: made, found, operated on, slept for. semget(2), semop(2). What an operation
// does is in sem_queue.c, SEM_UNDO in sem_undo.c.
//
// An array's lock is its slot's. It is freed by whoever removes it, under that lock: a sleeper has
// nothing but its own waiter and the slot, which stays.
#include "sem_priv.h"

#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <mm/slab.h>
#include <sync/port.h>

struct ipc_ids sem_ids;
uint64_t sem_nr_sems;

void sem_registry_init(void)
{
    ipc_ids_init(&sem_ids, IPC_SEM_NEXT_ID);
}

static struct sem_array *array_create(const struct ipc_caller *c, int key, unsigned int nr_sems,
                                      int flags)
{
    struct sem_array *a = kzalloc(sizeof(*a) + nr_sems * sizeof(a->sems[0]));
    if (!a)
        return NULL;
    ipc_object_init(&a->ipc, c, key, flags);
    a->nr_sems = nr_sems;
    a->ctime = ipc_now();
    list_init(&a->waiters);
    list_init(&a->undos);
    for (unsigned int i = 0; i < nr_sems; i++) {
        list_init(&a->sems[i].takers);
        list_init(&a->sems[i].zero_waiters);
    }
    return a;
}

static int create(const struct ipc_caller *c, int key, unsigned int nr_sems, int flags)
{
    if (nr_sems == 0)
        return -EINVAL;
    if (atomic_load(&sem_nr_sems) + nr_sems > ipc_limit(IPC_SEMMNS))
        return -ENOSPC;
    struct sem_array *a = array_create(c, key, nr_sems, flags);
    if (!a)
        return -ENOMEM;
    spin_lock(&sem_ids.lock);
    int id = sem_nr_sems + nr_sems > ipc_limit(IPC_SEMMNS)
                 ? -ENOSPC
                 : ipc_add_locked(&sem_ids, &a->ipc, (unsigned int)ipc_limit(IPC_SEMMNI));
    if (id >= 0)
        atomic_store(&sem_nr_sems, sem_nr_sems + nr_sems);
    spin_unlock(&sem_ids.lock);
    if (id < 0)
        kfree(a);
    return id;
}

static int fits(const struct ipc_object *o, uint64_t nr_sems)
{
    return nr_sems > container_of(o, const struct sem_array, ipc)->nr_sems ? -EINVAL : 0;
}

int sem_get(const struct ipc_caller *c, int key, int nr_sems, int flags)
{
    int id;
    if (nr_sems < 0 || (uint64_t)nr_sems > ipc_limit(IPC_SEMMSL))
        return -EINVAL;
    do {
        id = ipc_find_key(&sem_ids, c, key, flags, fits, (uint64_t)nr_sems);
        if (id != -ENOENT || (key != IPC_PRIVATE && !(flags & IPC_CREAT)))
            return id;
        id = create(c, key, (unsigned int)nr_sems, flags);
    } while (id == -EEXIST); // somebody made the key between the two
    return id;
}

// What a call asks for, all in all.
struct sem_request {
    unsigned int highest; // semaphore
    bool changes, undoes;
};

static struct sem_request examine(const struct sembuf *ops, unsigned int nr)
{
    struct sem_request q = {0, false, false};
    for (unsigned int i = 0; i < nr; i++) {
        q.highest = MAX(q.highest, (unsigned int)ops[i].sem_num);
        q.changes |= ops[i].sem_op != 0;
        q.undoes |= (ops[i].sem_flg & SEM_UNDO) != 0;
    }
    return q;
}

// The waiter is queued and the slot unlocked. Off the queue in any case when this returns.
static int sem_sleep(struct ipc_slot *slot, struct sem_waiter *w, uint64_t deadline_ns)
{
    int err = 0, result;
    while ((result = atomic_load_acquire(&w->result)) == SEM_WAITING && err == 0)
        err = port_park(PARK_INTERRUPTIBLE, deadline_ns);
    if (result != SEM_WAITING)
        return result;
    spin_lock(&slot->lock);
    result = w->result;
    if (result == SEM_WAITING) {
        sem_dequeue(sem_array_of(slot->object), w);
        result = err == -ETIMEDOUT ? -EAGAIN : err;
    }
    spin_unlock(&slot->lock);
    return result;
}

// The array is locked, the request fits it. Unlocks.
static int operate_unlock(struct sem_array *a, struct sem_waiter *w, const struct sem_request *q,
                          uint64_t deadline_ns)
{
    struct ipc_slot *slot = a->ipc.slot;
    int result = sem_try(a, w->ops, w->nr_ops, w->undo, w->pid, &w->blocking);
    if (result == 0) {
        a->otime = ipc_now();
        if (q->changes)
            sem_serve(a, w->ops, w->nr_ops);
    } else if (result == SEM_WAITING) {
        w->result = SEM_WAITING;
        w->thread = port_thread_self();
        sem_enqueue(a, w);
    }
    spin_unlock(&slot->lock);
    return result == SEM_WAITING ? sem_sleep(slot, w, deadline_ns) : result;
}

int sem_operate(const struct ipc_caller *c, int id, const struct sembuf *ops, unsigned int nr,
                struct sem_undo_list *list, uint64_t deadline_ns)
{
    struct sem_waiter w = {.ops = ops, .nr_ops = nr, .pid = c->pid};
    struct sem_request q = examine(ops, nr);
    int err = 0;

    struct ipc_object *o = ipc_lock_id(&sem_ids, id);
    if (!o)
        return -EINVAL;
    struct sem_array *a = sem_array_of(o);
    if (q.highest >= a->nr_sems)
        err = -EFBIG;
    else if (!ipc_permits(o, c->cred, q.changes ? IPC_WRITE : IPC_READ))
        err = -EACCES;
    else if (q.undoes && !(w.undo = sem_undo_find(list, a)))
        err = -ENOMEM;
    if (err != 0) {
        ipc_unlock(o);
        return err;
    }
    return operate_unlock(a, &w, &q, deadline_ns);
}
