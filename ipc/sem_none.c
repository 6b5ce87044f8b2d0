// SPDX-License-Identifier: BSD-2-Clause
// In place of sem.c and its like on a board without semaphores (`without_ipc` of its board.mk):
// what limits, /proc and the end of a process still ask for. The system calls are in
// core/sys_sem_none.c.
#include "sem_priv.h"

// What CLONE_SYSVSEM shares: nothing.
static struct sem_undo_list none = {.refs = {1}};

void sem_registry_init(void)
{
}

struct sem_undo_list *sem_undo_list_create(void)
{
    refcount_get(&none.refs);
    return &none;
}

void sem_undo_list_get(struct sem_undo_list *list)
{
    refcount_get(&list->refs);
}

void sem_undo_list_put(struct sem_undo_list *list, pid_t pid)
{
    if (list)
        (void)refcount_put(&list->refs); // never the last
}

bool sem_next(unsigned int *index, int *id, struct semid64_ds *ds)
{
    return false;
}
