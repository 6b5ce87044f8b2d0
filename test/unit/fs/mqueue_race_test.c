// SPDX-License-Identifier: BSD-2-Clause
// Threads of the host under ThreadSanitizer that send, receive, wait with and without a time limit
// and register for notices on two queues at once: what is sent arrives once and in the order of its
// sender and priority, nobody sleeps through a message, and nothing is left.
#include "../sync/sync_host.h"

#include "../../../fs/mqueue_priv.h"

#include <asm/poll.h>
#include <errno.h>
#include <fs/poll.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <stdlib.h>
#include <string.h>

#define SENDERS   3
#define RECEIVERS 3
#define MESSAGES  4000 // of each sender

struct text {
    unsigned int sender, serial;
};

static struct mqueue *queue;
static struct inode inode;
static struct file waiting, at_once;
static uint64_t nr_memory, nr_told, nr_dropped, nr_registered, sum_sent, sum_received; // atomic
static uint64_t nr_received, nr_timeouts;                                              // atomic

void *kmalloc(size_t size)
{
    atomic_add_relaxed(&nr_memory, 1);
    return malloc(size);
}

void *kzalloc(size_t size)
{
    atomic_add_relaxed(&nr_memory, 1);
    return calloc(1, size);
}

void kfree(void *p)
{
    if (p)
        atomic_add_relaxed(&nr_memory, -1UL);
    free(p);
}

void poll_add(struct poll_table *table, struct wait_queue *q)
{
}

size_t uio_copy_out(struct uio *u, const void *src, size_t n)
{
    return n;
}

static void told(struct mqueue_notice *n, pid_t sender, uid_t uid)
{
    atomic_add_relaxed(&nr_told, 1);
    kfree(n);
}

static void dropped(struct mqueue_notice *n)
{
    atomic_add_relaxed(&nr_dropped, 1);
    kfree(n);
}

static void try_notice(unsigned int who, bool take_back)
{
    struct mqueue_notice *n = kzalloc(sizeof(*n));
    *n = (struct mqueue_notice){
        .owner = (void *)(uintptr_t)(who + 1), .tell = told, .drop = dropped};
    if (mqueue_notify(&waiting, n) == 0)
        atomic_add_relaxed(&nr_registered, 1);
    else
        kfree(n);
    if (take_back)
        mqueue_unnotify(&waiting, (void *)(uintptr_t)(who + 1));
}

static int send_one(unsigned int who, unsigned int i)
{
    struct mqueue_message *m = mqueue_message_create(sizeof(struct text), 0);
    const struct text text = {who, i};
    unsigned int priority;
    size_t size;
    memcpy(mqueue_message_text(m, &size, &priority), &text, sizeof(text));
    struct file *f = i % 5 == 0 ? &at_once : &waiting;
    uint64_t deadline = i % 7 == 0 ? host_realtime_ns() + 20000 : TIME_NEVER;
    int err = mqueue_send(f, m, deadline, 1, 0);
    if (err != 0)
        mqueue_message_free(m);
    return err;
}

static void sender(unsigned int who)
{
    for (unsigned int i = 0; i < MESSAGES; i++) {
        int err;
        while ((err = send_one(who, i)) != 0) {
            assert_true(err == -EAGAIN || err == -ETIMEDOUT);
            atomic_add_relaxed(&nr_timeouts, 1);
        }
        atomic_add_relaxed(&sum_sent, (uint64_t)who * MESSAGES + i);
        if (i % 16 == 0)
            try_notice(who, i % 32 == 0);
    }
}

static void receiver(unsigned int who)
{
    int last[SENDERS] = {-1, -1, -1};
    for (unsigned int i = 0; atomic_load(&nr_received) < SENDERS * MESSAGES; i++) {
        struct mqueue_message *m = NULL;
        unsigned int priority;
        struct text text;
        size_t size;
        // Never without an end: the last message may be another's.
        int err =
            mqueue_receive(i % 3 == 0 ? &at_once : &waiting, host_realtime_ns() + 1000000, &m);
        if (err != 0) {
            assert_true(err == -EAGAIN || err == -ETIMEDOUT);
            continue;
        }
        memcpy(&text, mqueue_message_text(m, &size, &priority), sizeof(text));
        assert_int_equal(size, sizeof(text));
        mqueue_message_free(m);
        assert_true(last[text.sender] < (int)text.serial); // in their order
        last[text.sender] = (int)text.serial;
        atomic_add_relaxed(&sum_received, (uint64_t)text.sender * MESSAGES + text.serial);
        atomic_add_relaxed(&nr_received, 1);
    }
}

static void *thread_main(void *arg)
{
    unsigned int i = (unsigned int)(uintptr_t)arg;
    if (i < SENDERS)
        sender(i);
    else
        receiver(i);
    return NULL;
}

static void *set_up(void *arg)
{
    queue = mqueue_create(4, sizeof(struct text));
    inode.private = queue;
    waiting = (struct file){.inode = &inode};
    at_once = (struct file){.inode = &inode, .flags = O_NONBLOCK};
    return NULL;
}

static void *look_and_destroy(void *arg)
{
    struct mq_attr attr;
    mqueue_attributes(&waiting, &attr);
    assert_int_equal(attr.mq_curmsgs, 0);
    mqueue_destroy(queue);
    return NULL;
}

static void calls_at_once(void **state)
{
    host_run_threads(1, set_up);
    host_run_threads(SENDERS + RECEIVERS, thread_main);
    host_run_threads(1, look_and_destroy);
    assert_int_equal(nr_received, SENDERS * MESSAGES);
    assert_int_equal(sum_received, sum_sent);
    assert_int_equal(nr_registered, nr_told + nr_dropped);
    assert_true(nr_told > 0);
    assert_int_equal(nr_memory, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
