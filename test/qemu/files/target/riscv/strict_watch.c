/*
 * The strict machine: who writes what the harts hold copies of.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Page tables. While a translation sits in the soft TLB, strict_tlb.c sees none of its uses. So each PTE
 * that a walk read is remembered as "used", and its page is kept on QEMU's slow path for writes (as pages
 * with translated code are, for the same reason). A write to a used PTE drops the soft TLBs: the next use
 * is looked at again. The write itself comes after its note: until the writing hart's next note,
 * what depends on that PTE does not stay in any other hart's soft TLB. A page that is
 * written often and walked no more is let go. Epochs forget all used marks at once when the soft TLBs go.
 *
 * Who wrote a PTE is known by the thread, not by the hart: a thread may wait for a lock before it fences, and
 * its hart runs others meanwhile. In the kernel tp tells the thread; on the way to user mode sscratch
 * holds it. Linux and Vireo do so; for a kernel that doesn't, the hart must leave for user mode with a
 * value in sscratch that it had in tp.
 *
 * Code. Each page has the number of the epoch in which it was last written; fence.i begins a new
 * epoch and remembers it. The first write in an epoch goes the slow path and is noted. A hart that is
 * about to execute a piece of code for the first time since that was translated checks that the page was
 * not written since its own last fence.i; QEMU itself throws translations away when their page
 * is written. Not seen: the second half of an instruction that straddles two pages.
 */
#include "qemu/osdep.h"
#include "qemu/thread.h"
#include "exec/exec-all.h"
#include "exec/ram_addr.h"
#include "exec/address-spaces.h"
#include "exec/strict.h"
#include "strict_priv.h"

enum { IDLE_WRITES = 64, LEFT_BITS = 16 };

typedef struct TablePage {
    ram_addr_t ram;
    bool watched;
    uint32_t idle_writes; /* since a walk came through */
    uint64_t epoch;       /* of the marks */
    DECLARE_BITMAP(used, 512);
    bool lost; /* writes were not seen for a time */
    struct {
        uint32_t hart; /* index + 1 of who wrote it last, or 0 */
        uint32_t left; /* how often that thread had gone to user mode then */
        target_ulong thread;
        target_ulong pc;
    } writer[512];
} TablePage;

bool strict_tlb_on, strict_icache_on;

/* The lock guards all that follows but for left and the code's epochs, which are atomic. */
static QemuMutex lock;
static GHashTable *page_by_address, *page_by_ram;
static uint64_t epoch = 1;
static uint32_t walkers; /* harts that made marks in this epoch */

static uint32_t left[1 << LEFT_BITS];

static uint32_t code_epoch = 1;
static uint32_t *written; /* by RAM page: the epoch */
static uint64_t nr_written;

static void __attribute__((constructor)) strict_watch_init(void)
{
    qemu_mutex_init(&lock);
    page_by_address = g_hash_table_new(NULL, NULL);
    page_by_ram = g_hash_table_new(NULL, NULL);
}

static TablePage *page_at(CPUState *cs, hwaddr address)
{
    gpointer key = (gpointer)(uintptr_t)(address >> TARGET_PAGE_BITS);
    TablePage *page = g_hash_table_lookup(page_by_address, key);
    MemoryRegion *region;
    hwaddr offset, length = 8;

    if (page) {
        return page;
    }
    region = address_space_translate(cs->as, address, &offset, &length, false,
                                     MEMTXATTRS_UNSPECIFIED);
    if (!memory_region_is_ram(region)) {
        return NULL;
    }
    page = g_new0(TablePage, 1);
    page->ram = (memory_region_get_ram_addr(region) + offset) & TARGET_PAGE_MASK;
    g_hash_table_insert(page_by_address, key, page);
    g_hash_table_insert(page_by_ram, (gpointer)(uintptr_t)(page->ram >> TARGET_PAGE_BITS), page);
    return page;
}

void strict_watch_slot(CPURISCVState *env, hwaddr slot)
{
    CPUState *self = env_cpu(env), *cs;
    TablePage *page;
    ram_addr_t ram;
    bool watch = false;

    RCU_READ_LOCK_GUARD();
    qemu_mutex_lock(&lock);
    env->strict->writing = STRICT_NONE;
    page = page_at(self, slot);
    if (page) {
        if (page->epoch != epoch) {
            page->epoch = epoch;
            bitmap_zero(page->used, 512);
        }
        set_bit((slot & ~TARGET_PAGE_MASK) / 8, page->used);
        page->idle_writes = 0;
        walkers |= 1u << self->cpu_index;
        ram = page->ram | (slot & ~TARGET_PAGE_MASK);
        watch = !page->watched;
        page->watched = true;
        CPU_FOREACH(cs) {
            StrictHart *hart = cpu_env(cs)->strict;

            if (cs != self && hart && hart->writing == ram) {
                env->strict->one_shot = true;
            }
        }
    }
    qemu_mutex_unlock(&lock);
    if (watch) {
        /* Takes the page to the slow path; nobody draws from it, so nobody misses this mark. */
        cpu_physical_memory_test_and_clear_dirty(page->ram, TARGET_PAGE_SIZE, DIRTY_MEMORY_VGA);
    }
}

static void drop_work(CPUState *cs, run_on_cpu_data data)
{
    tlb_flush(cs);
}

static void drop_soft_tlbs(CPUState *self, uint32_t harts)
{
    CPUState *cs;

    CPU_FOREACH(cs) {
        if (cs == self) {
            tlb_drop_in_access(cs);
        } else if (harts & (1u << cs->cpu_index)) {
            async_run_on_cpu(cs, drop_work, RUN_ON_CPU_NULL);
        }
    }
}

/* How often this thread went to user mode. Two that share a counter make a report come too early. */
static uint32_t *left_of(target_ulong thread)
{
    return &left[(thread * 0x9e3779b97f4a7c15ull) >> (64 - LEFT_BITS)];
}

static target_ulong pc_of(CPUState *cpu, uintptr_t retaddr)
{
    CPURISCVState *env = cpu_env(cpu);
    uint64_t data[1 + TARGET_INSN_START_EXTRA_WORDS];

    if (!retaddr || !cpu_unwind_state_data(cpu, retaddr, data)) {
        return env->pc;
    }
    /* Translated code is the same wherever its page is mapped: only the offset is in it. */
    return (env->pc & TARGET_PAGE_MASK) | (data[0] & ~TARGET_PAGE_MASK);
}

static bool note_table_write(CPUState *cpu, ram_addr_t addr, unsigned size, target_ulong pc)
{
    CPURISCVState *env = cpu_env(cpu);
    StrictHart *hart = env->strict;
    uint32_t first = (addr & ~TARGET_PAGE_MASK) / 8, harts = 0;
    TablePage *page;
    bool keep = false;

    qemu_mutex_lock(&lock);
    if (hart) {
        hart->writing = STRICT_NONE;
    }
    page = g_hash_table_lookup(page_by_ram, (gpointer)(uintptr_t)(addr >> TARGET_PAGE_BITS));
    if (page && page->watched) {
        uint32_t end = MIN(512, first + DIV_ROUND_UP((addr & 7) + size, 8));

        keep = ++page->idle_writes <= IDLE_WRITES;
        page->watched = keep;
        page->lost |= !keep;
        if (hart) {
            hart->writing = addr & ~(ram_addr_t)7;
            for (uint32_t i = first; i < end; i++) {
                page->writer[i].hart = cpu->cpu_index + 1;
                page->writer[i].thread = env->gpr[xTP];
                page->writer[i].left = qatomic_read(left_of(env->gpr[xTP]));
                page->writer[i].pc = pc;
            }
        }
        if (page->epoch == epoch && (!keep || find_next_bit(page->used, end, first) < end)) {
            epoch++;
            harts = walkers;
            walkers = 0;
        }
    }
    qemu_mutex_unlock(&lock);
    if (harts) {
        drop_soft_tlbs(cpu, harts);
    }
    return keep;
}

void strict_note_leave(CPURISCVState *env)
{
    if (env->strict) {
        qatomic_inc(left_of(env->sscratch));
    }
}

static bool slot_in_flight(CPURISCVState *env, hwaddr slot)
{
    TablePage *page = page_at(env_cpu(env), slot);
    uint32_t index = (slot & ~TARGET_PAGE_MASK) / 8;
    target_ulong thread = env->priv == PRV_U ? env->sscratch : env->gpr[xTP];

    if (!page) {
        return false;
    }
    if (page->writer[index].hart && page->writer[index].thread != thread &&
        page->writer[index].left == qatomic_read(left_of(page->writer[index].thread))) {
        return true;
    }
    /* Somebody wrote unseen: no hart must be in its kernel now. */
    if (page->lost) {
        CPUState *cs;

        CPU_FOREACH(cs) {
            if (cs != env_cpu(env) && cpu_env(cs)->priv != PRV_U && !cs->halted) {
                return true;
            }
        }
    }
    return false;
}

void strict_print_writer(CPURISCVState *env, hwaddr slot)
{
    TablePage *page;
    uint32_t index = (slot & ~TARGET_PAGE_MASK) / 8, writer;
    CPUState *cs;

    RCU_READ_LOCK_GUARD();
    qemu_mutex_lock(&lock);
    page = slot == STRICT_NONE ? NULL : page_at(env_cpu(env), slot);
    writer = page ? page->writer[index].hart : 0;
    cs = writer ? qemu_get_cpu(writer - 1) : NULL;
    if (cs) {
        fprintf(stderr, "  0x%" HWADDR_PRIx " was written by hart " TARGET_FMT_ld " at pc 0x"
                TARGET_FMT_lx ", thread 0x" TARGET_FMT_lx
                ", which went to user mode %u times since\n", slot,
                cpu_env(cs)->mhartid, page->writer[index].pc, page->writer[index].thread,
                *left_of(page->writer[index].thread) - page->writer[index].left);
    }
    qemu_mutex_unlock(&lock);
}

bool strict_in_flight(CPURISCVState *env, hwaddr slot)
{
    StrictHart *hart = env->strict;
    bool flying;

    RCU_READ_LOCK_GUARD();
    qemu_mutex_lock(&lock);
    flying = slot_in_flight(env, slot);
    for (uint32_t i = 0; i < hart->nr_chain; i++) {
        flying |= slot_in_flight(env, hart->chain[i]);
    }
    qemu_mutex_unlock(&lock);
    return flying;
}

static void note_code_write(ram_addr_t addr, uint64_t size)
{
    uint64_t last = (addr + size - 1) >> TARGET_PAGE_BITS;

    if (qatomic_read(&written) == NULL) {
        return;
    }
    for (uint64_t page = addr >> TARGET_PAGE_BITS; page <= last && page < nr_written; page++) {
        qatomic_set(&written[page], qatomic_read(&code_epoch));
    }
}

bool strict_note_write(CPUState *cpu, ram_addr_t addr, unsigned size, uintptr_t retaddr)
{
    if (strict_icache_on) {
        note_code_write(addr, size);
    }
    return strict_tlb_on && note_table_write(cpu, addr, size, pc_of(cpu, retaddr));
}

void strict_note_dma(ram_addr_t addr, uint64_t length)
{
    if (strict_icache_on && length) {
        note_code_write(addr, length);
    }
}

bool strict_page_closed(ram_addr_t addr)
{
    uint64_t page = addr >> TARGET_PAGE_BITS;

    return strict_icache_on && written && page < nr_written &&
           qatomic_read(&written[page]) != qatomic_read(&code_epoch);
}

/* What was written before the harts ran needs no fence: nothing is noted until the first fetch. */
static void code_start(void)
{
    RAMBlock *block;

    RCU_READ_LOCK_GUARD();
    qemu_mutex_lock(&lock);
    if (!written) {
        RAMBLOCK_FOREACH(block) {
            nr_written = MAX(nr_written, (block->offset + block->max_length) >> TARGET_PAGE_BITS);
        }
        qatomic_store_release(&written, g_new0(uint32_t, nr_written));
    }
    qemu_mutex_unlock(&lock);
}

void strict_note_fetch(CPUState *cpu, vaddr pc, ram_addr_t addr)
{
    CPURISCVState *env = cpu_env(cpu);
    StrictHart *hart = env->strict;
    uint64_t page = addr >> TARGET_PAGE_BITS;

    if (!hart || !riscv_cpu_cfg(env)->strict_icache) {
        return;
    }
    if (!written) {
        code_start();
    }
    if (!hart->fenced) {
        hart->fenced = qatomic_fetch_inc(&code_epoch) + 1;
    }
    if (page >= nr_written || qatomic_read(&written[page]) < hart->fenced) {
        return;
    }
    strict_report_begin();
    fprintf(stderr, "\nstrict: code of a page that was written since this hart's last fence.i\n"
            "  hart " TARGET_FMT_ld " pc 0x%" VADDR_PRIx ", RAM offset 0x" RAM_ADDR_FMT
            ", privilege %d, satp 0x" TARGET_FMT_lx "\n",
            env->mhartid, pc, addr, (int)env->priv, env->satp);
    strict_report_end(env);
}

void strict_fence_i(CPURISCVState *env)
{
    strict_log(env, "fence.i", 0, 0, 0);
    env->strict->fenced = qatomic_fetch_inc(&code_epoch) + 1;
    drop_soft_tlbs(env_cpu(env), -1);
}
