// SPDX-License-Identifier: BSD-2-Clause
// Random calls on a POSIX message queue beside a model: an array that is searched for the most
// urgent, oldest message, and lists of who waits, most urgent thread first. After every call what
// is queued, who was told and who has gone on with which message or error must be the same.
#include "../ipc/ipc_walk.h"

#include "../../../fs/mqueue_priv.h"

#include <asm/poll.h>
#include <fs/poll.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <string.h>

#define REQUESTS 24
#define NR_MAX   5

struct letter {
    unsigned int priority;
    int serial;
};

struct request {
    struct host_task *task; // NULL: free
    bool sends, at_once;
    struct letter letter; // to send
    int urgency;          // of the thread
    uint64_t arrival;
    bool waits; // as the model has it
    int result; // of a receiver: the serial number
};

static struct file blocking, at_once;
static struct inode inode;
static struct request requests[REQUESTS];
static struct letter queue[NR_MAX];
static unsigned int nr_queued;
static uint64_t nr_arrivals;
static int nr_letters, nr_told, nr_dropped, nr_told_model, nr_dropped_model, urgency_now;
static bool registered;

// What mqueue.c needs of others besides ipc_host.
void wait_queue_init(struct wait_queue *q)
{
}

void wait_queue_wake_all(struct wait_queue *q)
{
}

void poll_add(struct poll_table *table, struct wait_queue *q)
{
}

size_t uio_copy_out(struct uio *u, const void *src, size_t n)
{
    return n;
}

int port_thread_rt_priority(const struct thread *t)
{
    return urgency_now;
}

int port_park_realtime(enum park_mode mode, uint64_t deadline_ns)
{
    return port_park(mode, deadline_ns);
}

static void told(struct mqueue_notice *n, pid_t sender, uid_t uid)
{
    assert_int_equal(sender, 7);
    nr_told++;
    kfree(n);
}

static void dropped(struct mqueue_notice *n)
{
    nr_dropped++;
    kfree(n);
}

static int run_request(void *arg)
{
    const struct request *q = arg;
    struct file *f = q->at_once ? &at_once : &blocking;
    struct mqueue_message *m;
    unsigned int priority;
    size_t size;
    int serial;
    if (q->sends) {
        m = mqueue_message_create(sizeof(int), q->letter.priority);
        memcpy(mqueue_message_text(m, &size, &priority), &q->letter.serial, sizeof(int));
        int err = mqueue_send(f, m, q->urgency ? 5 : TIME_NEVER, 7, 0);
        if (err != 0)
            mqueue_message_free(m);
        return err;
    }
    int err = mqueue_receive(f, TIME_NEVER, &m);
    if (err != 0)
        return err;
    memcpy(&serial, mqueue_message_text(m, &size, &priority), sizeof(int));
    assert_int_equal(size, sizeof(int));
    mqueue_message_free(m);
    return serial;
}

static struct request *first_waiting(bool sends)
{
    struct request *first = NULL;
    for (int i = 0; i < REQUESTS; i++) {
        struct request *q = &requests[i];
        if (!q->task || !q->waits || q->sends != sends)
            continue;
        if (!first || q->urgency > first->urgency ||
            (q->urgency == first->urgency && q->arrival < first->arrival))
            first = q;
    }
    return first;
}

static void end(struct request *q, int result)
{
    q->waits = false;
    q->result = result;
}

static void model_send(struct request *q)
{
    struct request *receiver = first_waiting(false);
    q->result = 0;
    if (nr_queued == NR_MAX) {
        q->result = -EAGAIN;
        q->waits = !q->at_once;
    } else if (receiver) {
        end(receiver, q->letter.serial);
    } else {
        queue[nr_queued++] = q->letter;
        if (nr_queued == 1 && registered) {
            registered = false;
            nr_told_model++;
        }
    }
}

static void model_receive(struct request *q)
{
    unsigned int best = 0;
    if (nr_queued == 0) {
        q->result = -EAGAIN;
        q->waits = !q->at_once;
        return;
    }
    for (unsigned int i = 1; i < nr_queued; i++)
        if (queue[i].priority > queue[best].priority)
            best = i;
    q->result = queue[best].serial;
    memmove(&queue[best], &queue[best + 1], (--nr_queued - best) * sizeof(queue[0]));
    struct request *sender = first_waiting(true);
    if (sender) {
        queue[nr_queued++] = sender->letter;
        end(sender, 0);
    }
}

static void compare(void)
{
    struct mq_attr attr;
    host_settle();
    assert_int_equal(host_locks_held, 0);
    mqueue_attributes(&blocking, &attr);
    assert_int_equal(attr.mq_curmsgs, nr_queued);
    assert_int_equal(nr_told, nr_told_model);
    assert_int_equal(nr_dropped, nr_dropped_model);
    unsigned int events = mqueue_file_ops.poll(&blocking, NULL);
    assert_int_equal((events & POLLIN) != 0, nr_queued != 0);
    assert_int_equal((events & POLLOUT) != 0, nr_queued < NR_MAX);
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
    *q = (struct request){.sends = sends, .at_once = any(4) == 0, .urgency = (int)any(3)};
    if (sends) {
        q->letter = (struct letter){any(4), ++nr_letters};
        model_send(q);
    } else {
        model_receive(q);
    }
    q->arrival = ++nr_arrivals;
    urgency_now = q->urgency;
    q->task = host_start(run_request, q);
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
    end(q, how == 0 ? -EINTR : -ETIMEDOUT);
    host_resume(q->task, q->result);
}

static void step_notify(void)
{
    static const int owner, stranger, table, other_table;
    unsigned int how = any(5);
    if (how < 2) {
        struct mqueue_notice *n = kzalloc(sizeof(*n));
        *n =
            (struct mqueue_notice){.owner = &owner, .table = &table, .tell = told, .drop = dropped};
        assert_int_equal(mqueue_notify(&blocking, n), registered ? -EBUSY : 0);
        if (registered)
            kfree(n);
        registered = true;
        return;
    }
    if (how == 2) {
        mqueue_unnotify(&blocking, &stranger);
        mqueue_file_ops.closed(&blocking, &other_table);
        return;
    }
    nr_dropped_model += registered;
    registered = false;
    if (how == 3)
        mqueue_unnotify(&blocking, &owner);
    else
        mqueue_file_ops.closed(&blocking, &table);
}

static void walk(void)
{
    struct mqueue *q = mqueue_create(NR_MAX, 16);
    nr_queued = 0;
    inode.private = q;
    blocking = (struct file){.ops = &mqueue_file_ops, .inode = &inode};
    at_once = (struct file){.ops = &mqueue_file_ops, .inode = &inode, .flags = O_NONBLOCK};
    while (walk_goes_on()) {
        unsigned int what = any(100);
        if (what < 42)
            step_request(true);
        else if (what < 82)
            step_request(false);
        else if (what < 90)
            step_interrupt();
        else
            step_notify();
        compare();
    }
    for (int i = 0; i < REQUESTS; i++)
        if (requests[i].task) {
            end(&requests[i], -EINTR);
            host_resume(requests[i].task, -EINTR);
        }
    compare();
    nr_dropped_model += registered;
    registered = false;
    mqueue_destroy(q); // with what is in it
    assert_int_equal(nr_dropped, nr_dropped_model);
}
