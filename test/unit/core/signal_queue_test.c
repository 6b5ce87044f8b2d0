// SPDX-License-Identifier: BSD-2-Clause
// Pending signals: order of delivery, real-time signals queued and standard ones once, and nothing
// left behind when signals cancel each other. What would break: a lost or doubled signal, a leaked
// entry.

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../core/signal_queue_priv.h"

static struct signal_queue queue;
static struct signal_entry entries[16];

void panic(const char *fmt, ...)
{
    fail_msg("panic: %s", fmt);
    abort();
}

static int setup(void **state)
{
    memset(entries, 0, sizeof(entries));
    signal_queue_init(&queue);
    return 0;
}

static void test_order(void **state)
{
    signal_queue_add(&queue, 40, &entries[0]);
    signal_queue_add(&queue, SIGTERM, &entries[1]);
    signal_queue_add(&queue, SIGSEGV, &entries[2]);
    signal_queue_add(&queue, SIGHUP, NULL);
    assert_int_equal(signal_queue_next(&queue, ~0UL), SIGSEGV); // synchronous ones first
    assert_ptr_equal(signal_queue_take(&queue, SIGSEGV), &entries[2]);
    assert_int_equal(signal_queue_next(&queue, ~0UL), SIGHUP);
    assert_int_equal(signal_queue_next(&queue, ~SIGMASK(SIGHUP)), SIGTERM);
    assert_null(signal_queue_take(&queue, SIGHUP));
    assert_ptr_equal(signal_queue_take(&queue, SIGTERM), &entries[1]);
    assert_int_equal(signal_queue_next(&queue, ~0UL), 40);
    assert_int_equal(signal_queue_next(&queue, ~SIGMASK(40)), 0);
    assert_ptr_equal(signal_queue_take(&queue, 40), &entries[0]);
    assert_int_equal(signal_queue_next(&queue, ~0UL), 0);
    assert_true(list_is_empty(&queue.infos));
}

static void test_real_time_fifo(void **state)
{
    for (int i = 0; i < 6; i++)
        signal_queue_add(&queue, i % 2 ? 64 : 34, &entries[i]);
    for (int i = 0; i < 6; i += 2) {
        assert_int_equal(signal_queue_next(&queue, ~0UL), 34);
        assert_ptr_equal(signal_queue_take(&queue, 34), &entries[i]);
    }
    for (int i = 1; i < 6; i += 2) {
        assert_int_equal(signal_queue_next(&queue, ~0UL), 64);
        assert_ptr_equal(signal_queue_take(&queue, 64), &entries[i]);
    }
    assert_int_equal(queue.pending, 0);
}

static void test_drop(void **state)
{
    struct list_node dead = LIST_INIT(dead);
    signal_queue_add(&queue, SIGTSTP, &entries[0]);
    signal_queue_add(&queue, SIGUSR1, &entries[1]);
    signal_queue_add(&queue, SIGTTIN, NULL);
    signal_queue_add(&queue, 50, &entries[2]);
    signal_queue_add(&queue, 50, &entries[3]);
    signal_queue_drop(&queue, SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(50), &dead);
    assert_int_equal(queue.pending, SIGMASK(SIGUSR1));
    assert_ptr_equal(signal_queue_take(&queue, SIGUSR1), &entries[1]);
    assert_true(list_is_empty(&queue.infos));
    int n = 0;
    struct signal_entry *e;
    list_for_each_entry (e, &dead, node)
        n++;
    assert_int_equal(n, 3);
}

// A timer takes its own signal back, whoever else sent the same.
static void test_remove(void **state)
{
    signal_queue_add(&queue, SIGUSR1, &entries[0]);
    signal_queue_add(&queue, 40, &entries[1]);
    signal_queue_add(&queue, SIGUSR1, &entries[2]);
    signal_queue_remove(&queue, &entries[0]);
    assert_int_equal(queue.pending, SIGMASK(SIGUSR1) | SIGMASK(40));
    signal_queue_remove(&queue, &entries[2]);
    assert_int_equal(queue.pending, SIGMASK(40));
    assert_ptr_equal(signal_queue_take(&queue, 40), &entries[1]);
    assert_true(list_is_empty(&queue.infos));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_order, setup),
        cmocka_unit_test_setup(test_real_time_fifo, setup),
        cmocka_unit_test_setup(test_drop, setup),
        cmocka_unit_test_setup(test_remove, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
