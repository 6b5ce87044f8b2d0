// SPDX-License-Identifier: BSD-2-Clause
// Semaphores: the order in which sleepers are served, undo lists that outlive arrays and the other
// way round, and no memory at every point.
#include "ipc_host.h"

#include <ipc/sem.h>
#include <string.h>

static const struct ipc_caller root = {&host_root, 1}, user = {&host_user, 2};
static int id;

struct wish {
    struct sembuf ops[2];
    unsigned int nr;
    struct sem_undo_list *list;
};

static int run_wish(void *arg)
{
    const struct wish *w = arg;
    return sem_operate(&root, id, w->ops, w->nr, w->list, TIME_NEVER);
}

static struct host_task *take(struct wish *w, int by)
{
    *w = (struct wish){.ops = {{0, (short)-by, 0}}, .nr = 1};
    return host_start(run_wish, w);
}

static int operate(int by, int flags, struct sem_undo_list *list)
{
    const struct sembuf op = {0, (short)by, (short)flags};
    return sem_operate(&root, id, &op, 1, list, TIME_NEVER);
}

static int setup(void **state)
{
    struct host_task *none[64];
    ipc_init(32768, 1 << 20);
    host_fail(0);
    host_woken(none, 64);
    id = sem_get(&root, IPC_PRIVATE, 2, 0600);
    return id > 0 ? 0 : -1;
}

static int teardown(void **state)
{
    sem_remove(&root, id);
    assert_int_equal(host_locks_held, 0);
    return 0;
}

static void sleepers_are_served_in_order(void **state)
{
    struct wish wishes[5];
    struct host_task *tasks[5], *woken[5];
    for (int i = 0; i < 5; i++)
        tasks[i] = take(&wishes[i], i == 0 ? 10 : 1);
    assert_int_equal(operate(3, 0, NULL), 0);
    assert_int_equal(host_woken(woken, 5), 3);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(woken[i], tasks[1 + i]);
    assert_int_equal(operate(10, 0, NULL), 0);
    assert_int_equal(host_woken(woken, 5), 1);
    assert_ptr_equal(woken[0], tasks[0]);
    assert_int_equal(operate(1, 0, NULL), 0);
    host_settle();
    for (int i = 0; i < 5; i++)
        assert_int_equal(host_result(tasks[i]), 0);
}

static void a_pair_and_a_single_keep_their_order(void **state)
{
    struct wish pair = {.ops = {{0, -1, 0}, {1, -1, 0}}, .nr = 2}, single;
    struct host_task *first = host_start(run_wish, &pair), *second = take(&single, 1);
    const struct sembuf both[] = {{1, 1, 0}, {0, 1, 0}};
    assert_int_equal(sem_operate(&root, id, both, 2, NULL, TIME_NEVER), 0);
    host_settle();
    assert_true(host_is_done(first));
    assert_false(host_is_done(second));
    assert_int_equal(host_result(first), 0);
    assert_int_equal(sem_remove(&root, id), 0);
    host_settle();
    assert_int_equal(host_result(second), -EIDRM);
}

static void a_late_interrupt_does_not_take_back_what_was_done(void **state)
{
    struct wish w;
    struct host_task *t = take(&w, 1);
    assert_int_equal(operate(1, 0, NULL), 0);
    host_resume(t, -EINTR); // a signal came at the same time
    assert_int_equal(host_result(t), 0);
    assert_int_equal(sem_query(&root, id, 0, GETVAL), 0);
    t = take(&w, 1);
    assert_int_equal(sem_remove(&root, id), 0);
    host_resume(t, -EINTR);
    assert_int_equal(host_result(t), -EIDRM);
}

static void undo_lists_and_arrays_end_in_any_order(void **state)
{
    struct sem_undo_list *a = sem_undo_list_create(), *b = sem_undo_list_create();
    int first = id;
    assert_int_equal(operate(5, SEM_UNDO, a), 0);
    assert_int_equal(operate(3, SEM_UNDO, b), 0);
    id = sem_get(&root, IPC_PRIVATE, 1, 0600);
    assert_int_equal(operate(7, SEM_UNDO, a), 0);
    sem_undo_list_get(a); // shared by CLONE_SYSVSEM
    sem_undo_list_put(a, 50);
    assert_int_equal(sem_query(&root, first, 0, GETVAL), 8);
    assert_int_equal(sem_remove(&root, first), 0);
    sem_undo_list_put(b, 51);
    assert_int_equal(sem_query(&root, id, 0, GETVAL), 7);
    sem_undo_list_put(a, 52);
    assert_int_equal(sem_query(&root, id, 0, GETVAL), 0);
    assert_int_equal(sem_query(&root, id, 0, GETPID), 52);
    sem_undo_list_put(NULL, 1);
}

static void undo_wakes(void **state)
{
    struct sem_undo_list *list = sem_undo_list_create();
    struct wish w;
    assert_int_equal(sem_set_value(&root, id, 0, 1), 0);
    assert_int_equal(operate(-1, SEM_UNDO, list), 0);
    struct host_task *t = take(&w, 1);
    sem_undo_list_put(list, 9);
    host_settle();
    assert_int_equal(host_result(t), 0);
}

// Each allocation fails once: the errno is ENOMEM, nothing has changed, and then it works.
static void no_memory_at_every_point(void **state)
{
    for (uint64_t n = 1;; n++) {
        host_fail(n);
        int made = sem_get(&root, 77, 3, IPC_CREAT | 0600);
        if (made > 0) {
            assert_int_equal(n, 2); // slots are there already
            assert_int_equal(sem_remove(&root, made), 0);
            break;
        }
        assert_int_equal(made, -ENOMEM);
        assert_int_equal(sem_get(&root, 77, 0, 0), -ENOENT);
    }
    host_fail(0);
    struct sem_undo_list *list = sem_undo_list_create();
    host_fail(1);
    assert_int_equal(operate(1, SEM_UNDO, list), -ENOMEM);
    assert_int_equal(sem_query(&root, id, 0, GETVAL), 0);
    assert_int_equal(operate(1, SEM_UNDO, list), 0);
    sem_undo_list_put(list, 1);
    assert_int_equal(sem_query(&root, id, 0, GETVAL), 0);
    host_fail(1);
    assert_null(sem_undo_list_create());
    host_fail(0);
}

static void totals_and_limits(void **state)
{
    struct seminfo before, info;
    sem_info(&before, true);
    assert_int_equal(ipc_limit_set(IPC_SEMMNS, (uint64_t)before.semaem + 5), 0);
    int five = sem_get(&root, IPC_PRIVATE, 5, 0600);
    assert_true(five > 0);
    assert_int_equal(sem_get(&root, IPC_PRIVATE, 1, 0600), -ENOSPC);
    sem_info(&info, true);
    assert_int_equal(info.semaem, before.semaem + 5);
    assert_int_equal(info.semusz, before.semusz + 1);
    assert_int_equal(sem_remove(&root, five), 0);
    sem_info(&info, true);
    assert_int_equal(info.semaem, before.semaem);
    assert_int_equal(ipc_limit_set(IPC_SEMMNI, 32769), -ERANGE);
    assert_int_equal(ipc_limit_set(IPC_SHM_RMID_FORCED, 2), -EINVAL);
    assert_int_equal(sem_remove(&user, id), -EPERM);
    ipc_init(100, 50); // a board's limits are above Linux's defaults
    assert_int_equal(ipc_limit(IPC_SEMMNI), 100);
    assert_int_equal(ipc_limit(IPC_MSGMAX), 50);
    assert_int_equal(ipc_limit_set(IPC_MSGMNB, 51), -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(sleepers_are_served_in_order),
        T(a_pair_and_a_single_keep_their_order),
        T(a_late_interrupt_does_not_take_back_what_was_done),
        T(undo_lists_and_arrays_end_in_any_order),
        T(undo_wakes),
        T(no_memory_at_every_point),
        T(totals_and_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
