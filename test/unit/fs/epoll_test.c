// SPDX-License-Identifier: BSD-2-Clause
// epoll between two threads: what one has in hand to ask its file, the other must not take for
// gone. The second thread is played by the file's poll op, so the test sees the inside of epoll.c.
#include "fs_host.h"

#include <asm/poll.h>
#include <errno.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <string.h>

#include "../../../fs/epoll.c"

static struct cred cred = {.refs = {1}};
static struct file *epoll;
static struct wait_queue queue;
static unsigned int level; // what the file says
static bool asked_inside, seen_ready;

static unsigned int source_poll(struct file *f, struct poll_table *table)
{
    poll_add(table, &queue);
    if (asked_inside)
        seen_ready = epoll_has_ready(epoll->private);
    return level;
}

static const struct file_ops source_ops = {.poll = source_poll};

static int setup(void **state)
{
    wait_queue_init(&queue);
    level = POLLIN;
    asked_inside = seen_ready = false;
    return epoll_create(&cred, &epoll);
}

static int teardown(void **state)
{
    file_put(epoll);
    return 0;
}

static int wait_now(struct epoll_event *e, int max)
{
    int n = epoll_wait(epoll, e, max, 0);
    assert_int_equal(host_locks_held, 0);
    return n;
}

// A second thread that looks while the first one asks the file stays awake.
static void test_item_in_hand_counts(void **state)
{
    struct epoll_event e = {.events = EPOLLIN, .data = 1}, got;
    struct file *source = host_file(&source_ops, NULL, O_RDWR);

    assert_int_equal(epoll_control(epoll, EPOLL_CTL_ADD, 3, source, &e), 0);
    asked_inside = true;
    assert_int_equal(wait_now(&got, 1), 1);
    assert_true(seen_ready);
    assert_true(epoll_has_ready(epoll->private)); // level-triggered: it is there again
    level = 0;
    assert_int_equal(wait_now(&got, 1), 0);
    assert_true(seen_ready);
    assert_false(epoll_has_ready(epoll->private)); // or the other would look for ever
    epoll_file_released(source);
    file_put(source);
}

// Those that had no turn come first the next time.
static void test_turns(void **state)
{
    struct epoll_event e = {.events = EPOLLIN}, got;
    struct file *sources[3];

    for (int i = 0; i < 3; i++) {
        sources[i] = host_file(&source_ops, NULL, O_RDWR);
        e.data = (uint64_t)i;
        assert_int_equal(epoll_control(epoll, EPOLL_CTL_ADD, i, sources[i], &e), 0);
    }
    for (int i = 0; i < 9; i++) {
        assert_int_equal(wait_now(&got, 1), 1);
        assert_int_equal(got.data, i % 3);
    }
    for (int i = 0; i < 3; i++) {
        epoll_file_released(sources[i]);
        file_put(sources[i]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_item_in_hand_counts),
        TEST(test_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
