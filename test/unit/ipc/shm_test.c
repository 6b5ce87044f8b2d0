// SPDX-License-Identifier: BSD-2-Clause
// Segments over the real mm: nattch through everything that makes, cuts, moves and drops regions,
// removal at the last of them, charges, and no memory at every point: the right errno, nothing
// attached, no page lost.
#include "../mm/map_fixture.h"

#include <arch/clock.h>
#include <ipc/shm.h>
#include <lib/types.h>

#include "../../../ipc/shm_priv.h"

static struct cred root = {.refs = {1}, .cap_effective = ~0ULL};
static const struct ipc_caller self = {&root, 10};

uint64_t clock_realtime_ns(void)
{
    return 1700000000ULL * NS_PER_SEC;
}

static int make(size_t pages)
{
    int id = shm_get(&self, IPC_PRIVATE, SIZE(pages), 0600);
    assert_true(id > 0);
    return id;
}

static vaddr_t attach(struct vm_map *to, int id)
{
    long at = shm_attach(&self, to, id, 0, 0);
    assert_true(at > 0);
    return (vaddr_t)at;
}

static unsigned long attaches(int id)
{
    struct shmid64_ds ds;
    assert_int_equal(shm_stat(&self, id, IPC_STAT, &ds), 0);
    return ds.shm_nattch;
}

static uint64_t charged(void)
{
    struct shm_info info;
    assert_true(shm_info_usage(&info) >= 0);
    return info.shm_tot;
}

static int shm_setup(void **state)
{
    static bool done;
    if (!done) { // the slots stay
        ipc_init(32768, 1 << 20);
        assert_int_equal(shm_remove(&self, make(1)), 0);
    }
    done = true;
    int err = setup(state);
    m->owner = 10;
    return err;
}

static int shm_teardown(void **state)
{
    assert_int_equal(charged(), 0);
    return teardown(state);
}

static void regions_are_counted(void **state)
{
    int id = make(8);
    vaddr_t at = attach(m, id);
    char byte = 7;
    assert_int_equal(host_user_write(m, at + SIZE(5), &byte, 1), 0);
    assert_int_equal(vm_map_mprotect(m, at + SIZE(2), SIZE(1), VM_READ), 0);
    assert_int_equal(attaches(id), 3);
    assert_int_equal(vm_map_mprotect(m, at + SIZE(2), SIZE(1), RW), 0);
    assert_int_equal(attaches(id), 3); // never merged, as on Linux
    assert_int_equal(vm_map_munmap(m, at + SIZE(6), SIZE(1)), 0);
    assert_int_equal(attaches(id), 4);
    assert_int_equal(
        vm_map_mremap(m, at + SIZE(7), SIZE(1), SIZE(1), MREMAP_MAYMOVE | MREMAP_FIXED, AT(100)),
        AT(100));
    assert_int_equal(attaches(id), 4);
    struct vm_map *child = vm_map_fork(m);
    assert_int_equal(attaches(id), 8);
    assert_int_equal(map(at, SIZE(1), RW, ANON | MAP_FIXED), at);
    assert_int_equal(attaches(id), 8); // the first two pages, then one less, then the rest
    assert_int_equal(shm_detach(child, at), 0);
    assert_int_equal(attaches(id), 5);
    vm_map_put(child);
    assert_int_equal(attaches(id), 4);
    assert_int_equal(shm_detach(m, at), 0);
    assert_int_equal(attaches(id), 1);
    assert_int_equal(vm_map_munmap(m, AT(100), SIZE(1)), 0);
    assert_int_equal(attaches(id), 0);
    at = attach(m, id);
    byte = 0;
    assert_int_equal(host_user_read(m, at + SIZE(5), &byte, 1), 0);
    assert_int_equal(byte, 7);
    assert_int_equal(shm_remove(&self, id), 0);
    assert_int_equal(charged(), 8);
    assert_int_equal(shm_detach(m, at), 0);
    assert_int_equal(charged(), 0);
}

static void removal_waits_and_then_frees(void **state)
{
    uint64_t before = host_free_pages();
    int id = make(4);
    vaddr_t at = attach(m, id);
    char byte = 1;
    for (int i = 0; i < 4; i++)
        assert_int_equal(host_user_write(m, at + SIZE(i), &byte, 1), 0);
    struct vm_map *child = vm_map_fork(m);
    assert_int_equal(shm_remove(&self, id), 0);
    assert_int_equal(vm_map_munmap(m, at, SIZE(4)), 0);
    assert_int_equal(attaches(id), 1);
    struct shmid64_ds ds;
    vm_map_put(child);
    assert_int_equal(shm_stat(&self, id, IPC_STAT, &ds), -EINVAL);
    assert_int_equal(charged(), 0);
    vm_map_put(m);
    host_check_tlb();
    const uint64_t random[3] = {1, 2, 3};
    m = vm_map_create(random);
    assert_int_equal(host_free_pages(), before);
}

static void attaches_of_one_segment_are_told_apart(void **state)
{
    int id = make(2);
    assert_int_equal(shm_attach(&self, m, id, AT(10), 0), AT(10));
    assert_int_equal(shm_attach(&self, m, id, AT(20), 0), AT(20));
    // A page of the second comes to lie where the first has its own, just after it was cut off.
    assert_int_equal(vm_map_munmap(m, AT(11), SIZE(1)), 0);
    assert_int_equal(
        vm_map_mremap(m, AT(21), SIZE(1), SIZE(1), MREMAP_MAYMOVE | MREMAP_FIXED, AT(11)), AT(11));
    assert_int_equal(attaches(id), 3);
    assert_int_equal(shm_detach(m, AT(10)), 0);
    assert_int_equal(attaches(id), 2);
    assert_int_equal(shm_detach(m, AT(10)), 0); // now what the second left there
    assert_int_equal(attaches(id), 1);
    assert_int_equal(shm_detach(m, AT(10)), -EINVAL);
    assert_int_equal(shm_detach(m, AT(20)), 0);
    assert_int_equal(shm_remove(&self, id), 0);
}

static void forced_removal_and_orphans(void **state)
{
    struct shmid64_ds ds;
    const struct ipc_caller other = {&root, 74}; // the same list as 10
    int mine = make(1), theirs = shm_get(&other, 5, SIZE(1), IPC_CREAT | 0600), used = make(1);
    vaddr_t at = attach(m, used);
    shm_exit(74);
    assert_int_equal(shm_stat(&self, theirs, IPC_STAT, &ds), 0);
    assert_int_equal(ipc_limit_set(IPC_SHM_RMID_FORCED, 1), 0);
    assert_int_equal(shm_stat(&self, theirs, IPC_STAT, &ds), -EINVAL);
    assert_int_equal(shm_stat(&self, mine, IPC_STAT, &ds), 0);
    shm_exit(10);
    assert_int_equal(shm_stat(&self, mine, IPC_STAT, &ds), -EINVAL);
    assert_int_equal(shm_stat(&self, used, IPC_STAT, &ds), 0);
    assert_int_equal(shm_detach(m, at), 0);
    assert_int_equal(shm_stat(&self, used, IPC_STAT, &ds), -EINVAL);
    assert_int_equal(ipc_limit_set(IPC_SHM_RMID_FORCED, 0), 0);
}

// Run `step` with allocation 1, 2, ... failing until it succeeds; 0: success, else its errno.
static void fail_everywhere(int (*step)(void), unsigned int at_least)
{
    unsigned int n = 0;
    int err;
    do {
        host_fail(++n, false);
        err = step();
        host_fail(0, false);
        assert_int_equal(host_locks_held, 0);
        assert_true(err == 0 || err == -ENOMEM);
    } while (err != 0);
    assert_true(n > at_least);
}

static int the_id;

static int step_get(void)
{
    uint64_t before = charged();
    int id = shm_get(&self, 9, SIZE(3), IPC_CREAT | IPC_EXCL | 0600);
    if (id < 0) {
        assert_int_equal(charged(), before);
        assert_int_equal(shm_get(&self, 9, 0, 0), -ENOENT);
        return id;
    }
    assert_int_equal(shm_remove(&self, id), 0);
    return 0;
}

static int step_attach(void)
{
    unsigned int before = regions();
    long at = shm_attach(&self, m, the_id, 0, 0);
    host_fail(0, false);
    if (at < 0) {
        assert_int_equal(regions(), before);
        assert_int_equal(attaches(the_id), 0);
        return (int)at;
    }
    assert_int_equal(attaches(the_id), 1);
    return shm_detach(m, (vaddr_t)at);
}

static int step_attach_over(void)
{
    long at = shm_attach(&self, m, the_id, AT(3), SHM_REMAP);
    host_fail(0, false);
    if (at < 0) {
        assert_int_equal(attaches(the_id), 0);
        assert_int_equal(m->total_pages, 20);
        return (int)at;
    }
    return shm_detach(m, AT(3));
}

static int step_fork(void)
{
    unsigned long before = attaches(the_id);
    struct vm_map *child = vm_map_fork(m);
    host_fail(0, false);
    if (!child) {
        assert_int_equal(attaches(the_id), before);
        return -ENOMEM;
    }
    assert_int_equal(attaches(the_id), 2 * before);
    vm_map_put(child);
    assert_int_equal(attaches(the_id), before);
    return 0;
}

static int step_cut(void)
{
    unsigned long before = attaches(the_id);
    int err = vm_map_munmap(m, AT(51), SIZE(1));
    host_fail(0, false);
    if (err != 0)
        assert_int_equal(attaches(the_id), before);
    else
        assert_int_equal(attaches(the_id), before + 1);
    return err;
}

static void no_memory_at_every_point(void **state)
{
    fail_everywhere(step_get, 1);
    the_id = make(4);
    fail_everywhere(step_attach, 2);
    assert_int_equal(map(AT(0), SIZE(20), RW, ANON | MAP_FIXED), AT(0));
    fail_everywhere(step_attach_over, 2);
    assert_int_equal(shm_attach(&self, m, the_id, AT(50), 0), AT(50));
    char byte = 1;
    assert_int_equal(host_user_write(m, AT(50), &byte, 1), 0);
    fail_everywhere(step_cut, 0);
    assert_int_equal(attaches(the_id), 2);
    fail_everywhere(step_fork, 3);
    assert_int_equal(shm_remove(&self, the_id), 0);
    assert_int_equal(shm_detach(m, AT(50)), 0);
}

static struct vm_hugetlb_stats pool(void)
{
    struct vm_hugetlb_stats now;
    vm_hugetlb_stats(HUGE_ORDER, &now);
    return now;
}

static int make_huge(size_t size)
{
    return shm_get(&self, IPC_PRIVATE, size, SHM_HUGETLB | 0600);
}

// The pool keeps what a segment may need; a move takes the pages along and every TLB forgets where
// they were; all is back in the end.
static void huge_segments(void **state)
{
    const size_t huge = PT_SIZE(1);
    const vaddr_t at = 64 * huge, to = 80 * huge;
    int value = 5;
    vm_hugetlb_set(HUGE_ORDER, 3);
    assert_int_equal(pool().nr_free, 3);
    assert_int_equal(make_huge(4 * huge), -ENOMEM);
    int id = make_huge(3 * huge - 1);
    assert_true(id > 0);
    assert_int_equal(pool().nr_promised, 3);
    assert_int_equal(make_huge(1), -ENOMEM);
    assert_int_equal(shm_attach(&self, m, id, at + SIZE(1), 0), -EINVAL);
    assert_int_equal(shm_attach(&self, m, id, at, 0), at);
    for (int i = 0; i < 3; i++, value++)
        assert_int_equal(host_user_write(m, at + i * huge + SIZE(9), &value, 4), 0);
    assert_int_equal(pool().nr_free, 0);
    assert_int_equal(pool().nr_promised, 0);
    struct vm_map *child = vm_map_fork(m);
    assert_int_equal(attaches(id), 2);
    assert_int_equal(host_user_read(child, at + huge + SIZE(9), &value, 4), 0);
    assert_int_equal(value, 6);
    assert_int_equal(vm_map_munmap(m, at, SIZE(1)), -EINVAL);
    assert_int_equal(
        vm_map_mremap(m, at + huge, 2 * huge, 2 * huge, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
    host_check_tlb();
    assert_int_equal(attaches(id), 3);
    assert_int_equal(host_user_read(m, at + huge + SIZE(9), &value, 4), SIGSEGV);
    assert_int_equal(host_user_read(m, to + huge + SIZE(9), &value, 4), 0);
    assert_int_equal(value, 7);
    value = 70;
    assert_int_equal(host_user_write(m, to + SIZE(9), &value, 4), 0);
    assert_int_equal(host_user_read(child, at + huge + SIZE(9), &value, 4), 0);
    assert_int_equal(value, 70);
    assert_int_equal(vm_map_mremap(m, to, huge, 2 * huge, MREMAP_MAYMOVE, 0), -EINVAL);
    // Back into tables that are there, and over one of its own.
    assert_int_equal(
        vm_map_mremap(m, to + huge, huge, huge, MREMAP_MAYMOVE | MREMAP_FIXED, at + huge),
        at + huge);
    assert_int_equal(shm_remove(&self, id), 0);
    vm_map_put(child);
    assert_int_equal(attaches(id), 3);
    assert_int_equal(shm_detach(m, at), 0); // what lies where it was attached
    assert_int_equal(attaches(id), 2);
    assert_int_equal(vm_map_munmap(m, at, 2 * huge), 0);
    assert_int_equal(vm_map_munmap(m, to, huge), 0);
    host_check_tlb();
    assert_int_equal(charged(), 0);
    vm_hugetlb_set(HUGE_ORDER, 0);
    assert_int_equal(pool().nr_total, 0);
}

static int step_huge(void)
{
    const size_t huge = PT_SIZE(1);
    int id = make_huge(2 * huge), err = id < 0 ? id : 0, value = 3;
    long at = err == 0 ? shm_attach(&self, m, id, 0, 0) : 0;
    if (at > 0 && host_user_write(m, (vaddr_t)at, &value, 4) != 0)
        err = -ENOMEM;
    if (err == 0 && at > 0) {
        at = vm_map_mremap(m, (vaddr_t)at, 2 * huge, 2 * huge, MREMAP_MAYMOVE | MREMAP_FIXED,
                           600 * huge);
        if (at > 0 && host_user_write(m, (vaddr_t)at + huge, &value, 4) != 0)
            err = -ENOMEM;
    }
    host_fail(0, false);
    if (id > 0)
        assert_int_equal(shm_remove(&self, id), 0);
    (void)vm_map_munmap(m, 0, USER_END);
    assert_int_equal(charged(), 0);
    assert_int_equal(pool().nr_free, 2);
    assert_int_equal(pool().nr_promised, 0);
    return err != 0 ? err : at < 0 ? (int)at : 0;
}

static void no_memory_for_huge_segments(void **state)
{
    vm_hugetlb_set(HUGE_ORDER, 2);
    fail_everywhere(step_huge, 5);
    vm_hugetlb_set(HUGE_ORDER, 0);
}

#undef T
#define T(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)

static void removal_at_exit(void **state)
{
    int id = make(2);
    attach(m, id);
    assert_int_equal(shm_remove(&self, id), 0);
    vm_map_put(m);
    const uint64_t random[3] = {1, 2, 3};
    m = vm_map_create(random);
    assert_int_equal(charged(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(regions_are_counted),
        T(removal_waits_and_then_frees),
        T(attaches_of_one_segment_are_told_apart),
        T(forced_removal_and_orphans),
        T(no_memory_at_every_point),
        T(huge_segments),
        T(no_memory_for_huge_segments),
        T(removal_at_exit),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
