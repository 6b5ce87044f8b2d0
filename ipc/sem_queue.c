// SPDX-License-Identifier: BSD-2-Clause
// Operations on an array's values, and the sleepers that a change lets go on. semop(2).
//
// Sleepers are served in order of arrival, those who only wait for zero before the others; one that
// still can't go on holds up nobody behind it.
// Whoever changes values performs what the sleepers asked for in their stead, so a sleeper wakes
// only when it is done. As long as nobody waits with more than one op, only the sleepers of the
// semaphores that changed are looked at. The slot is locked throughout.
#include "sem_priv.h"

#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <sync/port.h>

static void undo_ops(struct sem_array *a, const struct sembuf *ops, unsigned int nr,
                     struct sem_undo *undo)
{
    while (nr-- > 0) {
        a->sems[ops[nr].sem_num].value -= ops[nr].sem_op;
        if (ops[nr].sem_flg & SEM_UNDO)
            undo->adjust[ops[nr].sem_num] =
                (int16_t)(undo->adjust[ops[nr].sem_num] + ops[nr].sem_op);
    }
}

// One op. 0, SEM_WAITING or -ERANGE.
static int try_one(struct sem_array *a, const struct sembuf *op, struct sem_undo *undo)
{
    struct sem *sem = &a->sems[op->sem_num];
    int value = sem->value + op->sem_op;

    if ((op->sem_op == 0 && value != 0) || value < 0)
        return SEM_WAITING;
    if (value > SEMVMX)
        return -ERANGE;
    if (op->sem_flg & SEM_UNDO) {
        int adjust = undo->adjust[op->sem_num] - op->sem_op;
        if (adjust < -SEMAEM - 1 || adjust > SEMAEM)
            return -ERANGE;
        undo->adjust[op->sem_num] = (int16_t)adjust;
    }
    sem->value = value;
    return 0;
}

int sem_try(struct sem_array *a, const struct sembuf *ops, unsigned int nr, struct sem_undo *undo,
            pid_t pid, const struct sembuf **blocking)
{
    ipc_assert_locked(&a->ipc);
    for (unsigned int i = 0; i < nr; i++) {
        int result = try_one(a, &ops[i], undo);
        if (result != 0) {
            *blocking = &ops[i];
            undo_ops(a, ops, i, undo);
            return result == SEM_WAITING && (ops[i].sem_flg & IPC_NOWAIT) ? -EAGAIN : result;
        }
    }
    for (unsigned int i = 0; i < nr; i++)
        a->sems[ops[i].sem_num].pid = pid;
    return 0;
}

void sem_enqueue(struct sem_array *a, struct sem_waiter *w)
{
    list_add_tail(&a->waiters, &w->node);
    list_init(&w->sem_node);
    if (w->nr_ops == 1)
        list_add_tail(w->ops->sem_op == 0 ? &a->sems[w->ops->sem_num].zero_waiters
                                          : &a->sems[w->ops->sem_num].takers,
                      &w->sem_node);
    else
        a->nr_complex++;
}

void sem_dequeue(struct sem_array *a, struct sem_waiter *w)
{
    ipc_assert_locked(&a->ipc);
    list_remove(&w->node);
    list_remove(&w->sem_node);
    if (w->nr_ops > 1)
        a->nr_complex--;
}

void sem_finish(struct sem_array *a, struct sem_waiter *w, int result)
{
    struct thread *t = w->thread;
    port_thread_get(t);
    sem_dequeue(a, w);
    atomic_store_release(&w->result, result); // pairs with sem_sleep; *w may be gone
    port_unpark(t);
    port_thread_put(t);
}

// Try a sleeper's ops again. Was it served (or refused for good)?
static bool serve(struct sem_array *a, struct sem_waiter *w)
{
    int result = sem_try(a, w->ops, w->nr_ops, w->undo, w->pid, &w->blocking);
    if (result == SEM_WAITING)
        return false;
    if (result == 0)
        a->otime = ipc_now();
    sem_finish(a, w, result);
    return true;
}

// The sleepers of one semaphore: with a value above zero only takers can go on, then only those who
// wait for zero.
static void serve_sem(struct sem_array *a, struct sem *sem)
{
    struct sem_waiter *w, *next;
    list_for_each_entry_safe (w, next, &sem->takers, sem_node) {
        if (sem->value == 0)
            break;
        serve(a, w);
    }
    if (sem->value != 0)
        return;
    list_for_each_entry_safe (w, next, &sem->zero_waiters, sem_node)
        serve(a, w);
}

static bool changes(const struct sem_waiter *w)
{
    for (unsigned int i = 0; i < w->nr_ops; i++)
        if (w->ops[i].sem_op != 0)
            return true;
    return false;
}

static void serve_unchanging(struct sem_array *a)
{
    struct sem_waiter *w, *next;
    list_for_each_entry_safe (w, next, &a->waiters, node)
        if (!changes(w))
            serve(a, w);
}

static bool serve_first_changing(struct sem_array *a)
{
    struct sem_waiter *w, *next;
    list_for_each_entry_safe (w, next, &a->waiters, node)
        if (changes(w) && serve(a, w))
            return true;
    return false;
}

// Those who change nothing go first: the zeroes that they wait for may pass with the next who does,
// and they take nothing from him. Whatever one who was served changed, those who came before him
// have the first choice of it.
static void serve_all(struct sem_array *a)
{
    do {
        serve_unchanging(a);
    } while (serve_first_changing(a));
}

void sem_serve(struct sem_array *a, const struct sembuf *ops, unsigned int nr)
{
    ipc_assert_locked(&a->ipc);
    if (list_is_empty(&a->waiters))
        return;
    if (a->nr_complex > 0) {
        serve_all(a);
    } else if (ops) {
        for (unsigned int i = 0; i < nr; i++)
            if (ops[i].sem_op != 0)
                serve_sem(a, &a->sems[ops[i].sem_num]);
    } else {
        for (unsigned int i = 0; i < a->nr_sems; i++)
            serve_sem(a, &a->sems[i]);
    }
}
