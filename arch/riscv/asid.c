// SPDX-License-Identifier: BSD-2-Clause
// The ASID allocator. A context's number is generation << 16 | ASID and holds on every hart while
// the generation lasts. Numbers are handed out in order and never given back; when they run out, a
// new generation begins: what each hart runs at that moment stays reserved under its number, every
// hart flushes its whole TLB at its next switch, and all other contexts get a new number when they
// run again. ASID 0 belongs to the kernel's own root.
//
// Without usable ASIDs the generation alone numbers the contexts and every ASID is 0; tlb.c then
// flushes when a hart changes from one number to another.
//
// The lock (tlb_hw_lock) guards everything but active[], which the hart itself changes by
// compare-exchange without the lock as long as the generation lasts, and a rollover empties. Model
// of the two against each other: test/model/rollover.pml.
#include <lib/assert.h>
#include <lib/atomic.h>
#include <string.h>

#include "tlb_priv.h"

#define GENERATION_ONE (1UL << ASID_BITS_MAX)

static struct {
    unsigned int bits; // usable; 0: none
    cpu_t nr_cpus;
    uint64_t generation;
    unsigned int next; // where the search for a free ASID goes on
    uint64_t rollovers;
    uint64_t flush_pending; // bit per cpu that has to flush at its next switch
    uint64_t reserved[NR_CPUS_MAX];
    uint64_t active[NR_CPUS_MAX]; // number that the hart runs or ran last; 0: since a rollover none
    uint64_t taken[(1UL << ASID_BITS_MAX) / 64];
} asids;

static unsigned int asid_probed_bits;

void asid_setup(unsigned int bits, cpu_t nr_cpus)
{
    ASSERT(bits <= ASID_BITS_MAX && nr_cpus <= NR_CPUS_MAX);
    memset(&asids, 0, sizeof(asids));
    asid_probed_bits = bits;
    asids.bits = (1UL << bits) >= nr_cpus + 2UL ? bits : 0;
    asids.nr_cpus = nr_cpus;
    asids.generation = GENERATION_ONE;
    asids.next = 1;
}

unsigned int asid_bits(void)
{
    return asid_probed_bits;
}

bool asid_is_used(void)
{
    return asids.bits != 0;
}

uint64_t asid_rollovers(void)
{
    return atomic_load(&asids.rollovers);
}

static bool asid_is_taken(uint64_t asid)
{
    return asids.taken[asid / 64] & BIT(asid % 64);
}

static void asid_mark_taken(uint64_t asid)
{
    asids.taken[asid / 64] |= BIT(asid % 64);
}

static bool asid_is_current(uint64_t number)
{
    // Relaxed: a hart that reads the old generation during a rollover is told by active[].
    return number != 0 && (number & ~ASID_MASK) == atomic_load(&asids.generation);
}

static void asid_rollover(void)
{
    atomic_store(&asids.generation, asids.generation + GENERATION_ONE);
    atomic_add_relaxed(&asids.rollovers, 1);
    memset(asids.taken, 0, sizeof(asids.taken));
    asids.next = 1;
    for (cpu_t cpu = 0; cpu < asids.nr_cpus; cpu++) {
        // Partner: the compare-exchange in asid_take(). Whichever comes first, either the hart runs
        // the number that we see here, or it finds 0 and comes for the lock.
        uint64_t running = atomic_exchange(&asids.active[cpu], 0);
        if (running != 0)
            asids.reserved[cpu] = running;
        asid_mark_taken(asids.reserved[cpu] & ASID_MASK);
    }
    asids.flush_pending = (1UL << asids.nr_cpus) - 1;
}

// The old number stays with its context if a hart kept it through the rollover. More than one may
// have.
static bool asid_keep_reserved(uint64_t old, uint64_t new)
{
    bool found = false;
    for (cpu_t cpu = 0; cpu < asids.nr_cpus; cpu++) {
        if (asids.reserved[cpu] == old) {
            asids.reserved[cpu] = new;
            found = true;
        }
    }
    return found;
}

static unsigned int asid_find_free(void)
{
    while (asids.next < 1UL << asids.bits && asid_is_taken(asids.next))
        asids.next++;
    return asids.next < 1UL << asids.bits ? asids.next++ : 0;
}

static uint64_t asid_new(uint64_t old)
{
    if (asids.bits == 0) {
        atomic_store(&asids.generation, asids.generation + GENERATION_ONE);
        return asids.generation;
    }
    uint64_t kept = asids.generation | (old & ASID_MASK);
    if (old != 0 && asid_keep_reserved(old, kept))
        return kept;
    unsigned int asid = asid_find_free();
    if (asid == 0) {
        asid_rollover();
        // It may be what this very hart reserved a moment ago.
        kept = asids.generation | (old & ASID_MASK);
        if (old != 0 && asid_keep_reserved(old, kept))
            return kept;
        asid = asid_find_free();
        ASSERT(asid != 0);
    }
    asid_mark_taken(asid);
    return asids.generation | asid;
}

// Out of line: the way that every switch goes needs few registers then.
static __attribute__((noinline)) bool asid_take_locked(struct mmu_context *ctx, cpu_t cpu)
{
    unsigned long flags = tlb_hw_lock();
    uint64_t number = ctx->asid;
    if (asids.bits == 0 ? number == 0 : !asid_is_current(number)) {
        number = asid_new(number);
        atomic_store(&ctx->asid, number);
    }
    bool flush_all = asids.flush_pending & BIT(cpu);
    asids.flush_pending &= ~BIT(cpu);
    atomic_store(&asids.active[cpu], number);
    tlb_hw_unlock(flags);
    return flush_all;
}

bool asid_take(struct mmu_context *ctx, cpu_t cpu)
{
    uint64_t number = atomic_load(&ctx->asid);
    if (asids.bits == 0 && number != 0)
        return false;
    uint64_t active = atomic_load(&asids.active[cpu]);
    if (active != 0 && asid_is_current(number) &&
        atomic_compare_exchange(&asids.active[cpu], &active, number))
        return false;
    return asid_take_locked(ctx, cpu);
}
