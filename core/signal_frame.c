// SPDX-License-Identifier: BSD-2-Clause
// The frame on the user stack that a handler runs on, exactly as Linux lays it out on riscv64
// (struct rt_sigframe: siginfo, ucontext; then V state as an extension record), because libraries
// unwind through it and handlers change it. rt_sigreturn(2) takes it back and trusts nothing of it.
#include <arch/cpu.h>
#include <arch/csr.h>
#include <arch/fpu.h>
#include <arch/uaccess.h>
#include <arch/vdso.h>
#include <asm/ptrace.h>
#include <linux/signal.h>
#include <core/process.h>
#include <errno.h>
#include <mm/slab.h>
#include <string.h>

#include "signal_priv.h"

#define VECTOR_MAGIC 0x53465457U // RISCV_V_MAGIC
#define END_MAGIC    0

// sc_fpregs, seen as what extensions made of its end: a reserved word and the first record's
// header.
struct extension_header {
    uint32_t magic, size; // size with the header; the end record has 0
};

struct float_tail {
    uint32_t unused;
    uint32_t reserved; // must be zero
    struct extension_header header;
} __attribute__((aligned(8))); // copied by words

struct float_area {
    uint64_t f[32];
    uint64_t fcsr;       // the upper half counts as unused
    uint64_t unused[31]; // of a Q register file
    struct float_tail tail;
};

struct signal_context {
    struct user_regs_struct regs;
    struct float_area fp __attribute__((aligned(16)));
};

struct signal_ucontext_head {
    unsigned long flags;
    vaddr_t link;
    stack_t stack;
    sigmask_t mask;
};

struct signal_ucontext {
    struct signal_ucontext_head head;
    uint8_t unused[1024 / 8 - sizeof(sigmask_t)];
    struct signal_context context __attribute__((aligned(16)));
};

struct signal_frame {
    siginfo_t info;
    struct signal_ucontext uc;
};

// V state is an extension record. Its header takes the place of the end record in the float area,
// so its body begins where the frame ends; the registers and a new end record follow.
struct vector_body { // uapi's __riscv_v_ext_state
    uint64_t vstart, vl, vtype, vcsr, vlenb;
    vaddr_t data;
};

_Static_assert(sizeof(siginfo_t) == 128, "riscv64 ABI");
_Static_assert(sizeof(struct float_area) == 528, "union __riscv_fp_state");
_Static_assert(offsetof(struct float_area, tail.reserved) == 516, "__riscv_extra_ext_header");
_Static_assert(offsetof(struct float_area, unused) == sizeof(struct arch_fpu), "same order");
_Static_assert(offsetof(struct signal_ucontext, context) == 176, "struct ucontext");
_Static_assert(sizeof(struct signal_frame) == 128 + 176 + 256 + 528, "struct rt_sigframe");
_Static_assert(sizeof(struct user_regs_struct) == offsetof(struct trap_frame, status),
               "same order");

#define REGS_OFFSET  offsetof(struct signal_frame, uc.context.regs)
#define FLOAT_OFFSET offsetof(struct signal_frame, uc.context.fp)

// What arch/fpu.h keeps before the V registers.
#define VECTOR_CSRS 4

static size_t vector_record_size(size_t state_size)
{
    return sizeof(struct extension_header) + sizeof(struct vector_body) + state_size -
           VECTOR_CSRS * sizeof(uint64_t);
}

static size_t frame_size(size_t state_size)
{
    size_t size = sizeof(struct signal_frame);
    if (state_size != 0)
        size += vector_record_size(state_size) + sizeof(struct extension_header);
    return ALIGN_UP(size, 16);
}

static size_t vector_state_size_max(void)
{
    const struct cpu_features *features = cpu_features();
    return features->v ? VECTOR_CSRS * sizeof(uint64_t) + 32 * (size_t)features->vlenb : 0;
}

size_t signal_frame_size_max(void)
{
    return frame_size(vector_state_size_max());
}

static int push_vector(vaddr_t user, size_t state_size)
{
    const uint64_t *state = vector_save_self();
    size_t data_size = state_size - VECTOR_CSRS * sizeof(uint64_t);
    vaddr_t at = user + sizeof(struct signal_frame);
    struct vector_body body = {
        .vstart = state[0],
        .vl = state[1],
        .vtype = state[2],
        .vcsr = state[3],
        .vlenb = data_size / 32,
        .data = at + sizeof(body),
    };
    const struct extension_header end = {END_MAGIC, 0};
    if (user_copy_out(at, &body, sizeof(body)) != 0 ||
        user_copy_out(body.data, state + VECTOR_CSRS, data_size) != 0)
        return -EFAULT;
    return user_copy_out(body.data + data_size, &end, sizeof(end));
}

static int push_float(vaddr_t user, const struct arch_fpu *fpu, size_t state_size)
{
    struct float_tail tail = {.header = {END_MAGIC, 0}};
    if (state_size != 0)
        tail.header =
            (struct extension_header){VECTOR_MAGIC, (uint32_t)vector_record_size(state_size)};
    if (user_copy_out(user + FLOAT_OFFSET, fpu, sizeof(*fpu)) != 0)
        return -EFAULT;
    return user_copy_out(user + FLOAT_OFFSET + offsetof(struct float_area, tail), &tail,
                         sizeof(tail));
}

static vaddr_t frame_place(const struct trap_frame *frame, const struct signal_delivery *d,
                           size_t size)
{
    const struct signal_thread *s = &thread_self()->signal;
    vaddr_t sp = frame->sp;
    bool on_alt = signal_on_altstack(s, sp);
    if ((d->action.flags & SA_ONSTACK) && s->alt_size != 0 && !on_alt) {
        sp = s->alt_base + s->alt_size;
        on_alt = true;
    }
    if (sp < size + 16)
        return 0;
    vaddr_t place = ALIGN_DOWN(sp - size, 16);
    if (on_alt && place < s->alt_base)
        return 0; // would run over its end
    return place;
}

int signal_frame_push(struct trap_frame *frame, const struct signal_delivery *d)
{
    struct thread *t = thread_self();
    size_t vector_size = vector_state_size();
    vaddr_t user = frame_place(frame, d, frame_size(vector_size));
    if (user == 0)
        return -EFAULT;

    struct signal_ucontext_head head = {.mask = t->signal.restore_mask ? t->signal.saved_mask
                                                                       : t->signal.mask};
    signal_altstack_get(&head.stack, frame->sp);
    vaddr_t uc = user + offsetof(struct signal_frame, uc);
    fpu_save_self();
    if (user_copy_out(user, &d->info, SIGNAL_INFO_SIZE) != 0 ||
        user_clear_partial(user + SIGNAL_INFO_SIZE, sizeof(siginfo_t) - SIGNAL_INFO_SIZE) != 0 ||
        user_copy_out(uc, &head, sizeof(head)) != 0 ||
        user_copy_out(user + REGS_OFFSET, frame, sizeof(struct user_regs_struct)) != 0 ||
        push_float(user, &t->arch.fpu, vector_size) != 0)
        return -EFAULT;
    if (vector_size != 0 && push_vector(user, vector_size) != 0)
        return -EFAULT;

    if (t->signal.alt_flags & (int)SS_AUTODISARM) {
        t->signal.alt_base = 0;
        t->signal.alt_size = 0;
        t->signal.alt_flags = 0;
    }
    frame->ra = t->process->map->vdso + vdso_sigreturn_offset();
    frame->pc = d->action.handler;
    frame->sp = user;
    frame->a0 = (uint64_t)d->signal;
    frame->a1 = user;
    frame->a2 = uc;
    return 0;
}

static int pop_vector(vaddr_t user, uint32_t size)
{
    struct vector_body body;
    struct extension_header end;
    size_t state_size = vector_state_size();
    vaddr_t at = user + sizeof(struct signal_frame);
    if (state_size == 0 || size != vector_record_size(state_size))
        return -EINVAL;
    if (user_copy_in(&body, at, sizeof(body)) != 0 ||
        user_copy_in(&end, at - sizeof(end) + size, sizeof(end)) != 0)
        return -EFAULT;
    if (end.magic != END_MAGIC || end.size != 0)
        return -EINVAL;
    uint64_t *state = kmalloc(state_size);
    if (!state)
        return -ENOMEM;
    state[0] = body.vstart;
    state[1] = body.vl;
    state[2] = body.vtype;
    state[3] = body.vcsr;
    int err =
        user_copy_in(state + VECTOR_CSRS, body.data, state_size - VECTOR_CSRS * sizeof(uint64_t));
    if (err == 0)
        err = vector_restore_self(state);
    kfree(state);
    return err;
}

// Straight to where the registers are kept. A thread that never used the unit gets it only for
// values that aren't what it would find anyway.
static int pop_float(struct thread *t, const struct trap_frame *frame, vaddr_t user)
{
    struct arch_fpu *fpu = &t->arch.fpu;
    fpu_save_self(); // nothing dirty may overwrite what comes
    int err = user_copy_in(fpu, user + FLOAT_OFFSET, sizeof(*fpu));
    fpu->fcsr = (uint32_t)fpu->fcsr;
    if ((frame->status & SSTATUS_FS) == SSTATUS_FS_OFF) {
        uint64_t bits = fpu->fcsr;
        for (unsigned int i = 0; i < 32; i++)
            bits |= fpu->f[i];
        if (bits == 0)
            return err;
    }
    fpu_restore_self();
    return err;
}

static int pop_extension(vaddr_t user)
{
    struct float_tail tail;
    if (user_copy_in(&tail, user + FLOAT_OFFSET + offsetof(struct float_area, tail),
                     sizeof(tail)) != 0)
        return -EFAULT;
    if (tail.reserved != 0)
        return -EINVAL;
    if (tail.header.magic == VECTOR_MAGIC)
        return pop_vector(user, tail.header.size);
    return tail.header.magic == END_MAGIC && tail.header.size == 0 ? 0 : -EINVAL;
}

// What fails in the middle has changed registers: the thread gets SIGSEGV in any case.
static int pop_frame(struct trap_frame *frame, vaddr_t user)
{
    struct signal_ucontext_head head;
    if (user_copy_in(&head, user + offsetof(struct signal_frame, uc), sizeof(head)) != 0)
        return -EFAULT;
    int err = pop_extension(user);
    if (err == 0)
        err = user_copy_in(frame, user + REGS_OFFSET, sizeof(struct user_regs_struct));
    if (err == 0)
        err = pop_float(thread_self(), frame, user);
    if (err != 0)
        return err;
    signal_set_mask(head.mask);
    // As Linux does: a bad stack in the frame changes nothing.
    (void)signal_altstack_set(&head.stack, frame->sp, MINSIGSTKSZ);
    return 0;
}

long signal_frame_pop(struct trap_frame *frame)
{
    frame->cause = TRAP_CAUSE_NONE; // whatever a0 becomes, nothing restarts
    if (!IS_ALIGNED(frame->sp, 16) || pop_frame(frame, frame->sp) != 0)
        signal_force_self(SIGSEGV, SI_KERNEL, 0);
    return (long)frame->a0;
}
