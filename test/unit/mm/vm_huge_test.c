// SPDX-License-Identifier: BSD-2-Clause
// Pages of 64 KiB and 1 GiB: mapped, cut up, cloned and dropped by cursors, and as pools of
// MAP_HUGETLB; and small pages that MADV_COLLAPSE joins. What breaks: a leaf that maps the wrong
// place (bytes differ), a translation that outlives its mapping (the model TLB), a reference too
// many or too few (pages lost at the end, or freed while reachable).
#define RAM_PAGES ((2UL << GIGA_ORDER) + 16384)

#include "map_fixture.h"

#include "../../../mm/vm_space_priv.h"

#define MAP_HUGE(shift) ((unsigned int)(shift) << MAP_HUGE_SHIFT)
#define GIGA            PT_SIZE(2)
#define RUN             (PAGE_SIZE << NAPOT_ORDER)
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static uint64_t pool_free(unsigned int order)
{
    struct vm_hugetlb_stats now;
    vm_hugetlb_stats(order, &now);
    return now.nr_free;
}

static void set_byte(struct vm_map *map, vaddr_t va, uint8_t value)
{
    assert_int_equal(host_user_write(map, va, &value, 1), 0);
}

static uint8_t byte(struct vm_map *map, vaddr_t va)
{
    uint8_t value = 0xee;
    assert_int_equal(host_user_read(map, va, &value, 1), 0);
    return value;
}

// Taken while they are whole. Whoever gives one up for good tells the check for leaks.
static struct page *blocks[2];

static int huge_setup(void **state)
{
    group_setup(state);
    for (size_t i = 0; i < 2; i++)
        blocks[i] = page_alloc(GIGA_ORDER, 0);
    return blocks[0] && blocks[1] ? 0 : -1;
}

static struct page *give_up(size_t i)
{
    free_before += 1UL << GIGA_ORDER;
    return blocks[i];
}

// A leaf of 1 GiB in a region that was made for it, so that faults find it.
static void map_giga(vaddr_t at, struct page *block)
{
    struct vm_cursor c;
    assert_int_equal(page_to_phys(block) % GIGA, 0);
    for (size_t i = 0; i < 8; i++)
        *((uint8_t *)page_to_virt(block) + i * PT_SIZE(1) + SIZE(i)) = (uint8_t)(i + 1);
    vm_cursor_open(&c, &m->space, at, at + PAGE_SIZE);
    assert_true(vm_cursor_fits_huge(&c, GIGA_ORDER));
    assert_int_equal(vm_cursor_map_huge(&c, block, RW, false), 0);
    vm_cursor_close(&c);
}

static vaddr_t place(size_t i)
{
    return GIGA + i * PT_SIZE(1) + SIZE(i);
}

static void giga_is_cut_up(void **state)
{
    struct vm_mapping now;
    struct vm_cursor c;
    assert_int_equal(map(GIGA, GIGA, RW, ANON | MAP_FIXED), GIGA);
    map_giga(GIGA, give_up(1));
    assert_int_equal(m->space.nr_resident, 1UL << GIGA_ORDER);
    vm_cursor_open(&c, &m->space, place(3), place(3) + PAGE_SIZE);
    vm_cursor_query(&c, &now);
    assert_int_equal(now.order, GIGA_ORDER);
    vm_cursor_close(&c);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(byte(m, place(i)), i + 1);
    // In 2 MiB, then one of those in pages; what isn't touched stays as it is.
    assert_int_equal(vm_map_mprotect(m, GIGA + PT_SIZE(1), PT_SIZE(1), VM_READ), 0);
    host_check_tlb();
    assert_int_equal(vm_map_munmap(m, GIGA + 2 * PT_SIZE(1), PAGE_SIZE), 0);
    host_check_tlb();
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(byte(m, place(i)), i + 1);
    uint8_t value = 9;
    assert_int_equal(host_user_write(m, place(1), &value, 1), SIGSEGV);
    assert_int_equal(m->space.nr_resident, (1UL << GIGA_ORDER) - 1);
    assert_int_equal(vm_map_munmap(m, GIGA, GIGA), 0);
    host_check_tlb();
    assert_int_equal(m->space.nr_resident, 0);
}

// Fork shares the leaf; the child's write cuts its own in two steps, the block with it.
static void giga_is_cloned(void **state)
{
    assert_int_equal(map(GIGA, GIGA, RW, ANON | MAP_FIXED), GIGA);
    map_giga(GIGA, give_up(0));
    set_byte(m, place(1), 11); // a translation that may write, to be forgotten
    struct vm_map *child = vm_map_fork(m);
    host_check_tlb();
    assert_int_equal(child->space.nr_resident, 1UL << GIGA_ORDER);
    assert_int_equal(byte(child, place(1)), 11);
    set_byte(child, place(1), 12);
    assert_int_equal(byte(m, place(1)), 11);
    assert_int_equal(byte(child, place(2)), 3);
    struct vm_map *third = vm_map_fork(m); // of a block that isn't whole any more
    assert_int_equal(byte(third, place(1)), 11);
    vm_map_put(child);
    set_byte(m, place(2), 13);
    assert_int_equal(byte(third, place(2)), 3);
    vm_map_put(third);
    assert_int_equal(byte(m, place(2)), 13);
    assert_int_equal(byte(m, place(7)), 8);
}

static void giga_goes_with_its_space(void **state)
{
    assert_int_equal(map(GIGA, GIGA, RW, ANON | MAP_FIXED), GIGA);
    page_get(blocks[0]);
    map_giga(GIGA, blocks[0]);
    set_byte(m, place(4), 14);
    assert_int_equal(vm_map_madvise(m, GIGA, GIGA, MADV_DONTNEED), 0);
    host_check_tlb();
    assert_int_equal(byte(m, place(4)), 0);
    assert_int_equal(vm_map_madvise(m, GIGA, GIGA, MADV_DONTNEED), 0);
    page_get(blocks[0]);
    map_giga(GIGA, blocks[0]);
    struct vm_usage usage;
    assert_int_equal(vm_map_mprotect(m, GIGA, GIGA, VM_READ), 0);
    host_check_tlb();
    assert_int_equal(vm_map_mprotect(m, GIGA, GIGA, 0), 0);
    vm_region_usage(rb_entry(m->regions.node, struct vm_region, node), &usage);
    assert_int_equal(usage.resident, 1UL << GIGA_ORDER);
    assert_int_equal(vm_map_mprotect(m, GIGA, GIGA, RW), 0);
    assert_int_equal(byte(m, place(5)), 6);
}

// The life of a mapping from a pool of `shift`: two pages of it, of three (1 GiB: of one).
static void pool_of(unsigned int shift, uint64_t nr)
{
    const unsigned int order = shift - PAGE_SHIFT;
    const size_t size = 1UL << shift;
    vm_hugetlb_set(order, 3);
    assert_int_equal(pool_free(order), nr);
    const uint64_t nr_mapped = MIN(nr, 2);
    vaddr_t at = (vaddr_t)map(0, nr_mapped * size - 5, RW, ANON | MAP_HUGETLB | MAP_HUGE(shift));
    assert_int_equal(at % size, 0);
    assert_int_equal(pool_free(order), nr - nr_mapped);
    assert_int_equal(m->space.nr_resident, nr_mapped * size / PAGE_SIZE);
    vaddr_t last = at + nr_mapped * size - 1;
    assert_int_equal(byte(m, last), 0);
    set_byte(m, at + SIZE(5), 5);
    set_byte(m, last, 6);
    assert_int_equal(vm_map_munmap(m, at, PAGE_SIZE), -EINVAL);
    assert_int_equal(vm_map_mprotect(m, at, size - PAGE_SIZE, VM_READ), -EINVAL);
    assert_int_equal(vm_map_mprotect(m, at, size, VM_READ), 0);
    host_check_tlb();
    uint8_t value = 9;
    assert_int_equal(host_user_write(m, at + SIZE(5), &value, 1), SIGSEGV);
    assert_int_equal(vm_map_mprotect(m, at, size, RW), 0);

    struct vm_map *child = vm_map_fork(m);
    host_check_tlb();
    if (nr > nr_mapped) {
        assert_int_equal(byte(child, at + SIZE(4)), 0); // a translation to be forgotten
        set_byte(child, at + SIZE(5), 7);
        host_check_tlb();
        assert_int_equal(pool_free(order), nr - nr_mapped - 1);
        assert_int_equal(byte(child, at), 0);
    }
    host_check_tlb();
    value = 8;
    assert_int_equal(host_user_write(child, last, &value, 1), SIGBUS); // no more in the pool
    assert_int_equal(byte(m, at + SIZE(5)), 5);
    assert_int_equal(byte(child, last), 6);
    vm_map_put(child);
    assert_int_equal(pool_free(order), nr - nr_mapped);
    set_byte(m, last, 10); // ours alone: taken over
    assert_int_equal(pool_free(order), nr - nr_mapped);
    assert_int_equal(vm_map_madvise(m, at, size, MADV_DONTNEED), 0);
    host_check_tlb();
    assert_int_equal(pool_free(order), nr - nr_mapped + 1);
    assert_int_equal(byte(m, at + SIZE(5)), 0);
    vm_hugetlb_set(order, 0);
    assert_int_equal(vm_map_munmap(m, at, nr_mapped * size), 0);
    host_check_tlb();
    assert_int_equal(pool_free(order), 0);
    assert_int_equal(m->space.nr_resident, 0);
}

static void pool_of_64k(void **state)
{
    pool_of(16, 3);
}

static void pool_of_2m(void **state)
{
    pool_of(21, 3);
}

static void pool_of_1g(void **state)
{
    page_put(give_up(0));
    pool_of(30, 1);
    blocks[0] = page_alloc(GIGA_ORDER, 0);
    assert_non_null(blocks[0]);
    free_before -= 1UL << GIGA_ORDER;
}

// A fault that found memory for the upper table and none for the lower leaves the upper one behind.
static void empty_table_is_no_obstacle(void **state)
{
    const vaddr_t at = 3 * GIGA;
    struct page *page = page_alloc(0, 0);
    struct vm_cursor c;

    vm_space_reclaim();
    vm_cursor_open(&c, &m->space, at, at + PAGE_SIZE);
    host_fail(2, false);
    assert_int_equal(vm_cursor_map(&c, page, RW, false), -ENOMEM);
    host_fail(0, false);
    vm_cursor_close(&c);
    page_put(page);
    assert_int_equal(m->space.nr_tables, 2);

    page_put(give_up(0));
    vm_hugetlb_set(GIGA_ORDER, 1);
    assert_int_equal(map(at, GIGA, RW, ANON | MAP_FIXED | MAP_HUGETLB | MAP_HUGE(30)), at);
    assert_int_equal(m->space.nr_tables, 1);
    assert_int_equal(byte(m, at), 0);
    assert_int_equal(vm_map_munmap(m, at, GIGA), 0);
    vm_hugetlb_set(GIGA_ORDER, 0);
    blocks[0] = page_alloc(GIGA_ORDER, 0);
    assert_non_null(blocks[0]);
    free_before -= 1UL << GIGA_ORDER;
}

// Many sharers at once, which come and go in any order.
static void runs_count_their_owners(void **state)
{
    struct vm_map *children[5];
    vm_hugetlb_set(NAPOT_ORDER, 40);
    vaddr_t at = (vaddr_t)map(0, 20 * RUN, RW, ANON | MAP_HUGETLB | MAP_HUGE(16));
    for (size_t i = 0; i < 20; i++)
        set_byte(m, at + i * RUN + SIZE(i % 16), (uint8_t)i);
    for (size_t i = 0; i < 5; i++) {
        children[i] = vm_map_fork(m);
        set_byte(children[i], at + i * RUN, (uint8_t)(100 + i)); // unshares the table
    }
    assert_int_equal(pool_free(NAPOT_ORDER), 15);
    assert_int_equal(vm_map_munmap(children[2], at + RUN, 3 * RUN), 0);
    assert_int_equal(vm_map_munmap(m, at + 4 * RUN, 4 * RUN), 0);
    host_check_tlb();
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(byte(children[4], at + i * RUN + SIZE(i % 16)), i == 0   ? 0
                                                                         : i == 4 ? 4
                                                                                  : i);
    for (size_t i = 0; i < 5; i++)
        vm_map_put(children[i]);
    assert_int_equal(pool_free(NAPOT_ORDER), 24);
    vm_hugetlb_set(NAPOT_ORDER, 0);
}

static void small_pages_collapse(void **state)
{
    const size_t size = PT_SIZE(1);
    const vaddr_t at = 4 * size;
    assert_int_equal(map(at, 2 * size, RW, ANON | MAP_FIXED), at);
    vm_huge_set_mode(VM_HUGE_NEVER);
    assert_int_equal(vm_map_madvise(m, at, 2 * size, MADV_COLLAPSE), -EINVAL); // nothing there
    for (size_t i = 0; i < 512; i += 7)
        set_byte(m, at + SIZE(i), (uint8_t)i);
    assert_int_equal(byte(m, at + SIZE(1)), 0); // the zero page
    struct vm_map *child = vm_map_fork(m);
    set_byte(child, at, 77);
    set_byte(m, at + SIZE(7), 78);
    assert_int_equal(vm_map_madvise(m, at, size, MADV_COLLAPSE), 0);
    host_check_tlb();
    assert_int_equal(m->space.nr_resident, 512);
    assert_int_equal(byte(child, at), 77);
    assert_int_equal(byte(child, at + SIZE(7)), 7);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(byte(m, at + SIZE(i)), i == 7 ? 78 : i % 7 == 0 ? (uint8_t)i : 0);
    set_byte(m, at + SIZE(14), 79);
    assert_int_equal(byte(child, at + SIZE(14)), 14);
    assert_int_equal(vm_map_madvise(m, at, size, MADV_COLLAPSE), 0); // it is one already
    host_fail(1, true);
    set_byte(m, at, 1);
    assert_int_equal(vm_map_madvise(child, at, size, MADV_COLLAPSE), -ENOMEM);
    host_fail(0, false);
    host_check_tlb();
    assert_int_equal(byte(child, at + SIZE(21)), 21);
    vm_map_put(child);
    assert_int_equal(vm_map_madvise(m, at, 2 * size, MADV_NOHUGEPAGE), 0);
    assert_int_equal(vm_map_madvise(m, at, size, MADV_COLLAPSE), -EINVAL);
    vm_huge_set_mode(VM_HUGE_ALWAYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(pool_of_1g),
        T(empty_table_is_no_obstacle),
        T(giga_goes_with_its_space),
        T(giga_is_cloned),
        T(giga_is_cut_up),
        T(pool_of_64k),
        T(pool_of_2m),
        T(runs_count_their_owners),
        T(small_pages_collapse),
    };
    return cmocka_run_group_tests_name("mm/vm_huge", tests, huge_setup, NULL);
}
