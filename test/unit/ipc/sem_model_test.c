// SPDX-License-Identifier: BSD-2-Clause
// Random calls on a semaphore array beside a model that is too simple to be wrong: it keeps the
// sleepers in one list, those who only ask for zero first, and, whenever anything changed, tries
// them again from the first on. After every call values, counts and who has gone on with which
// result must be the same.
#include "ipc_walk.h"

#include <ipc/sem.h>
#include <stdio.h>
#include <string.h>

#define SEMS      4
#define OPS       3
#define PROCESSES 3
#define REQUESTS  24

struct request {
    struct host_task *task; // NULL: free
    int process;
    struct sembuf ops[OPS];
    unsigned int nr;
    uint64_t arrival;
    bool waits; // as the model has it
    int result;
};

static int id;
static struct sem_undo_list *lists[PROCESSES];
static struct request requests[REQUESTS];
static int values[SEMS], adjusts[PROCESSES][SEMS];
static uint64_t nr_arrivals;
static const struct ipc_caller callers[PROCESSES] = {
    {&host_root, 100}, {&host_root, 101}, {&host_root, 102}};

static int run_request(void *arg)
{
    const struct request *q = arg;
    return sem_operate(&callers[q->process], id, q->ops, q->nr, lists[q->process], TIME_NEVER);
}

// 0, 1: waits for *blocking, or -ERANGE; nothing is changed but by 0.
static int model_try(const struct request *q, const struct sembuf **blocking)
{
    int v[SEMS], a[SEMS];
    memcpy(v, values, sizeof(v));
    memcpy(a, adjusts[q->process], sizeof(a));
    for (unsigned int i = 0; i < q->nr; i++) {
        const struct sembuf *op = &q->ops[i];
        *blocking = op;
        if (op->sem_op == 0 ? v[op->sem_num] != 0 : v[op->sem_num] + op->sem_op < 0)
            return 1;
        v[op->sem_num] += op->sem_op;
        if (v[op->sem_num] > 32767)
            return -ERANGE;
        if (op->sem_flg & SEM_UNDO) {
            a[op->sem_num] -= op->sem_op;
            if (a[op->sem_num] < -32768 || a[op->sem_num] > 32767)
                return -ERANGE;
        }
    }
    memcpy(values, v, sizeof(v));
    memcpy(adjusts[q->process], a, sizeof(a));
    return 0;
}

static bool changes(const struct request *q)
{
    bool any_change = false;
    for (unsigned int i = 0; i < q->nr; i++)
        any_change |= q->ops[i].sem_op != 0;
    return any_change;
}

// First all that only ask for zero, in order of arrival, then the others.
static uint64_t place(const struct request *q)
{
    return q->arrival + (changes(q) ? 1UL << 32 : 0);
}

static struct request *next_waiting(uint64_t after)
{
    struct request *first = NULL;
    for (int i = 0; i < REQUESTS; i++)
        if (requests[i].task && requests[i].waits && place(&requests[i]) > after &&
            (!first || place(&requests[i]) < place(first)))
            first = &requests[i];
    return first;
}

static void model_serve(void)
{
    const struct sembuf *blocking;
    struct request *q = next_waiting(0);
    while (q) {
        int result = model_try(q, &blocking);
        if (result == 1 && (blocking->sem_flg & IPC_NOWAIT))
            result = -EAGAIN;
        if (result != 1) {
            q->waits = false;
            q->result = result;
        }
        q = next_waiting(result == 0 ? 0 : place(q));
    }
}

static void compare(void)
{
    uint16_t got[SEMS];
    host_settle();
    assert_int_equal(host_locks_held, 0);
    assert_int_equal(sem_get_all(&callers[0], id, got, SEMS), 0);
    for (int i = 0; i < SEMS; i++) {
        int more = 0, zero = 0;
        assert_int_equal(got[i], values[i]);
        for (int r = 0; r < REQUESTS; r++) {
            const struct sembuf *blocking = NULL;
            if (!requests[r].task || !requests[r].waits)
                continue;
            assert_int_equal(model_try(&requests[r], &blocking), 1);
            if (blocking->sem_num == i)
                *(blocking->sem_op == 0 ? &zero : &more) += 1;
        }
        assert_int_equal(sem_query(&callers[0], id, i, GETNCNT), more);
        assert_int_equal(sem_query(&callers[0], id, i, GETZCNT), zero);
    }
    for (int r = 0; r < REQUESTS; r++) {
        struct request *q = &requests[r];
        if (!q->task)
            continue;
        assert_int_equal(host_is_done(q->task), !q->waits);
        if (!q->waits) {
            assert_int_equal(host_result(q->task), q->result);
            q->task = NULL;
        }
    }
}

static void step_operate(void)
{
    struct request *q = requests;
    const struct sembuf *blocking;
    while (q < requests + REQUESTS && q->task)
        q++;
    if (q == requests + REQUESTS)
        return;
    *q = (struct request){.process = (int)any(PROCESSES), .nr = any(3) ? 1 : 1 + any(OPS)};
    for (unsigned int i = 0; i < q->nr; i++) {
        q->ops[i].sem_num = (unsigned short)any(SEMS);
        q->ops[i].sem_op = (short)(any(50) ? (int)any(7) - 3 : (int)any(65535) - 32767);
        q->ops[i].sem_flg = (short)((any(5) ? 0 : IPC_NOWAIT) | (any(3) ? 0 : SEM_UNDO));
    }
    q->arrival = ++nr_arrivals;
    q->result = model_try(q, &blocking);
    q->waits = q->result == 1 && !(blocking->sem_flg & IPC_NOWAIT);
    if (q->result == 1)
        q->result = -EAGAIN;
    else if (q->result == 0)
        model_serve();
    q->task = host_start(run_request, q);
}

static void step_set(void)
{
    uint16_t all[SEMS];
    int i = (int)any(SEMS), value = (int)(any(20) ? any(4) : any(32768));
    if (any(3)) {
        values[i] = value;
        for (int p = 0; p < PROCESSES; p++)
            adjusts[p][i] = 0;
        assert_int_equal(sem_set_value(&callers[0], id, i, value), 0);
    } else {
        for (i = 0; i < SEMS; i++)
            values[i] = all[i] = (uint16_t)any(4);
        memset(adjusts, 0, sizeof(adjusts));
        assert_int_equal(sem_set_all(&callers[0], id, all, SEMS), 0);
    }
    model_serve();
}

static void step_interrupt(void)
{
    struct request *q = &requests[any(REQUESTS)];
    if (!q->task || !q->waits)
        return;
    int how = (int)any(3);
    if (how == 2) { // an old token: it must sleep on
        host_resume(q->task, 0);
        return;
    }
    q->waits = false;
    q->result = how == 0 ? -EINTR : -EAGAIN;
    host_resume(q->task, how == 0 ? -EINTR : -ETIMEDOUT);
}

// A process ends, if none of its threads sleeps.
static void step_exit(void)
{
    int p = (int)any(PROCESSES);
    for (int i = 0; i < REQUESTS; i++)
        if (requests[i].task && requests[i].process == p)
            return;
    for (int i = 0; i < SEMS; i++) {
        int v = values[i] + adjusts[p][i];
        values[i] = v < 0 ? 0 : v > 32767 ? 32767 : v;
        adjusts[p][i] = 0;
    }
    model_serve();
    sem_undo_list_put(lists[p], callers[p].pid);
    lists[p] = sem_undo_list_create();
}

static void step_remove(void)
{
    int old = id;
    for (int i = 0; i < REQUESTS; i++)
        if (requests[i].task && requests[i].waits) {
            requests[i].waits = false;
            requests[i].result = -EIDRM;
        }
    memset(values, 0, sizeof(values));
    memset(adjusts, 0, sizeof(adjusts));
    assert_int_equal(sem_remove(&callers[0], id), 0);
    id = sem_get(&callers[0], IPC_PRIVATE, SEMS, 0600);
    assert_true(id > 0 && id != old);
    assert_int_equal(sem_query(&callers[0], old, 0, GETVAL), -EINVAL);
}

static void walk(void)
{
    ipc_init(32768, 1 << 20);
    for (int p = 0; p < PROCESSES; p++)
        lists[p] = sem_undo_list_create();
    id = sem_get(&callers[0], IPC_PRIVATE, SEMS, 0600);
    while (walk_goes_on()) {
        unsigned int what = any(100);
        if (what < 60)
            step_operate();
        else if (what < 75)
            step_set();
        else if (what < 90)
            step_interrupt();
        else if (what < 99)
            step_exit();
        else if (any(4) == 0)
            step_remove();
        compare();
    }
    step_remove();
    compare();
    for (int p = 0; p < PROCESSES; p++)
        sem_undo_list_put(lists[p], callers[p].pid);
    assert_int_equal(sem_remove(&callers[0], id), 0);
}
