// SPDX-License-Identifier: BSD-2-Clause
// One process, a file of four pages and a bit, and a device of four pages, made for each test and
// checked for leaks after it. Included by the tests of the map's calls.
#pragma once

#include <errno.h>
#include <linux/mman.h>
#include <signal.h>
#include <string.h>

#include "host.h"

#ifndef RAM_PAGES
#define RAM_PAGES 8192
#endif
#define ANON    (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW      (VM_READ | VM_WRITE)
#define BASE    0x10000000UL
#define AT(n)   (BASE + (vaddr_t)(n)*PAGE_SIZE)
#define SIZE(n) ((size_t)(n)*PAGE_SIZE)

static struct vm_map *m;
static uint64_t free_before;
static struct vm_object device, file;

static paddr_t device_page(struct vm_object *o, uint64_t index)
{
    return index < 4 ? HOST_RAM_BASE + SIZE(index) : 0;
}

static const struct vm_object_ops device_ops = {.device_page = device_page};
static const struct vm_object_ops file_ops = {.release = NULL};

static int group_setup(void **state)
{
    host_start(RAM_PAGES);
    vm_object_init(&device, &device_ops, SIZE(4));
    return 0;
}

static int setup(void **state)
{
    const uint64_t random[3] = {0x123456789, 0x987654321, 0x55555};
    free_before = host_free_pages();
    vm_object_init(&file, &file_ops, SIZE(4) + 100);
    m = vm_map_create(random);
    return m ? 0 : -1;
}

static int teardown(void **state)
{
    vm_map_put(m);
    vm_object_resize(&file, 0);
    assert_int_equal(host_locks_held, 0);
    assert_int_equal(host_free_pages(), free_before);
    return 0;
}

static inline long map_object(vaddr_t addr, size_t size, unsigned int prot, unsigned int flags,
                              struct vm_object *o, uint64_t offset, unsigned int may)
{
    struct vm_mmap_args a = {.addr = addr,
                             .size = size,
                             .prot = prot,
                             .flags = flags,
                             .object = o,
                             .offset = offset,
                             .may = may};
    return vm_map_mmap(m, &a);
}

static inline long map(vaddr_t addr, size_t size, unsigned int prot, unsigned int flags)
{
    return map_object(addr, size, prot, flags, NULL, 0, 0);
}

static inline int count(void *ctx, const struct vm_region *r)
{
    (void)r;
    ++*(unsigned int *)ctx;
    return 0;
}

static inline unsigned int regions(void)
{
    unsigned int n = 0;
    vm_map_for_each(m, 0, count, &n);
    assert_int_equal(n, m->nr_regions);
    return n;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
