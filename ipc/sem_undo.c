// SPDX-License-Identifier: BSD-2-Clause
// SEM_UNDO: what a process did to semaphores, taken back when it ends. semop(2).
//
// An adjustment is on two lists, its process's (list->lock) and its array's (slot lock), and goes
// with whichever ends first. Both take it off both lists under the slot lock: a process that finds
// its array gone finds the adjustment gone, too.
#include "sem_priv.h"

#include <lib/assert.h>
#include <mm/slab.h>

struct sem_undo_list *sem_undo_list_create(void)
{
    struct sem_undo_list *list = kzalloc(sizeof(*list));
    if (!list)
        return NULL;
    refcount_init(&list->refs);
    spin_init(&list->lock);
    list_init(&list->undos);
    return list;
}

void sem_undo_list_get(struct sem_undo_list *list)
{
    refcount_get(&list->refs);
}

static struct sem_undo *find_locked(struct sem_undo_list *list, int id)
{
    struct sem_undo *u;
    spin_assert_held(&list->lock);
    list_for_each_entry (u, &list->undos, list_node)
        if (u->id == id)
            return u;
    return NULL;
}

struct sem_undo *sem_undo_find(struct sem_undo_list *list, struct sem_array *a)
{
    ipc_assert_locked(&a->ipc);
    spin_lock(&list->lock);
    struct sem_undo *u = find_locked(list, a->ipc.id);
    spin_unlock(&list->lock);
    if (u)
        return u;
    u = kzalloc(sizeof(*u) + a->nr_sems * sizeof(u->adjust[0]));
    if (!u)
        return NULL;
    u->owner = list;
    u->id = a->ipc.id;
    list_add_tail(&a->undos, &u->array_node);
    spin_lock(&list->lock);
    list_add_head(&list->undos, &u->list_node);
    spin_unlock(&list->lock);
    return u;
}

static void undo_free(struct sem_undo *u)
{
    list_remove(&u->array_node);
    spin_lock(&u->owner->lock);
    list_remove(&u->list_node);
    spin_unlock(&u->owner->lock);
    kfree(u);
}

void sem_undo_drop_all(struct sem_array *a)
{
    struct sem_undo *u, *next;
    ipc_assert_locked(&a->ipc);
    list_for_each_entry_safe (u, next, &a->undos, array_node)
        undo_free(u);
}

// Values stay within their range: what can't be taken back is lost.
static void apply(struct sem_array *a, const struct sem_undo *u, pid_t pid)
{
    ipc_assert_locked(&a->ipc);
    for (unsigned int i = 0; i < a->nr_sems; i++) {
        if (u->adjust[i] == 0)
            continue;
        int value = a->sems[i].value + u->adjust[i];
        a->sems[i].value = MAX(0, MIN(value, SEMVMX));
        a->sems[i].pid = pid;
    }
}

void sem_undo_list_put(struct sem_undo_list *list, pid_t pid)
{
    if (!list || !refcount_put(&list->refs))
        return;
    for (;;) {
        spin_lock(&list->lock);
        struct sem_undo *u = list_is_empty(&list->undos)
                                 ? NULL
                                 : list_first_entry(&list->undos, struct sem_undo, list_node);
        int id = u ? u->id : 0;
        spin_unlock(&list->lock);
        if (!u)
            break;
        struct ipc_object *o = ipc_lock_id(&sem_ids, id);
        if (!o)
            continue; // removed just now, and u with it
        struct sem_array *a = sem_array_of(o);
        apply(a, u, pid);
        undo_free(u);
        a->otime = ipc_now();
        sem_serve(a, NULL, 0);
        ipc_unlock(o);
    }
    kfree(list);
}
