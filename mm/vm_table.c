// SPDX-License-Identifier: BSD-2-Clause
// Page tables as objects: where they come from, their locks, and how a cursor finds the one to lock
// without any lock held.
//
// Life: linked into a space by the first cursor that needs it, locked from birth; unlinked under
// its own lock and its upper table's, which makes it stray; freed by the cursor that unlinked it,
// after the flush and after every descent that may have read the old link has ended. Until then a
// descent may lock a stray table or, to wait for its lock, take a reference: it finds it stray and
// retries.
//
// The lock is a word in the table's struct page: its owner's address and a bit for waiters, which
// sleep on one of a few queues. Order: an upper table before a lower one. Of one space's tables at
// one level a cursor takes any, in any order: it holds the one above them all. Those that several
// spaces reach nobody holds while he waits (vm_share.c). So there is no cycle.
//
// Descents and their ends, the pair of barriers (model: test/model/descent.pml):
//   (C) enter: count goes odd | fence | read links      vm_table_descend()
//   (D) unlink: clear link    | fence | read counts     vm_table_drain()
// Whichever fence comes first, either the drain sees the descent and waits for its end, or the
// descent sees the link gone.
#include <arch/thread.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <string.h>
#include <sync/wait_queue.h>

#include "vm_space_priv.h"

#define LOCK_WAITED 1UL
#define NR_QUEUES   32

static struct wait_queue queues[NR_QUEUES];

// Tables that are empty again wait here for the next space that needs one: fork and exit take and
// give about ten each time, and clearing them would be most of the work. Roots keep the kernel's
// half. Touched by their own hart only; nothing here runs in interrupts or sleeps on the way.
#define TABLES_KEPT 12
#define ROOTS_KEPT  3

static struct table_hart {
    uint64_t descents; // odd: in one now. Written by its own hart
    unsigned int nr_tables, nr_roots;
    struct page *tables[TABLES_KEPT], *roots[ROOTS_KEPT];
} __attribute__((aligned(64))) table_harts[NR_CPUS_MAX];

void vm_table_init(void)
{
    for (unsigned int i = 0; i < NR_QUEUES; i++)
        wait_queue_init(&queues[i]);
}

static inline struct table_hart *table_hart_self(void)
{
    return &table_harts[hart_self()->cpu];
}

static inline struct page *table_born(struct page *table)
{
    table->table_next = NULL;
    table->table_used = table->table_counted = 0;
    table->table_links = 1;
    return table;
}

struct page *vm_table_alloc(void)
{
    struct table_hart *hart = table_hart_self();
    if (hart->nr_tables > 0)
        return table_born(hart->tables[--hart->nr_tables]);
    struct page *p = page_alloc(0, PAGE_ALLOC_ZERO);
    if (!p)
        return NULL;
    page_account_tables(1);
    return table_born(p);
}

void vm_table_free(struct page *table)
{
    struct table_hart *hart = table_hart_self();
    table->flags = 0;
    if (hart->nr_tables < TABLES_KEPT) {
        hart->tables[hart->nr_tables++] = table;
        return;
    }
    page_account_tables(-1);
    page_put(table);
}

struct page *vm_table_alloc_root(void)
{
    struct table_hart *hart = table_hart_self();
    if (hart->nr_roots > 0)
        return table_born(hart->roots[--hart->nr_roots]);
    struct page *p = vm_table_alloc();
    if (p) {
        pte_t *root = page_to_virt(p);
        const pte_t *kernel = phys_to_virt(kernel_root());
        memcpy(root + PT_ENTRIES / 2, kernel + PT_ENTRIES / 2, PT_ENTRIES / 2 * sizeof(pte_t));
    }
    return p;
}

void vm_table_free_root(struct page *p)
{
    struct table_hart *hart = table_hart_self();
    if (hart->nr_roots < ROOTS_KEPT) {
        hart->roots[hart->nr_roots++] = p;
        return;
    }
    page_account_tables(-1);
    page_put(p);
}

void vm_space_reclaim(void)
{
    struct table_hart *hart = table_hart_self();
    page_account_tables(-(int)(hart->nr_tables + hart->nr_roots));
    while (hart->nr_tables > 0)
        page_put(hart->tables[--hart->nr_tables]);
    while (hart->nr_roots > 0)
        page_put(hart->roots[--hart->nr_roots]);
}

static inline bool table_try_lock(struct page *table, const void *owner)
{
    uint64_t expected = 0;
    return atomic_compare_exchange(&table->private, &expected, (uintptr_t)owner);
}

static __attribute__((noinline)) void table_wait(struct page *table, const void *owner)
{
    struct wait_queue *q = &queues[((uintptr_t)table / sizeof(*table)) % NR_QUEUES];
    struct waiter w;

    waiter_init(&w, false);
    wait_queue_add(q, &w);
    for (;;) {
        uint64_t now = atomic_load(&table->private);
        // Whoever slept leaves the bit set: others may sleep still.
        if (now == 0) {
            if (atomic_compare_exchange(&table->private, &now, (uintptr_t)owner | LOCK_WAITED))
                break;
            continue;
        }
        // Partner: the exchange in vm_table_unlock(). Either it sees the bit, and our queued
        // waiter, or we see the lock free.
        if ((now & LOCK_WAITED) ||
            atomic_compare_exchange(&table->private, &now, now | LOCK_WAITED))
            port_park(PARK_UNINTERRUPTIBLE, TIME_NEVER);
    }
    wait_queue_remove(q, &w);
}

void vm_table_lock(struct page *table, const void *owner)
{
    if (unlikely(!table_try_lock(table, owner)))
        table_wait(table, owner);
}

void vm_table_lock_new(struct page *table, const void *owner)
{
    table->private = (uintptr_t)owner;
}

void vm_table_unlock(struct page *table)
{
    uint64_t was = __atomic_exchange_n(&table->private, 0, __ATOMIC_ACQ_REL);
    if (unlikely(was & LOCK_WAITED))
        wait_queue_wake_all(&queues[((uintptr_t)table / sizeof(*table)) % NR_QUEUES]);
}

// The lowest table that covers [start, end) with something to spare, as far as links lead now.
static struct page *table_covering(const struct vm_space *s, vaddr_t start, vaddr_t end,
                                   unsigned int *level)
{
    const pte_t *table = space_root(s);
    unsigned int at = PT_LEVELS - 1;

    while (at > 0) {
        vaddr_t base = ALIGN_DOWN(start, PT_SIZE(at));
        if (end - base > PT_SIZE(at) || end - start == PT_SIZE(at))
            break;
        pte_t pte = atomic_load_acquire(&table[pt_index(start, at)]);
        if (!pte_is_table(pte))
            break;
        table = table_below(pte);
        at--;
    }
    *level = at;
    return table_page(table);
}

// Locked, by trying; or else with a reference for the caller to wait with (*wait).
static struct page *table_descend(const struct vm_space *s, vaddr_t start, vaddr_t end,
                                  const void *owner, unsigned int *level, bool *wait)
{
    struct table_hart *hart = table_hart_self();
    uint64_t count = hart->descents;

    atomic_store(&hart->descents, count + 1);
    atomic_fence(); // (C), partner (D) in vm_table_drain()
    struct page *table = table_covering(s, start, end, level);
    *wait = !table_try_lock(table, owner);
    if (*wait)
        page_hold(table);
    // Release: the drain may free once it sees this.
    atomic_store_release(&hart->descents, count + 2);
    return table;
}

struct page *vm_table_lock_covering(const struct vm_space *s, vaddr_t start, vaddr_t end,
                                    const void *owner, unsigned int *level)
{
    for (;;) {
        bool wait;
        struct page *table = table_descend(s, start, end, owner, level, &wait);
        if (wait)
            table_wait(table, owner);
        bool stray = table->flags & TABLE_STRAY;
        if (unlikely(stray))
            vm_table_unlock(table);
        if (unlikely(wait))
            vm_table_put(table);
        if (likely(!stray))
            return table;
    }
}

void vm_table_put(struct page *table)
{
    if (atomic_sub_fetch(&table->refs, 1) != 0)
        return;
    table->refs = 1;
    vm_table_free(table);
}

void vm_table_drain(void)
{
    atomic_fence(); // (D), partner (C) in table_descend()
    for (unsigned int i = 0; i < NR_CPUS_MAX; i++) {
        uint64_t count = atomic_load_acquire(&table_harts[i].descents);
        while ((count & 1) && atomic_load_acquire(&table_harts[i].descents) == count)
            hart_relax();
    }
}
