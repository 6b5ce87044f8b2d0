// SPDX-License-Identifier: BSD-2-Clause
// F/D and V registers of user programs. The truth about a thread's units is FS and VS in the frame
// of its entry from user mode: off, clean (memory and registers agree) or dirty (registers are
// newer). The kernel itself uses neither unit, so the registers stay live while it runs, and only a
// switch saves them, if dirty, and loads the next thread's, if on. Everything here is the calling
// thread's own; registers are moved with interrupts off, so that no switch comes between.
#include <arch/cpu.h>
#include <arch/fpu.h>
#include <arch/irq.h>
#include <arch/port.h>
#include <arch/uaccess.h>
#include <errno.h>
#include <string.h>

#include "fpu_priv.h"

size_t vector_state_size(void)
{
    if (!arch_thread_self()->vstate)
        return 0;
    return sizeof(struct vector_state) + 32 * (size_t)cpu_features()->vlenb;
}

static void frame_set_units(struct trap_frame *frame, uint64_t mask, uint64_t state)
{
    frame->status = (frame->status & ~mask) | state;
}

// The unit must be on in the hart while its registers move; what the hart's own sstatus says of it
// matters to nobody.
static void fpu_save(struct arch_thread *t, struct trap_frame *frame)
{
    if ((frame->status & SSTATUS_FS) == SSTATUS_FS_DIRTY) {
        csr_set(sstatus, SSTATUS_FS);
        float_save(&t->fpu);
        frame_set_units(frame, SSTATUS_FS, SSTATUS_FS_CLEAN);
    }
    if ((frame->status & SSTATUS_VS) == SSTATUS_VS_DIRTY) {
        csr_set(sstatus, SSTATUS_VS);
        vector_save(t->vstate);
        frame_set_units(frame, SSTATUS_VS, SSTATUS_VS_CLEAN);
    }
}

static void fpu_load(struct arch_thread *t, struct trap_frame *frame)
{
    if ((frame->status & SSTATUS_FS) != SSTATUS_FS_OFF) {
        csr_set(sstatus, SSTATUS_FS);
        float_load(&t->fpu);
        frame_set_units(frame, SSTATUS_FS, SSTATUS_FS_CLEAN);
    }
    if ((frame->status & SSTATUS_VS) != SSTATUS_VS_OFF) {
        csr_set(sstatus, SSTATUS_VS);
        vector_load(t->vstate);
        frame_set_units(frame, SSTATUS_VS, SSTATUS_VS_CLEAN);
    }
}

void fpu_save_dirty(struct arch_thread *t)
{
    fpu_save(t, arch_thread_frame(t));
}

void fpu_load_used(struct arch_thread *t)
{
    fpu_load(t, arch_thread_frame(t));
}

void fpu_save_self(void)
{
    struct arch_thread *t = arch_thread_self();
    irq_flags_t flags = irq_save();
    fpu_save(t, arch_thread_frame(t));
    irq_restore(flags);
}

void fpu_restore_self(void)
{
    struct arch_thread *t = arch_thread_self();
    struct trap_frame *frame = arch_thread_frame(t);
    irq_flags_t flags = irq_save();
    if (cpu_features()->hwcap & BIT('d' - 'a')) {
        csr_set(sstatus, SSTATUS_FS);
        float_load(&t->fpu);
        frame_set_units(frame, SSTATUS_FS, SSTATUS_FS_CLEAN);
    }
    irq_restore(flags);
}

// Allocates before it touches registers: it may sleep.
static int vector_enable(struct arch_thread *t)
{
    if (!t->vstate) {
        t->vstate = port_alloc(sizeof(struct vector_state) + 32 * (size_t)cpu_features()->vlenb);
        if (!t->vstate)
            return -ENOMEM;
    }
    irq_flags_t flags = irq_save();
    csr_set(sstatus, SSTATUS_VS);
    vector_load(t->vstate);
    frame_set_units(arch_thread_frame(t), SSTATUS_VS, SSTATUS_VS_CLEAN);
    irq_restore(flags);
    return 0;
}

const void *vector_save_self(void)
{
    fpu_save_self();
    return arch_thread_self()->vstate;
}

int vector_restore_self(const void *state)
{
    struct arch_thread *t = arch_thread_self();
    if (!cpu_features()->v)
        return -EINVAL;
    // A vtype that the hart doesn't know sets vill: harmless, so nothing here needs judging.
    if (!t->vstate) {
        int err = vector_enable(t);
        if (err != 0)
            return err;
    }
    irq_flags_t flags = irq_save();
    memcpy(t->vstate, state, vector_state_size());
    csr_set(sstatus, SSTATUS_VS);
    vector_load(t->vstate);
    frame_set_units(arch_thread_frame(t), SSTATUS_VS, SSTATUS_VS_CLEAN);
    irq_restore(flags);
    return 0;
}

enum unit { UNIT_NONE, UNIT_FLOAT, UNIT_VECTOR };

static enum unit csr_unit(uint32_t csr)
{
    if (csr >= 0x001 && csr <= 0x003) // fflags, frm, fcsr
        return UNIT_FLOAT;
    if ((csr >= 0x008 && csr <= 0x00a) || csr == 0x00f || (csr >= 0xc20 && csr <= 0xc22))
        return UNIT_VECTOR;
    return UNIT_NONE;
}

// Which unit an instruction needs (unprivileged spec, tables "RVC opcode map" and "RISC-V base
// opcode map"; V spec 7.3 for the widths of vector loads and stores).
static enum unit insn_unit(uint32_t insn)
{
    uint32_t funct3;
    if ((insn & 3) != 3) {
        funct3 = (insn >> 13) & 7;
        // c.fld, c.fsd, c.fldsp, c.fsdsp
        bool is_float = (insn & 1) == 0 && (funct3 == 1 || funct3 == 5);
        return is_float ? UNIT_FLOAT : UNIT_NONE;
    }
    funct3 = (insn >> 12) & 7;
    switch (insn & 0x7f) {
    case 0x07: // LOAD-FP
    case 0x27: // STORE-FP
        return funct3 == 0 || funct3 >= 5 ? UNIT_VECTOR : UNIT_FLOAT;
    case 0x43: // FMADD
    case 0x47:
    case 0x4b:
    case 0x4f:
    case 0x53: // OP-FP
        return UNIT_FLOAT;
    case 0x57: // OP-V
        return UNIT_VECTOR;
    case 0x73: // SYSTEM
        return (funct3 & 3) != 0 ? csr_unit(insn >> 20) : UNIT_NONE;
    default:
        return UNIT_NONE;
    }
}

// stval may hold the instruction, or 0 where the hart doesn't tell. It may lie across two pages.
static bool insn_read(const struct trap_frame *frame, uint32_t *insn)
{
    uint16_t low, high = 0;
    if (frame->badaddr != 0) {
        *insn = (uint32_t)frame->badaddr;
        return true;
    }
    if (user_copy_in(&low, frame->pc, sizeof(low)) != 0)
        return false;
    if ((low & 3) == 3 && user_copy_in(&high, frame->pc + 2, sizeof(high)) != 0)
        return false;
    *insn = (uint32_t)high << 16 | low;
    return true;
}

bool fpu_handle_illegal(struct trap_frame *frame)
{
    const struct cpu_features *features = cpu_features();
    uint32_t insn;
    if (!insn_read(frame, &insn))
        return false;
    switch (insn_unit(insn)) {
    case UNIT_FLOAT:
        if ((frame->status & SSTATUS_FS) != SSTATUS_FS_OFF || !(features->hwcap & BIT('d' - 'a')))
            return false;
        fpu_restore_self();
        return true;
    case UNIT_VECTOR:
        if ((frame->status & SSTATUS_VS) != SSTATUS_VS_OFF || !features->v)
            return false;
        return vector_enable(arch_thread_self()) == 0;
    default:
        return false;
    }
}
