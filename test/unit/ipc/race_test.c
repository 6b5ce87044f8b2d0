// SPDX-License-Identifier: BSD-2-Clause
// Threads of the host under ThreadSanitizer that make, find, use and remove the same semaphore
// arrays and message queues at once, and end with SEM_UNDO: no call gets an object it didn't name,
// no wake-up is lost, nothing is left.
#include "../sync/sync_host.h"

#include <arch/clock.h>
#include <errno.h>
#include <ipc/msg.h>
#include <ipc/sem.h>
#include <mm/slab.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define ROUNDS  3000
#define KEY     77

static struct cred root = {.refs = {1}, .cap_effective = ~0ULL};
static int shared_sem, shared_queue;
static uint64_t nr_memory; // atomic: blocks in use

uint64_t clock_realtime_ns(void)
{
    return 1700000000ULL * NS_PER_SEC;
}

static void *counted(void *p)
{
    if (p)
        atomic_add_relaxed(&nr_memory, 1);
    return p;
}

void *kmalloc(size_t size)
{
    return counted(malloc(size));
}

void *kzalloc(size_t size)
{
    return counted(calloc(1, size));
}

void kfree(void *p)
{
    if (p)
        atomic_add_relaxed(&nr_memory, -1UL);
    free(p);
}

// A key that everybody makes, uses and removes: what a call may say of it is known.
static void use_key(const struct ipc_caller *c, struct sem_undo_list *list, unsigned int i)
{
    const struct sembuf op = {0, 1, i % 2 ? SEM_UNDO : 0};
    struct seminfo info;
    int id = sem_get(c, KEY, 3, IPC_CREAT | 0600);
    assert_true(id > 0);
    int err = sem_operate(c, id, &op, 1, list, TIME_NEVER);
    assert_true(err == 0 || err == -EINVAL);
    int nr = sem_count(c, id, false);
    assert_true(nr == 3 || nr == -EINVAL);
    err = sem_query(c, id, 0, GETVAL);
    assert_true((err >= 0 && err <= THREADS * ROUNDS) || err == -EINVAL);
    assert_true(sem_info(&info, true) >= 0);
    if (i % 3 == 0) {
        err = sem_remove(c, id);
        assert_true(err == 0 || err == -EINVAL);
    }
}

// An own object never is touched by others.
static void use_own(const struct ipc_caller *c, unsigned int i)
{
    int id = sem_get(c, IPC_PRIVATE, 1 + c->pid % 5, 0600);
    assert_true(id > 0);
    assert_int_equal(sem_set_value(c, id, 0, (int)i), 0);
    assert_int_equal(sem_count(c, id, true), 1 + c->pid % 5);
    assert_int_equal(sem_query(c, id, 0, GETVAL), (int)i);
    assert_int_equal(sem_remove(c, id), 0);
    assert_int_equal(sem_query(c, id, 0, GETVAL), -EINVAL);
}

// A lock that all take, each with undo, some in pairs.
static void use_shared(const struct ipc_caller *c, struct sem_undo_list *list, unsigned int i)
{
    static unsigned int inside; // guarded by the semaphore; TSan sees if it isn't
    struct sembuf ops[] = {{0, -1, SEM_UNDO}, {1, 1, 0}};
    assert_int_equal(sem_operate(c, shared_sem, ops, 1 + i % 2, list, TIME_NEVER), 0);
    assert_int_equal(inside, 0);
    inside = 1;
    inside = 0;
    ops[0].sem_op = 1;
    assert_int_equal(sem_operate(c, shared_sem, ops, 1, list, TIME_NEVER), 0);
}

static void use_queue(const struct ipc_caller *c, unsigned int i)
{
    struct msg_message *m = msg_allocate(1 + c->pid % 2, i % 300);
    memset(m->text, 5, m->size);
    assert_int_equal(msg_send(c, shared_queue, m, 0), 0);
    assert_int_equal(msg_receive(c, shared_queue, 300, i % 2 ? -9 : 0, 0, &m), 0);
    for (size_t k = 0; k < m->size; k++)
        assert_int_equal(m->text[k], 5);
    msg_free(m);
}

static void *thread_main(void *arg)
{
    const struct ipc_caller c = {&root, 100 + (pid_t)(uintptr_t)arg};
    struct sem_undo_list *list = sem_undo_list_create();
    for (unsigned int i = 0; i < ROUNDS; i++) {
        use_key(&c, list, i);
        use_own(&c, i);
        use_shared(&c, list, i);
        use_queue(&c, i);
        if (i % 100 == 99) {
            sem_undo_list_put(list, c.pid);
            list = sem_undo_list_create();
        }
    }
    sem_undo_list_put(list, c.pid);
    return NULL;
}

static const struct ipc_caller first = {&root, 1};

// Locks are a thread's: before and after, too.
static void *set_up(void *arg)
{
    struct msqid64_ds ds;
    ipc_init(32768, 1 << 20);
    shared_sem = sem_get(&first, IPC_PRIVATE, 2, 0600);
    shared_queue = msg_get(&first, IPC_PRIVATE, 0600);
    assert_int_equal(sem_set_value(&first, shared_sem, 0, 1), 0);
    assert_int_equal(msg_stat(&first, shared_queue, IPC_STAT, &ds), 0);
    ds.msg_qbytes = 700; // so that senders wait, too
    assert_int_equal(msg_set(&first, shared_queue, &ds), 0);
    return NULL;
}

static void *look_and_remove(void *arg)
{
    struct msqid64_ds ds;
    assert_int_equal(sem_query(&first, shared_sem, 0, GETVAL), 1);
    assert_int_equal(sem_query(&first, shared_sem, 1, GETVAL), THREADS * ROUNDS / 2);
    assert_int_equal(msg_stat(&first, shared_queue, IPC_STAT, &ds), 0);
    assert_int_equal(ds.msg_qnum, 0);
    int left = sem_get(&first, KEY, 0, 0);
    if (left > 0)
        assert_int_equal(sem_remove(&first, left), 0);
    assert_int_equal(sem_remove(&first, shared_sem), 0);
    assert_int_equal(msg_remove(&first, shared_queue), 0);
    return NULL;
}

static void calls_at_once(void **state)
{
    host_run_threads(1, set_up);
    host_run_threads(THREADS, thread_main);
    host_run_threads(1, look_and_remove);
    assert_int_equal(nr_memory, 2); // the slots of both kinds
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
