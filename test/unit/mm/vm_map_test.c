// SPDX-License-Identifier: BSD-2-Clause
// The calls that edit a map, case by case: errno as Linux gives it, limits, where things are
// placed, the heap, the stack, what fork and the advices do. random_test.c has the combinations.
#include <mm/layout.h>

#include "map_fixture.h"

static void mmap_errors(void **state)
{
    assert_int_equal(map(0, 0, RW, ANON), -EINVAL);
    assert_int_equal(map(0, 1, RW, MAP_ANONYMOUS), -EINVAL);
    assert_int_equal(map(0, 1, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE), -EINVAL);
    assert_int_equal(map(0, UINT64_MAX, RW, ANON), -ENOMEM);
    assert_int_equal(map(0, UINT64_MAX - PAGE_SIZE, RW, ANON), -ENOMEM);
    assert_int_equal(map(0, USER_END, VM_READ, ANON), -ENOMEM);
    assert_int_equal(map(AT(0) + 1, 1, RW, ANON | MAP_FIXED), -EINVAL);
    assert_int_equal(map(USER_END, 1, RW, ANON | MAP_FIXED), -ENOMEM);
    assert_int_equal(map(USER_END - PAGE_SIZE, SIZE(2), RW, ANON | MAP_FIXED), -ENOMEM);
    assert_int_equal(map(0, 1, RW, ANON | MAP_FIXED), -EPERM);
    assert_int_equal(map(USER_BASE - PAGE_SIZE, 1, RW, ANON | MAP_FIXED), -EPERM);
    assert_int_equal(map(0, 1, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN), -EINVAL);
    assert_int_equal(map(0, 1, RW, ANON | MAP_HUGETLB), -ENOMEM);
    assert_int_equal(map_object(0, 1, RW, MAP_SHARED, &file, 1, 0), -EINVAL);
    assert_int_equal(map_object(0, SIZE(2), RW, MAP_SHARED, &file, 0 - PAGE_SIZE, 0), -EOVERFLOW);
    assert_int_equal(map_object(0, 1, RW, MAP_SHARED_VALIDATE | MAP_SYNC, &file, 0, 0),
                     -EOPNOTSUPP);
    assert_int_equal(map_object(0, 1, RW, MAP_SHARED, &file, 0, VM_MAYREAD), -EACCES);
    assert_int_equal(map_object(0, 1, VM_EXEC, MAP_PRIVATE, &file, 0, VM_MAYREAD), -EACCES);
    assert_int_equal(regions(), 0);
    assert_int_equal(map(AT(0), SIZE(2), RW, ANON | MAP_FIXED_NOREPLACE), AT(0));
    assert_int_equal(map(AT(1), SIZE(2), RW, ANON | MAP_FIXED_NOREPLACE), -EEXIST);
    assert_int_equal(map(AT(2), SIZE(2), RW, ANON | MAP_FIXED_NOREPLACE), AT(2));
    assert_int_equal(regions(), 1);
}

static void private_map_of_read_only_file_is_writable(void **state)
{
    long addr = map_object(0, SIZE(1), RW, MAP_PRIVATE, &file, 0, VM_MAYREAD);
    int value = 7;
    assert_true(addr > 0);
    assert_int_equal(host_user_write(m, (vaddr_t)addr, &value, 4), 0);
    addr = map_object(0, SIZE(1), VM_READ, MAP_SHARED, &file, 0, VM_MAYREAD);
    assert_int_equal(vm_map_mprotect(m, (vaddr_t)addr, SIZE(1), RW), -EACCES);
    assert_int_equal(host_user_read(m, (vaddr_t)addr, &value, 4), 0);
    assert_int_equal(value, 0);
}

static void placement(void **state)
{
    // Downwards from mmap_base, joined as one line.
    long a = map(0, SIZE(1), RW, ANON), b = map(0, SIZE(2), RW, ANON);
    assert_int_equal(a, m->mmap_base - SIZE(1));
    assert_int_equal(b, a - (long)SIZE(2));
    assert_int_equal(regions(), 1);
    // A hint is rounded down and taken if free, else ignored.
    assert_int_equal(map(AT(3) + 5, 1, VM_READ, ANON), AT(3));
    assert_int_equal(map(AT(3), 1, VM_READ, ANON), b - (long)SIZE(1));
    assert_int_equal(map(1, 1, VM_READ, ANON), b - (long)SIZE(2));
    assert_int_equal(map(PAGE_SIZE, 1, VM_READ, ANON), USER_BASE);
    // A hole is reused, the smallest above first.
    assert_int_equal(vm_map_munmap(m, (vaddr_t)b, SIZE(1)), 0);
    assert_int_equal(map(0, SIZE(2), VM_READ, ANON), b - (long)SIZE(4));
    assert_int_equal(map(0, SIZE(1), VM_EXEC, ANON), b);
    // Above mmap_base when nothing is left below.
    assert_int_equal(map(AT(10), m->mmap_base - AT(20), 0, ANON | MAP_FIXED), AT(10));
    size_t size = 0x20000000;
    long high = map(0, size, 0, ANON);
    assert_int_equal(high, USER_END - size);
}

static void many_gaps(void **state)
{
    // Every second page for 2,000 pages, then holes of every size: the highest that fits is found.
    for (int i = 0; i < 2000; i += 2)
        assert_int_equal(map(AT(i), SIZE(1), VM_READ, ANON | MAP_FIXED), AT(i));
    assert_int_equal(regions(), 1000);
    assert_int_equal(map(AT(2000), m->mmap_base - AT(2000), 0, ANON | MAP_FIXED), AT(2000));
    assert_int_equal(map(0, SIZE(1), VM_EXEC, ANON), AT(1999));
    assert_int_equal(map(0, SIZE(1), VM_EXEC, ANON), AT(1997));
    assert_int_equal(vm_map_munmap(m, AT(700), SIZE(3)), 0);
    assert_int_equal(vm_map_munmap(m, AT(300), SIZE(5)), 0);
    assert_int_equal(map(0, SIZE(7), VM_EXEC, ANON), AT(299));
    assert_int_equal(map(0, SIZE(4), VM_EXEC, ANON), AT(700));
    assert_int_equal(vm_map_munmap(m, 0, USER_END), 0);
    assert_int_equal(regions(), 0);
    assert_int_equal(m->space.nr_resident, 0);
    assert_int_equal(m->space.nr_tables, 1);
}

static void munmap_errors(void **state)
{
    assert_int_equal(vm_map_munmap(m, AT(0) + 1, SIZE(1)), -EINVAL);
    assert_int_equal(vm_map_munmap(m, AT(0), 0), -EINVAL);
    assert_int_equal(vm_map_munmap(m, USER_END, 1), -EINVAL);
    assert_int_equal(vm_map_munmap(m, AT(0), UINT64_MAX), -EINVAL);
    assert_int_equal(vm_map_munmap(m, AT(0), 1), 0);
}

static void mprotect_errors_and_partial_effect(void **state)
{
    assert_int_equal(vm_map_mprotect(m, AT(0) + 1, SIZE(1), RW), -EINVAL);
    assert_int_equal(vm_map_mprotect(m, AT(0), 0, RW), 0);
    assert_int_equal(vm_map_mprotect(m, AT(0), UINT64_MAX, RW), -ENOMEM);
    assert_int_equal(vm_map_mprotect(m, AT(0), SIZE(1), RW), -ENOMEM);
    map(AT(0), SIZE(2), RW, ANON | MAP_FIXED);
    map(AT(3), SIZE(1), RW, ANON | MAP_FIXED);
    assert_int_equal(vm_map_mprotect(m, AT(1), SIZE(3), VM_READ), -ENOMEM);
    int value = 1;
    assert_int_equal(host_user_write(m, AT(0), &value, 4), 0);
    assert_int_equal(host_user_write(m, AT(1), &value, 4), SIGSEGV);
    assert_int_equal(host_fault_code, SEGV_ACCERR);
    assert_int_equal(host_user_write(m, AT(2), &value, 4), SIGSEGV);
    assert_int_equal(host_fault_code, SEGV_MAPERR);
    assert_int_equal(host_user_write(m, AT(3), &value, 4), 0);
}

static void limits(void **state)
{
    m->limits.as = SIZE(10);
    assert_true(map(AT(0), SIZE(10), RW, ANON | MAP_FIXED) > 0);
    assert_int_equal(map(0, SIZE(1), RW, ANON), -ENOMEM);
    // Replacing isn't growing.
    assert_int_equal(map(AT(5), SIZE(5), VM_READ, ANON | MAP_FIXED), AT(5));
    assert_int_equal(map(AT(5), SIZE(6), VM_READ, ANON | MAP_FIXED), -ENOMEM);
    assert_int_equal(vm_map_mremap(m, AT(5), SIZE(5), SIZE(6), MREMAP_MAYMOVE, 0), -ENOMEM);
    m->limits.as = UINT64_MAX;
    m->limits.data = SIZE(6);
    assert_int_equal(m->data_pages, 5);
    assert_int_equal(vm_map_mprotect(m, AT(5), SIZE(2), RW), -ENOMEM);
    assert_int_equal(vm_map_mprotect(m, AT(5), SIZE(1), RW), 0);
    assert_int_equal(map(0, SIZE(1), RW, ANON), -ENOMEM);
    assert_true(map(0, SIZE(1), VM_READ, ANON) > 0);
    m->limits.data = UINT64_MAX;
    // More than the machine ever has, unless the program says it won't use it.
    assert_int_equal(map(0, SIZE(10000), RW, ANON), -ENOMEM);
    assert_true(map(0, SIZE(10000), RW, ANON | MAP_NORESERVE) > 0);
    assert_true(map(0, SIZE(10000), VM_READ, ANON) > 0);
    host_memlock = SIZE(2);
    assert_int_equal(map(0, SIZE(3), RW, ANON | MAP_LOCKED), -EAGAIN);
    assert_int_equal(vm_map_mlock(m, AT(0), SIZE(3), VM_LOCKED), -ENOMEM);
    assert_int_equal(vm_map_mlock(m, AT(0), SIZE(2), VM_LOCKED), 0);
    assert_int_equal(m->locked_pages, 2);
    assert_int_equal(vm_map_madvise(m, AT(0), SIZE(1), MADV_DONTNEED), -EINVAL);
    assert_int_equal(vm_map_mlock(m, AT(0), SIZE(2), 0), 0);
    assert_int_equal(m->locked_pages, 0);
    host_memlock = UINT64_MAX;
}

static void heap(void **state)
{
    assert_int_equal(vm_map_brk(m, 0x100000), 0); // no heap yet
    vm_map_set_brk(m, 0x8000123);
    vaddr_t start = vm_map_brk(m, 0);
    assert_true(start >= 0x8001000 && start < 0x8001000 + LAYOUT_BRK_RANDOM &&
                start % PAGE_SIZE == 0);
    assert_int_equal(vm_map_brk(m, start - 1), start);
    assert_int_equal(vm_map_brk(m, USER_END), start);
    assert_int_equal(regions(), 0);
    assert_int_equal(vm_map_brk(m, start + 5), start + 5);
    assert_int_equal(vm_map_brk(m, start + SIZE(3)), start + SIZE(3));
    assert_int_equal(regions(), 1);
    int value = 42;
    assert_int_equal(host_user_write(m, start + SIZE(2), &value, 4), 0);
    assert_int_equal(vm_map_brk(m, start + SIZE(2)), start + SIZE(2));
    assert_int_equal(host_user_read(m, start + SIZE(2), &value, 4), SIGSEGV);
    assert_int_equal(vm_map_brk(m, start + SIZE(3)), start + SIZE(3));
    assert_int_equal(host_user_read(m, start + SIZE(2), &value, 4), 0);
    assert_int_equal(value, 0);
    // In the way: another mapping, the limit.
    assert_true(map(start + SIZE(5), SIZE(1), VM_READ, ANON | MAP_FIXED) > 0);
    assert_int_equal(vm_map_brk(m, start + SIZE(6)), start + SIZE(3));
    assert_int_equal(vm_map_brk(m, start + SIZE(5)), start + SIZE(5));
    m->limits.data = SIZE(5);
    assert_int_equal(vm_map_brk(m, start + SIZE(4)), start + SIZE(4));
    m->limits.data = SIZE(4);
    assert_int_equal(vm_map_brk(m, start + SIZE(5)), start + SIZE(4));
    assert_int_equal(vm_map_brk(m, start), start);
    assert_int_equal(regions(), 1);
}

static void mremap_errors(void **state)
{
    map(AT(0), SIZE(4), RW, ANON | MAP_FIXED);
    map(AT(4), SIZE(1), VM_READ, ANON | MAP_FIXED);
    map(AT(6), SIZE(1), VM_READ, ANON | MAP_FIXED);
    assert_int_equal(vm_map_mremap(m, AT(0), SIZE(1), SIZE(1), 8, 0), -EINVAL);
    assert_int_equal(vm_map_mremap(m, AT(0), SIZE(1), SIZE(1), MREMAP_FIXED, AT(9)), -EINVAL);
    assert_int_equal(vm_map_mremap(m, AT(0), SIZE(1), SIZE(2), MREMAP_MAYMOVE | 4, 0), -EINVAL);
    assert_int_equal(vm_map_mremap(m, AT(0) + 1, SIZE(1), SIZE(2), 0, 0), -EINVAL);
    assert_int_equal(vm_map_mremap(m, AT(0), SIZE(1), 0, 0, 0), -EINVAL);
    assert_int_equal(vm_map_mremap(m, AT(9), SIZE(1), SIZE(2), 0, 0), -EFAULT);
    assert_int_equal(vm_map_mremap(m, AT(0), 0, SIZE(2), MREMAP_MAYMOVE, 0), -EINVAL);
    assert_int_equal(vm_map_mremap(m, AT(0), SIZE(5), SIZE(6), MREMAP_MAYMOVE, 0), -EFAULT);
    assert_int_equal(vm_map_mremap(m, AT(0), SIZE(4), SIZE(5), 0, 0), -ENOMEM);
    const unsigned int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    assert_int_equal(vm_map_mremap(m, AT(0), SIZE(2), SIZE(2), fixed, AT(9) + 1), -EINVAL);
    assert_int_equal(vm_map_mremap(m, AT(0), SIZE(2), SIZE(2), fixed, AT(1)), -EINVAL);
    assert_int_equal(vm_map_mremap(m, AT(0), SIZE(2), SIZE(2), fixed, USER_END), -EINVAL);
    assert_int_equal(vm_map_mremap(m, AT(0), SIZE(2), SIZE(2), fixed, 0), -EPERM);
    assert_int_equal(regions(), 3);
    // In place: up to the neighbour, and down.
    assert_int_equal(vm_map_mremap(m, AT(4), SIZE(1), SIZE(2), 0, 0), AT(4));
    assert_int_equal(regions(), 2); // it met an equal one
    assert_int_equal(vm_map_mremap(m, AT(0), SIZE(4), SIZE(1), 0, 0), AT(0));
    assert_int_equal(regions(), 2);
    assert_int_equal(m->total_pages, 4);
}

static void shared_memory_is_duplicated(void **state)
{
    long a = map(0, SIZE(2), RW, MAP_SHARED | MAP_ANONYMOUS);
    long b = vm_map_mremap(m, (vaddr_t)a, 0, SIZE(2), MREMAP_MAYMOVE, 0);
    int value = 99;
    assert_true(b > 0 && b != a);
    assert_int_equal(host_user_write(m, (vaddr_t)a + PAGE_SIZE, &value, 4), 0);
    value = 0;
    assert_int_equal(host_user_read(m, (vaddr_t)b + PAGE_SIZE, &value, 4), 0);
    assert_int_equal(value, 99);
    // The object doesn't grow with the mapping.
    b = vm_map_mremap(m, (vaddr_t)b, SIZE(2), SIZE(3), MREMAP_MAYMOVE, 0);
    assert_int_equal(host_user_read(m, (vaddr_t)b + SIZE(2), &value, 4), SIGBUS);
    assert_int_equal(host_fault_code, BUS_ADRERR);
}

static void madvise_errors(void **state)
{
    map(AT(0), SIZE(2), RW, ANON | MAP_FIXED);
    map(AT(3), SIZE(1), RW, ANON | MAP_FIXED);
    assert_int_equal(vm_map_madvise(m, AT(0), SIZE(1), 12345), -EINVAL);
    assert_int_equal(vm_map_madvise(m, AT(0) + 1, SIZE(1), MADV_NORMAL), -EINVAL);
    assert_int_equal(vm_map_madvise(m, AT(0), UINT64_MAX, MADV_NORMAL), -EINVAL);
    assert_int_equal(vm_map_madvise(m, AT(0), 0, MADV_NORMAL), 0);
    assert_int_equal(vm_map_madvise(m, AT(9), SIZE(1), MADV_NORMAL), -ENOMEM);
    int value = 5;
    host_user_write(m, AT(3), &value, 4);
    // The part behind the hole is done, too.
    assert_int_equal(vm_map_madvise(m, AT(0), SIZE(4), MADV_DONTNEED), -ENOMEM);
    host_user_read(m, AT(3), &value, 4);
    assert_int_equal(value, 0);
    map_object(AT(5), SIZE(4), RW, MAP_SHARED | MAP_FIXED, &file, 0, 0);
    assert_int_equal(vm_map_madvise(m, AT(5), SIZE(1), MADV_FREE), -EINVAL);
    assert_int_equal(vm_map_madvise(m, AT(5), SIZE(1), MADV_WIPEONFORK), -EINVAL);
    value = 8;
    host_user_write(m, AT(5), &value, 4);
    assert_int_equal(vm_map_madvise(m, AT(5), SIZE(1), MADV_DONTNEED), 0);
    host_user_read(m, AT(5), &value, 4);
    assert_int_equal(value, 8);
    assert_int_equal(vm_map_madvise(m, AT(5), SIZE(1), MADV_REMOVE), 0);
    host_user_read(m, AT(5), &value, 4);
    assert_int_equal(value, 0);
    assert_int_equal(vm_map_madvise(m, AT(0), SIZE(1), MADV_REMOVE), -EINVAL);
}

static void msync_and_mincore(void **state)
{
    uint8_t vec[8];
    char c = 1;
    map(AT(0), SIZE(4), RW, ANON | MAP_FIXED);
    host_user_write(m, AT(1), &c, 1);
    assert_int_equal(vm_map_mincore(m, AT(0), SIZE(4), vec), 0);
    assert_memory_equal(vec, ((uint8_t[]){0, 1, 0, 0}), 4);
    map_object(AT(4), SIZE(2), RW, MAP_SHARED | MAP_FIXED, &file, 0, 0);
    struct page *page;
    assert_int_equal(vm_object_page(&file, 1, true, &page), 0);
    page_put(page);
    assert_int_equal(vm_map_mincore(m, AT(2), SIZE(4) - 5, vec), 0);
    assert_memory_equal(vec, ((uint8_t[]){0, 0, 0, 1}), 4);
    assert_int_equal(vm_map_mincore(m, AT(0) + 1, 1, vec), -EINVAL);
    assert_int_equal(vm_map_mincore(m, AT(5), SIZE(2), vec), -ENOMEM);
    assert_int_equal(vm_map_mincore(m, AT(5), UINT64_MAX, vec), -ENOMEM);
    assert_int_equal(vm_map_msync(m, AT(0), SIZE(6), MS_SYNC), 0);
    assert_int_equal(vm_map_msync(m, AT(0), SIZE(6), MS_SYNC | MS_ASYNC), -EINVAL);
    assert_int_equal(vm_map_msync(m, AT(0), SIZE(6), 64), -EINVAL);
    assert_int_equal(vm_map_msync(m, AT(0) + 1, SIZE(6), MS_ASYNC), -EINVAL);
    assert_int_equal(vm_map_msync(m, AT(0), SIZE(7), MS_ASYNC), -ENOMEM);
    vm_map_mlock(m, AT(0), SIZE(1), VM_LOCKED);
    assert_int_equal(vm_map_msync(m, AT(0), SIZE(1), MS_INVALIDATE), -EBUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(mmap_errors),    T(private_map_of_read_only_file_is_writable),
        T(placement),      T(many_gaps),
        T(munmap_errors),  T(mprotect_errors_and_partial_effect),
        T(limits),         T(heap),
        T(mremap_errors),  T(shared_memory_is_duplicated),
        T(madvise_errors), T(msync_and_mincore),
    };
    return cmocka_run_group_tests_name("mm/vm_map", tests, group_setup, NULL);
}
