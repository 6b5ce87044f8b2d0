// SPDX-License-Identifier: BSD-2-Clause
// futex(2) over sync/futex: decodes the operation, makes the keys, turns timeouts into deadlines
// and interruptions into restarts. The calls of futex2: sys_futex2.c; robust lists: robust.c.
#include <arch/uaccess.h>
#include <core/process.h>
#include <core/time.h>
#include <errno.h>
#include <linux/futex.h>

#include "futex_priv.h"
#include "syscalls_priv.h"

int futex_key_of(vaddr_t addr, bool private, enum vm_access access, struct futex_key *key)
{
    struct vm_map *map = process_self()->map;
    return private ? vm_futex_key_private(map, addr, key)
                   : vm_futex_key_shared(map, addr, access, key);
}

// The keys of both words.
static int futex_get_two(vaddr_t addr, vaddr_t addr2, bool private, enum vm_access access2,
                         struct futex_key key[2])
{
    int err = futex_key_of(addr, private, VM_ACCESS_READ, &key[0]);
    if (err != 0)
        return err;
    err = futex_key_of(addr2, private, access2, &key[1]);
    if (err != 0)
        futex_key_put(&key[0]);
    return err;
}

static void futex_put_two(struct futex_key key[2])
{
    futex_key_put(&key[0]);
    futex_key_put(&key[1]);
}

static long futex_wait_until(vaddr_t addr, bool private, uint32_t expected, uint32_t bitset,
                             struct futex_deadline deadline)
{
    struct futex_key key;
    int err = futex_key_of(addr, private, VM_ACCESS_READ, &key);
    if (err != 0)
        return err;
    err = futex_wait(&key, addr, expected, bitset, deadline);
    futex_key_put(&key);
    return err;
}

// A restarted wait keeps its deadline. args: address, private, value, bitset and, above, the clock.
static long futex_wait_restart(struct restart *r)
{
    const struct futex_deadline deadline = {.ns = r->deadline_ns, .realtime = r->args[3] >> 32};
    long err = futex_wait_until(r->args[0], r->args[1] != 0, (uint32_t)r->args[2],
                                (uint32_t)r->args[3], deadline);
    return err == -EINTR ? -ERESTART_RESTARTBLOCK : err;
}

static long futex_wait_forever(vaddr_t addr, bool private, uint32_t value, uint32_t bitset)
{
    long err =
        futex_wait_until(addr, private, value, bitset, (struct futex_deadline){.ns = TIME_NEVER});
    return err == -EINTR ? -ERESTARTSYS : err;
}

static long futex_call_wake(vaddr_t addr, bool private, int nr, uint32_t bitset)
{
    struct futex_key key;
    int err = futex_key_of(addr, private, VM_ACCESS_READ, &key);
    if (err != 0)
        return err;
    err = futex_wake(&key, nr, bitset);
    futex_key_put(&key);
    return err;
}

static long futex_call_requeue(vaddr_t addr, vaddr_t addr2, bool private, int nr_wake,
                               int nr_requeue, const uint32_t *compare)
{
    struct futex_key key[2];
    int err = futex_get_two(addr, addr2, private, VM_ACCESS_READ, key);
    if (err != 0)
        return err;
    err = futex_requeue(&key[0], &key[1], nr_wake, nr_requeue, addr, compare);
    futex_put_two(key);
    return err;
}

static long futex_call_wake_op(vaddr_t addr, vaddr_t addr2, bool private, int nr, int nr2,
                               uint32_t op)
{
    struct futex_key key[2];
    int err = futex_get_two(addr, addr2, private, VM_ACCESS_WRITE, key);
    if (err != 0)
        return err;
    err = futex_wake_op(&key[0], nr, &key[1], addr2, nr2, op);
    futex_put_two(key);
    return err;
}

// A lock's deadline is absolute: starting over is always right.
static long futex_restart(int err)
{
    return err == -EINTR ? -ERESTARTNOINTR : err;
}

static long futex_call_lock(vaddr_t addr, bool private, int command, struct futex_deadline deadline)
{
    struct futex_key key;
    int err = futex_key_of(addr, private, VM_ACCESS_WRITE, &key);
    if (err != 0)
        return err;
    if (command == FUTEX_UNLOCK_PI)
        err = futex_unlock_pi(&key, addr);
    else
        err = futex_lock_pi(&key, addr, deadline, command == FUTEX_TRYLOCK_PI);
    futex_key_put(&key);
    return futex_restart(err);
}

// The operations that may have a timeout, and the longest ones. Named as futex(2) does.
struct futex_call {
    vaddr_t addr;
    int op, command;
    uint32_t value;
    unsigned long value2;
    vaddr_t addr2;
    uint32_t value3;
    struct futex_deadline deadline;
};

static bool futex_is_private(const struct futex_call *c)
{
    return c->op & FUTEX_PRIVATE_FLAG;
}

static long futex_call_wait(const struct futex_call *c, uint32_t bitset)
{
    bool private = futex_is_private(c);
    if (c->deadline.ns == TIME_NEVER)
        return futex_wait_forever(c->addr, private, c->value, bitset);
    struct restart *r = &thread_self()->restart;
    *r = (struct restart){
        .call = futex_wait_restart,
        .deadline_ns = c->deadline.ns,
        .args = {c->addr, private, c->value, bitset | (uint64_t)c->deadline.realtime << 32}};
    return futex_wait_restart(r);
}

static long futex_call_wait_requeue(const struct futex_call *c)
{
    struct futex_key key[2];
    if (c->addr == c->addr2)
        return -EINVAL;
    int err = futex_get_two(c->addr, c->addr2, futex_is_private(c), VM_ACCESS_WRITE, key);
    if (err != 0)
        return err;
    err = futex_wait_requeue_pi(&key[0], c->addr, c->value, &key[1], c->addr2, c->deadline);
    futex_put_two(key);
    return futex_restart(err);
}

static long futex_call_requeue_pi(const struct futex_call *c)
{
    struct futex_key key[2];
    if (c->addr == c->addr2 || c->value != 1)
        return -EINVAL;
    int err = futex_get_two(c->addr, c->addr2, futex_is_private(c), VM_ACCESS_WRITE, key);
    if (err != 0)
        return err;
    err = futex_requeue_pi(&key[0], &key[1], (int)c->value2, c->addr, c->value3, c->addr2);
    futex_put_two(key);
    return futex_restart(err);
}

static bool futex_has_timeout(int command)
{
    return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI ||
           command == FUTEX_LOCK_PI2 || command == FUTEX_WAIT_REQUEUE_PI;
}

// WAIT's timeout is relative; LOCK_PI's is of the wall clock, whatever the flag says.
static int futex_read_timeout(struct futex_call *c, vaddr_t timeout)
{
    c->deadline = (struct futex_deadline){.ns = TIME_NEVER};
    if (timeout == 0 || !futex_has_timeout(c->command))
        return 0;
    int err = time_read_timespec(timeout, &c->deadline.ns);
    if (err != 0)
        return err;
    if (c->command == FUTEX_WAIT)
        c->deadline.ns = time_deadline(c->deadline.ns);
    c->deadline.realtime = c->command == FUTEX_LOCK_PI || (c->op & FUTEX_CLOCK_REALTIME);
    return 0;
}

static __attribute__((noinline)) long futex_call(vaddr_t addr, int op, uint32_t value,
                                                 unsigned long arg, vaddr_t addr2, uint32_t value3)
{
    struct futex_call c = {.addr = addr,
                           .op = op,
                           .command = op & FUTEX_CMD_MASK,
                           .value = value,
                           .value2 = arg,
                           .addr2 = addr2,
                           .value3 = value3};
    int err = futex_read_timeout(&c, arg);
    if (err != 0)
        return err;
    if ((op & FUTEX_CLOCK_REALTIME) && c.command != FUTEX_WAIT_BITSET &&
        c.command != FUTEX_WAIT_REQUEUE_PI && c.command != FUTEX_LOCK_PI2)
        return -ENOSYS;
    switch (c.command) {
    case FUTEX_WAIT:
        return futex_call_wait(&c, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAIT_BITSET:
        return futex_call_wait(&c, value3);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
        return futex_call_lock(addr, futex_is_private(&c), c.command, c.deadline);
    case FUTEX_WAIT_REQUEUE_PI:
        return futex_call_wait_requeue(&c);
    case FUTEX_CMP_REQUEUE_PI:
        return futex_call_requeue_pi(&c);
    default:
        return -ENOSYS;
    }
}

long sys_futex(vaddr_t addr, int op, uint32_t value, unsigned long arg, vaddr_t addr2,
               uint32_t value3)
{
    const struct futex_deadline never = {.ns = TIME_NEVER};
    bool private = op & FUTEX_PRIVATE_FLAG;
    switch (op & ~FUTEX_PRIVATE_FLAG) {
    case FUTEX_WAKE:
        return futex_call_wake(addr, private, (int)value, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET:
        return futex_call_wake(addr, private, (int)value, value3);
    case FUTEX_REQUEUE:
        return futex_call_requeue(addr, addr2, private, (int)value, (int)arg, NULL);
    case FUTEX_CMP_REQUEUE:
        return futex_call_requeue(addr, addr2, private, (int)value, (int)arg, &value3);
    case FUTEX_WAKE_OP:
        return futex_call_wake_op(addr, addr2, private, (int)value, (int)arg, value3);
    case FUTEX_WAIT:
        if (arg == 0)
            return futex_wait_forever(addr, private, value, FUTEX_BITSET_MATCH_ANY);
        break;
    case FUTEX_WAIT_BITSET:
    case FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME: // what glibc waits with
        if (arg == 0)
            return futex_wait_forever(addr, private, value, value3);
        break;
    case FUTEX_TRYLOCK_PI:
    case FUTEX_UNLOCK_PI:
        return futex_call_lock(addr, private, op & FUTEX_CMD_MASK, never);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
        if (arg == 0)
            return futex_call_lock(addr, private, op & FUTEX_CMD_MASK, never);
        break;
    }
    return futex_call(addr, op, value, arg, addr2, value3);
}
