// SPDX-License-Identifier: BSD-2-Clause
// Leaf tables that fork shares. Fork takes the table out of both spaces' sight by an entry of level
// 1 without V and U: no hart translates through it, no descent goes there. So the pages below need
// neither references nor write protection for the time being; fork costs one entry for 2 MiB.
//
// The first cursor that needs the table for itself unshares it: the last space to hold it takes it
// over as it is; any other gets a copy, with references of its own, and marks both copies
// copy-on-write. A space that unmaps the whole 2 MiB or ends only drops its link.
//
// The table's lock, below those of all its upper tables, guards links and entries. Cursors of
// several spaces meet here, each with tables of its own order. So nobody keeps the lock of a table
// that another space reaches: whoever waits for one may hold any tables, whoever has one waits for
// none. Only fork's own hold on what it has just made shared lasts, and of that table the one other
// space is the child that fork holds.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>

#include "vm_space_priv.h"

static pte_t shared_pte(const struct page *table)
{
    return pte_make(page_address(table), PTE_SOFT);
}

// `entry` leads to a leaf table, shared already or not; *to_entry is 0.
void cursor_share_table(struct vm_cursor *c, pte_t *entry, struct vm_cursor *to, pte_t *to_entry)
{
    struct page *table = leaf_page(*entry);
    bool already = pte_is_shared(*entry);

    if (already) {
        vm_table_lock(table, c);
    } else {
        cursor_take(c, table);
        table->flags |= TABLE_STRAY;
        atomic_store(entry, shared_pte(table));
        c->leaf = NULL;
        c->unlinked = true; // descents that still go there must end before anybody takes it over
        cursor_note_flush(c, 0, USER_END);
    }
    table->table_links++;
    atomic_store(to_entry, shared_pte(table));
    table_page(to_entry)->table_used++;
    atomic_add_relaxed(&to->space->nr_tables, 1);
    atomic_add_relaxed(&to->space->nr_resident, table->table_counted);
    if (already)
        table_let_go(table);
}

// Entries of `from` to `to`, copy-on-write on both sides. Nobody else sees either by hardware.
static void copy_entries(pte_t *from, pte_t *to, uint64_t used)
{
    for (; used > 0; from++, to++) {
        pte_t pte = *from;
        if (pte == 0)
            continue;
        used--;
        if (!(pte & PTE_SOFT)) {
            page_hold(leaf_page(pte));
            pte = (pte | PTE_COW) & ~PTE_W;
            // Atomic: another space's query reads it without the table's lock.
            atomic_store(from, pte);
        }
        *to = pte;
    }
}

int cursor_unshare(struct vm_cursor *c, pte_t *entry)
{
    struct page *table = leaf_page(*entry);
    int err = 0;

    vm_table_lock(table, c);
    // A descent that was on its way when the table was shared may still wait for it, and may be
    // another space's: not ours then.
    if (table->table_links == 1 && atomic_load(&table->refs) == 1) {
        table->flags &= (uint16_t)~TABLE_STRAY;
        // Released: whatever other spaces did to it comes before a hart walks it for us.
        atomic_store_release(entry, pte_make(page_address(table), PTE_V));
        cursor_keep(c, table);
        return 0;
    }
    struct page *copy = vm_table_alloc();
    if (copy) {
        vm_table_lock_new(copy, c);
        cursor_keep(c, copy);
        copy_entries(page_to_virt(table), page_to_virt(copy), table->table_used);
        copy->table_used = table->table_used;
        copy->table_counted = table->table_counted;
        table->table_links--;
        atomic_store_release(entry, pte_make(page_address(copy), PTE_V));
    } else {
        err = -ENOMEM;
    }
    table_let_go(table);
    return err;
}

void cursor_drop_shared(struct vm_cursor *c, pte_t *level1, unsigned int index)
{
    struct page *table = leaf_page(level1[index]);

    vm_table_lock(table, c);
    table->table_links--;
    atomic_store(&level1[index], 0);
    table_page(level1)->table_used--;
    atomic_add_relaxed(&c->space->nr_tables, -1UL);
    atomic_add_relaxed(&c->space->nr_resident, -(uint64_t)table->table_counted);
    table_let_go(table);
}

void space_drop_shared(struct vm_space *s, pte_t entry)
{
    struct page *table = leaf_page(entry);

    vm_table_lock(table, s);
    s->nr_resident -= table->table_counted;
    s->nr_tables--;
    table->table_links--;
    table_let_go(table);
}
