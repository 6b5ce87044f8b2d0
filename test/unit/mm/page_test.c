// SPDX-License-Identifier: BSD-2-Clause
// The page allocator: blocks don't overlap and are aligned, everything freed can be had again as
// whole blocks, counts are exact, the reserve is kept from user memory.
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define RAM_PAGES 8192

static int setup(void **state)
{
    host_start(RAM_PAGES);
    return 0;
}

static uint64_t free_now(void)
{
    struct page_stats stats;
    page_stats(&stats);
    return stats.free;
}

static void blocks_are_aligned_and_zeroed(void **state)
{
    uint64_t before = free_now();
    for (unsigned int order = 0; order <= PAGE_ORDER_MAX; order++) {
        struct page *p = page_alloc(order, PAGE_ALLOC_ZERO);
        assert_non_null(p);
        assert_int_equal(page_to_phys(p) % (PAGE_SIZE << order), 0);
        assert_ptr_equal(phys_to_page(page_to_phys(p)), p);
        assert_ptr_equal(virt_to_page(page_to_virt(p)), p);
        const char *bytes = page_to_virt(p);
        for (size_t i = 0; i < PAGE_SIZE << order; i += 8)
            assert_int_equal(*(const uint64_t *)(bytes + i), 0);
        memset(page_to_virt(p), 0xff, PAGE_SIZE << order);
        page_put(p);
    }
    assert_int_equal(free_now(), before);
}

// What the idle prepare counts as free, is taken for zeros and is found when all else is gone.
static void prepared_pages_are_zeroed(void **state)
{
    static struct page *pages[RAM_PAGES];
    uint64_t before = free_now(), nr = 0;
    unsigned int prepared = 0;
    for (; nr < 300; nr++) {
        pages[nr] = page_alloc(0, 0);
        memset(page_to_virt(pages[nr]), 0xff, PAGE_SIZE);
    }
    while (nr > 0)
        page_put(pages[--nr]);
    while (page_prepare_zeroed())
        prepared++;
    assert_in_range(prepared, 16, 1000);
    assert_int_equal(free_now(), before);
    while ((pages[nr] = page_alloc(0, nr % 2 ? PAGE_ALLOC_ZERO : 0)) != NULL) {
        char *bytes = page_to_virt(pages[nr]);
        for (size_t i = 0; nr % 2 && i < PAGE_SIZE; i++)
            assert_int_equal(bytes[i], 0);
        memset(bytes, 0xff, PAGE_SIZE);
        nr++;
    }
    assert_int_equal(nr, before);
    assert_false(page_prepare_zeroed());
    while (nr > 0)
        page_put(pages[--nr]);
    assert_int_equal(free_now(), before);
}

// Where harts have Zicboz every page of zeros is made with it, large ones too.
static void zeros_come_by_the_block(void **state)
{
    uint64_t before = host_nr_block_clears;
    struct page *p = page_alloc(3, PAGE_ALLOC_ZERO);
    assert_int_equal(host_nr_block_clears - before, 8);
    page_put(p);
    before = host_nr_block_clears;
    uint64_t made = 0;
    while (page_prepare_zeroed())
        made++;
    assert_int_equal(host_nr_block_clears - before, made);
    p = page_alloc(0, PAGE_ALLOC_ZERO); // one of those: not again
    assert_int_equal(host_nr_block_clears - before, made);
    page_put(p);
    p = page_alloc(0, 0);
    assert_int_equal(host_nr_block_clears - before, made);
    page_put(p);
}

static void last_reference_frees(void **state)
{
    uint64_t before = free_now();
    struct page *p = page_alloc(0, 0);
    assert_true(page_has_one_owner(p));
    page_get(p);
    assert_false(page_has_one_owner(p));
    page_put(p);
    assert_int_equal(free_now(), before - 1);
    page_put(p);
    assert_int_equal(free_now(), before);
    assert_panics(page_put(p));
    p->refs = 0; // the refused put took it below
}

// Take everything page by page, from several harts, give it back in random order: all merges again.
static void exhaustion_and_merging(void **state)
{
    static struct page *pages[RAM_PAGES];
    size_t n = 0;
    uint64_t before = host_free_pages();
    struct page *p;
    while ((p = page_alloc(0, 0)) != NULL) {
        assert_true(n < RAM_PAGES);
        *(uint64_t *)page_to_virt(p) = n;
        pages[n++] = p;
        host_hart.cpu = (cpu_t)(n / 97 % 4);
    }
    // Nothing is left but what the stacks of the other harts hold.
    assert_true(n + 4 * 64 >= before);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(*(uint64_t *)page_to_virt(pages[i]), i);
    for (size_t i = n; i > 0; i--) {
        size_t k = (size_t)rand() % i;
        host_hart.cpu = (cpu_t)(i % 4);
        page_put(pages[k]);
        pages[k] = pages[i - 1];
    }
    host_hart.cpu = 0;
    assert_int_equal(host_free_pages(), before);
    // As whole blocks, once every hart has been short of one and so given up its stack.
    size_t blocks = 0;
    for (host_hart.cpu = 3; host_hart.cpu > 0; host_hart.cpu--)
        if ((p = page_alloc(PAGE_ORDER_MAX, 0)) != NULL)
            pages[blocks++] = p;
    while ((p = page_alloc(PAGE_ORDER_MAX, 0)) != NULL)
        pages[blocks++] = p;
    assert_true(blocks >= RAM_PAGES / 1024 - 2);
    while (blocks > 0)
        page_put(pages[--blocks]);
    assert_int_equal(host_free_pages(), before);
}

static void random_orders_never_overlap(void **state)
{
    static struct {
        struct page *p;
        unsigned int order;
    } held[64];
    static uint8_t owner[RAM_PAGES];
    uint64_t before = host_free_pages();
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)rand() % 64;
        size_t first = held[i].p ? (page_to_phys(held[i].p) - HOST_RAM_BASE) >> PAGE_SHIFT : 0;
        if (held[i].p) {
            for (size_t k = 0; k < 1UL << held[i].order; k++) {
                assert_int_equal(owner[first + k], i + 1);
                owner[first + k] = 0;
            }
            page_put(held[i].p);
            held[i].p = NULL;
            continue;
        }
        held[i].order = (unsigned int)rand() % 7;
        held[i].p = page_alloc(held[i].order, 0);
        if (!held[i].p)
            continue;
        first = (page_to_phys(held[i].p) - HOST_RAM_BASE) >> PAGE_SHIFT;
        for (size_t k = 0; k < 1UL << held[i].order; k++) {
            assert_int_equal(owner[first + k], 0);
            owner[first + k] = (uint8_t)(i + 1);
        }
    }
    for (size_t i = 0; i < 64; i++)
        if (held[i].p)
            page_put(held[i].p);
    assert_int_equal(host_free_pages(), before);
}

static void reserve_is_for_the_kernel(void **state)
{
    static struct page *pages[RAM_PAGES];
    size_t n = 0, more = 0;
    struct page *p;
    while ((p = page_alloc(0, PAGE_ALLOC_USER)) != NULL)
        pages[n++] = p;
    while (more < 64 && (p = page_alloc(0, 0)) != NULL) {
        pages[n++] = p;
        more++;
    }
    assert_int_equal(more, 64);
    while (n > 0)
        page_put(pages[--n]);
}

static void released_range_becomes_free(void **state)
{
    uint64_t before = free_now();
    struct page_stats stats;
    page_release_range(host_reserved[0].start + 1, host_reserved[0].end - 1);
    page_stats(&stats);
    assert_int_equal(stats.free, before + 14); // without the two partial pages
    assert_int_equal(stats.total + stats.reserved, RAM_PAGES);
    // Giving back twice is a broken invariant.
    assert_panics(page_release_range(host_reserved[0].start + PAGE_SIZE,
                                     host_reserved[0].start + 2 * PAGE_SIZE));
}

int main(void)
{
    host_reserved[0] =
        (struct host_range){HOST_RAM_BASE + 100 * PAGE_SIZE, HOST_RAM_BASE + 116 * PAGE_SIZE};
    host_nr_reserved = 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_zeroed),
        cmocka_unit_test(prepared_pages_are_zeroed),
        cmocka_unit_test(zeros_come_by_the_block),
        cmocka_unit_test(last_reference_frees),
        cmocka_unit_test(exhaustion_and_merging),
        cmocka_unit_test(random_orders_never_overlap),
        cmocka_unit_test(reserve_is_for_the_kernel),
        cmocka_unit_test(released_range_becomes_free),
    };
    return cmocka_run_group_tests_name("mm/page", tests, setup, NULL);
}
