// SPDX-License-Identifier: BSD-2-Clause
// System V semaphores: semget(2), semop(2), semctl(2). Contract: shared/abi/sysv-ipc.md.
#pragma once

#include <asm/ipcbuf.h>
#include <ipc/ipc.h>
#include <linux/sem.h>

// SEM_UNDO adjustments of a process, or of all that share them by CLONE_SYSVSEM. Counted; whoever
// drops the last reference applies them, in the name of `pid`.
struct sem_undo_list;
struct sem_undo_list *sem_undo_list_create(void); // with one reference; NULL: no memory
void sem_undo_list_get(struct sem_undo_list *list);
void sem_undo_list_put(struct sem_undo_list *list, pid_t pid);

// The id, or -errno of semget(2).
int sem_get(const struct ipc_caller *c, int key, int nr_sems, int flags);
// All of ops[nr] or none; sleeps until deadline_ns (monotonic, TIME_NEVER for none). `list` may be
// NULL if no op has SEM_UNDO. 0 or -errno of semop(2); -EINTR.
int sem_operate(const struct ipc_caller *c, int id, const struct sembuf *ops, unsigned int nr,
                struct sem_undo_list *list, uint64_t deadline_ns);

// Each 0 or -errno of semctl(2).
// IPC_STAT takes an id, SEM_STAT and SEM_STAT_ANY an index; the id is returned by the latter two.
int sem_stat(const struct ipc_caller *c, int id, int command, struct semid64_ds *ds);
int sem_set(const struct ipc_caller *c, int id, const struct semid64_ds *ds);
int sem_remove(const struct ipc_caller *c, int id);
// GETVAL, GETPID, GETNCNT, GETZCNT.
int sem_query(const struct ipc_caller *c, int id, int index, int command);
int sem_set_value(const struct ipc_caller *c, int id, int index, int value);
// How many semaphores, for those who want all values; `write`: SETALL.
int sem_count(const struct ipc_caller *c, int id, bool write);
// nr is what sem_count() gave.
int sem_get_all(const struct ipc_caller *c, int id, uint16_t *values, unsigned int nr);
int sem_set_all(const struct ipc_caller *c, int id, const uint16_t *values, unsigned int nr);
// IPC_INFO, SEM_INFO (`usage`): the highest index in use.
int sem_info(struct seminfo *info, bool usage);

// The array at or after *index for /proc/sysvipc/sem; *index becomes its own. False: none.
bool sem_next(unsigned int *index, int *id, struct semid64_ds *ds);
