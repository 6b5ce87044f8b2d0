// SPDX-License-Identifier: BSD-2-Clause
// Message queues: hand-over between sleepers, the order of senders and receivers, interrupts that
// come too late, changed permissions, and no memory at every point.
#include "ipc_host.h"

#include <ipc/msg.h>
#include <string.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

static const struct ipc_caller root = {&host_root, 1}, user = {&host_user, 2};
static int id;

struct letter {
    const struct ipc_caller *from;
    long type;
    size_t size;
};

static int send(void *arg)
{
    const struct letter *l = arg;
    struct msg_message *m = msg_allocate(l->type, l->size);
    memset(m->text, (int)l->type, l->size);
    int err = msg_send(l->from, id, m, 0);
    if (err != 0)
        msg_free(m);
    return err;
}

struct wish {
    const struct ipc_caller *to;
    long type;
    size_t size;
    int flags;
};

// The type of what came, or -errno.
static int receive(void *arg)
{
    const struct wish *w = arg;
    struct msg_message *m;
    int err = msg_receive(w->to, id, w->size, w->type, w->flags, &m);
    if (err != 0)
        return err;
    int type = (int)m->type;
    for (size_t i = 0; i < m->size; i++)
        assert_int_equal(m->text[i], type);
    msg_free(m);
    return type;
}

static int receive_now(long type, size_t size)
{
    struct wish w = {&root, type, size, IPC_NOWAIT};
    return receive(&w);
}

static int set_bytes(unsigned long bytes, unsigned int mode)
{
    struct msqid64_ds ds;
    assert_int_equal(msg_stat(&root, id, IPC_STAT, &ds), 0);
    ds.msg_qbytes = bytes;
    ds.msg_perm.mode = mode;
    return msg_set(&root, id, &ds);
}

static struct msqid64_ds stat_now(void)
{
    struct msqid64_ds ds;
    assert_int_equal(msg_stat(&root, id, IPC_STAT, &ds), 0);
    return ds;
}

static int setup(void **state)
{
    struct host_task *none[64];
    ipc_init(32768, 1 << 20);
    host_fail(0);
    host_woken(none, 64);
    id = msg_get(&root, IPC_PRIVATE, 0666);
    return id > 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct msginfo info;
    msg_remove(&root, id);
    msg_info(&info, true);
    assert_int_equal(info.msgmap, 0);
    assert_int_equal(info.msgtql, 0);
    assert_int_equal(host_locks_held, 0);
    return 0;
}

static void senders_enter_in_order(void **state)
{
    struct letter full = {&root, 9, 4},
                  letters[] = {{&root, 1, 3}, {&root, 2, 2}, {&root, 3, 1}, {&root, 4, 4}};
    struct host_task *tasks[4];
    assert_int_equal(set_bytes(4, 0600), 0);
    assert_int_equal(send(&full), 0);
    for (int i = 0; i < 4; i++)
        tasks[i] = host_start(send, &letters[i]);
    assert_int_equal(receive_now(0, 4), 9); // 1 and 3 fit together, 2 is held back
    host_settle();
    assert_int_equal(host_result(tasks[0]), 0);
    assert_false(host_is_done(tasks[1]));
    assert_int_equal(host_result(tasks[2]), 0);
    assert_int_equal(stat_now().msg_cbytes, 4);
    assert_int_equal(receive_now(0, 4), 1);
    host_settle();
    assert_int_equal(host_result(tasks[1]), 0);
    assert_int_equal(receive_now(0, 4), 3);
    assert_int_equal(receive_now(0, 4), 2);
    host_settle();
    assert_int_equal(host_result(tasks[3]), 0);
    assert_int_equal(receive_now(0, 4), 4);
}

static void receivers_are_served_in_order(void **state)
{
    struct wish wishes[] = {
        {&root, 5, 10, 0}, {&root, 0, 1, 0}, {&root, -5, 10, 0}, {&root, 0, 1, MSG_NOERROR}};
    struct letter letters[] = {{&root, 5, 8}, {&root, 4, 8}, {&root, 7, 8}};
    struct host_task *tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = host_start(receive, &wishes[i]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(send(&letters[i]), 0);
    host_settle();
    assert_int_equal(host_result(tasks[0]), 5);
    assert_int_equal(host_result(tasks[1]), -E2BIG);
    assert_int_equal(host_result(tasks[2]), 4);
    assert_int_equal(host_result(tasks[3]), 7);
    assert_int_equal(stat_now().msg_qnum, 0);
    assert_int_equal(stat_now().msg_cbytes, 0);
}

static void a_sender_let_in_serves_a_receiver(void **state)
{
    struct letter full = {&root, 1, 4}, waiting = {&root, 2, 4};
    struct wish wish = {&root, 2, 4, 0};
    assert_int_equal(set_bytes(4, 0600), 0);
    assert_int_equal(send(&full), 0);
    struct host_task *receiver = host_start(receive, &wish), *sender = host_start(send, &waiting);
    assert_int_equal(receive_now(1, 4), 1);
    host_settle();
    assert_int_equal(host_result(sender), 0);
    assert_int_equal(host_result(receiver), 2);
    assert_int_equal(stat_now().msg_qnum, 0);
}

static void a_late_interrupt_loses_nothing(void **state)
{
    struct wish wish = {&root, 0, 4, 0};
    struct letter letter = {&root, 3, 4};
    struct host_task *receiver = host_start(receive, &wish);
    assert_int_equal(send(&letter), 0);
    host_resume(receiver, -EINTR);
    assert_int_equal(host_result(receiver), 3);
    receiver = host_start(receive, &wish);
    host_resume(receiver, -EINTR);
    assert_int_equal(host_result(receiver), -EINTR);
    assert_int_equal(send(&letter), 0); // it isn't handed to one who left
    assert_int_equal(receive_now(0, 4), 3);
}

static void stricter_permissions_and_removal_end_sleepers(void **state)
{
    struct wish wish = {&user, 2, 4, 0}, roots = {&root, 2, 4, 0};
    struct letter full = {&root, 1, 4}, letter = {&user, 3, 4};
    assert_int_equal(set_bytes(4, 0666), 0);
    assert_int_equal(send(&full), 0);
    struct host_task *a = host_start(receive, &wish), *b = host_start(send, &letter),
                     *c = host_start(receive, &roots);
    assert_int_equal(set_bytes(4, 0600), 0);
    host_settle();
    assert_int_equal(host_result(a), -EACCES);
    assert_int_equal(host_result(b), -EACCES);
    letter.from = &root;
    b = host_start(send, &letter);
    assert_int_equal(msg_remove(&root, id), 0);
    host_settle();
    assert_int_equal(host_result(b), -EIDRM);
    assert_int_equal(host_result(c), -EIDRM);
}

static void no_memory_at_every_point(void **state)
{
    struct letter letter = {&root, 1, 4};
    struct wish copy = {&root, 0, 10, MSG_COPY | IPC_NOWAIT};
    host_fail(1);
    assert_int_equal(msg_get(&root, 77, IPC_CREAT | 0600), -ENOMEM);
    assert_int_equal(msg_get(&root, 77, 0), -ENOENT);
    host_fail(1);
    assert_null(msg_allocate(1, 10));
    assert_int_equal(send(&letter), 0);
    host_fail(1);
    assert_int_equal(receive(&copy), -ENOMEM);
    host_fail(0);
    assert_int_equal(receive(&copy), 1);
    assert_int_equal(receive_now(0, 10), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(senders_enter_in_order),
        T(receivers_are_served_in_order),
        T(a_sender_let_in_serves_a_receiver),
        T(a_late_interrupt_loses_nothing),
        T(stricter_permissions_and_removal_end_sleepers),
        T(no_memory_at_every_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
