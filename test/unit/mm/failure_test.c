// SPDX-License-Identifier: BSD-2-Clause
// No memory, at every point: each call is run again and again with the first, second, ...
// allocation failing (once, or from there on), until it needs no more. Each time it must say ENOMEM
// (a fault: SIGKILL) or succeed, leave locks free and TLB right, leave the regions as they were
// where the man page promises it, and lose no page.
#include <errno.h>
#include <linux/mman.h>
#include <signal.h>
#include <string.h>

#include <mm/slab.h>
#include <mm/uio.h>

#include "host.h"

#define BASE    0x10000000UL
#define PAGES   16
#define AT(n)   (BASE + (vaddr_t)(n)*PAGE_SIZE)
#define SIZE(n) ((size_t)(n)*PAGE_SIZE)

static struct vm_object file;
static const struct vm_object_ops ops = {.release = NULL};
static const uint64_t seeds[3] = {1, 2, 3};

struct shape {
    unsigned int nr;
    struct {
        vaddr_t start, end;
        unsigned int flags;
    } regions[16];
};

static int note_region(void *ctx, const struct vm_region *r)
{
    struct shape *s = ctx;
    assert_true(s->nr < 16);
    s->regions[s->nr].start = r->start;
    s->regions[s->nr].end = r->end;
    s->regions[s->nr++].flags = r->flags;
    return 0;
}

static struct shape shape_of(struct vm_map *m)
{
    struct shape s;
    memset(&s, 0, sizeof(s));
    vm_map_for_each(m, 0, note_region, &s);
    return s;
}

// Pages 0-15 anonymous and written, 16-31 the file shared, 32-47 the file private; 15 of each read.
static struct vm_map *process(void)
{
    struct vm_map *m = vm_map_create(seeds);
    struct vm_mmap_args a = {.addr = AT(0),
                             .size = SIZE(PAGES),
                             .prot = VM_READ | VM_WRITE,
                             .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED};
    assert_non_null(m);
    assert_int_equal(vm_map_mmap(m, &a), AT(0));
    for (int i = 0; i < PAGES; i++)
        assert_int_equal(host_user_write(m, AT(i), &i, sizeof(i)), 0);
    a.object = &file;
    a.addr = AT(PAGES);
    a.flags = MAP_SHARED | MAP_FIXED;
    assert_int_equal(vm_map_mmap(m, &a), AT(PAGES));
    a.addr = AT(2 * PAGES);
    a.flags = MAP_PRIVATE | MAP_FIXED;
    assert_int_equal(vm_map_mmap(m, &a), AT(2 * PAGES));
    int value;
    assert_int_equal(host_user_read(m, AT(3 * PAGES - 1), &value, sizeof(value)), 0);
    vm_map_set_brk(m, 0x8000000);
    return m;
}

typedef long (*call_fn)(struct vm_map *m);

// `whole`: a failed call has changed no region.
static void fail_everywhere(call_fn call, bool whole)
{
    uint64_t before = host_free_pages();
    for (int all = 0; all < 2; all++)
        for (uint64_t n = 1;; n++) {
            struct vm_map *m = process();
            struct shape old = shape_of(m);
            host_fail_at = 0;
            host_free_pages(); // slabs start empty, so that they need pages
            host_fail(n, all);
            long result = call(m);
            bool reached = host_nr_allocs >= n;
            host_fail(0, false);
            if (!reached)
                assert_true(result >= 0);
            else if (result < 0)
                assert_int_equal(result, -ENOMEM);
            assert_int_equal(host_locks_held, 0);
            host_check_tlb();
            if (result < 0 && whole) {
                struct shape now = shape_of(m);
                assert_memory_equal(&old, &now, sizeof(old));
            }
            vm_map_put(m);
            vm_object_resize(&file, 0);
            vm_object_resize(&file, SIZE(64));
            assert_int_equal(file.refs.count, 1);
            assert_int_equal(host_free_pages(), before);
            if (!reached)
                break;
            assert_true(n < 1000);
        }
}

static long call_create(struct vm_map *m)
{
    struct vm_map *other = vm_map_create(seeds);
    vm_map_put(other);
    return other ? 0 : -ENOMEM;
}

static long call_fork(struct vm_map *m)
{
    struct vm_map *child = vm_map_fork(m);
    int value = 0;
    if (!child)
        return -ENOMEM;
    assert_int_equal(host_user_read(child, AT(5), &value, sizeof(value)), 0);
    assert_int_equal(value, 5);
    vm_map_put(child);
    return 0;
}

static long call_mmap(struct vm_map *m)
{
    struct vm_mmap_args a = {
        .size = SIZE(3), .prot = VM_READ, .flags = MAP_PRIVATE | MAP_ANONYMOUS};
    return vm_map_mmap(m, &a);
}

static long call_mmap_shared(struct vm_map *m)
{
    struct vm_mmap_args a = {.size = SIZE(3),
                             .prot = VM_READ | VM_WRITE,
                             .flags = MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE};
    return vm_map_mmap(m, &a);
}

static long call_mmap_over(struct vm_map *m)
{
    struct vm_mmap_args a = {.addr = AT(4),
                             .size = SIZE(PAGES),
                             .prot = VM_READ,
                             .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED};
    return vm_map_mmap(m, &a);
}

static long call_munmap(struct vm_map *m)
{
    return vm_map_munmap(m, AT(4), SIZE(4));
}

static long call_munmap_across(struct vm_map *m)
{
    return vm_map_munmap(m, AT(4), SIZE(2 * PAGES));
}

static long call_mprotect(struct vm_map *m)
{
    return vm_map_mprotect(m, AT(4), SIZE(4), VM_READ);
}

static long call_mremap_move(struct vm_map *m)
{
    long to = vm_map_mremap(m, AT(4), SIZE(4), SIZE(8), MREMAP_MAYMOVE, 0);
    int value = 0;
    host_fail_at = 0;
    if (to < 0)
        assert_int_equal(host_user_read(m, AT(5), &value, sizeof(value)), 0);
    else
        assert_int_equal(host_user_read(m, (vaddr_t)to + PAGE_SIZE, &value, sizeof(value)), 0);
    assert_int_equal(value, 5);
    return to;
}

static long call_mremap_far(struct vm_map *m)
{
    return vm_map_mremap(m, AT(4), SIZE(4), SIZE(4), MREMAP_MAYMOVE | MREMAP_FIXED, 0x3000000000UL);
}

static long call_madvise(struct vm_map *m)
{
    return vm_map_madvise(m, AT(4), SIZE(4), MADV_DONTFORK);
}

static long call_brk(struct vm_map *m)
{
    vaddr_t end = vm_map_brk(m, 0);
    return vm_map_brk(m, end + SIZE(5)) == end ? -ENOMEM : 0;
}

static long fault(int signal)
{
    assert_true(signal == 0 || signal == SIGKILL);
    return signal ? -ENOMEM : 0;
}

static long call_fault_zero(struct vm_map *m)
{
    struct vm_mmap_args a = {.addr = 0x2000000000UL,
                             .size = SIZE(3),
                             .prot = VM_READ | VM_WRITE,
                             .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED};
    int value = 1;
    uint64_t n = host_fail_at;
    host_fail_at = 0;
    long addr = vm_map_mmap(m, &a);
    host_fail(n, host_fail_all);
    long err = fault(host_user_read(m, (vaddr_t)addr, &value, sizeof(value)));
    if (err == 0)
        err = fault(host_user_write(m, (vaddr_t)addr, &value, sizeof(value)));
    return err;
}

static long call_fault_file(struct vm_map *m)
{
    int value = 1;
    long err = fault(host_user_read(m, AT(PAGES + 3), &value, sizeof(value)));
    if (err == 0)
        err = fault(host_user_write(m, AT(2 * PAGES + 4), &value, sizeof(value)));
    if (err == 0)
        err = fault(host_user_write(m, AT(3 * PAGES - 1), &value, sizeof(value)));
    return err;
}

static long call_access(struct vm_map *m)
{
    char buf[PAGE_SIZE * 3];
    memset(buf, 1, sizeof(buf));
    ssize_t n = vm_map_access(m, AT(2 * PAGES + 1) + 17, buf, sizeof(buf), true, true);
    assert_true(n == -ENOMEM || (n > 0 && n <= (ssize_t)sizeof(buf)));
    return n == (ssize_t)sizeof(buf) ? 0 : -ENOMEM;
}

static long call_object_write(struct vm_map *m)
{
    static char buf[SIZE(40)];
    struct uio_segment segment;
    struct uio uio;
    uio_init_kernel(&uio, &segment, buf, sizeof(buf));
    ssize_t n = vm_object_write(&file, 100, &uio);
    assert_true(n == -ENOMEM || n > 0);
    assert_int_equal(uio.left, sizeof(buf) - (n > 0 ? (size_t)n : 0));
    return n == (ssize_t)sizeof(buf) ? 0 : -ENOMEM;
}

#define FAILURE_TEST(name, whole)                                                                  \
    static void fails_##name(void **state)                                                         \
    {                                                                                              \
        fail_everywhere(call_##name, whole);                                                       \
    }
FAILURE_TEST(create, true)
FAILURE_TEST(fork, true)
FAILURE_TEST(mmap, true)
FAILURE_TEST(mmap_shared, true)
FAILURE_TEST(mmap_over, true)
FAILURE_TEST(munmap, true)
FAILURE_TEST(munmap_across, true)
FAILURE_TEST(mprotect, true)
FAILURE_TEST(mremap_move, true)
FAILURE_TEST(mremap_far, true)
FAILURE_TEST(madvise, true)
FAILURE_TEST(brk, true)
FAILURE_TEST(fault_zero, false)
FAILURE_TEST(fault_file, true)
FAILURE_TEST(access, true)
FAILURE_TEST(object_write, true)

static int setup(void **state)
{
    host_start(8192);
    vm_object_init(&file, &ops, SIZE(64));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fails_create),        cmocka_unit_test(fails_fork),
        cmocka_unit_test(fails_mmap),          cmocka_unit_test(fails_mmap_shared),
        cmocka_unit_test(fails_mmap_over),     cmocka_unit_test(fails_munmap),
        cmocka_unit_test(fails_munmap_across), cmocka_unit_test(fails_mprotect),
        cmocka_unit_test(fails_mremap_move),   cmocka_unit_test(fails_mremap_far),
        cmocka_unit_test(fails_madvise),       cmocka_unit_test(fails_brk),
        cmocka_unit_test(fails_fault_zero),    cmocka_unit_test(fails_fault_file),
        cmocka_unit_test(fails_access),        cmocka_unit_test(fails_object_write),
    };
    return cmocka_run_group_tests_name("mm/failure", tests, setup, NULL);
}
