// SPDX-License-Identifier: BSD-2-Clause
// Leaf tables that fork shares, and cursors of both spaces that meet at them. The host's locks
// don't wait: who would have to has found a table that somebody keeps ("a table is locked
// already"). Cursors that kept them stopped each other for good, parent and child each with the
// table that the other wanted next.
#include "map_fixture.h"

#define SPANS   3
#define SPAN(n) ((vaddr_t)(n + 8) * PT_SIZE(1))

// Three full tables, shared by the process and its child.
static struct vm_map *fork_spans(void)
{
    uint8_t value = 1;

    vm_huge_set_mode(VM_HUGE_NEVER);
    assert_int_equal(map(SPAN(0), SPANS * PT_SIZE(1), RW, ANON | MAP_FIXED), SPAN(0));
    for (size_t i = 0; i < SPANS * PT_ENTRIES; i++, value++)
        assert_int_equal(host_user_write(m, SPAN(0) + SIZE(i), &value, 1), 0);
    return vm_map_fork(m);
}

static void check_bytes(struct vm_map *map, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        uint8_t value = 0;
        assert_int_equal(host_user_read(map, SPAN(0) + SIZE(i), &value, 1), 0);
        assert_int_equal(value, (uint8_t)(i + 1));
    }
}

static void open_all(struct vm_cursor *c, struct vm_map *map)
{
    vm_cursor_open(c, &map->space, SPAN(0), SPAN(SPANS));
}

static int own_span(struct vm_cursor *c, size_t n, enum vm_own own)
{
    vm_cursor_seek(c, SPAN(n));
    return vm_cursor_own(c, PT_SIZE(1), own);
}

static void copies_in_opposite_order(void **state)
{
    struct vm_map *child = fork_spans();
    struct vm_cursor parents, childs;

    open_all(&parents, m);
    open_all(&childs, child);
    assert_int_equal(own_span(&parents, 0, VM_OWN_SHARED), 0); // a copy
    assert_int_equal(own_span(&childs, 2, VM_OWN_SHARED), 0);
    assert_int_equal(own_span(&childs, 0, VM_OWN_SHARED), 0); // the last: takes it over
    assert_int_equal(own_span(&parents, 2, VM_OWN_SHARED), 0);
    assert_int_equal(own_span(&childs, 1, VM_OWN_SHARED), 0);
    assert_int_equal(own_span(&parents, 1, VM_OWN_SHARED), 0);
    vm_cursor_close(&parents);
    vm_cursor_close(&childs);
    host_check_tlb();
    check_bytes(m, 0, SPANS * PT_ENTRIES);
    check_bytes(child, 0, SPANS * PT_ENTRIES);
    vm_map_put(child);
}

static void unmapped_in_opposite_order(void **state)
{
    struct vm_map *child = fork_spans();
    struct vm_cursor parents, childs;

    open_all(&parents, m);
    open_all(&childs, child);
    vm_cursor_seek(&parents, SPAN(0));
    vm_cursor_unmap(&parents, PT_SIZE(1));
    vm_cursor_seek(&childs, SPAN(2));
    vm_cursor_unmap(&childs, PT_SIZE(1));
    vm_cursor_seek(&childs, SPAN(0));
    vm_cursor_unmap(&childs, PT_SIZE(1)); // the last: its pages go
    vm_cursor_seek(&parents, SPAN(2));
    vm_cursor_unmap(&parents, PT_SIZE(1));
    vm_cursor_close(&childs);
    vm_cursor_close(&parents);
    check_bytes(m, PT_ENTRIES, 2 * PT_ENTRIES);
    check_bytes(child, PT_ENTRIES, 2 * PT_ENTRIES);
    vm_map_put(child);
}

// A second fork of what is shared already, while a cursor of the first child has it in its way.
static void forked_again(void **state)
{
    struct vm_map *child = fork_spans();
    struct vm_space grandchild;
    struct vm_cursor parents, childs, to;

    assert_int_equal(vm_space_init(&grandchild), 0);
    vm_cursor_open(&parents, &m->space, 0, USER_END);
    vm_cursor_open(&to, &grandchild, 0, USER_END);
    open_all(&childs, child);
    assert_int_equal(own_span(&childs, 2, VM_OWN_SHARED), 0);
    vm_cursor_seek(&parents, SPAN(0));
    assert_int_equal(vm_cursor_clone(&parents, &to, SPANS * PT_SIZE(1), VM_CLONE_LAZY), 0);
    assert_int_equal(own_span(&childs, 0, VM_OWN_SHARED), 0);
    vm_cursor_close(&childs);
    vm_cursor_close(&to);
    vm_cursor_close(&parents);
    vm_space_destroy(&grandchild);
    check_bytes(m, 0, SPANS * PT_ENTRIES);
    check_bytes(child, 0, SPANS * PT_ENTRIES);
    vm_map_put(child);
}

static void no_memory_for_a_copy(void **state)
{
    struct vm_map *child = fork_spans();
    struct vm_cursor c;

    page_reclaim();
    open_all(&c, child);
    host_fail(1, true);
    assert_int_equal(own_span(&c, 0, VM_OWN_SHARED), -ENOMEM);
    host_fail(0, false);
    check_bytes(m, 0, PT_ENTRIES);
    assert_int_equal(own_span(&c, 0, VM_OWN_SHARED), 0);
    vm_cursor_close(&c);
    check_bytes(child, 0, SPANS * PT_ENTRIES);
    vm_map_put(child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(copies_in_opposite_order),
        T(unmapped_in_opposite_order),
        T(forked_again),
        T(no_memory_for_a_copy),
    };
    return cmocka_run_group_tests_name("mm/vm_share", tests, group_setup, NULL);
}
