// SPDX-License-Identifier: BSD-2-Clause
// Keys of futexes: which addresses meet in one key, which don't, and what a key keeps in memory.
#include <mm/vm_futex.h>
#include <sync/futex.h>

#include "map_fixture.h"

static bool same(const struct futex_key *a, const struct futex_key *b)
{
    return a->owner == b->owner && a->index == b->index && a->offset == b->offset;
}

static int shared(vaddr_t addr, struct futex_key *key)
{
    return vm_futex_key_shared(m, addr, VM_ACCESS_READ, key);
}

static void errors(void **state)
{
    struct futex_key key;
    map(AT(0), SIZE(1), VM_READ, ANON | MAP_FIXED);
    map(AT(1), SIZE(1), 0, ANON | MAP_FIXED);
    map_object(AT(3), SIZE(20), RW, MAP_SHARED | MAP_FIXED, &file, 0, 0);
    for (vaddr_t i = 1; i < 4; i++) {
        assert_int_equal(shared(AT(0) + i, &key), -EINVAL);
        assert_int_equal(vm_futex_key_private(m, AT(0) + i, &key), -EINVAL);
    }
    assert_int_equal(shared(AT(1), &key), -EFAULT);
    assert_int_equal(shared(AT(2), &key), -EFAULT);
    assert_int_equal(shared(USER_END, &key), -EFAULT);
    assert_int_equal(vm_futex_key_private(m, USER_END, &key), -EFAULT);
    assert_int_equal(vm_futex_key_private(m, AT(2), &key), 0); // doesn't look
    assert_int_equal(shared(AT(0), &key), -EFAULT); // private and read-only: it never changes
    map_object(AT(24), SIZE(1), VM_READ, MAP_SHARED | MAP_FIXED, &file, 0, 0);
    assert_int_equal(vm_futex_key_shared(m, AT(24), VM_ACCESS_WRITE, &key), -EFAULT);
    assert_int_equal(shared(AT(24), &key), 0);
    futex_key_put(&key);
    assert_int_equal(shared(AT(3) + SIZE(5), &key), -EFAULT); // behind the end of the file
    assert_int_equal(file.refs.count, 3);                     // fixture and regions
}

// The ancestor took the offset from the region's start: two maps of one file at different offsets
// didn't meet, and two words of it did.
static void a_word_of_a_file_is_one_futex_wherever_it_is_mapped(void **state)
{
    struct futex_key a, b, c;
    map_object(AT(1), SIZE(1), RW, MAP_SHARED | MAP_FIXED, &file, SIZE(2), 0);
    map_object(AT(4), SIZE(3), RW, MAP_SHARED | MAP_FIXED, &file, SIZE(0), 0);
    int before = (int)file.refs.count;
    assert_int_equal(shared(AT(1) + 8, &a), 0);
    assert_int_equal(shared(AT(6) + 8, &b), 0);
    assert_int_equal(shared(AT(4) + 8, &c), 0);
    assert_true(same(&a, &b));
    assert_false(same(&a, &c));
    assert_int_equal(file.refs.count, before + 3);
    // A region that is split names the same words.
    assert_int_equal(vm_map_mprotect(m, AT(5), SIZE(1), VM_READ), 0);
    futex_key_put(&b);
    assert_int_equal(shared(AT(6) + 8, &b), 0);
    assert_true(same(&a, &b));
    futex_key_put(&a);
    futex_key_put(&b);
    futex_key_put(&c);
    assert_int_equal(vm_map_munmap(m, AT(0), SIZE(10)), 0);
    assert_int_equal(file.refs.count, 1);
}

static void private_and_shared_keys_never_meet(void **state)
{
    struct futex_key a, b, c;
    map(AT(0), SIZE(1), RW, ANON | MAP_FIXED);
    map_object(AT(1), SIZE(1), RW, MAP_SHARED | MAP_FIXED, &file, SIZE(2), 0);
    for (vaddr_t addr = AT(0); addr <= AT(1); addr += PAGE_SIZE) {
        assert_int_equal(shared(addr + 4, &a), 0);
        assert_int_equal(vm_futex_key_private(m, addr + 4, &b), 0);
        assert_false(same(&a, &b));
        assert_false(b.held);
        assert_int_equal(shared(addr + 8, &c), 0);
        assert_false(same(&a, &c));
        futex_key_put(&a);
        futex_key_put(&c);
    }
    // The same address in another map.
    struct vm_map *other = vm_map_fork(m);
    assert_non_null(other);
    assert_int_equal(vm_futex_key_shared(other, AT(0) + 4, VM_ACCESS_READ, &a), 0);
    assert_int_equal(shared(AT(0) + 4, &b), 0);
    assert_false(same(&a, &b));
    assert_int_equal(vm_futex_key_shared(other, AT(1) + 4, VM_ACCESS_READ, &a), 0);
    assert_int_equal(shared(AT(1) + 4, &b), 0);
    assert_true(same(&a, &b));
    futex_key_put(&a);
    futex_key_put(&b);
    vm_map_put(other);
}

// A private mapping of a file is the map's own as soon as it may be written to.
static void private_mappings_of_files(void **state)
{
    struct futex_key a, b, c;
    map_object(AT(0), SIZE(1), VM_READ, MAP_PRIVATE | MAP_FIXED, &file, SIZE(1), 0);
    map_object(AT(1), SIZE(1), RW, MAP_PRIVATE | MAP_FIXED, &file, SIZE(1), 0);
    map_object(AT(2), SIZE(1), RW, MAP_SHARED | MAP_FIXED, &file, SIZE(1), 0);
    assert_int_equal(shared(AT(0), &a), 0);
    assert_int_equal(shared(AT(1), &b), 0);
    assert_int_equal(shared(AT(2), &c), 0);
    assert_true(same(&a, &c));
    assert_false(same(&b, &c));
    assert_ptr_equal(b.owner, m);
    futex_key_put(&a);
    futex_key_put(&b);
    futex_key_put(&c);
}

// What a waiter's key names stays, whoever else lets go of it.
static void a_key_keeps_its_owner(void **state)
{
    struct futex_key key, copy;
    long addr = map(0, SIZE(1), RW, MAP_SHARED | MAP_ANONYMOUS);
    assert_int_equal(shared((vaddr_t)addr, &key), 0);
    copy = key;
    copy.ops->get(copy.owner);
    assert_int_equal(vm_map_munmap(m, (vaddr_t)addr, SIZE(1)), 0);
    futex_key_put(&key);
    assert_int_equal(((const struct vm_object *)copy.owner)->refs.count, 1);
    futex_key_put(&copy);
    assert_false(copy.held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(errors),
        T(a_word_of_a_file_is_one_futex_wherever_it_is_mapped),
        T(private_and_shared_keys_never_meet),
        T(private_mappings_of_files),
        T(a_key_keeps_its_owner),
    };
    return cmocka_run_group_tests_name("mm/vm_futex", tests, group_setup, NULL);
}
