/*
 * The strict machine: a TLB that keeps what the architecture lets it keep.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU's own TLB (the "soft" TLB) holds one address space and is dropped at every satp write and
 * sfence.vma. Here it becomes a mere cache over the TLB of this file, which is tagged by ASID, global
 * bit and page size, and which loses an entry only to a fence that the privileged specification
 * ("Supervisor Memory-Management Fence Instruction") says removes it:
 *
 *   sfence.vma x0, x0    everything
 *   sfence.vma x0, asid  what that address space has, but for global entries
 *   sfence.vma va, x0    leaf entries of that address, in all address spaces
 *   sfence.vma va, asid  leaf entries of that address in that space, but for global ones
 *
 * Every fill of the soft TLB first looks here. x-strict-serve=on lets an entry that is found serve,
 * right or wrong. Without it the page table in memory is walked as well; an entry that allows what memory
 * doesn't, or leads elsewhere, is a stale use: a report, and the end. An entry that forbids what memory
 * allows is no error: the access faults, as it may on hardware, and software must fence and try
 * again; a fault that comes back too often means that it doesn't. A difference in the accessed bit
 * alone is no stale use. Nor is a use while a shootdown is on its way: software fences other harts after it
 * has changed the PTE, and what they do until then is theirs. So when another thread made the change, it
 * counts from the moment when that thread goes to user mode (see strict_watch.c).
 *
 * That a soft TLB entry can't hide a change of memory from this check is the job of strict_watch.c.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "exec/exec-all.h"
#include "exec/strict.h"
#include "strict_priv.h"

enum { NR_ENTRIES = 1 << 16, NR_BUCKETS = 1 << 15, MAX_DENIED = 1000 };

struct StrictEntry {
    StrictEntry *next; /* in its bucket */
    uint64_t page;     /* address >> (12 + shift) */
    target_ulong pte;
    hwaddr slot; /* where the PTE was read */
    uint32_t generation, asid_generation;
    uint16_t asid;
    uint8_t shift;
    bool global;
    bool node;  /* of the page-walk cache: not a leaf */
    bool used;  /* in a bucket */
    uint32_t denied;
};

static uint32_t hart_asid(CPURISCVState *env)
{
    return get_field(env->satp, SATP64_ASID);
}

static target_ulong asid_mask(CPURISCVState *env)
{
    return ((target_ulong)1 << riscv_cpu_cfg(env)->asid_bits) - 1;
}

static StrictEntry **bucket_of(StrictHart *hart, uint64_t page, int shift, bool node)
{
    uint64_t hash = (page * 64 + shift * 2 + node) * 0x9e3779b97f4a7c15ull;

    return &hart->buckets[hash >> (64 - 15)];
}

static bool entry_alive(const StrictHart *hart, const StrictEntry *entry)
{
    return entry->generation == hart->generation &&
           (entry->global || entry->asid_generation == hart->asid_generation[entry->asid]);
}

static void entry_unlink(StrictHart *hart, StrictEntry *entry)
{
    StrictEntry **link = bucket_of(hart, entry->page, entry->shift, entry->node);

    while (*link != entry) {
        link = &(*link)->next;
    }
    *link = entry->next;
    entry->used = false;
}

/* The entry for this address and page size that serves this ASID. */
static StrictEntry *entry_find(StrictHart *hart, vaddr va, int shift, bool node, uint32_t asid)
{
    uint64_t page = va >> (TARGET_PAGE_BITS + shift);
    StrictEntry **link = bucket_of(hart, page, shift, node);

    while (*link) {
        StrictEntry *entry = *link;

        if (!entry_alive(hart, entry)) {
            *link = entry->next;
            entry->used = false;
            continue;
        }
        if (entry->page == page && entry->shift == shift && entry->node == node &&
            (entry->global || entry->asid == asid)) {
            return entry;
        }
        link = &entry->next;
    }
    return NULL;
}

static void entry_add(CPURISCVState *env, int shift, bool node)
{
    StrictHart *hart = env->strict;
    uint32_t asid = hart_asid(env);
    StrictEntry *entry = entry_find(hart, hart->va, shift, node, asid);
    StrictEntry **bucket;

    if (entry) {
        entry_unlink(hart, entry);
    } else {
        /* When all are taken, the oldest goes: a TLB may always forget. */
        entry = &hart->entries[hart->next_entry++ % NR_ENTRIES];
        if (entry->used) {
            entry_unlink(hart, entry);
        }
    }
    *entry = (StrictEntry) {
        .page = hart->va >> (TARGET_PAGE_BITS + shift), .pte = hart->pte, .slot = hart->slot,
        .generation = hart->generation, .asid_generation = hart->asid_generation[asid],
        .asid = asid, .shift = shift, .global = hart->global, .node = node, .used = true,
    };
    bucket = bucket_of(hart, entry->page, shift, node);
    entry->next = *bucket;
    *bucket = entry;
    hart->shifts |= 1u << shift;
    hart->filled++;
}

bool strict_tlb_find(CPURISCVState *env, vaddr addr, target_ulong *pte, int *ptshift, hwaddr *slot)
{
    StrictHart *hart = env->strict;

    if (!hart || hart->phase != STRICT_TLB) {
        return false;
    }
    for (uint32_t left = hart->shifts; left; left &= left - 1) {
        StrictEntry *entry = entry_find(hart, addr, ctz32(left), false, hart_asid(env));

        if (entry) {
            hart->found = entry;
            *pte = entry->pte;
            *ptshift = entry->shift;
            *slot = entry->slot;
            return true;
        }
    }
    return false;
}

void strict_walk_start(CPURISCVState *env, vaddr addr)
{
    StrictHart *hart = env->strict;

    if (hart && hart->phase != STRICT_IDLE) {
        hart->va = addr;
        hart->global = false;
        hart->used_node = false;
        hart->pte = 0;
        hart->slot = STRICT_NONE;
        hart->nr_chain = 0;
    }
}

void strict_walk_note(CPURISCVState *env, hwaddr slot)
{
    StrictHart *hart = env->strict;

    if (hart && hart->phase != STRICT_IDLE && !riscv_cpu_cfg(env)->strict_serve) {
        hart->chain[hart->nr_chain++] = slot;
        strict_watch_slot(env, slot);
    }
}

void strict_walk_pte(CPURISCVState *env, int ptshift, hwaddr slot, target_ulong *pte)
{
    StrictHart *hart = env->strict;
    StrictEntry *node;

    if (!hart || hart->phase == STRICT_IDLE) {
        return;
    }
    if (hart->phase == STRICT_TLB && riscv_cpu_cfg(env)->strict_walk_cache) {
        node = entry_find(hart, hart->va, ptshift, true, hart_asid(env));
        if (node) {
            hart->used_node = true;
            *pte = node->pte;
            slot = node->slot;
            hart->global |= node->global;
        }
    }
    hart->pte = *pte;
    hart->slot = slot;
    hart->global |= !!(*pte & PTE_G);
    if (hart->phase == STRICT_TLB && riscv_cpu_cfg(env)->strict_walk_cache && !hart->used_node &&
        (*pte & PTE_V) && !(*pte & (PTE_R | PTE_W | PTE_X))) {
        entry_add(env, ptshift, true);
    }
}

void strict_tlb_insert(CPURISCVState *env, int ptshift)
{
    StrictHart *hart = env->strict;

    if (hart && hart->phase == STRICT_TLB &&
        ((hart->pte & PTE_V) || riscv_cpu_cfg(env)->strict_invalid)) {
        entry_add(env, ptshift, false);
    }
}

bool strict_begin(CPURISCVState *env, bool memory)
{
    StrictHart *hart = env->strict;

    if (!hart || !riscv_cpu_cfg(env)->strict_tlb || riscv_cpu_sxl(env) != MXL_RV64) {
        return false;
    }
    if (!memory) {
        hart->found = NULL;
        hart->used_node = false;
        hart->one_shot = false;
        hart->slot = STRICT_NONE;
    }
    hart->phase = memory ? STRICT_MEMORY : STRICT_TLB;
    return true;
}

void strict_end(CPURISCVState *env)
{
    env->strict->phase = STRICT_IDLE;
}

bool strict_used_entry(CPURISCVState *env)
{
    return env->strict->found || env->strict->used_node;
}

bool strict_one_shot(CPURISCVState *env)
{
    return env->strict && env->strict->one_shot;
}

static const char *const access_names[] = { "load", "store", "fetch" };

static void report_stale(CPURISCVState *env, const char *what, vaddr addr, int access_type,
                         uintptr_t retaddr, const StrictTry *tlb, const StrictTry *memory)
{
    StrictHart *hart = env->strict;
    const StrictEntry *entry = hart->found;

    if (retaddr) {
        cpu_restore_state(env_cpu(env), retaddr);
    }
    strict_report_begin();
    fprintf(stderr, "\nstrict: %s\n"
            "  hart " TARGET_FMT_ld " pc 0x" TARGET_FMT_lx " %s of 0x%" VADDR_PRIx
            ", privilege %d, satp 0x" TARGET_FMT_lx "\n",
            what, env->mhartid, access_type == MMU_INST_FETCH ? (target_ulong)addr : env->pc,
            access_names[access_type], addr, (int)env->priv, env->satp);
    if (entry) {
        fprintf(stderr, "  TLB:    PTE 0x" TARGET_FMT_lx " read at 0x%" HWADDR_PRIx
                ", %" PRIu64 " KiB, ASID %d%s\n", entry->pte, entry->slot,
                (uint64_t)4 << entry->shift, entry->asid, entry->global ? ", global" : "");
    } else {
        fprintf(stderr, "  TLB:    through a non-leaf entry of the page-walk cache\n");
    }
    fprintf(stderr, "  memory: PTE 0x" TARGET_FMT_lx " at 0x%" HWADDR_PRIx "\n",
            hart->pte, hart->slot);
    strict_print_writer(env, hart->slot);
    if (entry && entry->slot != hart->slot) {
        strict_print_writer(env, entry->slot);
    }
    fprintf(stderr, "  TLB: %s", tlb->ret ? "a fault" : "");
    if (!tlb->ret) {
        fprintf(stderr, "0x%" HWADDR_PRIx, tlb->pa);
    }
    fprintf(stderr, "; memory: %s", memory->ret ? "a fault" : "");
    if (!memory->ret) {
        fprintf(stderr, "0x%" HWADDR_PRIx, memory->pa);
    }
    fprintf(stderr, "\n");
    strict_report_end(env);
}

void strict_judge(CPURISCVState *env, vaddr addr, int access_type, uintptr_t retaddr, StrictTry *tlb,
                  const StrictTry *memory)
{
    StrictHart *hart = env->strict;

    if (riscv_cpu_cfg(env)->strict_serve) {
        hart->served++;
        return;
    }
    if (tlb->ret) {
        if (!memory->ret) {
            hart->denied++;
            if (hart->found && ++hart->found->denied == MAX_DENIED) {
                report_stale(env, "the same fault again and again: nothing fences its entry", addr,
                             access_type, retaddr, tlb, memory);
            }
        }
        return;
    }
    if (hart->found && memory->ret && hart->slot == hart->found->slot &&
        (hart->pte | PTE_A) == (hart->found->pte | PTE_A)) {
        return; /* only aged */
    }
    if (memory->ret || tlb->pa != memory->pa) {
        if (strict_in_flight(env, hart->found ? hart->found->slot : hart->slot)) {
            hart->one_shot = true;
            return;
        }
        report_stale(env, "stale TLB entry used", addr, access_type, retaddr, tlb, memory);
    }
    /* The soft TLB may not allow later what memory forbids now. */
    tlb->prot &= memory->prot;
}

static void drop_address(CPURISCVState *env, uint32_t forms, target_ulong va, uint32_t asid)
{
    StrictHart *hart = env->strict;
    int vm = get_field(env->satp, SATP64_MODE);
    int unused = 64 - (vm == VM_1_10_SV57 ? 57 : vm == VM_1_10_SV48 ? 48 : 39);

    if (((target_long)(va << unused) >> unused) != (target_long)va) {
        return; /* not an address: no effect */
    }
    for (uint32_t left = hart->shifts; left; left &= left - 1) {
        int shift = ctz32(left);
        uint64_t page = va >> (TARGET_PAGE_BITS + shift);
        StrictEntry **link = bucket_of(hart, page, shift, false);

        while (*link) {
            StrictEntry *entry = *link;

            if (entry->page == page && entry->shift == shift && !entry->node &&
                (!(forms & STRICT_BY_ASID) || (!entry->global && entry->asid == asid))) {
                *link = entry->next;
                entry->used = false;
            } else {
                link = &entry->next;
            }
        }
    }
}

static void drop(CPURISCVState *env, uint32_t forms, target_ulong rs1, target_ulong rs2)
{
    StrictHart *hart = env->strict;
    uint32_t asid = rs2 & asid_mask(env);

    if (forms & STRICT_BY_ADDRESS) {
        drop_address(env, forms, rs1, asid);
    } else if (forms & STRICT_BY_ASID) {
        hart->asid_generation[asid]++;
    } else {
        hart->generation++;
    }
}

void strict_sfence(CPURISCVState *env, uint32_t forms, target_ulong rs1, target_ulong rs2)
{
    strict_log(env, "sfence.vma", forms, rs1, rs2);
    drop(env, forms, rs1, rs2);
}

/* What sinval.vma asks for is done at sfence.inval.ir, or when there is no room to wait. */
void strict_sinval(CPURISCVState *env, uint32_t forms, target_ulong rs1, target_ulong rs2)
{
    StrictHart *hart = env->strict;

    strict_log(env, "sinval.vma", forms, rs1, rs2);
    if (hart->nr_sinval == STRICT_LOG) {
        drop(env, forms, rs1, rs2);
        return;
    }
    hart->pending_sinval[hart->nr_sinval++] = (StrictFence) {
        .forms = forms, .rs1 = rs1, .rs2 = rs2
    };
}

void strict_sinval_end(CPURISCVState *env)
{
    StrictHart *hart = env->strict;

    strict_log(env, "sfence.inval.ir", 0, 0, 0);
    while (hart->nr_sinval) {
        const StrictFence *fence = &hart->pending_sinval[--hart->nr_sinval];

        drop(env, fence->forms, fence->rs1, fence->rs2);
    }
}

target_ulong strict_legalize_satp(CPURISCVState *env, target_ulong val)
{
    target_ulong asid = get_field(val, SATP64_ASID);

    if (riscv_cpu_mxl(env) != MXL_RV64) {
        return val;
    }
    asid &= asid_mask(env);
    val = set_field(val, SATP64_ASID, asid);
    if (env->strict && val != env->satp) {
        strict_log(env, "satp", 0, val, 0);
    }
    return val;
}

void strict_log(CPURISCVState *env, const char *what, uint32_t forms, target_ulong rs1,
                target_ulong rs2)
{
    StrictHart *hart = env->strict;

    hart->log[hart->log_next++ % STRICT_LOG] = (StrictFence) {
        .what = what, .forms = forms, .rs1 = rs1, .rs2 = rs2, .pc = env->pc, .priv = env->priv,
    };
}

static void print_fence(const StrictFence *fence)
{
    fprintf(stderr, "    pc 0x" TARGET_FMT_lx " privilege %d: %s", fence->pc, fence->priv,
            fence->what);
    if (strstr(fence->what, ".vma")) {
        if (fence->forms & STRICT_BY_ADDRESS) {
            fprintf(stderr, " 0x" TARGET_FMT_lx, fence->rs1);
        } else {
            fprintf(stderr, " x0");
        }
        if (fence->forms & STRICT_BY_ASID) {
            fprintf(stderr, ", ASID " TARGET_FMT_ld, fence->rs2);
        } else {
            fprintf(stderr, ", x0");
        }
    } else if (!strcmp(fence->what, "satp")) {
        fprintf(stderr, " = 0x" TARGET_FMT_lx, fence->rs1);
    }
    fprintf(stderr, "\n");
}

void strict_report_begin(void)
{
    if (!bql_locked()) {
        bql_lock();
    }
}

/* The vCPU thread ends QEMU at once: no other hart shall run on, nor the report be followed by more. */
void strict_report_end(CPURISCVState *env)
{
    StrictHart *hart = env->strict;

    fprintf(stderr, "  last fences of the hart, oldest first:\n");
    for (int i = 0; i < STRICT_LOG; i++) {
        const StrictFence *fence = &hart->log[(hart->log_next + i) % STRICT_LOG];

        if (fence->what) {
            print_fence(fence);
        }
    }
    fflush(NULL);
    _exit(STRICT_EXIT);
}

void strict_realize(CPURISCVState *env)
{
    const RISCVCPUConfig *cfg = riscv_cpu_cfg(env);
    StrictHart *hart;

    if (!cfg->strict_tlb && !cfg->strict_icache) {
        return;
    }
    strict_tlb_on |= cfg->strict_tlb && !cfg->strict_serve;
    strict_icache_on |= cfg->strict_icache;
    hart = g_new0(StrictHart, 1);
    hart->writing = STRICT_NONE;
    if (cfg->strict_tlb) {
        hart->buckets = g_new0(StrictEntry *, NR_BUCKETS);
        hart->entries = g_new0(StrictEntry, NR_ENTRIES);
        hart->asid_generation = g_new0(uint32_t, 1 << 16);
    }
    env->strict = hart;
}
