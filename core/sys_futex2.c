// SPDX-License-Identifier: BSD-2-Clause
// futex_waitv(2) and the calls of futex2: futex_wake, futex_wait, futex_requeue. Words of 32 bits;
// every timeout is absolute.
#include <arch/uaccess.h>
#include <core/process.h>
#include <core/time.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/time.h>
#include <mm/slab.h>

#include "futex_priv.h"
#include "syscalls_priv.h"

#define FUTEX2_SIZE_MASK 3U
#define FUTEX2_SIZE_U32  2U
#define FUTEX2_PRIVATE   FUTEX_PRIVATE_FLAG

#define WAITV_ON_STACK 4 // words; more need memory

// A word of 32 bits, private or not, and values that fit into it.
static bool futex2_is_valid(unsigned int flags, uint64_t value)
{
    return (flags & ~(FUTEX2_SIZE_MASK | (unsigned int)FUTEX2_PRIVATE)) == 0 &&
           (flags & FUTEX2_SIZE_MASK) == FUTEX2_SIZE_U32 && value <= UINT32_MAX;
}

static int futex2_read_deadline(vaddr_t timeout, int clock, struct futex_deadline *deadline)
{
    *deadline = (struct futex_deadline){.ns = TIME_NEVER};
    if (timeout == 0)
        return 0;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return -EINVAL;
    deadline->realtime = clock == CLOCK_REALTIME;
    return time_read_timespec(timeout, &deadline->ns);
}

static void waitv_put(struct futex_wait_word *words, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++)
        futex_key_put(&words[i].key);
}

// The words as user space lists them. Their keys are to be put.
static int waitv_read(vaddr_t list, unsigned int nr, struct futex_wait_word *words)
{
    for (unsigned int i = 0; i < nr; i++) {
        struct futex_waitv v;
        int err = user_copy_in(&v, list + i * sizeof(v), sizeof(v));
        if (err == 0 && (v.__reserved != 0 || !futex2_is_valid(v.flags, v.val)))
            err = -EINVAL;
        if (err == 0)
            err = futex_key_of(v.uaddr, v.flags & FUTEX2_PRIVATE, VM_ACCESS_READ, &words[i].key);
        if (err != 0) {
            waitv_put(words, i);
            return err;
        }
        words[i].addr = v.uaddr;
        words[i].expected = (uint32_t)v.val;
    }
    return 0;
}

static long waitv_wait(vaddr_t list, unsigned int nr, struct futex_wait_word *words,
                       struct futex_waiter *waiters, struct futex_deadline deadline)
{
    int result = waitv_read(list, nr, words);
    if (result != 0)
        return result;
    result = futex_wait_any(words, waiters, nr, deadline);
    waitv_put(words, nr);
    return result == -EINTR ? -ERESTARTSYS : result;
}

static long waitv_wait_many(vaddr_t list, unsigned int nr, struct futex_deadline deadline)
{
    struct futex_wait_word *words = kmalloc(nr * sizeof(*words));
    struct futex_waiter *waiters = kmalloc(nr * sizeof(*waiters));
    long result = words && waiters ? waitv_wait(list, nr, words, waiters, deadline) : -ENOMEM;
    kfree(waiters);
    kfree(words);
    return result;
}

long sys_futex_waitv(vaddr_t list, unsigned int nr, unsigned int flags, vaddr_t timeout, int clock)
{
    struct futex_deadline deadline;
    if (flags != 0 || nr == 0 || nr > FUTEX_WAITV_MAX || list == 0)
        return -EINVAL;
    int err = futex2_read_deadline(timeout, clock, &deadline);
    if (err != 0)
        return err;
    if (nr > WAITV_ON_STACK)
        return waitv_wait_many(list, nr, deadline);
    struct futex_wait_word words[WAITV_ON_STACK];
    struct futex_waiter waiters[WAITV_ON_STACK];
    return waitv_wait(list, nr, words, waiters, deadline);
}

long sys_futex_wake(vaddr_t addr, unsigned long mask, int nr, unsigned int flags)
{
    struct futex_key key;
    if (!futex2_is_valid(flags, mask) || mask == 0)
        return -EINVAL;
    int result = futex_key_of(addr, flags & FUTEX2_PRIVATE, VM_ACCESS_READ, &key);
    if (result != 0)
        return result;
    if (nr != 0) // unlike FUTEX_WAKE, 0 is none
        result = futex_wake(&key, nr, (uint32_t)mask);
    futex_key_put(&key);
    return result;
}

long sys_futex_wait(vaddr_t addr, unsigned long value, unsigned long mask, unsigned int flags,
                    vaddr_t timeout, int clock)
{
    struct futex_deadline deadline;
    struct futex_key key;
    if (!futex2_is_valid(flags, value) || mask > UINT32_MAX)
        return -EINVAL;
    int err = futex2_read_deadline(timeout, clock, &deadline);
    if (err == 0)
        err = futex_key_of(addr, flags & FUTEX2_PRIVATE, VM_ACCESS_READ, &key);
    if (err != 0)
        return err;
    err = futex_wait(&key, addr, (uint32_t)value, (uint32_t)mask, deadline);
    futex_key_put(&key);
    return err == -EINTR ? -ERESTARTSYS : err;
}

long sys_futex_requeue(vaddr_t list, unsigned int flags, int nr_wake, int nr_requeue)
{
    struct futex_wait_word words[2];
    if (flags != 0 || list == 0)
        return -EINVAL;
    int result = waitv_read(list, 2, words);
    if (result != 0)
        return result;
    result = futex_requeue(&words[0].key, &words[1].key, nr_wake, nr_requeue, words[0].addr,
                           &words[0].expected);
    waitv_put(words, 2);
    return result;
}
