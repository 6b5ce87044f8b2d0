// SPDX-License-Identifier: BSD-2-Clause
// The registry: ids that never name somebody else's object, keys, limits, permissions bit by bit.
#include "ipc_host.h"

#include <stdlib.h>
#include <string.h>

#include "../../../ipc/ids_priv.h"

static struct ipc_ids ids;
static const struct ipc_caller root = {&host_root, 1};

static int fits(const struct ipc_object *o, uint64_t size)
{
    return size > 10 ? -EINVAL : 0;
}

static int add(struct ipc_object *o, int key, unsigned int limit)
{
    memset(o, 0, sizeof(*o));
    ipc_object_init(o, &root, key, 0600);
    spin_lock(&ids.lock);
    int id = ipc_add_locked(&ids, o, limit);
    spin_unlock(&ids.lock);
    return id;
}

static void remove_object(struct ipc_object *o)
{
    struct ipc_slot *slot = o->slot;
    spin_lock(&ids.lock);
    spin_lock(&slot->lock);
    ipc_remove_locked(&ids, o);
    spin_unlock(&slot->lock);
    spin_unlock(&ids.lock);
}

static bool is_found(int id)
{
    struct ipc_object *o = ipc_lock_id(&ids, id);
    if (o)
        ipc_unlock(o);
    return o != NULL;
}

static int setup(void **state)
{
    memset(&ids, 0, sizeof(ids));
    ipc_ids_init(&ids, IPC_MSG_NEXT_ID);
    return 0;
}

static int teardown(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(ids.chunks); i++)
        free(ids.chunks[i]);
    assert_int_equal(host_locks_held, 0);
    return 0;
}

static void ids_come_back_after_a_full_turn_of_the_sequence(void **state)
{
    struct ipc_object o;
    int first = add(&o, IPC_PRIVATE, 1), id = first;
    unsigned int turns = 0;
    assert_true(first > 0);
    do {
        remove_object(&o);
        assert_false(is_found(id));
        id = add(&o, IPC_PRIVATE, 1); // a limit of one: always the same slot
        assert_true(id > 0);
        assert_true(is_found(id));
        turns++;
    } while (id != first);
    assert_int_equal(turns, 65535);
    remove_object(&o);
}

static void every_slot_can_be_used_and_no_more(void **state)
{
    enum { MANY = 32768 };
    struct ipc_object *objects = calloc(MANY, sizeof(*objects)), extra;
    unsigned int index = 0, seen = 0;
    for (int i = 0; i < MANY; i++)
        assert_true(add(&objects[i], i + 1, MANY) > 0);
    assert_int_equal(add(&extra, IPC_PRIVATE, MANY), -ENOSPC);
    assert_int_equal(ipc_highest_index(&ids), MANY - 1);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(ipc_find_key(&ids, &root, i + 1, 0, fits, 0), objects[i].id);
    for (struct ipc_object *o; (o = ipc_lock_next(&ids, &index)) != NULL; index++, seen++)
        ipc_unlock(o);
    assert_int_equal(seen, MANY);
    for (int i = 0; i < MANY; i++)
        remove_object(&objects[i]);
    assert_int_equal(ipc_highest_index(&ids), 0);
    assert_int_equal(ids.nr_used, 0);
    free(objects);
}

static void a_lowered_limit_finds_free_slots_below(void **state)
{
    struct ipc_object objects[200], o;
    for (int i = 0; i < 200; i++)
        assert_true(add(&objects[i], IPC_PRIVATE, 200) > 0);
    for (int i = 0; i < 150; i++)
        remove_object(&objects[i]);
    assert_int_equal(add(&o, IPC_PRIVATE, 50), -ENOSPC);
    assert_true(add(&o, IPC_PRIVATE, 51) > 0);
    remove_object(&o);
    for (int i = 150; i < 200; i++)
        remove_object(&objects[i]);
}

static void keys_find_and_refuse(void **state)
{
    const struct ipc_caller user = {&host_user, 2};
    struct ipc_object o, other;
    assert_int_equal(ipc_find_key(&ids, &root, 77, IPC_CREAT, fits, 0), -ENOENT);
    int id = add(&o, 77, 10);
    assert_int_equal(add(&other, 77, 10), -EEXIST);
    assert_int_equal(ipc_find_key(&ids, &root, 77, 0, fits, 10), id);
    assert_int_equal(ipc_find_key(&ids, &root, 77, IPC_CREAT | IPC_EXCL, fits, 99), -EEXIST);
    assert_int_equal(ipc_find_key(&ids, &root, 77, IPC_CREAT, fits, 11), -EINVAL);
    assert_int_equal(ipc_find_key(&ids, &user, 77, 0400, fits, 11), -EINVAL);
    assert_int_equal(ipc_find_key(&ids, &user, 77, 0400, fits, 1), -EACCES);
    assert_int_equal(ipc_find_key(&ids, &user, 77, 0, fits, 1), id);
    assert_int_equal(ipc_find_key(&ids, &root, IPC_PRIVATE, 0, fits, 1), -ENOENT);
    spin_lock(&ids.lock);
    assert_ptr_equal(ipc_lock_id_locked(&ids, id), &o);
    ipc_make_private_locked(&o);
    ipc_unlock(&o);
    spin_unlock(&ids.lock);
    assert_int_equal(ipc_find_key(&ids, &root, 77, 0, fits, 0), -ENOENT);
    assert_true(is_found(id));
    assert_true(add(&other, 77, 10) > 0);
    remove_object(&o);
    remove_object(&other);
}

// Against the rule written out: the first of owner, group and others that applies decides alone.
static void permissions_bit_by_bit(void **state)
{
    struct ipc_object o;
    add(&o, 1, 10);
    assert_non_null(ipc_lock_id(&ids, o.id));
    for (unsigned int mode = 0; mode < 01000; mode++) {
        for (unsigned int who = 0; who < 6; who++) {
            struct cred c = host_user;
            unsigned int bits = mode & 7;
            o.mode = mode;
            o.uid = o.cuid = o.gid = o.cgid = 5;
            if (who == 0 || who == 1) {
                *(who == 0 ? &o.uid : &o.cuid) = 1000;
                bits = mode >> 6;
            } else if (who == 2 || who == 3) {
                *(who == 2 ? &o.gid : &o.cgid) = 1000;
                bits = mode >> 3 & 7;
            } else if (who == 4) {
                c.nr_groups = 1;
                c.groups[0] = 5;
                bits = mode >> 3 & 7;
            }
            assert_int_equal(ipc_permits(&o, &c, IPC_READ), (bits & 4) != 0);
            assert_int_equal(ipc_permits(&o, &c, IPC_WRITE), (bits & 2) != 0);
            assert_int_equal(ipc_permits(&o, &c, IPC_READ | IPC_EXEC), (bits & 5) == 5);
            assert_true(ipc_permits(&o, &c, 0));
            assert_true(ipc_permits(&o, &host_root, IPC_READ | IPC_WRITE));
            assert_int_equal(ipc_may_change(&o, &c), who < 2 ? 0 : -EPERM);
        }
    }
    ipc_unlock(&o);
    remove_object(&o);
}

static void no_memory_for_slots(void **state)
{
    struct ipc_object o;
    host_fail(1);
    assert_int_equal(add(&o, 5, 10), -ENOMEM);
    host_fail(0);
    assert_int_equal(ipc_find_key(&ids, &root, 5, 0, fits, 0), -ENOENT);
    assert_int_equal(ids.nr_used, 0);
    assert_true(add(&o, 5, 10) > 0);
    remove_object(&o);
}

static void an_id_can_be_asked_for_once(void **state)
{
    struct ipc_object a, b, c;
    const int wanted = 77 << IPC_INDEX_BITS | 300;
    ipc_init(32768, 1 << 20);
    assert_int_equal(ipc_limit_set(IPC_MSG_NEXT_ID, 1UL << 31), -EINVAL);
    assert_int_equal(ipc_limit_set(IPC_MSG_NEXT_ID, wanted), 0);
    assert_int_equal(add(&a, 5, 10), wanted);
    assert_int_equal(ipc_limit(IPC_MSG_NEXT_ID), IPC_ANY_ID);
    assert_true(is_found(wanted));
    assert_int_equal(ipc_limit_set(IPC_MSG_NEXT_ID, wanted), 0);
    int other = add(&b, 6, 10); // it is taken
    assert_true(other > 0 && other != wanted);
    assert_int_not_equal(add(&c, 7, 10), -EINVAL);
    remove_object(&c);
    remove_object(&b);
    remove_object(&a);
    assert_false(is_found(wanted));
}

// What a board allows bounds both the limits at boot and what can be written.
static void the_board_limits_are_above(void **state)
{
    ipc_init(100, 5000);
    assert_int_equal(ipc_limit(IPC_SHMMNI), 100);
    assert_int_equal(ipc_limit(IPC_SEMMNI), 100);
    assert_int_equal(ipc_limit(IPC_MSGMNI), 100);
    assert_int_equal(ipc_limit(IPC_MSGMAX), 5000);
    assert_int_equal(ipc_limit(IPC_MSGMNB), 5000);
    assert_int_equal(ipc_limit_set(IPC_SHMMNI, 101), -EINVAL);
    assert_int_equal(ipc_limit_set(IPC_MSGMNI, 101), -EINVAL);
    assert_int_equal(ipc_limit_set(IPC_SEMMNI, 101), -ERANGE);
    assert_int_equal(ipc_limit_set(IPC_MSGMAX, 5001), -EINVAL);
    assert_int_equal(ipc_limit_set(IPC_MSGMNB, 5001), -EINVAL);
    assert_int_equal(ipc_limit(IPC_SHMMNI), 100);
    assert_int_equal(ipc_limit_set(IPC_SHMMNI, 7), 0);
    assert_int_equal(ipc_limit_set(IPC_SHMMNI, 100), 0);
    ipc_init(1U << 20, 1U << 20); // more than Linux's: Linux's at first, the table's at most
    assert_int_equal(ipc_limit(IPC_SHMMNI), 4096);
    assert_int_equal(ipc_limit(IPC_MSGMAX), 8192);
    assert_int_equal(ipc_limit_set(IPC_MSGMAX, 1U << 20), 0);
    assert_int_equal(ipc_limit_set(IPC_SHMMNI, IPC_SLOTS_MAX), 0);
    assert_int_equal(ipc_limit_set(IPC_SHMMNI, IPC_SLOTS_MAX + 1), -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ids_come_back_after_a_full_turn_of_the_sequence),
        T(every_slot_can_be_used_and_no_more),
        T(a_lowered_limit_finds_free_slots_below),
        T(keys_find_and_refuse),
        T(permissions_bit_by_bit),
        T(no_memory_for_slots),
        T(an_id_can_be_asked_for_once),
        T(the_board_limits_are_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
