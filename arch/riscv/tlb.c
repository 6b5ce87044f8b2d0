// SPDX-License-Identifier: BSD-2-Clause
// TLB invalidation, exact and lazy. A space knows which harts run it now (running), how often it
// was invalidated (tlb_gen) and how far each hart has followed (seen). An invalidation reaches the
// harts that run the space; any other catches up when it next switches in. A context lives from
// mmu_context_init() to mmu_context_destroy(), its owner's doing; no locks.
//
// Pairs of barriers, named where they stand:
//   (A) PTE changes, tlb_gen++ | fence | read running         mmu_context_flush()
//   (B) publish running        | fence | read tlb_gen, walk   mmu_context_switch()
// tlb_gen++ is a release besides: a hart that comes, sees the new count, and leaves again before
// the fence must not have walked the old PTE. Model: test/model/shootdown.pml. Whichever fence
// comes first, either the flusher sees the hart running and fences it, or the hart sees the new
// tlb_gen, flushes, and walks the new PTEs. The same pair serves icache_stale.
#include <lib/assert.h>
#include <lib/atomic.h>
#include <string.h>

#include "tlb_priv.h"

// Above this many pages one flush of the whole ASID is cheaper: the board's say.
static unsigned long flush_pages_max = 64;

static struct tlb_stats stats[NR_CPUS_MAX]; // each written by its own hart
// Without ASIDs: number of the context whose entries the hart's TLB may hold. Own hart only.
static uint64_t loaded[NR_CPUS_MAX];

const struct tlb_stats *tlb_stats_of_cpu(cpu_t cpu)
{
    stats[cpu].rollovers = asid_rollovers();
    return &stats[cpu];
}

void tlb_set_flush_pages(unsigned int nr_pages)
{
    flush_pages_max = nr_pages;
}

void mmu_context_init(struct mmu_context *ctx, paddr_t root)
{
    memset(ctx, 0, sizeof(*ctx));
    ctx->root = root;
    ctx->tlb_gen = 1; // ahead of seen[]: the first switch-in of each hart flushes
}

void mmu_context_destroy(struct mmu_context *ctx)
{
    // Acquire: partner is the release with which a hart leaves, after its last use of the tables.
    ASSERT(atomic_load_acquire(&ctx->running) == 0);
}

static asid_t context_asid(const struct mmu_context *ctx)
{
    return (asid_t)(atomic_load(&ctx->asid) & ASID_MASK);
}

static void flush_all(cpu_t cpu)
{
    tlb_hw_flush_all();
    stats[cpu].flush_all++;
}

static void flush_asid(cpu_t cpu, asid_t asid)
{
    tlb_hw_flush_asid(asid);
    stats[cpu].flush_asid++;
}

static void flush_range(cpu_t cpu, vaddr_t start, vaddr_t end, asid_t asid)
{
    if ((end - start) / PAGE_SIZE > flush_pages_max) {
        flush_asid(cpu, asid);
        return;
    }
    tlb_hw_flush_pages(start, end, asid);
    stats[cpu].flush_page += (end - start) / PAGE_SIZE;
}

// 0, "everything", for a range that is cheaper to flush whole.
static size_t remote_size(vaddr_t start, vaddr_t end)
{
    return (end - start) / PAGE_SIZE > flush_pages_max ? 0 : end - start;
}

static void fence_i_if_stale(struct mmu_context *ctx, cpu_t cpu)
{
    if (!(atomic_load(&ctx->icache_stale) & BIT(cpu)))
        return;
    // Acquire: the code was written before the bit was set in mmu_context_flush_icache(). Cleared
    // first: code that is written from here on sets it again.
    atomic_fetch_and(&ctx->icache_stale, ~BIT(cpu));
    tlb_hw_fence_i();
    stats[cpu].fence_i++;
}

// Enter ctx. `fresh`: this hart never ran it, so the fence must also order the walks of the
// kernel's half of the new root, which an ASID operand would leave out (privileged spec 12.2.1).
static void switch_in(struct mmu_context *ctx, cpu_t cpu)
{
    bool everything = asid_take(ctx, cpu);
    atomic_fetch_or(&ctx->running, BIT(cpu));
    tlb_hw_fence(); // (B), partner (A) in mmu_context_flush() and mmu_context_flush_icache()
    uint64_t gen = atomic_load(&ctx->tlb_gen);
    bool fresh = ctx->seen[cpu] == 0, behind = ctx->seen[cpu] != gen;
    asid_t asid = context_asid(ctx);
    stats[cpu].deferred += behind && !fresh;
    everything = everything || fresh;
    ctx->seen[cpu] = gen;
    if (asid_is_used()) {
        // Before satp: with the old ASID in it, nothing can fill entries of the new one.
        if (everything)
            flush_all(cpu);
        else if (behind)
            flush_asid(cpu, asid);
        tlb_hw_load(ctx, asid);
        return;
    }
    // After satp: both spaces share ASID 0, the old root could fill entries until then.
    tlb_hw_load(ctx, asid);
    bool other = loaded[cpu] != ctx->asid;
    loaded[cpu] = ctx->asid;
    if (everything)
        flush_all(cpu);
    else if (other || behind)
        flush_asid(cpu, asid);
}

void mmu_context_switch(struct mmu_context *ctx)
{
    struct mmu_context *prev = tlb_hw_current();
    if (prev == ctx)
        return;
    cpu_t cpu = tlb_hw_cpu();
    if (ctx) {
        switch_in(ctx, cpu);
        fence_i_if_stale(ctx, cpu);
    } else {
        tlb_hw_load(NULL, 0);
    }
    // Release, and only after satp changed: partner is the acquire in mmu_context_flush() and
    // mmu_context_destroy(), after which the tables may be freed.
    if (prev)
        atomic_fetch_and(&prev->running, ~BIT(cpu));
}

void mmu_context_flush(struct mmu_context *ctx, vaddr_t start, vaddr_t end)
{
    cpu_t cpu = tlb_hw_cpu();
    uint64_t gen = atomic_add_fetch(&ctx->tlb_gen, 1);
    tlb_hw_fence(); // (A), partner (B) in switch_in()
    uint64_t running = atomic_load_acquire(&ctx->running);
    // Read after running: a hart takes its ASID before it publishes. If the number changes from
    // here on, then by a switch-in that sees the new tlb_gen.
    asid_t asid = context_asid(ctx);
    uint64_t others = running & ~BIT(cpu);
    uint64_t spared = tlb_hw_online() & ~running & ~BIT(cpu);
    stats[cpu].remote_avoided += (uint64_t)__builtin_popcountl(spared);
    if (others != 0) {
        tlb_hw_remote_flush(others, start, remote_size(start, end), asid);
        stats[cpu].remote_sent++;
    }
    if (running & BIT(cpu)) {
        flush_range(cpu, start, end, asid);
        // Nobody else invalidated since this hart last followed: it still does.
        if (ctx->seen[cpu] == gen - 1)
            ctx->seen[cpu] = gen;
    }
}

void mmu_context_flush_local(struct mmu_context *ctx, vaddr_t addr)
{
    if (tlb_hw_current() != ctx)
        return;
    cpu_t cpu = tlb_hw_cpu();
    tlb_hw_flush_page(addr & PAGE_MASK, context_asid(ctx));
    stats[cpu].flush_page++;
}

void mmu_context_flush_icache(struct mmu_context *ctx)
{
    cpu_t cpu = tlb_hw_cpu();
    tlb_hw_fence();
    uint64_t running = atomic_load(&ctx->running);
    // Who runs it is fenced below, even if he leaves meanwhile; all others do it at switch-in.
    atomic_fetch_or(&ctx->icache_stale, ~running);
    tlb_hw_fence(); // (A), partner (B) in switch_in()
    uint64_t now = running | atomic_load(&ctx->running);
    uint64_t others = now & tlb_hw_online() & ~BIT(cpu);
    if (others != 0) {
        tlb_hw_remote_fence_i(others);
        stats[cpu].remote_sent++;
    }
    if (now & BIT(cpu)) {
        tlb_hw_fence_i();
        stats[cpu].fence_i++;
    }
}

void tlb_flush_kernel(vaddr_t start, vaddr_t end)
{
    cpu_t cpu = tlb_hw_cpu();
    tlb_hw_fence(); // PTE changes before the harts are told; partner: sfence in hart_set_online()
    uint64_t others = tlb_hw_online() & ~BIT(cpu);
    if (others != 0) {
        tlb_hw_remote_flush_kernel(others, start, remote_size(start, end));
        stats[cpu].remote_sent++;
    }
    if ((end - start) / PAGE_SIZE > flush_pages_max) {
        flush_all(cpu);
        return;
    }
    for (vaddr_t va = start; va < end; va += PAGE_SIZE)
        tlb_hw_flush_kernel_page(va);
    stats[cpu].flush_page += (end - start) / PAGE_SIZE;
}

void asid_init(void)
{
    asid_setup(tlb_hw_probe_asid_bits(), NR_CPUS_MAX);
}
