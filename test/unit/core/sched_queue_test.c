// SPDX-License-Identifier: BSD-2-Clause
// The order in which a hart runs its threads: a simulated hart runs entities by the queue's own
// rules and the shares of time that come out are compared with what sched(7) promises.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lib/assert.h>
#include <lib/atomic.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../../core/sched_queue_priv.h"

#define NR 8

void panic(const char *fmt, ...)
{
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}

static struct sched_queue queue;
static struct sched_entity e[NR];
static uint64_t ran[NR];

static void entity_init(int i, unsigned int policy, int rt_priority, int nice)
{
    e[i] = (struct sched_entity){.policy = policy, .rt_priority = rt_priority, .nice = nice};
    e[i].affinity = ~0UL;
    sched_entity_set_weight(&e[i]);
    ran[i] = 0;
}

static int setup(void **state)
{
    sched_queue_init(&queue);
    return 0;
}

static void add_all(int nr)
{
    for (int i = 0; i < nr; i++) {
        sched_queue_place(&queue, &e[i], false);
        sched_queue_add(&queue, &e[i], false);
    }
}

// Run for total_ns in ticks of tick_ns, changing entities where the queue says so.
static void simulate(uint64_t total_ns, uint64_t tick_ns)
{
    struct sched_entity *running = NULL;
    for (uint64_t t = 0; t < total_ns; t += tick_ns) {
        if (!running) {
            running = sched_queue_first(&queue);
            sched_queue_remove(&queue, running);
        }
        if (running->slice_left_ns == 0)
            running->slice_left_ns = sched_entity_slice(running);
        ran[running - e] += tick_ns;
        sched_queue_charge(&queue, running, tick_ns);
        sched_queue_advance(&queue, running);
        if (sched_queue_slice_ends(&queue, running)) {
            sched_queue_add(&queue, running, running->slice_left_ns > 0);
            running = NULL;
        }
    }
    if (running)
        sched_queue_add(&queue, running, false);
}

static void assert_share(int i, uint64_t total, double share)
{
    double got = (double)ran[i] / (double)total;
    if (got < share - 0.02 || got > share + 0.02)
        fail_msg("entity %d ran %.3f of the time, not %.3f", i, got, share);
}

// Breaks when a thread of the same nice value is preferred.
static void equals_share_equally(void **state)
{
    for (int i = 0; i < 5; i++)
        entity_init(i, SCHED_NORMAL, 0, 0);
    add_all(5);
    simulate(10 * NS_PER_SEC, NS_PER_MS);
    for (int i = 0; i < 5; i++)
        assert_share(i, 10 * NS_PER_SEC, 0.2);
}

// Breaks when weights are wrong or the multiplication overflows.
static void nice_divides_by_weight(void **state)
{
    entity_init(0, SCHED_NORMAL, 0, 0);
    entity_init(1, SCHED_NORMAL, 0, 5); // 1024 / 335
    entity_init(2, SCHED_NORMAL, 0, -5);
    add_all(3);
    simulate(60 * NS_PER_SEC, NS_PER_MS);
    double sum = 1024 + 336 + 3125;
    assert_share(0, 60 * NS_PER_SEC, 1024 / sum);
    assert_share(1, 60 * NS_PER_SEC, 336 / sum);
    assert_share(2, 60 * NS_PER_SEC, 3125 / sum);
}

static void idle_policy_gets_crumbs(void **state)
{
    entity_init(0, SCHED_NORMAL, 0, 19);
    entity_init(1, SCHED_IDLE, 0, -20); // nice counts for nothing there
    add_all(2);
    simulate(60 * NS_PER_SEC, NS_PER_MS);
    assert_true(ran[1] > 0);
    assert_true(ran[0] > 4 * ran[1]);
    assert_true(sched_entity_preempts(&e[0], &e[1]));
    assert_false(sched_entity_preempts(&e[1], &e[0]));
}

static void real_time_comes_first(void **state)
{
    entity_init(0, SCHED_NORMAL, 0, -20);
    entity_init(1, SCHED_FIFO, 10, 0);
    entity_init(2, SCHED_FIFO, 99, 0);
    entity_init(3, SCHED_FIFO, 64, 0);
    add_all(4);
    static const int order[] = {2, 3, 1, 0};
    for (int i = 0; i < 4; i++) {
        struct sched_entity *first = sched_queue_first(&queue);
        assert_ptr_equal(first, &e[order[i]]);
        struct sched_entity *next = sched_queue_next(&queue, first);
        assert_ptr_equal(next, i < 3 ? &e[order[i + 1]] : NULL);
        sched_queue_remove(&queue, first);
    }
    assert_null(sched_queue_first(&queue));
    assert_true(sched_entity_preempts(&e[2], &e[1]));
    assert_false(sched_entity_preempts(&e[1], &e[2]));
    assert_true(sched_entity_preempts(&e[1], &e[0]));
}

// FIFO keeps the hart, RR shares it with its own priority only.
static void fifo_runs_on_and_rr_takes_turns(void **state)
{
    entity_init(0, SCHED_FIFO, 5, 0);
    entity_init(1, SCHED_FIFO, 5, 0);
    entity_init(2, SCHED_NORMAL, 0, 0);
    add_all(3);
    simulate(3 * NS_PER_SEC, 10 * NS_PER_MS);
    assert_int_equal(ran[0], 3 * NS_PER_SEC);

    sched_queue_init(&queue);
    entity_init(0, SCHED_RR, 5, 0);
    entity_init(1, SCHED_RR, 5, 0);
    entity_init(2, SCHED_RR, 4, 0);
    add_all(3);
    simulate(3 * NS_PER_SEC, 10 * NS_PER_MS);
    assert_share(0, 3 * NS_PER_SEC, 0.5);
    assert_share(1, 3 * NS_PER_SEC, 0.5);
    assert_int_equal(ran[2], 0);
}

// Breaks when sleeping earns more than the credit, or nothing.
static void sleepers_come_back_with_bounded_credit(void **state)
{
    entity_init(0, SCHED_NORMAL, 0, 0);
    entity_init(1, SCHED_NORMAL, 0, 0);
    add_all(1);
    simulate(10 * NS_PER_SEC, NS_PER_MS);
    sched_queue_leave(&queue, &e[1]);
    sched_queue_place(&queue, &e[1], true);
    assert_int_equal(queue.min_vruntime - e[1].vruntime, SCHED_CREDIT_NS);
    sched_queue_add(&queue, &e[1], false);
    ran[0] = ran[1] = 0;
    simulate(NS_PER_SEC, NS_PER_MS);
    assert_share(0, NS_PER_SEC, 0.5);
}

static void only_a_clear_lead_preempts(void **state)
{
    entity_init(0, SCHED_NORMAL, 0, 0);
    entity_init(1, SCHED_NORMAL, 0, 0);
    e[0].vruntime = 100 * NS_PER_MS;
    e[1].vruntime = e[0].vruntime - SCHED_GRANULARITY_NS;
    assert_false(sched_entity_preempts(&e[1], &e[0]));
    e[1].vruntime--;
    assert_true(sched_entity_preempts(&e[1], &e[0]));
    e[1].policy = SCHED_BATCH;
    assert_false(sched_entity_preempts(&e[1], &e[0]));
}

// Virtual time wraps; the order must not.
static void order_survives_wrapping(void **state)
{
    queue.min_vruntime = UINT64_MAX - 5 * NS_PER_MS;
    for (int i = 0; i < 4; i++)
        entity_init(i, SCHED_NORMAL, 0, 0);
    add_all(4);
    simulate(4 * NS_PER_SEC, NS_PER_MS);
    for (int i = 0; i < 4; i++)
        assert_share(i, 4 * NS_PER_SEC, 0.25);
}

// A thread that changes hart keeps its lead or lag there.
static void moving_keeps_the_lag(void **state)
{
    struct sched_queue other;
    sched_queue_init(&other);
    other.min_vruntime = 500 * NS_PER_SEC;
    entity_init(0, SCHED_NORMAL, 0, 0);
    queue.min_vruntime = 3 * NS_PER_SEC;
    e[0].vruntime = queue.min_vruntime + 7 * NS_PER_MS;
    sched_queue_leave(&queue, &e[0]);
    sched_queue_place(&other, &e[0], false);
    assert_int_equal(e[0].vruntime, other.min_vruntime + 7 * NS_PER_MS);
}

static void random_operations_keep_the_order(void **state)
{
    srand(1);
    for (int i = 0; i < NR; i++)
        entity_init(i, i < 2 ? SCHED_RR : SCHED_NORMAL, i < 2 ? 1 + i : 0, i);
    for (int round = 0; round < 20000; round++) {
        struct sched_entity *x = &e[rand() % NR];
        if (x->queued) {
            sched_queue_remove(&queue, x);
        } else {
            x->vruntime = queue.min_vruntime + (uint64_t)(rand() % 1000);
            sched_queue_add(&queue, x, rand() & 1);
        }
        unsigned int nr = 0;
        struct sched_entity *last = NULL;
        for (struct sched_entity *y = sched_queue_first(&queue); y;
             y = sched_queue_next(&queue, y)) {
            assert_true(y->queued);
            if (last && last->rt_priority == y->rt_priority && y->rt_priority == 0)
                assert_true((int64_t)(y->vruntime - last->vruntime) >= 0);
            if (last)
                assert_true(last->rt_priority >= y->rt_priority);
            last = y;
            nr++;
        }
        assert_int_equal(nr, queue.nr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(equals_share_equally, setup),
        cmocka_unit_test_setup(nice_divides_by_weight, setup),
        cmocka_unit_test_setup(idle_policy_gets_crumbs, setup),
        cmocka_unit_test_setup(real_time_comes_first, setup),
        cmocka_unit_test_setup(fifo_runs_on_and_rr_takes_turns, setup),
        cmocka_unit_test_setup(sleepers_come_back_with_bounded_credit, setup),
        cmocka_unit_test_setup(only_a_clear_lead_preempts, setup),
        cmocka_unit_test_setup(order_survives_wrapping, setup),
        cmocka_unit_test_setup(moving_keeps_the_lag, setup),
        cmocka_unit_test_setup(random_operations_keep_the_order, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
