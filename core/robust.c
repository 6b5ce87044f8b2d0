// SPDX-License-Identifier: BSD-2-Clause
// What a thread leaves behind in user memory when it exits or becomes another program: robust
// futexes (set_robust_list(2)), locks with priority inheritance, and its TID (set_tid_address(2)).
//
// The list is user memory and may be anything: a walk ends after ROBUST_LIST_LIMIT entries or at
// the first that can't be read.
#include <arch/uaccess.h>
#include <core/process.h>
#include <errno.h>
#include <linux/futex.h>
#include <sync/pi.h>
#include <sync/port.h>

#include "futex_priv.h"
#include "process_priv.h"
#include "syscalls_priv.h"

#define ENTRY_PI 1UL // in an entry's address: a lock with priority inheritance

struct robust_entry {
    vaddr_t node;
    bool pi;
};

static struct robust_entry robust_entry(const void *raw)
{
    vaddr_t value = (vaddr_t)raw;
    return (struct robust_entry){.node = value & ~ENTRY_PI, .pi = value & ENTRY_PI};
}

static void wake_one_at(vaddr_t addr)
{
    struct futex_key key;
    if (futex_key_of(addr, false, VM_ACCESS_READ, &key) != 0)
        return;
    (void)futex_wake(&key, 1, FUTEX_BITSET_MATCH_ANY);
    futex_key_put(&key);
}

// The owner of the word at addr dies. 0, or an error that ends the walk. Those who wait for a lock
// with inheritance are seen to by pi_thread_end_exit().
static int robust_release(struct thread *t, vaddr_t addr, bool pi, bool pending)
{
    uint32_t value, old;
    int err;
    if (!IS_ALIGNED(addr, sizeof(value)))
        return -EINVAL;
    do {
        err = user_copy_in(&value, addr, sizeof(value));
        if (err != 0)
            return err;
        // He had let go of it, and died before he could wake somebody.
        if (pending && !pi && (value & FUTEX_TID_MASK) == 0) {
            wake_one_at(addr);
            return 0;
        }
        if ((value & FUTEX_TID_MASK) != (uint32_t)t->tid)
            return 0;
        err =
            user_cmpxchg_u32_nofault(addr, value, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &old);
        if (err == -EFAULT && port_user_fault_in(addr, true) == 0)
            err = 1;
    } while (err > 0);
    if (err == 0 && !pi && (value & FUTEX_WAITERS))
        wake_one_at(addr);
    return err;
}

static void robust_walk(struct thread *t)
{
    struct robust_list_head head;
    if (user_copy_in(&head, t->robust_list, sizeof(head)) != 0)
        return;
    struct robust_entry entry = robust_entry(head.list.next);
    const struct robust_entry pending = robust_entry(head.list_op_pending);
    vaddr_t offset = (vaddr_t)head.futex_offset;
    for (unsigned int i = 0; i < ROBUST_LIST_LIMIT && entry.node != t->robust_list; i++) {
        struct robust_list node;
        // Read on before the entry is released: its memory may go with it.
        int err = user_copy_in(&node, entry.node, sizeof(node));
        if (entry.node != pending.node &&
            robust_release(t, entry.node + offset, entry.pi, false) != 0)
            return;
        if (err != 0)
            return;
        entry = robust_entry(node.next);
        sched_relax();
    }
    if (pending.node != 0)
        (void)robust_release(t, pending.node + offset, pending.pi, true);
}

void exit_release_user_memory(struct thread *t, bool exec)
{
    struct vm_map *map = t->process->map;
    pi_thread_begin_exit();
    if (map && t->robust_list)
        robust_walk(t);
    t->robust_list = 0;
    pi_thread_end_exit(exec ? PI_ALIVE : PI_DEAD);
    if (map && t->clear_child_tid &&
        (t->process->nr_threads > 1 || atomic_load(&map->refs.count) > 1)) {
        const uint32_t zero = 0;
        if (user_copy_out(t->clear_child_tid, &zero, sizeof(zero)) == 0)
            wake_one_at(t->clear_child_tid);
    }
    t->clear_child_tid = 0;
}

long sys_set_robust_list(vaddr_t head, size_t size)
{
    struct thread *t = thread_self();
    if (size != sizeof(struct robust_list_head))
        return -EINVAL;
    t->robust_list = head;
    return 0;
}

long sys_get_robust_list(pid_t tid, vaddr_t head_addr, vaddr_t size_addr)
{
    struct thread *t = tid == 0 ? thread_self() : thread_find(tid);
    if (!t)
        return -ESRCH;
    // Another's list tells where its memory is: for its own user only (ptrace(2), access mode).
    const struct cred *self = thread_self()->cred;
    uint64_t head = t->robust_list, size = sizeof(struct robust_list_head);
    bool allowed = t->process == process_self() || self->euid == 0;
    if (tid != 0)
        thread_put(t);
    if (!allowed)
        return -EPERM;
    int err = user_copy_out(size_addr, &size, sizeof(size));
    return err != 0 ? err : user_copy_out(head_addr, &head, sizeof(head));
}
