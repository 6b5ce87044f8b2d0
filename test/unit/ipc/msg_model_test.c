// SPDX-License-Identifier: BSD-2-Clause
// Random calls on a System V message queue beside a model of lists that are searched from the first
// on. After every call what is queued and who has gone on with which message or error must be the
// same.
#include "ipc_walk.h"

#include <ipc/msg.h>
#include <string.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#define REQUESTS 24
#define MESSAGES 512

struct letter {
    long type;
    size_t size;
    int serial;
};

struct request {
    struct host_task *task; // NULL: free
    bool sends;
    struct letter letter; // to send
    long type;            // to receive
    size_t size;
    int flags;
    uint64_t arrival;
    bool waits; // as the model has it
    int result; // of a receiver: the serial number
};

static int id;
static struct request requests[REQUESTS];
static struct letter queue[MESSAGES];
static unsigned int nr_queued;
static size_t nr_bytes, max_bytes;
static uint64_t nr_arrivals;
static int nr_letters;
static const struct ipc_caller caller = {&host_root, 100};

static int run_request(void *arg)
{
    const struct request *q = arg;
    struct msg_message *m;
    if (q->sends) {
        m = msg_allocate(q->letter.type, q->letter.size);
        memcpy(m->text, &q->letter.serial, sizeof(int));
        int err = msg_send(&caller, id, m, q->flags);
        if (err != 0)
            msg_free(m);
        return err;
    }
    int err = msg_receive(&caller, id, q->size, q->type, q->flags, &m);
    if (err != 0)
        return err;
    int serial;
    memcpy(&serial, m->text, sizeof(int));
    msg_free(m);
    return serial;
}

static struct request *next_waiting(bool sends, uint64_t after)
{
    struct request *first = NULL;
    for (int i = 0; i < REQUESTS; i++)
        if (requests[i].task && requests[i].waits && requests[i].sends == sends &&
            requests[i].arrival > after && (!first || requests[i].arrival < first->arrival))
            first = &requests[i];
    return first;
}

static bool wants(const struct request *q, const struct letter *l)
{
    if (q->type == 0)
        return true;
    if (q->type < 0)
        return l->type <= -q->type;
    return q->flags & MSG_EXCEPT ? l->type != q->type : l->type == q->type;
}

static void end(struct request *q, int result)
{
    q->waits = false;
    q->result = result;
}

static void model_deliver(const struct letter *l)
{
    for (struct request *q = next_waiting(false, 0); q; q = next_waiting(false, q->arrival)) {
        if (!wants(q, l))
            continue;
        if (l->size > q->size && !(q->flags & MSG_NOERROR)) {
            end(q, -E2BIG);
            continue;
        }
        end(q, l->serial);
        return;
    }
    assert_true(nr_queued < MESSAGES);
    queue[nr_queued++] = *l;
    nr_bytes += l->size;
}

static bool has_room(const struct letter *l)
{
    return nr_bytes + l->size <= max_bytes && nr_queued + 1 <= max_bytes;
}

static void model_admit(void)
{
    for (struct request *q = next_waiting(true, 0); q; q = next_waiting(true, q->arrival))
        if (has_room(&q->letter)) {
            model_deliver(&q->letter);
            end(q, 0);
        }
}

static void model_send(struct request *q)
{
    if (has_room(&q->letter)) {
        model_deliver(&q->letter);
        q->result = 0;
    } else if (q->flags & IPC_NOWAIT) {
        q->result = -EAGAIN;
    } else {
        q->waits = true;
    }
}

static int model_choose(const struct request *q)
{
    int best = -1;
    if (q->flags & MSG_COPY)
        return q->type >= 0 && q->type < (long)nr_queued ? (int)q->type : -1;
    for (unsigned int i = 0; i < nr_queued; i++) {
        if (!wants(q, &queue[i]))
            continue;
        if (best < 0 || (q->type < 0 && queue[i].type < queue[best].type))
            best = (int)i;
    }
    return best;
}

static void model_receive(struct request *q)
{
    if ((q->flags & MSG_COPY) && (!(q->flags & IPC_NOWAIT) || (q->flags & MSG_EXCEPT))) {
        q->result = -EINVAL;
        return;
    }
    int i = model_choose(q);
    if (i < 0) {
        q->result = -ENOMSG;
        q->waits = !(q->flags & IPC_NOWAIT);
        return;
    }
    struct letter l = queue[i];
    q->result = l.serial;
    if (l.size > q->size && !(q->flags & MSG_NOERROR)) {
        q->result = -E2BIG;
        return;
    }
    if (q->flags & MSG_COPY) {
        if (l.size > q->size)
            q->result = -EINVAL; // as Linux: it doesn't cut copies
        return;
    }
    memmove(&queue[i], &queue[i + 1], (--nr_queued - (unsigned int)i) * sizeof(queue[0]));
    nr_bytes -= l.size;
    model_admit();
}

static void compare(void)
{
    struct msqid64_ds ds;
    host_settle();
    assert_int_equal(host_locks_held, 0);
    assert_int_equal(msg_stat(&caller, id, IPC_STAT, &ds), 0);
    assert_int_equal(ds.msg_qnum, nr_queued);
    assert_int_equal(ds.msg_cbytes, nr_bytes);
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

static void step_request(bool sends)
{
    struct request *q = requests;
    while (q < requests + REQUESTS && q->task)
        q++;
    if (q == requests + REQUESTS)
        return;
    *q = (struct request){.sends = sends, .flags = any(3) ? 0 : IPC_NOWAIT};
    if (sends) {
        q->letter = (struct letter){1 + any(4), 4 + any(40), ++nr_letters};
        model_send(q);
    } else {
        q->type = (long)any(9) - 4;
        q->size = any(3) ? 60 : 4 + any(40);
        q->flags |=
            (any(3) ? 0 : MSG_NOERROR) | (any(4) ? 0 : MSG_EXCEPT) | (any(9) ? 0 : MSG_COPY);
        model_receive(q);
    }
    q->arrival = ++nr_arrivals;
    q->task = host_start(run_request, q);
}

static void step_interrupt(void)
{
    struct request *q = &requests[any(REQUESTS)];
    if (!q->task || !q->waits)
        return;
    if (any(2)) { // an old token: it must sleep on
        host_resume(q->task, 0);
        return;
    }
    end(q, -EINTR);
    host_resume(q->task, -EINTR);
}

static void step_set(size_t bytes)
{
    struct msqid64_ds ds;
    assert_int_equal(msg_stat(&caller, id, IPC_STAT, &ds), 0);
    ds.msg_qbytes = max_bytes = bytes;
    assert_int_equal(msg_set(&caller, id, &ds), 0);
    model_admit();
}

static void start(void)
{
    id = msg_get(&caller, IPC_PRIVATE, 0600);
    assert_true(id > 0);
    nr_queued = 0;
    nr_bytes = 0;
    step_set(200);
}

static void finish(void)
{
    assert_int_equal(msg_remove(&caller, id), 0);
    for (int i = 0; i < REQUESTS; i++)
        if (requests[i].task && requests[i].waits)
            end(&requests[i], -EIDRM);
    host_settle();
    for (int i = 0; i < REQUESTS; i++)
        if (requests[i].task) {
            assert_int_equal(host_result(requests[i].task), requests[i].result);
            requests[i].task = NULL;
        }
}

static void walk(void)
{
    ipc_init(32768, 1 << 20);
    start();
    while (walk_goes_on()) {
        unsigned int what = any(100);
        if (what < 45)
            step_request(true);
        else if (what < 85)
            step_request(false);
        else if (what < 95)
            step_interrupt();
        else if (what < 99)
            step_set(any(400));
        else if (any(4) == 0) {
            finish();
            start();
        }
        compare();
    }
    finish();
}
