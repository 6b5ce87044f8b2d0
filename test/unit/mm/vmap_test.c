// SPDX-License-Identifier: BSD-2-Clause
// Kernel stacks and device mappings: nothing overlaps (host_vmap.c panics), every stack has its
// guard, freed stacks are reused without touching a page table.
#include <mm/vmap.h>

#include "host.h"
#include "host_vmap.h"

#define STACKS 300

static int setup(void **state)
{
    host_start(8192);
    return 0;
}

static bool is_mapped(vaddr_t va)
{
    for (unsigned int i = 0; i < host_nr_kernel_mappings; i++)
        if (va >= host_kernel_mappings[i].va &&
            va < host_kernel_mappings[i].va + host_kernel_mappings[i].size)
            return true;
    return false;
}

static void stacks_have_guards(void **state)
{
    static vaddr_t stacks[STACKS];
    for (int i = 0; i < STACKS; i++) {
        stacks[i] = vmap_stack_alloc();
        assert_true(stacks[i] != 0 && stacks[i] % 16 == 0);
        assert_true(is_mapped(stacks[i]) && is_mapped(stacks[i] + KERNEL_STACK_SIZE - 1));
        assert_false(vmap_is_guard(stacks[i]));
        assert_false(vmap_is_guard(stacks[i] + KERNEL_STACK_SIZE - 1));
    }
    for (int i = 0; i < STACKS; i++) {
        assert_false(is_mapped(stacks[i] - 1));
        assert_true(vmap_is_guard(stacks[i] - 1));
        assert_true(vmap_is_guard(stacks[i] - PAGE_SIZE));
        assert_false(is_mapped(stacks[i] + KERNEL_STACK_SIZE));
    }
    for (int i = 0; i < STACKS; i++)
        vmap_stack_free(stacks[i]);
    unsigned int mapped = host_nr_kernel_mappings;
    assert_true(mapped < STACKS);
    struct vmap_stats stats;
    vmap_stats(&stats);
    assert_int_equal(stats.stacks, mapped * (KERNEL_STACK_SIZE / PAGE_SIZE)); // those that are kept
    // 64 slots share a table, 512 a page of notes; both stay.
    assert_int_equal(stats.tables, DIV_ROUND_UP(STACKS, 64) + DIV_ROUND_UP(STACKS, 512));
    vaddr_t again = vmap_stack_alloc();
    assert_int_equal(host_nr_kernel_mappings, mapped);
    vmap_stack_free(again);
}

static void no_memory_for_a_stack(void **state)
{
    // Past the cached ones every allocation maps.
    vaddr_t held[STACKS];
    int n = 0;
    host_map_kernel_fails = true;
    while ((held[n] = vmap_stack_alloc()) != 0)
        n++;
    uint64_t before = host_free_pages();
    assert_int_equal(vmap_stack_alloc(), 0);
    host_map_kernel_fails = false;
    host_fail(1, true);
    assert_int_equal(vmap_stack_alloc(), 0);
    host_fail(0, false);
    assert_int_equal(host_free_pages(), before);
    held[n] = vmap_stack_alloc();
    assert_true(held[n] != 0);
    for (; n >= 0; n--)
        vmap_stack_free(held[n]);
}

static void devices_keep_their_offset(void **state)
{
    char *a = (char *)(uintptr_t)vmap_device(0x10000004, 8),
         *b = (char *)(uintptr_t)vmap_device(0x10001ffc, 8);
    assert_int_equal((uintptr_t)a % PAGE_SIZE, 4);
    assert_int_equal((uintptr_t)b % PAGE_SIZE, 0xffc);
    assert_true(is_mapped((vaddr_t)a) && is_mapped((vaddr_t)b) && is_mapped((vaddr_t)b + 4));
    const struct host_kernel_mapping *m = &host_kernel_mappings[host_nr_kernel_mappings - 1];
    assert_int_equal(m->pa, 0x10001000);
    assert_int_equal(m->size, 2 * PAGE_SIZE);
    assert_int_equal(m->bits, PTE_R | PTE_W);
    assert_null((void *)(uintptr_t)vmap_device(0x1000, 0));
    assert_null((void *)(uintptr_t)vmap_device(UINT64_MAX - 10, 100));
    assert_null((void *)(uintptr_t)vmap_device(0x1000, VMAP_SIZE));
    host_map_kernel_fails = true;
    assert_null((void *)(uintptr_t)vmap_device(0x1000, 1));
    host_map_kernel_fails = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stacks_have_guards),
        cmocka_unit_test(no_memory_for_a_stack),
        cmocka_unit_test(devices_keep_their_offset),
    };
    return cmocka_run_group_tests_name("mm/vmap", tests, setup, NULL);
}
