// SPDX-License-Identifier: BSD-2-Clause
// Waking, and FUTEX_WAKE_OP with its change of user memory. Whoever is taken from his bucket is
// woken after the bucket's lock was dropped.
#include "futex_priv.h"

#include <arch/uaccess.h>
#include <errno.h>
#include <linux/futex.h>

#define OP_TRIES 64 // exchanges that others may spoil before the buckets are let go for a while

// Take up to nr waiters of `key` whose bitsets meet `bitset`. How many; -EINVAL: one waits to be
// moved to a lock.
static int futex_take_some(struct futex_bucket *b, const struct futex_key *key, int nr,
                           uint32_t bitset, struct list_node *wake)
{
    struct futex_waiter *w = futex_ring_find(b, key), *next;
    int taken = 0;
    if (!w)
        return 0;
    const struct futex_waiter *last = futex_ring_last(w);
    for (bool more = true; more; w = next) {
        next = futex_ring_next(w);
        more = w != last;
        if (unlikely(w->pi_key))
            return -EINVAL;
        if ((w->bitset & bitset) == 0)
            continue;
        futex_take(b, w, wake);
        if (++taken >= nr)
            break;
    }
    return taken;
}

// Nobody was there to be woken; but those who wait for a lock aren't woken this way.
static int futex_wake_nobody(const struct futex_key *key)
{
    spin_lock(&futex_pi.lock);
    int result = pi_leader(key) ? -EINVAL : 0;
    spin_unlock(&futex_pi.lock);
    return result;
}

int futex_wake(const struct futex_key *key, int nr, uint32_t bitset)
{
    if (bitset == 0)
        return -EINVAL;
    struct futex_bucket *b = futex_bucket_of(key);
    if (futex_is_idle(b))
        return 0;
    struct list_node wake = LIST_INIT(wake);
    futex_lock_one(b);
    int result = futex_take_some(b, key, nr, bitset, &wake);
    bool locks = atomic_load(&b->nr_pi) != 0;
    spin_unlock(&b->lock);
    futex_wake_taken(&wake);
    if (unlikely(result == 0 && locks))
        return futex_wake_nobody(key);
    return result;
}

struct futex_op {
    uint32_t command, compare;
    int32_t arg, compare_arg;
};

static int32_t sign_extend_12(uint32_t bits)
{
    return (int32_t)(bits << 20) >> 20;
}

static int futex_op_decode(uint32_t encoded, struct futex_op *op)
{
    op->command = encoded >> 28 & 7;
    op->compare = encoded >> 24 & 0xf;
    op->arg = sign_extend_12(encoded >> 12 & 0xfff);
    op->compare_arg = sign_extend_12(encoded & 0xfff);
    if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT)
        op->arg = (int32_t)(1U << (op->arg & 31));
    return op->command > FUTEX_OP_XOR || op->compare > FUTEX_OP_CMP_GE ? -ENOSYS : 0;
}

static uint32_t futex_op_result(const struct futex_op *op, uint32_t old)
{
    uint32_t arg = (uint32_t)op->arg;
    switch (op->command) {
    case FUTEX_OP_ADD:
        return old + arg;
    case FUTEX_OP_OR:
        return old | arg;
    case FUTEX_OP_ANDN:
        return old & ~arg;
    case FUTEX_OP_XOR:
        return old ^ arg;
    default: // FUTEX_OP_SET
        return arg;
    }
}

static bool futex_op_compares(const struct futex_op *op, uint32_t old)
{
    int32_t value = (int32_t)old, arg = op->compare_arg;
    switch (op->compare) {
    case FUTEX_OP_CMP_NE:
        return value != arg;
    case FUTEX_OP_CMP_LT:
        return value < arg;
    case FUTEX_OP_CMP_LE:
        return value <= arg;
    case FUTEX_OP_CMP_GT:
        return value > arg;
    case FUTEX_OP_CMP_GE:
        return value >= arg;
    default: // FUTEX_OP_CMP_EQ
        return value == arg;
    }
}

// Change the word. 0 and what it was; -EFAULT: it isn't there; -EAGAIN: others keep changing it.
static int futex_op_apply(const struct futex_op *op, vaddr_t addr, uint32_t *old)
{
    uint32_t value;
    int err = user_load_u32_nofault(addr, &value);
    for (int i = 0; i < OP_TRIES && err == 0; i++) {
        *old = value;
        err = user_cmpxchg_u32_nofault(addr, *old, futex_op_result(op, *old), &value);
        if (err <= 0)
            return err;
        err = 0;
    }
    return err != 0 ? err : -EAGAIN;
}

int futex_wake_op(const struct futex_key *key, int nr, const struct futex_key *key2, vaddr_t addr2,
                  int nr2, uint32_t encoded)
{
    struct futex_op op;
    int err = futex_op_decode(encoded, &op);
    if (err != 0)
        return err;
    struct futex_bucket *a = futex_bucket_of(key), *b = futex_bucket_of(key2);
    // With nobody there, all that is to be done is the change; who comes meanwhile is woken as one
    // who came before it.
    uint32_t old;
    bool done = futex_is_idle(a) && futex_is_idle(b) && futex_op_apply(&op, addr2, &old) == 0;
    if (done && futex_is_idle(a) && futex_is_idle(b))
        return 0;
    struct list_node wake = LIST_INIT(wake);
    int woken = 0, woken2 = 0;
    do {
        futex_lock_two(a, b);
        err = done ? 0 : futex_op_apply(&op, addr2, &old);
        if (err == 0) {
            woken = futex_take_some(a, key, nr, ~0U, &wake);
            if (woken >= 0 && futex_op_compares(&op, old))
                woken2 = futex_take_some(b, key2, nr2, ~0U, &wake);
        }
        futex_unlock_two(a, b);
    } while (err == -EAGAIN || (err == -EFAULT && (err = port_user_fault_in(addr2, true)) == 0));
    futex_wake_taken(&wake);
    if (err != 0 || woken < 0)
        return err != 0 ? err : woken;
    return woken2 < 0 ? woken2 : woken + woken2;
}
