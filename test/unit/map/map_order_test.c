// SPDX-License-Identifier: BSD-2-Clause
// While a munmap, an mprotect or a fault is in the middle of its work, another thread of the
// process maps, faults and unmaps. Elsewhere it goes on: if the first kept the map locked it would
// wait for ever (the alarm tells). In the same range it takes effect after the first, whichever of
// the two ranges is the larger, and finds nothing of what was there before: harts have TLBs here.
#include "map_calls.h"

static bool reached, done; // atomic

// Called in the middle of the first thread's work.
static void let_the_other_work(void)
{
    atomic_store(&reached, true);
    while (!atomic_load(&done))
        sched_yield();
}

static void flush_while_the_other_works(const struct mmu_context *ctx, vaddr_t start, vaddr_t end)
{
    let_the_other_work();
    flush_harts(ctx, start, end);
}

static void other_works(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    long a = map_new(0, 4, RW, 0);
    ASSERT(a > 0 && store((vaddr_t)a, 1) == 0);
    ASSERT(vm_map_mprotect(map, (vaddr_t)a, SIZE(1), VM_READ) == 0);
    ASSERT(vm_map_munmap(map, (vaddr_t)a, SIZE(4)) == 0);
    atomic_store(&done, true);
}

static void (*works[THREADS])(void);

static void *one_work(void *arg)
{
    host_hart.cpu = (unsigned int)(uintptr_t)arg;
    works[host_hart.cpu]();
    return NULL;
}

static bool through; // atomic: the first has left its hook

static void all_work(unsigned int nr)
{
    atomic_store(&reached, false);
    atomic_store(&done, false);
    atomic_store(&through, false);
    alarm(20);
    host_run_threads(nr, one_work);
    ASSERT(atomic_load(&done)); // else the first never got where the other works
}

static void meanwhile(void (*first)(void), void (*second)(void))
{
    works[0] = first;
    works[1] = second;
    all_work(2);
}

#define FAR (PT_SIZE(2) * 5) // from where the other thread maps: no table in common but the root

static void unmap_far(void)
{
    ASSERT(map_new(FAR, 4, RW, MAP_FIXED) == FAR && store(FAR, 7) == 0);
    host_flush_hook = flush_while_the_other_works;
    ASSERT(vm_map_munmap(map, FAR, SIZE(4)) == 0);
    ASSERT(store(FAR, 7) == SIGSEGV);
}

static void protect_far(void)
{
    ASSERT(map_new(FAR, 4, RW, MAP_FIXED) == FAR && store(FAR, 7) == 0);
    host_flush_hook = flush_while_the_other_works;
    ASSERT(vm_map_mprotect(map, FAR, SIZE(3), VM_READ) == 0);
    ASSERT(store(FAR, 7) == SIGSEGV);
}

static void give_the_other_time(const struct mmu_context *ctx, vaddr_t start, vaddr_t end)
{
    atomic_store(&reached, true);
    for (unsigned int i = 0; i < 1000; i++)
        sched_yield();
    flush_harts(ctx, start, end);
    atomic_store(&through, true);
}

static void protect_far_slowly(void)
{
    ASSERT(map_new(FAR, 4, RW, MAP_FIXED) == FAR && store(FAR, 7) == 0);
    host_flush_hook = give_the_other_time;
    ASSERT(vm_map_mprotect(map, FAR, SIZE(4), VM_READ) == 0);
    while (!atomic_load(&done))
        sched_yield();
}

static void protect_far_again(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    ASSERT(vm_map_mprotect(map, FAR, SIZE(4), VM_READ) == 0);
    ASSERT(atomic_load(&through));
    atomic_store(&done, true);
}

// By every hart, so that each has a translation.
static void expect_everywhere(vaddr_t addr, uint64_t word)
{
    for (unsigned int i = 0; i < MIGRATE_AFTER * THREADS; i++)
        expect(map, addr, word);
}

static void unmap_far_slowly(void)
{
    ASSERT(map_new(FAR, 4, RW, MAP_FIXED) == FAR && store(FAR, 7) == 0);
    expect_everywhere(FAR, 7);
    host_flush_hook = give_the_other_time;
    ASSERT(vm_map_munmap(map, FAR, SIZE(4)) == 0);
    while (!atomic_load(&done))
        sched_yield();
}

static void map_far_again(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    ASSERT(map_new(FAR, 4, RW, MAP_FIXED) == FAR);
    expect_everywhere(FAR, 0);
    atomic_store(&done, true);
}

// Over a border of leaf tables, with so many pages in the first that they go in batches: the second
// table's turn comes after the hook.
#define BORDER  (FAR + PT_SIZE(1))
#define BATCHES 80U

static void unmap_over_a_border(void)
{
    ASSERT(map_new(BORDER - SIZE(BATCHES), BATCHES + 4, RW, MAP_FIXED) > 0);
    for (unsigned int i = 0; i < BATCHES; i++)
        ASSERT(store(BORDER - SIZE(1 + i), 7) == 0);
    ASSERT(store(BORDER, 7) == 0);
    expect_everywhere(BORDER, 7);
    host_flush_hook = give_the_other_time;
    ASSERT(vm_map_munmap(map, BORDER - SIZE(BATCHES), SIZE(BATCHES + 4)) == 0);
}

static void map_beyond_the_border(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    ASSERT(map_new(BORDER, 4, RW, MAP_FIXED) == BORDER);
    expect_everywhere(BORDER, 0);
    atomic_store(&done, true);
}

static void map_far_and_more(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    ASSERT(map_new(FAR, 3 * PT_ENTRIES, RW, MAP_FIXED) == FAR);
    expect_everywhere(FAR, 0);
    atomic_store(&done, true);
}

static void protect_beyond_slowly(void)
{
    ASSERT(map_new(BORDER - SIZE(4), 4, VM_READ, MAP_FIXED) > 0);
    ASSERT(map_new(BORDER, 4, RW, MAP_FIXED) > 0 && store(BORDER, 7) == 0);
    host_flush_hook = give_the_other_time;
    ASSERT(vm_map_mprotect(map, BORDER, SIZE(4), VM_READ) == 0);
}

static void protect_over_the_border(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    ASSERT(vm_map_mprotect(map, BORDER - SIZE(4), SIZE(8), VM_READ) == 0);
    ASSERT(atomic_load(&through));
    atomic_store(&done, true);
}

static bool holding; // atomic: the third has the first leaf table

static void hold_this_side(void)
{
    struct vm_cursor c;
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    vm_cursor_open(&c, &map->space, BORDER - SIZE(4), BORDER);
    atomic_store(&holding, true);
    for (unsigned int i = 0; i < 3000 && !atomic_load(&done); i++)
        sched_yield();
    vm_cursor_close(&c);
}

static void protect_both_sides(void)
{
    host_flush_hook = flush_harts;
    ASSERT(map_new(BORDER - SIZE(4), 8, VM_READ, MAP_FIXED) > 0);
    expect(map, BORDER - SIZE(4), 0);
    expect(map, BORDER, 0);
    atomic_store(&reached, true);
    while (!atomic_load(&holding))
        sched_yield();
    ASSERT(vm_map_mprotect(map, BORDER - SIZE(4), SIZE(8), RW) == 0);
}

static void protect_the_other_side(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&holding))
        sched_yield();
    for (unsigned int i = 0; i < 1000; i++)
        sched_yield();
    (void)vm_map_mprotect(map, BORDER, SIZE(4), 0);
    atomic_store(&done, true);
}

static void read_file(void)
{
    long a = map_file(MAP_PRIVATE);
    ASSERT(a > 0);
    fill_hook = let_the_other_work;
    expect(map, (vaddr_t)a, file_word(0));
}

static void munmap_lets_others_map(void **state)
{
    meanwhile(unmap_far, other_works);
}

static void mprotect_lets_others_map(void **state)
{
    meanwhile(protect_far, other_works);
}

static void the_second_of_two_equal_calls_waits(void **state)
{
    meanwhile(protect_far_slowly, protect_far_again);
}

static void what_is_mapped_where_another_unmaps_is_new(void **state)
{
    meanwhile(unmap_far_slowly, map_far_again);
}

static void a_small_range_is_new_where_a_large_one_goes(void **state)
{
    meanwhile(unmap_over_a_border, map_beyond_the_border);
}

static void a_large_range_is_new_where_a_small_one_goes(void **state)
{
    meanwhile(unmap_far_slowly, map_far_and_more);
}

static void the_second_waits_over_a_larger_range(void **state)
{
    meanwhile(protect_beyond_slowly, protect_over_the_border);
}

// The last to have the map decides; teardown looks at the rights.
static void a_small_range_keeps_the_rights_it_got_last(void **state)
{
    atomic_store(&holding, false);
    works[0] = protect_both_sides;
    works[1] = protect_the_other_side;
    works[2] = hold_this_side;
    all_work(3);
}

static void a_read_of_a_file_lets_others_map(void **state)
{
    meanwhile(read_file, other_works);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(munmap_lets_others_map, map_setup, map_teardown),
        cmocka_unit_test_setup_teardown(mprotect_lets_others_map, map_setup, map_teardown),
        cmocka_unit_test_setup_teardown(the_second_of_two_equal_calls_waits, map_setup,
                                        map_teardown),
        cmocka_unit_test_setup_teardown(what_is_mapped_where_another_unmaps_is_new, map_setup,
                                        map_teardown),
        cmocka_unit_test_setup_teardown(a_small_range_is_new_where_a_large_one_goes, map_setup,
                                        map_teardown),
        cmocka_unit_test_setup_teardown(a_large_range_is_new_where_a_small_one_goes, map_setup,
                                        map_teardown),
        cmocka_unit_test_setup_teardown(the_second_waits_over_a_larger_range, map_setup,
                                        map_teardown),
        cmocka_unit_test_setup_teardown(a_small_range_keeps_the_rights_it_got_last, map_setup,
                                        map_teardown),
        cmocka_unit_test_setup_teardown(a_read_of_a_file_lets_others_map, map_setup, map_teardown),
    };
    map_start();
    return cmocka_run_group_tests_name("map/map_order", tests, NULL, NULL);
}
