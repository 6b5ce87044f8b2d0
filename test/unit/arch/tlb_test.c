// SPDX-License-Identifier: BSD-2-Clause
// ASIDs and invalidation on modelled harts (hart_model.h). What would break: a program that reads
// or writes a page it no longer has, another program's page, or old code; and harts that are
// disturbed or flushed without need.
#include <stdlib.h>
#include <string.h>

#include "hart_model.h"

static const unsigned int widths[] = {0, 1, 2, 4, 16};

static struct tlb_stats sum(cpu_t nr)
{
    struct tlb_stats all = {0};
    for (cpu_t cpu = 0; cpu < nr; cpu++) {
        const struct tlb_stats *s = tlb_stats_of_cpu(cpu);
        all.flush_all += s->flush_all;
        all.flush_asid += s->flush_asid;
        all.flush_page += s->flush_page;
        all.remote_sent += s->remote_sent;
        all.remote_avoided += s->remote_avoided;
        all.deferred += s->deferred;
        all.fence_i += s->fence_i;
        all.rollovers = s->rollovers;
    }
    return all;
}

static void on(cpu_t cpu, int space)
{
    model_cpu = cpu;
    model_switch(space);
}

// Four harts; space 0 runs on 0 and 1, ran on 2, never on 3.
static void four_harts(unsigned int bits)
{
    model_start(bits, 4);
    model_space_create(0);
    model_space_create(1);
    model_map(0, 0);
    model_map(0, 1);
    on(2, 0);
    on(2, 1);
    on(1, 0);
    on(0, 0);
}

static void test_flush_reaches_who_runs_it(void **state)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(widths); i++) {
        four_harts(widths[i]);
        struct tlb_stats before = sum(4);
        model_unmap(0, 0, 1);
        struct tlb_stats after = sum(4);
        assert_int_equal(after.remote_sent - before.remote_sent, 1);
        assert_int_equal(after.remote_avoided - before.remote_avoided, 2);
        assert_int_equal(after.flush_page - before.flush_page, 1);
        assert_int_equal(after.flush_all - before.flush_all, 0);
        assert_int_equal(after.deferred - before.deferred, 0);
    }
}

static void test_absent_hart_catches_up_at_return(void **state)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(widths); i++) {
        four_harts(widths[i]);
        model_unmap(0, 0, 1);
        on(2, 0);
        assert_int_equal(tlb_stats_of_cpu(2)->deferred, 1);
        on(2, 1);
        on(2, 0); // it has followed: no second time
        assert_int_equal(tlb_stats_of_cpu(2)->deferred, 1);
    }
}

static void test_private_flush_disturbs_nobody(void **state)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(widths); i++) {
        model_start(widths[i], 8);
        model_space_create(0);
        model_map(0, 0);
        on(3, 0);
        model_unmap(0, 0, 1);
        model_switch(-1);
        model_switch(0); // its own flush needs no catching up
        struct tlb_stats all = sum(8);
        assert_int_equal(all.remote_sent, 0);
        assert_int_equal(all.remote_avoided, 7);
        assert_int_equal(all.deferred, 0);
    }
}

static void test_large_range_flushes_the_asid(void **state)
{
    model_start(16, 2);
    model_space_create(0);
    tlb_set_flush_pages(2);
    on(0, 0);
    struct tlb_stats before = sum(2);
    model_unmap(0, 0, 2);
    assert_int_equal(sum(2).flush_page - before.flush_page, 2);
    assert_int_equal(sum(2).flush_asid - before.flush_asid, 0);
    model_unmap(0, 0, 3);
    assert_int_equal(sum(2).flush_page - before.flush_page, 2);
    assert_int_equal(sum(2).flush_asid - before.flush_asid, 1);
    tlb_set_flush_pages(64);
}

static void test_switch_without_asids(void **state)
{
    model_start(0, 2);
    for (unsigned int i = 0; i < 3; i++) {
        model_space_create(i);
        model_map(i, 0);
        on(0, (int)i); // fresh: one full flush each
    }
    assert_int_equal(sum(2).flush_all, 3);
    // Another space: a flush. The same again, with the kernel between: none.
    on(0, 0);
    assert_int_equal(sum(2).flush_asid, 1);
    on(0, -1);
    on(0, 0);
    on(0, -1);
    on(0, 0);
    assert_int_equal(sum(2).flush_asid, 1);
    on(0, 1);
    assert_int_equal(sum(2).flush_asid, 2);
    assert_int_equal(sum(2).flush_all, 3);
}

static void test_switch_with_asids_flushes_nothing(void **state)
{
    model_start(4, 2);
    for (unsigned int i = 0; i < 5; i++) {
        model_space_create(i);
        model_map(i, 0);
        on(0, (int)i);
    }
    struct tlb_stats before = sum(2);
    for (unsigned int n = 0; n < 50; n++)
        on(0, (int)(n % 5));
    struct tlb_stats after = sum(2);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(after.rollovers, 0);
}

// A space at the address of one that is gone must not be taken for it.
static void test_reused_context(void **state)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(widths); i++) {
        model_start(widths[i], 2);
        for (unsigned int n = 0; n < 40; n++) {
            model_space_create(0);
            model_map(0, n % MODEL_PAGES);
            on(n % 2, 0);
            on(n % 2, -1);
            mmu_context_destroy(&model_spaces[0].context);
            model_spaces[0].alive = false;
        }
    }
}

static void test_rollover_keeps_running_asids(void **state)
{
    model_start(4, 3);
    for (unsigned int i = 0; i < MODEL_SPACES; i++) {
        model_space_create(i);
        model_map(i, 0);
    }
    on(1, 0);
    on(2, 1);
    uint64_t asid0 = model_spaces[0].context.asid & ASID_MASK;
    uint64_t asid1 = model_spaces[1].context.asid & ASID_MASK;
    for (unsigned int n = 0; n < 100; n++)
        on(0, (int)(2 + n % (MODEL_SPACES - 2)));
    assert_true(sum(3).rollovers >= 100 / 15);
    assert_true(sum(3).rollovers <= 100 / 12 + 1);
    // They ran all the time under their number; at the next switch each hart flushes, once.
    uint64_t flushes = tlb_stats_of_cpu(1)->flush_all;
    on(1, -1);
    on(1, 0);
    assert_int_equal(model_spaces[0].context.asid & ASID_MASK, asid0);
    assert_int_equal(tlb_stats_of_cpu(1)->flush_all, flushes + 1);
    on(1, -1);
    on(1, 0);
    assert_int_equal(tlb_stats_of_cpu(1)->flush_all, flushes + 1);
    on(2, -1);
    on(2, 1);
    assert_int_equal(model_spaces[1].context.asid & ASID_MASK, asid1);
}

// One space on two harts, of which one stays through three generations: there is but one number for
// all that time, or a flush would miss the hart.
static void test_rollover_space_on_two_harts(void **state)
{
    model_start(4, 3);
    for (unsigned int i = 0; i < MODEL_SPACES; i++)
        model_space_create(i);
    model_map(0, 0);
    on(1, 0);
    on(2, 0);
    uint64_t asid = model_spaces[0].context.asid & ASID_MASK;
    static const int hart1[] = {0, 1, 0};
    for (unsigned int i = 0; i < ARRAY_SIZE(hart1); i++) {
        uint64_t before = sum(3).rollovers;
        for (unsigned int n = 0; sum(3).rollovers == before; n++)
            on(0, (int)(2 + n % (MODEL_SPACES - 2)));
        on(1, -1);
        on(1, hart1[i]);
        assert_int_equal(model_spaces[0].context.asid & ASID_MASK, asid);
    }
    model_unmap(0, 0, 1);
}

static void test_spurious_fault(void **state)
{
    model_start(4, 2);
    model_space_create(0);
    on(0, 0);
    uint64_t before = tlb_stats_of_cpu(0)->flush_page;
    mmu_context_flush_local(&model_spaces[0].context, MODEL_BASE + 123);
    assert_int_equal(tlb_stats_of_cpu(0)->flush_page, before + 1);
    on(1, -1); // a hart that doesn't run it has nothing to drop
    mmu_context_flush_local(&model_spaces[0].context, MODEL_BASE);
    assert_int_equal(tlb_stats_of_cpu(1)->flush_page, 0);
}

static void test_new_code(void **state)
{
    four_harts(16);
    uint64_t before = sum(4).fence_i;
    model_write_code(0);
    assert_int_equal(sum(4).fence_i - before, 1); // here; hart 1 was told, 2 and 3 are marked
    on(2, 0);
    assert_int_equal(tlb_stats_of_cpu(2)->fence_i, 1);
    on(2, 1);
    on(2, 0);
    assert_int_equal(tlb_stats_of_cpu(2)->fence_i, 1);
    on(3, 0);
    assert_int_equal(tlb_stats_of_cpu(3)->fence_i, 1);
}

// Schedules: all with few preemptions, or random ones.

static struct {
    unsigned int choice[512], of[512], length, at, preemptions;
} path;

static unsigned int choose_path(unsigned int n)
{
    if (path.at == path.length) {
        assert_true(path.length < ARRAY_SIZE(path.choice));
        path.choice[path.length] = 0;
        path.of[path.length++] = n;
    }
    return path.choice[path.at++];
}

// The next schedule in order; false after the last.
static bool path_advance(unsigned int max_preemptions)
{
    while (path.length > 0) {
        unsigned int *last = &path.choice[path.length - 1];
        unsigned int spent = 0;
        for (unsigned int i = 0; i + 1 < path.length; i++)
            spent += path.choice[i] != 0;
        if (spent < max_preemptions && *last + 1 < path.of[path.length - 1]) {
            ++*last;
            path.at = 0;
            return true;
        }
        path.length--;
    }
    return false;
}

static unsigned int explore(unsigned int nr, void (*start)(void), void (*job)(cpu_t cpu),
                            unsigned int max_preemptions)
{
    unsigned int schedules = 0;
    path.length = path.at = 0;
    do {
        start();
        model_run(nr, job, choose_path);
        model_check();
        schedules++;
    } while (path_advance(max_preemptions));
    return schedules;
}

static unsigned int scenario_bits;

// Hart 1 has old entries of space 0 and comes back while hart 0 unmaps.
static void start_return(void)
{
    model_start(scenario_bits, 2);
    model_space_create(0);
    model_space_create(1);
    model_map(0, 0);
    on(1, 0);
    on(1, 1);
    on(0, 0);
}

static void job_return(cpu_t cpu)
{
    if (cpu == 0) {
        model_unmap(0, 0, 1);
        model_map(0, 0);
    } else {
        model_switch(0);
        model_switch(1);
        model_switch(0);
    }
}

// Hart 1 leaves for the kernel while hart 0, which doesn't run the space, unmaps and destroys it.
static void start_leave(void)
{
    model_start(scenario_bits, 2);
    model_space_create(0);
    model_map(0, 0);
    on(1, 0);
}

static void job_leave(cpu_t cpu)
{
    if (cpu == 1) {
        model_switch(-1);
        return;
    }
    model_unmap(0, 0, 1);
    if (__atomic_load_n(&model_spaces[0].context.running, __ATOMIC_RELAXED) == 0) {
        mmu_context_destroy(&model_spaces[0].context);
        model_spaces[0].alive = false;
    }
}

static void job_code(cpu_t cpu)
{
    if (cpu == 0) {
        model_write_code(0);
    } else {
        model_switch(0);
        model_switch(1);
        model_switch(0);
    }
}

// Both run it and unmap; hart 1 leaves and comes back in between.
static void start_two_flushes(void)
{
    start_return();
    model_map(0, 1);
    on(1, 0);
}

static void job_two_flushes(cpu_t cpu)
{
    if (cpu == 0) {
        model_unmap(0, 0, 1);
    } else {
        model_unmap(0, 1, 1);
        model_switch(1);
        model_switch(0);
    }
}

// Three numbers, all taken: 1 and 3 run, space 1 has 2. Hart 0 rolls over and gives 2 away while
// hart 1 goes back to space 1, then to the space that got the 2.
static void start_taken_number(void)
{
    model_start(2, 2);
    for (unsigned int i = 0; i < 4; i++) {
        model_space_create(i);
        model_map(i, 0);
    }
    on(0, 0);
    on(1, 1);
    on(1, 2);
}

static void job_taken_number(cpu_t cpu)
{
    if (cpu == 0) {
        model_switch(3);
    } else {
        model_switch(1);
        model_switch(3);
    }
}

// Three numbers for five spaces: hart 0 rolls over while hart 1 switches.
static void start_rollover(void)
{
    model_start(2, 2);
    for (unsigned int i = 0; i < 5; i++) {
        model_space_create(i);
        model_map(i, 0);
    }
    on(1, 0);
    on(0, 1);
}

static void job_rollover(cpu_t cpu)
{
    if (cpu == 0) {
        model_switch(2);
        model_switch(3);
        model_unmap(0, 0, 1);
        model_switch(1);
    } else {
        model_switch(4);
        model_switch(0);
        model_switch(3);
    }
}

static void test_every_schedule(void **state)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(widths); i++) {
        scenario_bits = widths[i];
        unsigned int n = explore(2, start_return, job_return, 3);
        n += explore(2, start_leave, job_leave, 4);
        n += explore(2, start_return, job_code, 3);
        n += explore(2, start_two_flushes, job_two_flushes, 3);
        print_message("ASIDLEN %u: %u schedules\n", scenario_bits, n);
    }
    unsigned int n = explore(2, start_rollover, job_rollover, 2);
    n += explore(2, start_taken_number, job_taken_number, 3);
    print_message("rollover: %u schedules\n", n);
}

static unsigned int choose_random(unsigned int n)
{
    return rand() % 4 == 0 ? (unsigned int)rand() % n : 0;
}

// Spaces are destroyed only where no hart can be on its way into them: between runs.
static void job_storm(cpu_t cpu)
{
    for (unsigned int n = 0; n < 12; n++) {
        int space = model_space_of(cpu);
        unsigned int page = (unsigned int)rand() % MODEL_PAGES;
        unsigned int any = (unsigned int)rand() % MODEL_SPACES;
        switch (rand() % 9) {
        case 0:
            model_map_kernel();
            break;
        case 1:
            model_write_code(space >= 0 ? (unsigned int)space : any);
            break;
        case 2:
            model_unmap(any, page, 1);
            break;
        case 3:
            model_switch(-1);
            break;
        case 4:
        case 5:
            if (space >= 0 && model_spaces[space].nr_flushing == 0 &&
                model_spaces[space].frame[page] == 0)
                model_map((unsigned int)space, page);
            else if (space >= 0)
                model_unmap((unsigned int)space, page, 1);
            break;
        default:
            model_switch((int)any);
        }
    }
}

static void test_storm(void **state)
{
    static const cpu_t harts[] = {1, 2, 4, 8};
    uint64_t rollovers = 0;
    for (unsigned int seed = 0; seed < 10 * ARRAY_SIZE(widths) * ARRAY_SIZE(harts); seed++) {
        srand(seed);
        cpu_t nr = harts[seed / ARRAY_SIZE(widths) % ARRAY_SIZE(harts)];
        model_start(widths[seed % ARRAY_SIZE(widths)], nr);
        for (unsigned int i = 0; i < MODEL_SPACES; i++)
            model_space_create(i);
        for (unsigned int turn = 0; turn < 4; turn++) {
            model_run(nr, job_storm, choose_random);
            for (cpu_t cpu = 0; cpu < nr; cpu++)
                on(cpu, -1);
            for (unsigned int i = 0; i < MODEL_SPACES; i += 3) {
                mmu_context_destroy(&model_spaces[i].context);
                model_space_create(i);
            }
        }
        rollovers += sum(nr).rollovers;
    }
    assert_true(rollovers > 0);
}

// The model itself: without a fence of some kind it must find an error.
static void test_model_notices(void **state)
{
    for (unsigned int fault = MODEL_SOUND + 1; fault < MODEL_FAULTS; fault++) {
        model_fault = fault;
        model_expect_error = true;
        bool seen = false;
        for (unsigned int i = 0; i < ARRAY_SIZE(widths); i++) {
            four_harts(widths[i]);
            model_unmap(0, 0, 1);
            model_map(0, 0);
            on(2, 0);
            model_write_code(0);
            on(3, 0);
            on(3, 1);
            seen |= model_error_seen;
        }
        model_fault = MODEL_SOUND;
        model_expect_error = false;
        assert_true(seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_notices),
        cmocka_unit_test(test_flush_reaches_who_runs_it),
        cmocka_unit_test(test_absent_hart_catches_up_at_return),
        cmocka_unit_test(test_private_flush_disturbs_nobody),
        cmocka_unit_test(test_large_range_flushes_the_asid),
        cmocka_unit_test(test_switch_without_asids),
        cmocka_unit_test(test_switch_with_asids_flushes_nothing),
        cmocka_unit_test(test_reused_context),
        cmocka_unit_test(test_rollover_keeps_running_asids),
        cmocka_unit_test(test_rollover_space_on_two_harts),
        cmocka_unit_test(test_spurious_fault),
        cmocka_unit_test(test_new_code),
        cmocka_unit_test(test_every_schedule),
        cmocka_unit_test(test_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
