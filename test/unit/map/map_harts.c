// SPDX-License-Identifier: BSD-2-Clause
// See map_harts.h.
#include <lib/assert.h>
#include <pthread.h>
#include <sched.h>

#include "../../../mm/vm_space_priv.h"
#include "../space/cursor_host.h"
#include "map_harts.h"

#define TLB_SLOTS 64U

static struct hart_model {
    pthread_mutex_t at_it; // a flush waits until it isn't
    struct {
        uint64_t map_id;
        const struct mmu_context *context;
        vaddr_t page;
        pte_t pte; // 0: the slot is empty
    } tlb[TLB_SLOTS];
} harts[HARTS];

void flush_harts(const struct mmu_context *ctx, vaddr_t start, vaddr_t end)
{
    sched_yield();
    for (unsigned int i = 0; i < HARTS; i++) {
        pthread_mutex_lock(&harts[i].at_it);
        for (unsigned int slot = 0; slot < TLB_SLOTS; slot++)
            if (harts[i].tlb[slot].context == ctx && harts[i].tlb[slot].page >= start &&
                harts[i].tlb[slot].page < end)
                harts[i].tlb[slot].pte = 0;
        pthread_mutex_unlock(&harts[i].at_it);
    }
}

// The leaf that translates addr, or 0. All pages here are of 4 KiB.
__attribute__((no_sanitize("thread"))) static pte_t walk(const struct vm_space *s, vaddr_t addr)
{
    const pte_t *table = space_root(s);
    for (unsigned int level = PT_LEVELS; level-- > 0;) {
        pte_t pte = __atomic_load_n(&table[pt_index(addr, level)], __ATOMIC_ACQUIRE);
        if (level == 0 || !pte_is_table(pte))
            return pte & PTE_V ? pte : 0;
        table = phys_to_virt(pte_paddr(pte));
    }
    return 0;
}

// Through the TLB of `hart`, whose rights may be behind: then it walks.
static pte_t translate(struct hart_model *hart, struct vm_map *m, vaddr_t addr, pte_t right)
{
    vaddr_t page = ALIGN_DOWN(addr, PAGE_SIZE);
    unsigned int slot = (unsigned int)(page / PAGE_SIZE % TLB_SLOTS);
    if (hart->tlb[slot].map_id == m->id && hart->tlb[slot].page == page &&
        (hart->tlb[slot].pte & right))
        return hart->tlb[slot].pte;
    pte_t pte = walk(&m->space, addr);
    hart->tlb[slot].map_id = m->id;
    hart->tlb[slot].context = &m->space.context;
    hart->tlb[slot].page = page;
    hart->tlb[slot].pte = pte;
    return pte;
}

__attribute__((no_sanitize("thread"))) static void load_or_store(uint64_t *at, uint64_t *word,
                                                                 bool write)
{
    if (write)
        __atomic_store_n(at, *word, __ATOMIC_RELAXED);
    else
        *word = __atomic_load_n(at, __ATOMIC_RELAXED);
}

bool hart_access(struct vm_map *m, vaddr_t addr, uint64_t *word, bool write)
{
    static __thread unsigned int migrations;
    struct hart_model *hart = &harts[migrations++ / MIGRATE_AFTER % HARTS];
    const pte_t right = write ? PTE_W : PTE_R;

    pthread_mutex_lock(&hart->at_it);
    pte_t pte = translate(hart, m, addr, right);
    if (pte & right) {
        load_or_store(phys_to_virt(pte_paddr(pte) + addr % PAGE_SIZE), word, write);
        ASSERT(write || *word != HOST_FREED);
    }
    pthread_mutex_unlock(&hart->at_it);
    return pte & right;
}

void harts_init(void)
{
    for (unsigned int i = 0; i < HARTS; i++)
        pthread_mutex_init(&harts[i].at_it, NULL);
}
