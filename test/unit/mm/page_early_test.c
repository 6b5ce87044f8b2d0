// SPDX-License-Identifier: BSD-2-Clause
// Early memory: what the tree reserves is never handed out, odd trees are survived.
#include <stdlib.h>
#include <string.h>

#include "../../mm/page_priv.h"
#include "host.h"

#define BASE HOST_RAM_BASE
#define P(n) (BASE + (paddr_t)(n)*PAGE_SIZE)

static int setup(void **state)
{
    if (!host_ram)
        host_ram = aligned_alloc(PAGE_SIZE, 256 * PAGE_SIZE);
    return host_ram ? 0 : -1;
}

static void tree(const struct host_range *memory, unsigned int nr,
                 const struct host_range *reserved, unsigned int nr_reserved)
{
    memcpy(host_memory, memory, nr * sizeof(*memory));
    host_nr_memory = nr;
    memcpy(host_reserved, reserved, nr_reserved * sizeof(*reserved));
    host_nr_reserved = nr_reserved;
    page_early_init(NULL, 0);
}

static uint64_t free_bytes(void)
{
    uint64_t sum = 0;
    for (unsigned int i = 0; i < page_early_nr_free(); i++) {
        paddr_t start, end;
        page_early_free_range(i, &start, &end);
        assert_true(start < end);
        sum += end - start;
    }
    return sum;
}

static bool is_free(paddr_t pa)
{
    for (unsigned int i = 0; i < page_early_nr_free(); i++) {
        paddr_t start, end;
        page_early_free_range(i, &start, &end);
        if (pa >= start && pa < end)
            return true;
    }
    return false;
}

static void reserved_is_not_free(void **state)
{
    const struct host_range memory[] = {{P(0), P(256)}};
    // Overlapping, touching, partly outside, inside a page, of no size.
    const struct host_range reserved[] = {{P(0) - 4096, P(2)},    {P(10), P(20)},   {P(15), P(25)},
                                          {P(30) + 5, P(30) + 6}, {P(250), P(300)}, {P(40), P(40)}};
    tree(memory, 1, reserved, 6);
    for (unsigned int i = 0; i < 256; i++) {
        bool taken = i < 2 || (i >= 10 && i < 25) || i == 30 || i >= 250;
        assert_int_equal(is_free(P(i)), !taken);
    }
    assert_int_equal(free_bytes(), (256 - 2 - 15 - 1 - 6) * PAGE_SIZE);
}

static void everything_reserved(void **state)
{
    const struct host_range memory[] = {{P(0), P(256)}}, reserved[] = {{0, UINT64_MAX}};
    tree(memory, 1, reserved, 1);
    assert_int_equal(page_early_nr_free(), 0);
    assert_panics(page_early_alloc());
    assert_non_null(strstr(host_panic_text, "more memory"));
}

static void no_memory_node(void **state)
{
    const struct host_range none[1] = {{0, 0}};
    assert_panics(tree(none, 0, none, 0));
    assert_panics(tree(none, 1, none, 0));
}

static void memory_nodes_are_joined_and_sorted(void **state)
{
    const struct host_range memory[] = {
        {P(100), P(110)}, {P(0) + 1, P(50)}, {P(40), P(60)}, {P(60), P(70)}};
    tree(memory, 4, memory, 0);
    assert_int_equal(page_nr_ranges, 2);
    assert_int_equal(page_ranges[0].start, P(1));
    assert_int_equal(page_ranges[0].end, P(70));
    assert_int_equal(page_ranges[1].start, P(100));
    assert_int_equal(free_bytes(), (69 + 10) * PAGE_SIZE);
}

static void too_many_of_each(void **state)
{
    struct host_range memory[24];
    for (unsigned int i = 0; i < 24; i++)
        memory[i] = (struct host_range){P(10 * i), P(10 * i + 5)};
    tree(memory, 24, memory, 0);
    assert_int_equal(page_nr_ranges, PAGE_RANGES_MAX);
    const struct host_range all[] = {{P(0), P(256)}};
    for (unsigned int i = 0; i < 24; i++)
        memory[i] = (struct host_range){P(10 * i + 1), P(10 * i + 2)};
    tree(all, 1, memory, 24);
    assert_int_equal(free_bytes(), (256 - 24) * PAGE_SIZE);
}

static void memory_out_of_reach(void **state)
{
    const struct host_range memory[] = {{P(0), P(16)},
                                        {LINEAR_SIZE, LINEAR_SIZE + PAGE_SIZE},
                                        {LINEAR_SIZE - PAGE_SIZE, LINEAR_SIZE + PAGE_SIZE}};
    tree(memory, 3, memory, 0);
    assert_int_equal(page_nr_ranges, 2);
    assert_int_equal(page_ranges[1].end, LINEAR_SIZE);
}

static void pages_come_zeroed_and_once(void **state)
{
    const struct host_range memory[] = {{P(0), P(256)}}, reserved[] = {{P(64), P(256)}};
    memset(host_ram, 0xee, 256 * PAGE_SIZE);
    tree(memory, 1, reserved, 1);
    static bool seen[64];
    for (int i = 0; i < 64; i++) {
        paddr_t pa = page_early_alloc();
        assert_true(pa >= P(0) && pa < P(64) && !seen[(pa - BASE) >> PAGE_SHIFT]);
        seen[(pa - BASE) >> PAGE_SHIFT] = true;
        const char *bytes = phys_to_virt(pa);
        for (size_t k = 0; k < PAGE_SIZE; k++)
            assert_int_equal(bytes[k], 0);
    }
    assert_panics(page_early_alloc());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserved_is_not_free),
        cmocka_unit_test(everything_reserved),
        cmocka_unit_test(no_memory_node),
        cmocka_unit_test(memory_nodes_are_joined_and_sorted),
        cmocka_unit_test(too_many_of_each),
        cmocka_unit_test(memory_out_of_reach),
        cmocka_unit_test(pages_come_zeroed_and_once),
    };
    return cmocka_run_group_tests_name("mm/page_early", tests, setup, NULL);
}
