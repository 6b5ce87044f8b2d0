// SPDX-License-Identifier: BSD-2-Clause
// Restartable sequences, rseq(2): a structure in user memory where a thread finds the number of the
// hart that it runs on, and names the sequence of instructions that it is in. If the thread leaves
// its hart or gets a signal in the middle of one, it goes on at the sequence's abort handler.
//
// Leaving the hart sets THREAD_WORK_RSEQ; all else is done on the way back to user mode, by the
// thread itself. A structure that makes no sense costs the thread a SIGSEGV.
#include <arch/uaccess.h>
#include <core/process.h>
#include <core/rseq.h>
#include <errno.h>
#include <linux/rseq.h>

#include "syscalls_priv.h"

// What is told of a sequence's layout: the signature stands before the abort handler.
#define SIGNATURE_SIZE 4

static vaddr_t rseq_field(const struct thread *t, size_t offset)
{
    return t->rseq + offset;
}

// Younger than Debian 12's struct rseq: node_id and mm_cid. There is one node; as a number that no
// two running threads of a process share, the cpu's own serves.
#define NODE_ID_OFFSET 20

// cpu is RSEQ_CPU_ID_UNINITIALIZED when the structure is given back.
static int rseq_write_cpu(const struct thread *t, uint32_t number, uint32_t cpu)
{
    const uint32_t ids[2] = {number, cpu}, node_and_cid[2] = {0, number};
    _Static_assert(offsetof(struct rseq, cpu_id_start) == 0 && offsetof(struct rseq, cpu_id) == 4,
                   "the two are written at once");
    _Static_assert(NODE_ID_OFFSET + sizeof(node_and_cid) == RSEQ_FEATURE_SIZE, "as told in auxv");
    int err = user_copy_out(t->rseq, ids, sizeof(ids));
    return err != 0
               ? err
               : user_copy_out(rseq_field(t, NODE_ID_OFFSET), node_and_cid, sizeof(node_and_cid));
}

// The descriptor at `addr` is sound, and its abort handler bears the thread's signature.
static int rseq_check(const struct thread *t, const struct rseq_cs *cs)
{
    uint32_t signature;
    uint64_t size = cs->post_commit_offset;
    if (cs->version != 0 || cs->flags != 0 || cs->start_ip >= USER_END || size >= USER_END ||
        cs->start_ip + size >= USER_END || cs->abort_ip >= USER_END ||
        cs->abort_ip - cs->start_ip < size)
        return -EINVAL;
    int err = user_copy_in(&signature, cs->abort_ip - SIGNATURE_SIZE, sizeof(signature));
    if (err != 0)
        return err;
    return signature == t->rseq_signature ? 0 : -EINVAL;
}

// If the thread is in a sequence, it goes on at the abort handler.
static int rseq_abort(const struct thread *t, struct trap_frame *frame)
{
    struct rseq_cs cs;
    vaddr_t addr;
    uint32_t flags;
    const uint64_t none = 0;
    int err = user_copy_in(&addr, rseq_field(t, offsetof(struct rseq, rseq_cs)), sizeof(addr));
    if (err != 0 || addr == 0)
        return err;
    err = user_copy_in(&cs, addr, sizeof(cs));
    if (err == 0)
        err = rseq_check(t, &cs);
    if (err == 0)
        err = user_copy_in(&flags, rseq_field(t, offsetof(struct rseq, flags)), sizeof(flags));
    if (err != 0)
        return err;
    bool inside = frame->pc - cs.start_ip < cs.post_commit_offset;
    if (inside && flags != 0) // none is supported any more
        return -EINVAL;
    err = user_copy_out(rseq_field(t, offsetof(struct rseq, rseq_cs)), &none, sizeof(none));
    if (err == 0 && inside)
        frame->pc = cs.abort_ip;
    return err;
}

void rseq_resume(struct trap_frame *frame)
{
    struct thread *t = thread_self();
    if (t->rseq == 0)
        return;
    int err = rseq_abort(t, frame);
    if (err == 0) {
        uint32_t cpu = hart_self()->cpu; // leaving it from here on sets the work bit again
        err = rseq_write_cpu(t, cpu, cpu);
    }
    if (err != 0)
        signal_force_self(SIGSEGV, SI_KERNEL, 0);
}

void rseq_fork(struct thread *child, bool shares_memory)
{
    const struct thread *self = thread_self();
    if (shares_memory || self->rseq == 0)
        return;
    child->rseq = self->rseq;
    child->rseq_size = self->rseq_size;
    child->rseq_signature = self->rseq_signature;
    atomic_fetch_or(&child->arch.work, THREAD_WORK_RSEQ);
}

static long rseq_unregister(struct thread *t, vaddr_t addr, uint32_t size, uint32_t signature)
{
    if (t->rseq == 0 || t->rseq != addr || t->rseq_size != size)
        return -EINVAL;
    if (t->rseq_signature != signature)
        return -EPERM;
    int err = rseq_write_cpu(t, 0, (uint32_t)RSEQ_CPU_ID_UNINITIALIZED);
    if (err == 0)
        t->rseq = 0;
    return err;
}

long sys_rseq(vaddr_t addr, uint32_t size, int flags, uint32_t signature)
{
    struct thread *t = thread_self();
    if (flags == RSEQ_FLAG_UNREGISTER)
        return rseq_unregister(t, addr, size, signature);
    if (flags != 0)
        return -EINVAL;
    if (t->rseq != 0) {
        if (t->rseq != addr || t->rseq_size != size)
            return -EINVAL;
        return t->rseq_signature == signature ? -EBUSY : -EPERM;
    }
    if (size < sizeof(struct rseq) || !IS_ALIGNED(addr, RSEQ_ALIGN))
        return -EINVAL;
    if (addr == 0 || addr >= USER_END || size > USER_END - addr)
        return -EFAULT;
    t->rseq = addr;
    t->rseq_size = size;
    t->rseq_signature = signature;
    atomic_fetch_or(&t->arch.work, THREAD_WORK_RSEQ); // fills it in on the way out
    return 0;
}
