// SPDX-License-Identifier: BSD-2-Clause
// The radix tree against a sorted array: any 64-bit index, removal of ranges, walks in order, no
// node left behind, lack of memory changes nothing.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../mm/radix_priv.h"
#include "host.h"

#define N 400

static struct {
    uint64_t index;
    bool present;
} model[N];
static struct page pages[N];

static int setup(void **state)
{
    host_start(4096);
    return 0;
}

static uint64_t some_index(void)
{
    uint64_t r = (uint64_t)rand() << 33 ^ (uint64_t)rand() << 11 ^ (uint64_t)rand();
    switch (rand() % 4) {
    case 0:
        return r % 40;
    case 1:
        return r % 3000;
    case 2:
        return r;
    default:
        return UINT64_MAX - 1 - r % 3;
    }
}

static uint64_t expected_first, expected_end;
static int removed;

static void note_removed(void *ctx, struct page *p)
{
    size_t i = (size_t)(p - pages);
    assert_true(model[i].present && model[i].index >= expected_first &&
                model[i].index < expected_end);
    model[i].present = false;
    removed++;
}

static uint64_t last_seen;
static int seen;

static int note_seen(void *ctx, uint64_t index, struct page *p)
{
    size_t i = (size_t)(p - pages);
    assert_true(model[i].present && model[i].index == index);
    assert_true(seen == 0 || index > last_seen);
    assert_true(index >= expected_first && index < expected_end);
    last_seen = index;
    seen++;
    return seen == *(int *)ctx ? 77 : 0;
}

static int count_in_range(void)
{
    int n = 0;
    for (size_t i = 0; i < N; i++)
        n += model[i].present && model[i].index >= expected_first && model[i].index < expected_end;
    return n;
}

static void random_operations(void **state)
{
    struct vm_object o = {.root = NULL};
    uint64_t before = host_free_pages();
    for (int step = 0; step < 30000; step++) {
        size_t i = (size_t)rand() % N;
        uint64_t index = some_index();
        bool taken = false;
        for (size_t k = 0; k < N; k++)
            taken |= model[k].present && model[k].index == index;
        switch (rand() % 6) {
        case 0:
        case 1:
        case 2:
            if (!model[i].present && !taken) {
                if (rand() % 4 == 0) {
                    host_fail(1 + (uint64_t)rand() % 3, true);
                    int err = radix_put(&o, index, &pages[i]);
                    assert_true(err == 0 || err == -ENOMEM);
                    model[i].present = err == 0;
                    host_fail(0, false);
                } else {
                    assert_int_equal(radix_put(&o, index, &pages[i]), 0);
                    model[i].present = true;
                }
                model[i].index = index;
            }
            break;
        case 3:
            expected_first = some_index();
            expected_end = rand() % 3 ? expected_first + (uint64_t)rand() % 50 : UINT64_MAX;
            if (rand() % 8 == 0)
                expected_first = 0, expected_end = some_index();
            removed = 0;
            int want = count_in_range();
            radix_remove(&o, expected_first, expected_end, note_removed, NULL);
            assert_int_equal(removed, want);
            break;
        case 4:
            expected_first = some_index();
            expected_end = rand() % 2 ? UINT64_MAX : some_index();
            seen = 0;
            int limit = rand() % 2 ? 0 : 1 + rand() % 3;
            int in_range = count_in_range();
            int result = radix_for_each(&o, expected_first, expected_end, note_seen, &limit);
            assert_int_equal(result, limit > 0 && in_range >= limit ? 77 : 0);
            assert_int_equal(seen, limit > 0 && in_range >= limit ? limit : in_range);
            break;
        default:
            assert_ptr_equal(radix_get(&o, index) != NULL, taken);
            struct page *some[50];
            radix_get_some(&o, index, 50, some);
            for (uint64_t k = 0; k < 50 && index + k >= index; k++)
                assert_ptr_equal(some[k], radix_get(&o, index + k));
            if (model[i].present)
                assert_ptr_equal(radix_get(&o, model[i].index), &pages[i]);
        }
    }
    expected_first = 0;
    expected_end = UINT64_MAX;
    radix_remove(&o, 0, UINT64_MAX, note_removed, NULL);
    assert_null(o.root);
    assert_int_equal(host_free_pages(), before);
}

static void small_file_needs_no_node(void **state)
{
    struct vm_object o = {.root = NULL};
    host_fail(1, true);
    assert_int_equal(radix_put(&o, 0, &pages[0]), 0);
    assert_ptr_equal(radix_get(&o, 0), &pages[0]);
    assert_null(radix_get(&o, 1));
    assert_int_equal(radix_put(&o, 1, &pages[1]), -ENOMEM);
    assert_ptr_equal(radix_get(&o, 0), &pages[0]);
    host_fail(0, false);
    memset(model, 0, sizeof(model));
    model[0].present = true;
    expected_first = 0;
    expected_end = 1;
    radix_remove(&o, 0, 1, note_removed, NULL);
    assert_null(o.root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations),
        cmocka_unit_test(small_file_needs_no_node),
    };
    return cmocka_run_group_tests_name("mm/radix", tests, setup, NULL);
}
