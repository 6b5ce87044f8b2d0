// SPDX-License-Identifier: BSD-2-Clause
// Reading ahead and writing back in runs, over a device that counts requests, has bad pages and
// fails the n-th request: how long runs are, what is read that nobody asked for, who gets which
// error, lack of memory, the end; then a walk against a model that knows every byte.
#include <errno.h>
#include <mm/uio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define PAGES   200U
#define TAIL    1536U // bytes of the last page
#define SIZE(n) ((size_t)(n)*PAGE_SIZE)
#define BYTES   (SIZE(PAGES - 1) + TAIL)

static struct vm_object o;
static uint64_t free_before;
static char disk[SIZE(PAGES)], buf[SIZE(PAGES)];
static bool bad[PAGES];
static unsigned int fail_request; // number, from 1, of the request that fails; 0: none
static struct {
    uint64_t index;
    unsigned int nr;
    bool write;
} requests[4096];
static unsigned int nr_requests;

static int request(bool write, uint64_t index, unsigned int nr)
{
    assert_true(mutex_is_held(&o.lock));
    assert_true(nr >= 1 && nr <= VM_RUN_MAX && index + nr <= PAGES);
    assert_true(nr_requests < ARRAY_SIZE(requests));
    requests[nr_requests].index = index;
    requests[nr_requests].nr = nr;
    requests[nr_requests++].write = write;
    return nr_requests == fail_request ? -EIO : 0;
}

static size_t bytes_of(uint64_t index)
{
    return index == PAGES - 1 ? TAIL : PAGE_SIZE;
}

// A request that fails may have moved some of its pages.
static int device_fill(struct vm_object *object, uint64_t index, struct page *const *pages,
                       unsigned int nr)
{
    int err = request(false, index, nr);
    for (unsigned int i = 0; i < nr && err == 0; i++) {
        assert_null(pages[i]->object);
        if (bad[index + i])
            err = -EIO;
        else
            memcpy(page_to_virt(pages[i]), disk + SIZE(index + i), bytes_of(index + i));
    }
    return err;
}

static int device_write_back(struct vm_object *object, uint64_t index, struct page *const *pages,
                             unsigned int nr)
{
    int err = request(true, index, nr);
    for (unsigned int i = 0; i < nr && err == 0; i++) {
        assert_true(pages[i]->flags & PAGE_DIRTY);
        assert_int_equal(pages[i]->index, index + i);
        if (bad[index + i])
            err = -EIO;
        else
            memcpy(disk + SIZE(index + i), page_to_virt(pages[i]), bytes_of(index + i));
    }
    return err;
}

static const struct vm_object_ops ops = {.fill = device_fill, .write_back = device_write_back};

static int setup(void **state)
{
    for (size_t i = 0; i < sizeof(disk); i++)
        disk[i] = i < BYTES ? (char)rand() : 0;
    memset(bad, 0, sizeof(bad));
    fail_request = nr_requests = 0;
    free_before = host_free_pages();
    vm_object_init(&o, &ops, BYTES);
    return 0;
}

static int teardown(void **state)
{
    host_fail(0, false);
    vm_object_resize(&o, 0);
    assert_int_equal(host_locks_held, 0);
    assert_int_equal(o.nr_pages, 0);
    assert_int_equal(host_free_pages(), free_before);
    return 0;
}

static ssize_t transfer(bool write, uint64_t offset, void *at, size_t n, bool exact)
{
    struct uio_segment segment;
    struct uio uio;
    uio_init_kernel(&uio, &segment, at, n);
    uio.exact = exact;
    ssize_t done = write ? vm_object_write(&o, offset, &uio) : vm_object_read(&o, offset, &uio);
    assert_int_equal(uio.left, n - (done > 0 ? (size_t)done : 0));
    return done;
}

static void read_page(uint64_t index)
{
    assert_int_equal(transfer(false, SIZE(index), buf, bytes_of(index), false), bytes_of(index));
    assert_memory_equal(buf, disk + SIZE(index), bytes_of(index));
}

static void write_pages(uint64_t index, unsigned int nr, char value)
{
    memset(buf, value, SIZE(nr));
    assert_int_equal(transfer(true, SIZE(index), buf, SIZE(nr), false), SIZE(nr));
}

// The requests since the last call: pairs of first page and length, ended by 0.
static void expect(bool write, const unsigned int *pairs)
{
    unsigned int i = 0;
    for (; pairs[2 * i + 1] != 0; i++) {
        assert_true(i < nr_requests);
        assert_int_equal(requests[i].index, pairs[2 * i]);
        assert_int_equal(requests[i].nr, pairs[2 * i + 1]);
        assert_int_equal(requests[i].write, write);
    }
    assert_int_equal(nr_requests, i);
    nr_requests = 0;
}
#define EXPECT(write, ...) expect(write, (const unsigned int[]){__VA_ARGS__, 0, 0})
#define EXPECT_NONE()      assert_int_equal(nr_requests, 0)

static void a_large_read_is_few_requests(void **state)
{
    assert_int_equal(transfer(false, 100, buf, SIZE(80), false), SIZE(80));
    assert_memory_equal(buf, disk + 100, SIZE(80));
    EXPECT(false, 0, 32, 32, 32, 64, 17); // the 81st page has its first bytes
    assert_int_equal(o.nr_pages, 81);
}

static void sequence_grows(void **state)
{
    for (uint64_t i = 0; i < PAGES; i++)
        read_page(i);
    EXPECT(false, 0, 1, 1, 4, 5, 8, 13, 16, 29, 32, 61, 32, 93, 32, 125, 32, 157, 32, 189, 11);
}

static void random_reads_no_page_too_many(void **state)
{
    unsigned int nr = 0;
    for (uint64_t i = 7; nr < 60; i = (i + 83) % PAGES, nr++)
        read_page(i);
    assert_int_equal(nr_requests, 60);
    assert_int_equal(o.nr_pages, 60);
}

static void exact_reads_no_page_too_many(void **state)
{
    for (uint64_t i = 0; i < 40; i += 2)
        assert_int_equal(transfer(false, SIZE(i), buf, SIZE(2), true), SIZE(2));
    assert_int_equal(nr_requests, 20);
    assert_int_equal(o.nr_pages, 40);
}

static void faults_read_ahead(void **state)
{
    struct page *page;
    for (uint64_t i = 10; i < 20; i++) {
        assert_int_equal(vm_object_page(&o, i, true, &page), 0);
        assert_memory_equal(page_to_virt(page), disk + SIZE(i), PAGE_SIZE);
        page_put(page);
    }
    EXPECT(false, 10, 1, 11, 4, 15, 8);
}

static void ends_where_a_page_is(void **state)
{
    read_page(5);
    read_page(20);
    nr_requests = 0;
    write_pages(5, 1, 'x');
    assert_int_equal(transfer(false, 0, buf, SIZE(30), false), SIZE(30));
    EXPECT(false, 0, 5, 6, 14, 21, 9);
    assert_int_equal(buf[SIZE(5)], 'x');
}

static void ends_with_the_object(void **state)
{
    assert_int_equal(transfer(false, SIZE(PAGES - 3), buf, SIZE(20), false), SIZE(2) + TAIL);
    EXPECT(false, PAGES - 3, 3);
    struct page *page;
    assert_int_equal(vm_object_page(&o, PAGES - 1, true, &page), 0);
    for (size_t i = TAIL; i < PAGE_SIZE; i++)
        assert_int_equal(((char *)page_to_virt(page))[i], 0);
    page_put(page);
}

static void no_run_behind_a_truncated_end(void **state)
{
    struct page *page;
    vm_object_resize(&o, SIZE(10) + 100);
    assert_int_equal(transfer(false, SIZE(8), buf, SIZE(8), false), SIZE(2) + 100);
    EXPECT(false, 8, 3);
    // A write that saw the old size.
    assert_int_equal(vm_object_page(&o, 11, true, &page), 0);
    page_put(page);
    EXPECT(false, 11, 1);
}

static void only_the_bad_page_fails(void **state)
{
    bad[6] = true;
    assert_int_equal(transfer(false, SIZE(4), buf, SIZE(8), false), SIZE(2));
    // A run, what comes before the bad page, it; then again where the read goes on.
    EXPECT(false, 4, 8, 4, 1, 5, 1, 6, 1, 6, 6, 6, 1);
    assert_int_equal(transfer(false, SIZE(6), buf, PAGE_SIZE, false), -EIO);
    EXPECT(false, 6, 1);
    assert_int_equal(transfer(false, SIZE(7), buf, SIZE(4), false), SIZE(4));
    assert_memory_equal(buf, disk + SIZE(7), SIZE(4));
    EXPECT(false, 7, 4);
    assert_int_equal(o.nr_pages, 6);
}

static void sequence_begins_again_behind_a_bad_page(void **state)
{
    bad[3] = true;
    for (uint64_t i = 0; i < 3; i++)
        read_page(i);
    EXPECT(false, 0, 1, 1, 4, 1, 1, 2, 1, 3, 1);
    assert_int_equal(transfer(false, SIZE(3), buf, PAGE_SIZE, false), -EIO);
    for (uint64_t i = 4; i < 10; i++)
        read_page(i);
    EXPECT(false, 3, 1, 4, 1, 5, 4, 9, 8);
}

static void a_run_that_fails_once_is_read_all_the_same(void **state)
{
    fail_request = 1;
    assert_int_equal(transfer(false, 0, buf, SIZE(6), false), SIZE(6));
    assert_memory_equal(buf, disk, SIZE(6));
    EXPECT(false, 0, 6, 0, 1, 1, 1, 2, 1, 3, 1, 4, 1, 5, 1);
}

static void short_of_memory_a_run_is_shorter(void **state)
{
    struct page *page;
    read_page(0);
    for (unsigned int n = 1; n < 12; n++) {
        vm_object_drop(&o, 1, PAGES);
        nr_requests = 0;
        host_fail(n, true);
        ssize_t done = transfer(false, SIZE(40), buf, SIZE(6), false);
        host_fail(0, false);
        assert_true(done == -ENOMEM || done > 0);
        assert_true(n > 1 || done == -ENOMEM);
        for (ssize_t i = 0; i < done; i += (ssize_t)PAGE_SIZE)
            assert_memory_equal(buf + i, disk + SIZE(40) + i, PAGE_SIZE);
        for (uint64_t i = 0; i < 6; i++)
            if (vm_object_page(&o, 40 + i, false, &page) == 0) {
                assert_memory_equal(page_to_virt(page), disk + SIZE(40 + i), PAGE_SIZE);
                page_put(page);
            }
    }
    assert_int_equal(transfer(false, SIZE(40), buf, SIZE(6), false), SIZE(6));
}

static void advice_reads_what_is_missing(void **state)
{
    read_page(10);
    read_page(30);
    nr_requests = 0;
    vm_object_read_ahead(&o, 8, 60);
    EXPECT(false, 8, 2, 11, 19, 31, 29);
    vm_object_read_ahead(&o, 8, 60);
    EXPECT_NONE();
    for (uint64_t i = 8; i < 60; i++)
        read_page(i);
    EXPECT_NONE();
    vm_object_read_ahead(&o, PAGES - 2, UINT64_MAX);
    EXPECT(false, PAGES - 2, 2);
    bad[70] = true;
    vm_object_read_ahead(&o, 69, 80);
    EXPECT(false, 69, 11, 69, 1, 70, 1, 70, 10, 70, 1);
    assert_int_equal(transfer(false, SIZE(70), buf, 1, false), -EIO);
}

static void dirty_neighbours_are_one_request(void **state)
{
    write_pages(3, 5, 'a');
    write_pages(50, 40, 'b');
    write_pages(9, 1, 'c');
    EXPECT_NONE(); // whole pages aren't read first
    assert_int_equal(vm_object_sync(&o), 0);
    EXPECT(true, 3, 5, 9, 1, 50, 32, 82, 8);
    assert_int_equal(disk[SIZE(7)], 'a');
    assert_int_equal(disk[SIZE(10) - 1], 'c');
    assert_int_equal(disk[SIZE(89)], 'b');
    assert_int_equal(vm_object_sync(&o), 0);
    EXPECT_NONE();
    write_pages(4, 4, 'd');
    assert_int_equal(vm_object_sync_range(&o, 5, 7), 0);
    EXPECT(true, 5, 2);
    assert_int_equal(vm_object_sync(&o), 0);
    EXPECT(true, 4, 1, 7, 1);
}

static void a_clean_page_parts_a_run(void **state)
{
    assert_int_equal(transfer(false, 0, buf, SIZE(8), false), SIZE(8));
    nr_requests = 0;
    write_pages(1, 2, 'a');
    write_pages(4, 2, 'b');
    assert_int_equal(vm_object_sync(&o), 0);
    EXPECT(true, 1, 2, 4, 2);
}

static void what_cannot_be_written_stays_dirty(void **state)
{
    write_pages(10, 6, 'a');
    bad[12] = bad[14] = true;
    assert_int_equal(vm_object_sync(&o), -EIO);
    EXPECT(true, 10, 6, 10, 1, 11, 1, 12, 1, 13, 1, 14, 1, 15, 1);
    vm_object_drop_clean(&o);
    assert_int_equal(o.nr_pages, 2);
    bad[12] = bad[14] = false;
    assert_int_equal(vm_object_sync(&o), 0);
    EXPECT(true, 12, 1, 14, 1);
    for (unsigned int i = 10; i < 16; i++)
        assert_int_equal(disk[SIZE(i)], 'a');
    // One that fails once is no error; a single page is tried once.
    write_pages(10, 2, 'b');
    fail_request = 1;
    assert_int_equal(vm_object_sync(&o), 0);
    EXPECT(true, 10, 2, 10, 1, 11, 1);
    write_pages(10, 1, 'c');
    assert_int_equal(vm_object_sync(&o), -EIO);
    EXPECT(true, 10, 1);
}

static void a_part_of_a_page_is_read_first(void **state)
{
    char expected[PAGE_SIZE];
    memcpy(expected, disk + SIZE(4), PAGE_SIZE);
    memset(expected, 'x', 10);
    memset(buf, 'x', SIZE(2));
    assert_int_equal(transfer(true, SIZE(3) + 10, buf, PAGE_SIZE, false), PAGE_SIZE);
    assert_int_equal(vm_object_sync(&o), 0);
    assert_memory_equal(disk + SIZE(4), expected, PAGE_SIZE);
    // The last page, whose end nobody can write.
    assert_int_equal(transfer(true, SIZE(PAGES - 1), buf, SIZE(1), false), TAIL);
    assert_int_equal(vm_object_sync(&o), 0);
    assert_int_equal(disk[BYTES - 1], 'x');
    assert_int_equal(disk[BYTES], 0);
}

// User memory that ends in the middle of a page: what was there is kept behind it.
static void a_fault_in_a_whole_page_loses_nothing(void **state)
{
    const uint64_t random[3] = {0x123456789, 0x987654321, 0x55555};
    struct vm_map *m = vm_map_create(random);
    const vaddr_t at = 0x10000000UL;
    struct vm_mmap_args a = {.addr = at,
                             .size = SIZE(2),
                             .prot = VM_READ | VM_WRITE,
                             .flags = 0x32, // MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
                             .may = 0};
    char expected[PAGE_SIZE];

    memset(buf, 'u', SIZE(2));
    assert_int_equal(vm_map_mmap(m, &a), at);
    assert_int_equal(host_user_write(m, at, buf, SIZE(2)), 0);
    host_current = m;
    memcpy(expected, disk + SIZE(20), PAGE_SIZE);
    memset(expected, 'u', 100);
    struct uio_segment segment = {at + SIZE(1) - 100, SIZE(3)};
    struct uio uio;
    uio_init_user(&uio, &segment, 1);
    assert_int_equal(vm_object_write(&o, SIZE(19), &uio), PAGE_SIZE + 100);
    assert_int_equal(uio.left, SIZE(2) - 100);
    EXPECT(false, 20, 1);
    assert_int_equal(vm_object_sync(&o), 0);
    assert_memory_equal(disk + SIZE(20), expected, PAGE_SIZE);
    assert_int_equal(disk[SIZE(19)], 'u');
    host_current = NULL;
    vm_map_put(m);
}

// The content that programs see, whatever is cached; what no sync took to the disk is in `dirty`.
static char content[SIZE(PAGES)];

static void walk_step(void)
{
    size_t offset = (size_t)rand() % BYTES;
    size_t n = (size_t)rand() % 4 ? (size_t)rand() % 9000 : (size_t)rand() % SIZE(50);
    uint64_t index = (uint64_t)rand() % PAGES;

    if (rand() % 2) {
        offset = ALIGN_DOWN(offset, PAGE_SIZE);
        n = ALIGN_UP(n, PAGE_SIZE);
    }
    switch (rand() % 8) {
    case 0:
    case 1:
    case 2: {
        ssize_t done = transfer(false, offset, buf, n, rand() % 4 == 0);
        assert_true(done >= 0 || done == -EIO || done == -ENOMEM);
        if (done > 0)
            assert_memory_equal(buf, content + offset, (size_t)done);
        break;
    }
    case 3:
    case 4: {
        memset(buf, rand(), n);
        ssize_t done = transfer(true, offset, buf, n, false);
        if (done > 0)
            memcpy(content + offset, buf, (size_t)done);
        break;
    }
    case 5:
        (void)vm_object_sync_range(&o, index, index + (uint64_t)rand() % 60);
        break;
    case 6:
        vm_object_read_ahead(&o, index, index + (uint64_t)rand() % 60);
        break;
    default:
        if (rand() % 4 == 0)
            vm_object_drop_clean(&o);
    }
}

static void walk(void **state)
{
    memcpy(content, disk, sizeof(content));
    for (unsigned int step = 0; step < 20000; step++) {
        nr_requests = 0;
        fail_request = rand() % 8 == 0 ? 1 + (unsigned int)rand() % 3 : 0;
        if (rand() % 50 == 0)
            bad[rand() % (int)PAGES] = true;
        if (rand() % 50 == 0)
            memset(bad, 0, sizeof(bad));
        if (rand() % 10 == 0)
            host_fail(1 + (uint64_t)rand() % 40, rand() % 2);
        walk_step();
        host_fail(0, false);
        assert_int_equal(host_locks_held, 0);
    }
    memset(bad, 0, sizeof(bad));
    fail_request = nr_requests = 0;
    assert_int_equal(vm_object_sync(&o), 0);
    assert_memory_equal(disk, content, sizeof(disk));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int group_setup(void **state)
{
    host_start(8192);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_large_read_is_few_requests),
        T(sequence_grows),
        T(random_reads_no_page_too_many),
        T(exact_reads_no_page_too_many),
        T(faults_read_ahead),
        T(ends_where_a_page_is),
        T(ends_with_the_object),
        T(no_run_behind_a_truncated_end),
        T(only_the_bad_page_fails),
        T(sequence_begins_again_behind_a_bad_page),
        T(a_run_that_fails_once_is_read_all_the_same),
        T(short_of_memory_a_run_is_shorter),
        T(advice_reads_what_is_missing),
        T(dirty_neighbours_are_one_request),
        T(a_clean_page_parts_a_run),
        T(what_cannot_be_written_stays_dirty),
        T(a_part_of_a_page_is_read_first),
        T(a_fault_in_a_whole_page_loses_nothing),
        T(walk),
    };
    return cmocka_run_group_tests_name("mm/vm_object_run", tests, group_setup, NULL);
}
