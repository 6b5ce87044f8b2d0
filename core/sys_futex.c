// SPDX-License-Identifier: BSD-2-Clause
// futex(2) over sync/futex: makes the key, resolves the fault that the bucket's lock forbids, and
// turns timeouts into deadlines. Operations of the futex issue that aren't there yet are ENOSYS.
#include <arch/clock.h>
#include <arch/uaccess.h>
#include <core/process.h>
#include <core/time.h>
#include <errno.h>
#include <linux/futex.h>
#include <mm/vm_map.h>
#include <mm/vm_object.h>
#include <sync/futex.h>

#include "syscalls_priv.h"

#define ROBUST_HEAD_SIZE 24 // struct robust_list_head

// A key and what keeps it alive.
struct user_futex {
    struct futex_key key;
    struct vm_object *hold;
};

static int futex_get(struct user_futex *f, vaddr_t addr, int op)
{
    f->hold = NULL;
    return vm_map_futex_key(process_self()->map, addr, op & FUTEX_PRIVATE_FLAG, &f->key, &f->hold);
}

static void futex_put(struct user_futex *f)
{
    if (f->hold)
        vm_object_put(f->hold);
}

// The word wasn't there under the bucket's lock: bring it in. 0: try again.
static int futex_fault_in(vaddr_t addr)
{
    uint32_t word;
    return user_copy_in(&word, addr, sizeof(word));
}

static long futex_do_wait(vaddr_t addr, int op, uint32_t expected, uint32_t bitset,
                          uint64_t deadline_ns)
{
    struct user_futex f;
    int err = futex_get(&f, addr, op);
    if (err != 0)
        return err;
    do
        err = futex_wait(&f.key, addr, expected, bitset, deadline_ns);
    while (err == -EFAULT && (err = futex_fault_in(addr)) == 0);
    futex_put(&f);
    return err;
}

static long futex_wait_restart(struct restart *r)
{
    long err = futex_do_wait(r->args[0], (int)r->args[1], (uint32_t)r->args[2],
                             (uint32_t)r->args[3], r->deadline_ns);
    return err == -EINTR ? -ERESTART_RESTARTBLOCK : err;
}

// WAIT's timeout is relative, WAIT_BITSET's absolute. A restarted call keeps its deadline.
static long futex_wait_call(vaddr_t addr, int op, uint32_t expected, vaddr_t timeout,
                            uint32_t bitset)
{
    if (timeout == 0) {
        long err = futex_do_wait(addr, op, expected, bitset, TIME_NEVER);
        return err == -EINTR ? -ERESTARTSYS : err;
    }
    uint64_t ns;
    int err = time_read_timespec(timeout, &ns);
    if (err != 0)
        return err;
    if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT) {
        ns = time_deadline(ns);
    } else if (op & FUTEX_CLOCK_REALTIME) {
        uint64_t offset = (uint64_t)clock_realtime_offset();
        ns = ns > offset ? ns - offset : 0;
    }
    struct restart *r = &thread_self()->restart;
    *r = (struct restart){.call = futex_wait_restart,
                          .deadline_ns = ns,
                          .args = {addr, (uint64_t)op, expected, bitset}};
    return futex_wait_restart(r);
}

static long futex_wake_call(vaddr_t addr, int op, int nr, uint32_t bitset)
{
    struct user_futex f;
    int err = futex_get(&f, addr, op);
    if (err != 0)
        return err;
    err = futex_wake(&f.key, nr, bitset);
    futex_put(&f);
    return err;
}

static long futex_requeue_call(vaddr_t from, int op, int nr_wake, int nr_requeue, vaddr_t to,
                               const uint32_t *compare)
{
    struct user_futex a, b;
    int err = futex_get(&a, from, op);
    if (err != 0)
        return err;
    err = futex_get(&b, to, op);
    if (err == 0) {
        do
            err = futex_requeue(&a.key, &b.key, nr_wake, nr_requeue, from, compare);
        while (err == -EFAULT && (err = futex_fault_in(from)) == 0);
        futex_put(&b);
    }
    futex_put(&a);
    return err;
}

long sys_futex(vaddr_t addr, int op, uint32_t value, unsigned long arg, vaddr_t addr2,
               uint32_t value3)
{
    int command = op & FUTEX_CMD_MASK;
    if ((op & FUTEX_CLOCK_REALTIME) && command != FUTEX_WAIT_BITSET)
        return -ENOSYS;
    switch (command) {
    case FUTEX_WAIT:
        return futex_wait_call(addr, op, value, arg, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAIT_BITSET:
        return futex_wait_call(addr, op, value, arg, value3);
    case FUTEX_WAKE:
        return futex_wake_call(addr, op, (int)value, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET:
        return futex_wake_call(addr, op, (int)value, value3);
    case FUTEX_REQUEUE:
        return futex_requeue_call(addr, op, (int)value, (int)arg, addr2, NULL);
    case FUTEX_CMP_REQUEUE:
        return futex_requeue_call(addr, op, (int)value, (int)arg, addr2, &value3);
    default:
        return -ENOSYS;
    }
}

long sys_set_robust_list(vaddr_t head, size_t size)
{
    if (size != ROBUST_HEAD_SIZE)
        return -EINVAL;
    thread_self()->robust_list = head;
    return 0;
}

long sys_get_robust_list(pid_t tid, vaddr_t head_addr, vaddr_t size_addr)
{
    struct thread *t = tid == 0 ? thread_self() : thread_find(tid);
    if (!t)
        return -ESRCH;
    // Another's list tells where its memory is: for its own user only (ptrace(2), access mode).
    const struct cred *self = thread_self()->cred;
    uint64_t head = t->robust_list, size = ROBUST_HEAD_SIZE;
    bool allowed = t->process == process_self() || self->euid == 0;
    if (tid != 0)
        thread_put(t);
    if (!allowed)
        return -EPERM;
    int err = user_copy_out(size_addr, &size, sizeof(size));
    return err != 0 ? err : user_copy_out(head_addr, &head, sizeof(head));
}
