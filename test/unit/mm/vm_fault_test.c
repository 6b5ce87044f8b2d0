// SPDX-License-Identifier: BSD-2-Clause
// What a program sees of its memory: protection, signals and their codes, the stack's growth, copy
// on write, fork, the end of a file, devices; and what others see of it (vm_access.c).
#include "map_fixture.h"

// Only what was allowed at a time could be done at that time, whatever the TLB had seen.
static void protection_holds(void **state)
{
    int value = 1;
    map(AT(0), SIZE(2), VM_WRITE, ANON | MAP_FIXED);
    assert_int_equal(host_user_write(m, AT(0), &value, 4), 0);
    assert_int_equal(host_user_read(m, AT(0), &value, 4), 0); // writing implies reading
    assert_int_equal(host_user_fetch(m, AT(0)), SIGSEGV);
    vm_map_mprotect(m, AT(0), SIZE(2), VM_EXEC);
    assert_int_equal(host_user_fetch(m, AT(0)), 0);
    assert_int_equal(host_user_fetch(m, AT(1)), 0); // never touched before
    assert_int_equal(host_user_read(m, AT(0), &value, 4), SIGSEGV);
    vm_map_mprotect(m, AT(0), SIZE(2), 0);
    assert_int_equal(host_user_fetch(m, AT(0)), SIGSEGV);
    vm_map_mprotect(m, AT(0), SIZE(2), VM_READ);
    assert_int_equal(host_user_read(m, AT(0), &value, 4), 0);
    assert_int_equal(value, 1);
    assert_int_equal(host_user_write(m, AT(0), &value, 4), SIGSEGV);
}

static void new_code_is_fenced(void **state)
{
    uint64_t before = host_nr_icache_flushes;
    map_object(AT(0), SIZE(1), VM_READ | VM_EXEC, MAP_PRIVATE | MAP_FIXED, &file, 0, 0);
    assert_int_equal(host_user_fetch(m, AT(0)), 0);
    assert_int_equal(host_nr_icache_flushes, before + 1);
    int value = 1;
    map(AT(1), SIZE(1), RW, ANON | MAP_FIXED);
    host_user_write(m, AT(1), &value, 4);
    assert_int_equal(host_nr_icache_flushes, before + 1);
    vm_map_mprotect(m, AT(1), SIZE(1), VM_READ | VM_EXEC);
    assert_int_equal(host_nr_icache_flushes, before + 2);
}

static void stack_grows_to_its_limit(void **state)
{
    vaddr_t top = AT(4000), low = top - SIZE(2);
    int value = 1;
    map(low, SIZE(2), RW, ANON | MAP_FIXED | MAP_GROWSDOWN);
    m->limits.stack = SIZE(600);
    assert_int_equal(host_user_write(m, low - 8, &value, 4), 0);
    assert_int_equal(m->stack_pages, 3);
    assert_int_equal(host_user_write(m, top - SIZE(600), &value, 4), 0);
    assert_int_equal(m->stack_pages, 600);
    assert_int_equal(host_user_write(m, top - SIZE(600) - 1, &value, 1), SIGSEGV);
    assert_int_equal(host_fault_code, SEGV_MAPERR);
    assert_int_equal(regions(), 1);
    m->limits.stack = UINT64_MAX;
    m->limits.as = SIZE(600);
    assert_int_equal(host_user_write(m, top - SIZE(601), &value, 4), SIGSEGV);
}

static void stack_keeps_its_guard(void **state)
{
    vaddr_t low = AT(4000);
    int value = 1;
    m->limits.stack = UINT64_MAX;
    map(low, SIZE(2), RW, ANON | MAP_FIXED | MAP_GROWSDOWN);
    map(low - SIZE(300), SIZE(10), RW, ANON | MAP_FIXED); // ends 290 below
    assert_int_equal(host_user_write(m, low - SIZE(34), &value, 4), 0);
    assert_int_equal(host_user_write(m, low - SIZE(35), &value, 4), SIGSEGV);
    // Nothing is placed into the gap, except where the program insists.
    vaddr_t now = low - SIZE(34);
    assert_true(map(now - SIZE(5), SIZE(1), RW, ANON) != (long)(now - SIZE(5)));
    assert_int_equal(map(now - SIZE(5), SIZE(1), RW, ANON | MAP_FIXED), now - SIZE(5));
    // What has no rights guards by itself.
    vm_map_munmap(m, now - SIZE(5), SIZE(1));
    vm_map_mprotect(m, low - SIZE(300), SIZE(10), 0);
    assert_int_equal(host_user_write(m, low - SIZE(290), &value, 4), 0);
    assert_int_equal(host_user_write(m, low - SIZE(291), &value, 4), SIGSEGV);
    assert_int_equal(host_fault_code, SEGV_ACCERR);
}

static void populate(void **state)
{
    map(AT(0), SIZE(4), RW, ANON | MAP_FIXED | MAP_POPULATE);
    assert_int_equal(m->space.nr_resident, 4);
    map(AT(4), SIZE(4), RW, ANON | MAP_FIXED);
    assert_int_equal(vm_map_madvise(m, AT(4), SIZE(3), 23), 0);
    assert_int_equal(m->space.nr_resident, 7);
    assert_int_equal(vm_map_madvise(m, AT(4), SIZE(9), 23), -ENOMEM);
    map(AT(8), SIZE(1), VM_READ, ANON | MAP_FIXED);
    assert_int_equal(vm_map_madvise(m, AT(8), SIZE(1), 23), -EINVAL);
    assert_int_equal(vm_map_madvise(m, AT(8), SIZE(1), 22), 0);
    map_object(AT(9), SIZE(8), RW, MAP_SHARED | MAP_FIXED, &file, 0, 0);
    assert_int_equal(vm_map_madvise(m, AT(9), SIZE(8), 22), -EFAULT); // past its end
}

static void end_of_file(void **state)
{
    char c = 1;
    map_object(AT(0), SIZE(8), RW, MAP_SHARED | MAP_FIXED, &file, 0, 0);
    // The last page is there as a whole, with zeros behind the end.
    assert_int_equal(host_user_write(m, AT(5) - 1, &c, 1), 0);
    assert_int_equal(host_user_read(m, AT(5), &c, 1), SIGBUS);
    assert_int_equal(host_fault_code, BUS_ADRERR);
    vm_object_resize(&file, SIZE(1) + 1);
    host_check_tlb();
    assert_int_equal(host_user_read(m, AT(2), &c, 1), SIGBUS);
    vm_object_resize(&file, SIZE(5));
    assert_int_equal(host_user_read(m, AT(5) - 1, &c, 1), 0);
    assert_int_equal(c, 0);
    // Cut inside a page: what was behind the cut is zero when the file grows again.
    c = 3;
    host_user_write(m, AT(1) + 200, &c, 1);
    vm_object_resize(&file, SIZE(1) + 100);
    vm_object_resize(&file, SIZE(5));
    host_user_read(m, AT(1) + 200, &c, 1);
    assert_int_equal(c, 0);
}

static void device_memory(void **state)
{
    int value = 0;
    map_object(AT(0), SIZE(6), RW, MAP_SHARED | MAP_FIXED, &device, 0, 0);
    int *there = phys_to_virt(HOST_RAM_BASE + SIZE(1)), old = *there;
    *there = 1234;
    assert_int_equal(host_user_read(m, AT(1), &value, 4), 0);
    assert_int_equal(value, 1234);
    value = 4321;
    assert_int_equal(host_user_write(m, AT(1), &value, 4), 0);
    assert_int_equal(*there, 4321);
    assert_int_equal(host_user_read(m, AT(4), &value, 4), SIGBUS);
    assert_int_equal(m->space.nr_resident, 0);
    assert_int_equal(vm_map_madvise(m, AT(0), SIZE(1), MADV_DONTNEED), -EINVAL);
    assert_int_equal(vm_map_mremap(m, AT(0), SIZE(6), SIZE(7), MREMAP_MAYMOVE, 0), -EFAULT);
    assert_int_equal(vm_map_access(m, AT(1), &value, 4, false, true), -EFAULT);
    // A private one is copied when written (what a debugger does to the vDSO).
    map_object(AT(8), SIZE(2), VM_READ, MAP_PRIVATE | MAP_FIXED, &device, 0,
               VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC);
    assert_int_equal(host_user_read(m, AT(9), &value, 4), 0);
    value = 1;
    assert_int_equal(vm_map_mprotect(m, AT(8), SIZE(2), RW), 0);
    assert_int_equal(host_user_write(m, AT(9), &value, 4), 0);
    assert_int_equal(*there, 4321);
    *there = old;
}

static void zero_page_is_shared_until_written(void **state)
{
    char c[SIZE(8)];
    map(AT(0), SIZE(8), RW, ANON | MAP_FIXED);
    memset(c, 1, sizeof(c));
    assert_int_equal(host_user_read(m, AT(0), c, sizeof(c)), 0);
    for (size_t i = 0; i < sizeof(c); i++)
        assert_int_equal(c[i], 0);
    assert_int_equal(m->space.nr_resident, 0);
    c[0] = 1;
    assert_int_equal(host_user_write(m, AT(3), c, 1), 0);
    assert_int_equal(m->space.nr_resident, 1);
    assert_int_equal(host_user_read(m, AT(4), c, 1), 0);
    assert_int_equal(c[0], 0);
    host_check_tlb();
}

// Copy on write with exact counts: the last owner takes the page over, nobody copies for nothing.
static void copy_on_write_counts(void **state)
{
    struct vm_map *children[5];
    int value = 1;
    map(AT(0), SIZE(1), RW, ANON | MAP_FIXED);
    host_user_write(m, AT(0), &value, 4);
    uint64_t free_now = host_free_pages();
    for (int i = 0; i < 5; i++)
        children[i] = vm_map_fork(i == 0 ? m : children[i - 1]);
    host_check_tlb();
    uint64_t shared = host_free_pages();
    for (int i = 0; i < 5; i++) {
        value = 100 + i;
        assert_int_equal(host_user_write(children[i], AT(0), &value, 4), 0);
    }
    assert_int_equal(host_free_pages(), shared - 5);
    value = 7;
    assert_int_equal(host_user_write(m, AT(0), &value, 4), 0); // the only owner now
    assert_int_equal(host_free_pages(), shared - 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(host_user_read(children[i], AT(0), &value, 4), 0);
        assert_int_equal(value, 100 + i);
        vm_map_put(children[i]);
    }
    assert_int_equal(host_user_read(m, AT(0), &value, 4), 0);
    assert_int_equal(value, 7);
    assert_int_equal(host_free_pages(), free_now);
}

static void fork_obeys_advice(void **state)
{
    int value = 5;
    map(AT(0), SIZE(3), RW, ANON | MAP_FIXED);
    for (int i = 0; i < 3; i++)
        host_user_write(m, AT(i), &value, 4);
    assert_int_equal(vm_map_madvise(m, AT(1), SIZE(1), MADV_DONTFORK), 0);
    assert_int_equal(vm_map_madvise(m, AT(2), SIZE(1), MADV_WIPEONFORK), 0);
    vm_map_mlock(m, AT(0), SIZE(1), VM_LOCKED);
    struct vm_map *child = vm_map_fork(m);
    assert_int_equal(host_user_read(child, AT(0), &value, 4), 0);
    assert_int_equal(value, 5);
    assert_int_equal(host_user_read(child, AT(1), &value, 4), SIGSEGV);
    assert_int_equal(host_user_read(child, AT(2), &value, 4), 0);
    assert_int_equal(value, 0);
    assert_int_equal(child->locked_pages, 0);
    assert_int_equal(child->total_pages, 2);
    vm_map_put(child);
}

static void access_from_outside(void **state)
{
    char buf[SIZE(3)], back[SIZE(3)];
    memset(buf, 3, sizeof(buf));
    map(AT(0), SIZE(2), VM_READ, ANON | MAP_FIXED);
    assert_int_equal(vm_map_access(m, AT(0), buf, 8, true, false), -EFAULT);
    assert_int_equal(vm_map_access(m, AT(0) + 10, buf, sizeof(buf), true, true), SIZE(2) - 10);
    assert_int_equal(vm_map_access(m, AT(0), back, sizeof(back), false, false), SIZE(2));
    assert_int_equal(back[9], 0);
    assert_int_equal(back[10], 3);
    assert_int_equal(vm_map_access(m, AT(2), back, 1, false, true), -EFAULT);
    assert_int_equal(vm_map_access(m, UINT64_MAX - 4, back, 100, false, true), -EFAULT);
    assert_int_equal(vm_map_access(m, AT(0), back, 0, false, false), 0);
    assert_int_equal(host_user_write(m, AT(0), buf, 1), SIGSEGV); // still read-only for itself
}

static uint64_t pool_free(void)
{
    struct vm_hugetlb_stats now;
    vm_hugetlb_stats(HUGE_ORDER, &now);
    return now.nr_free;
}

// Taken by mmap, copied whole after fork, cut at 2 MiB only, back in the pool at the end.
static void pages_of_the_pool(void **state)
{
    const size_t huge = PT_SIZE(1);
    int value = 5;
    vm_hugetlb_set(HUGE_ORDER, 3);
    assert_int_equal(pool_free(), 3);
    struct vm_mmap_args a = {.size = 2 * huge, .prot = RW, .flags = ANON | MAP_HUGETLB};
    vaddr_t at = (vaddr_t)vm_map_mmap(m, &a);
    assert_int_equal(at % huge, 0);
    assert_int_equal(pool_free(), 1);
    assert_int_equal(vm_map_mmap(m, &a), -ENOMEM);
    assert_int_equal(pool_free(), 1);
    assert_int_equal(host_user_write(m, at + SIZE(7), &value, 4), 0);
    assert_int_equal(vm_map_munmap(m, at, SIZE(1)), -EINVAL);
    assert_int_equal(vm_map_mprotect(m, at + SIZE(1), huge, VM_READ), -EINVAL);
    assert_int_equal(vm_map_madvise(m, at + SIZE(1), huge, MADV_DONTNEED), -EINVAL);
    assert_int_equal(vm_map_madvise(m, at, SIZE(3), MADV_DONTNEED), 0); // no whole page: nothing
    assert_int_equal(regions(), 1);

    struct vm_map *child = vm_map_fork(m);
    assert_int_equal(host_user_read(child, at + SIZE(7), &value, 4), 0);
    assert_int_equal(value, 5);
    assert_int_equal(host_user_read(child, at + SIZE(8), &value, 4), 0);
    value = 6;
    assert_int_equal(host_user_write(child, at + SIZE(7), &value, 4), 0);
    host_check_tlb(); // all of the old page is forgotten
    assert_int_equal(host_user_read(child, at + SIZE(7), &value, 4), 0);
    assert_int_equal(value, 6);
    assert_int_equal(pool_free(), 0);
    assert_int_equal(host_user_write(child, at + huge, &value, 4), SIGBUS);
    assert_int_equal(host_user_read(m, at + SIZE(7), &value, 4), 0);
    assert_int_equal(value, 5);
    vm_map_put(child);
    assert_int_equal(pool_free(), 1);
    assert_int_equal(host_user_write(m, at + SIZE(7), &value, 4), 0); // ours alone again
    assert_int_equal(pool_free(), 1);
    assert_int_equal(vm_map_madvise(m, at + huge, huge, MADV_DONTNEED), 0);
    assert_int_equal(pool_free(), 2);
    assert_int_equal(host_user_read(m, at + huge, &value, 4), 0);
    assert_int_equal(value, 0);
    vm_hugetlb_set(HUGE_ORDER, 0); // what is in use goes when it comes back
    assert_int_equal(pool_free(), 0);
    assert_int_equal(vm_map_munmap(m, at, 2 * huge), 0);
    assert_int_equal(pool_free(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(protection_holds),
        T(new_code_is_fenced),
        T(stack_grows_to_its_limit),
        T(stack_keeps_its_guard),
        T(populate),
        T(end_of_file),
        T(device_memory),
        T(zero_page_is_shared_until_written),
        T(copy_on_write_counts),
        T(fork_obeys_advice),
        T(access_from_outside),
        T(pages_of_the_pool),
    };
    return cmocka_run_group_tests_name("mm/vm_fault", tests, group_setup, NULL);
}
