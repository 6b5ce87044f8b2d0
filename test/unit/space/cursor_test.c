// SPDX-License-Identifier: BSD-2-Clause
// Cursors of one space on several harts at once, under ThreadSanitizer. Some 2 MiB spans are
// striped: each thread has every fourth page, so all share their leaf tables. Others are one
// thread's alone, next to the others' in the same upper tables, on both sides of a 1 GiB border: it
// maps 2 MiB pages and full tables there, cuts them up and unmaps them, so that tables come and go
// under everybody's descents. In between each forks the whole space and looks at, and edits, its
// copy.
//
// In the first span each thread has two pages that come and go, so that its table does, too.
//
// What breaks: a table that is used unlocked or freed too early (a race, or HOST_FREED where a
// page's owner should be), a change by a cursor that holds the wrong table (another thread's page
// gone), a count that is off (vm_space_destroy(), pages lost).
#include <lib/assert.h>
#include <stdlib.h>

#include "cursor_host.h"

#define THREADS  4
#define STRIPED  3
#define SPANS    (STRIPED + 2 * THREADS)
#define BASE     (PT_SIZE(2) * 3 - PT_SIZE(1) * (2 + THREADS))
#define RW       (VM_READ | VM_WRITE)
#define AT(i)    (BASE + (vaddr_t)(i)*PAGE_SIZE)
#define NR_PAGES (SPANS * PT_ENTRIES)

static struct vm_space space;
static struct page *shadow[NR_PAGES]; // each entry belongs to its thread
static unsigned int steps;

struct worker {
    unsigned int id;
    uint64_t seed;
};

static uint64_t rnd(struct worker *w, uint64_t n)
{
    w->seed = w->seed * 6364136223846793005UL + 1442695040888963407UL;
    return (w->seed >> 33) % n;
}

// Span s is striped or thread (s - STRIPED) % THREADS'.
static unsigned int own_span(struct worker *w)
{
    return STRIPED + w->id + THREADS * (unsigned int)rnd(w, 2);
}

static unsigned int own_page(struct worker *w)
{
    if (rnd(w, 2))
        return own_span(w) * PT_ENTRIES + (unsigned int)rnd(w, PT_ENTRIES);
    return PT_ENTRIES + (unsigned int)rnd(w, (STRIPED - 1) * PT_ENTRIES / THREADS) * THREADS +
           w->id;
}

// A page says whose it is, for as long as somebody has it.
static struct page *new_page(unsigned int i)
{
    struct page *p = page_alloc(0, 0);
    if (p)
        *(uint64_t *)page_to_virt(p) = i;
    return p;
}

static void check_content(const struct vm_mapping *now, unsigned int i)
{
    ASSERT(now->page && *(const uint64_t *)phys_to_virt(now->pa) == i);
}

// The cursor is at page i of the shared space, which is this thread's.
static bool check_own(struct vm_cursor *c, unsigned int i, struct vm_mapping *now)
{
    vm_cursor_query(c, now);
    ASSERT(now->present == (shadow[i] != NULL));
    if (now->present) {
        ASSERT(now->pa == page_address(shadow[i]));
        check_content(now, i);
    }
    return now->present;
}

// What a write fault does.
static void write_at(unsigned int i)
{
    struct vm_mapping now;
    struct vm_cursor c;

    vm_cursor_open(&c, &space, AT(i), AT(i + 1));
    if (vm_cursor_own(&c, PAGE_SIZE, VM_OWN_SHARED) == 0) {
        bool present = check_own(&c, i, &now);
        bool done = present && (!now.cow || (now.huge && vm_cursor_take_huge(&c, RW)));
        if (!done && (!present || !now.huge || vm_cursor_own(&c, PAGE_SIZE, VM_OWN_PAGES) == 0)) {
            vm_cursor_query(&c, &now);
            bool mine = present && page_has_one_owner(now.page);
            struct page *p = mine ? now.page : new_page(i);
            if (mine)
                page_hold(p);
            if (p && vm_cursor_map(&c, p, RW, false) == 0)
                shadow[i] = p;
            else if (p)
                page_put(p);
        }
    }
    vm_cursor_close(&c);
}

static void unmap_range(unsigned int first, unsigned int end)
{
    struct vm_cursor c;
    vm_cursor_open(&c, &space, AT(first), AT(end));
    if (vm_cursor_own(&c, (end - first) * PAGE_SIZE, VM_OWN_EDGES) == 0) {
        vm_cursor_unmap(&c, (end - first) * PAGE_SIZE);
        for (unsigned int i = first; i < end; i++)
            shadow[i] = NULL;
    }
    vm_cursor_close(&c);
}

static void write_page(struct worker *w)
{
    write_at(own_page(w));
}

static void come_and_go(struct worker *w)
{
    unsigned int i = w->id + THREADS * (unsigned int)rnd(w, 2);
    if (shadow[i])
        unmap_range(i, i + 1);
    else
        write_at(i);
}

static void unmap_part(struct worker *w)
{
    unsigned int first = own_span(w) * PT_ENTRIES;
    unsigned int from = (unsigned int)rnd(w, PT_ENTRIES), to = (unsigned int)rnd(w, PT_ENTRIES + 1);
    if (rnd(w, 2))
        unmap_range(first, first + PT_ENTRIES);
    else if (from < to)
        unmap_range(first + from, first + to);
}

static void protect_part(struct worker *w)
{
    unsigned int first = own_span(w) * PT_ENTRIES, end = first + PT_ENTRIES;
    struct vm_cursor c;
    if (rnd(w, 2))
        first += (unsigned int)rnd(w, PT_ENTRIES);
    vm_cursor_open(&c, &space, AT(first), AT(end));
    if (vm_cursor_own(&c, (end - first) * PAGE_SIZE, VM_OWN_TABLES) == 0)
        vm_cursor_protect(&c, (end - first) * PAGE_SIZE, rnd(w, 2) ? RW : VM_READ);
    vm_cursor_close(&c);
}

static void map_huge(struct worker *w)
{
    unsigned int first = own_span(w) * PT_ENTRIES, at = first + (unsigned int)rnd(w, PT_ENTRIES);
    struct vm_cursor c;

    vm_cursor_open(&c, &space, AT(at), AT(at + 1));
    struct page *block = vm_cursor_fits_huge(&c, HUGE_ORDER) ? page_alloc(HUGE_ORDER, 0) : NULL;
    for (unsigned int i = 0; block && i < PT_ENTRIES; i++)
        *(uint64_t *)page_to_virt(block + i) = first + i;
    if (block && vm_cursor_map_huge(&c, block, RW, false) == 0)
        for (unsigned int i = 0; i < PT_ENTRIES; i++)
            shadow[first + i] = block + i;
    else if (block)
        page_put(block);
    vm_cursor_close(&c);
}

// Enough pages for fork to share the table.
static void fill_table(struct worker *w)
{
    unsigned int first = own_span(w) * PT_ENTRIES;
    struct vm_mapping now;
    struct vm_cursor c;

    vm_cursor_open(&c, &space, AT(first), AT(first + 100));
    if (vm_cursor_own(&c, 100 * PAGE_SIZE, VM_OWN_PAGES) == 0)
        for (unsigned int i = first; i < first + 100; i++) {
            vm_cursor_seek(&c, AT(i));
            struct page *p = check_own(&c, i, &now) ? NULL : new_page(i);
            if (p && vm_cursor_map(&c, p, RW, false) == 0)
                shadow[i] = p;
            else if (p)
                page_put(p);
        }
    vm_cursor_close(&c);
}

// Anybody's pages, whatever becomes of them: those that are there say whose they are.
static void look_around(struct worker *w, struct vm_space *s)
{
    unsigned int from = (unsigned int)rnd(w, NR_PAGES), to = from + 1 + (unsigned int)rnd(w, 600);
    struct vm_mapping now;
    struct vm_cursor c;

    vm_cursor_open(&c, s, AT(from), MIN(AT(to), AT(NR_PAGES)));
    while (vm_cursor_find(&c)) {
        vm_cursor_query(&c, &now);
        check_content(&now, (unsigned int)((c.pos - BASE) >> PAGE_SHIFT));
        vm_cursor_seek(&c, c.pos + PAGE_SIZE);
    }
    vm_cursor_close(&c);
}

static void edit_child(struct worker *w, struct vm_space *child)
{
    unsigned int from = (unsigned int)rnd(w, NR_PAGES - 700), n = 1 + (unsigned int)rnd(w, 700);
    struct vm_cursor c;

    vm_cursor_open(&c, child, AT(from), AT(from + n));
    if (vm_cursor_own(&c, n * PAGE_SIZE, VM_OWN_EDGES) == 0)
        vm_cursor_unmap(&c, n * PAGE_SIZE);
    vm_cursor_close(&c);
    look_around(w, child);
    vm_cursor_open(&c, child, AT(from), AT(from + n));
    if (vm_cursor_own(&c, n * PAGE_SIZE, VM_OWN_TABLES) == 0)
        vm_cursor_protect(&c, n * PAGE_SIZE, VM_READ);
    vm_cursor_close(&c);
}

static void fork_all(struct worker *w)
{
    struct vm_cursor from, to;
    struct vm_space child;

    if (vm_space_init(&child) != 0)
        return;
    vm_cursor_open(&from, &space, 0, USER_END);
    vm_cursor_open(&to, &child, 0, USER_END);
    vm_cursor_seek(&from, BASE);
    int err = vm_cursor_clone(&from, &to, NR_PAGES * PAGE_SIZE, VM_CLONE_LAZY);
    vm_cursor_close(&to);
    vm_cursor_close(&from);
    for (uint64_t n = err == 0 ? rnd(w, 4) : 0; n > 0; n--)
        edit_child(w, &child);
    vm_space_destroy(&child);
}

static void check_all_own(const struct worker *w)
{
    struct vm_mapping now;
    struct vm_cursor c;

    vm_cursor_open(&c, &space, BASE, AT(NR_PAGES));
    for (unsigned int i = 0; i < NR_PAGES; i++) {
        unsigned int span = i / PT_ENTRIES;
        unsigned int owner = span < STRIPED ? i % THREADS : (span - STRIPED) % THREADS;
        vm_cursor_seek(&c, AT(i));
        if (owner == w->id)
            check_own(&c, i, &now);
    }
    vm_cursor_close(&c);
}

static void *work(void *arg)
{
    struct worker w = {(unsigned int)(uintptr_t)arg, (uintptr_t)arg + 1};
    void (*const operations[])(struct worker *) = {come_and_go,  write_page, write_page,
                                                   come_and_go,  unmap_part, map_huge,
                                                   protect_part, fill_table};
    host_hart.cpu = w.id;
    for (unsigned int i = 0; i < steps; i++) {
        uint64_t what = rnd(&w, 40);
        if (what == 0)
            fork_all(&w);
        else if (what < 5)
            look_around(&w, &space);
        else
            operations[what % ARRAY_SIZE(operations)](&w);
        if (i % 256 == 0)
            check_all_own(&w);
    }
    check_all_own(&w);
    return NULL;
}

static void *give_back(void *arg)
{
    host_hart.cpu = (unsigned int)(uintptr_t)arg;
    vm_space_reclaim();
    return NULL;
}

static void cursors_exclude_each_other(void **state)
{
    const char *wanted = getenv("UNIT_STEPS");
    steps = wanted ? (unsigned int)atoi(wanted) : 3000;
    host_ram_start();
    vm_table_init();
    uint64_t before = host_ram_free();
    assert_int_equal(vm_space_init(&space), 0);
    host_run_threads(THREADS, work);
    vm_space_destroy(&space);
    host_run_threads(THREADS, give_back);
    assert_int_equal(host_ram_free(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cursors_exclude_each_other)};
    return cmocka_run_group_tests_name("space/cursor", tests, NULL, NULL);
}
