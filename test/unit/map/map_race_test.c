// SPDX-License-Identifier: BSD-2-Clause
// One process's map on several harts at once, under ThreadSanitizer.
//
// Directed cases: while a munmap, an mprotect or a fault is in the middle of its work, another
// thread maps, faults and unmaps in the same process. If the first kept the map locked the second
// would wait for ever (the alarm tells).
//
// One random case. Threads map, touch, cut up and unmap memory of their own that lies wherever the
// map has room, which is mostly where another thread has just unmapped something; they map, read
// and truncate one file; they fork, and look at what the child has; and they all protect, discard
// and unmap parts of one arena at will.
//
// What breaks: an edit that lets go of the map before it has its cursor, or takes it in another
// order (a thread's page is gone, or the arena's PTEs end up with rights that its regions don't
// have); one that lets go before it is through, where the next must wait for it (what was there
// before shows: harts have TLBs here); a region or an object that is used after it was freed; a
// page that was (HOST_FREED).
#include <errno.h>
#include <lib/assert.h>
#include <linux/mman.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../../mm/slab_priv.h"
#include "../../../mm/vm_map_priv.h"
#include "../space/cursor_host.h"
#include "map_harts.h"

#define THREADS     HARTS
#define RW          (VM_READ | VM_WRITE)
#define ANON        (MAP_PRIVATE | MAP_ANONYMOUS)
#define SIZE(pages) ((size_t)(pages)*PAGE_SIZE)
#define FILE_PAGES  24U
#define ARENA_PAGES 48U
#define ARENA       (PT_SIZE(2) * 3 - SIZE(ARENA_PAGES / 2)) // over a border of every level
#define PIECES      6U
#define PIECE_PAGES 40U

static struct vm_map *map;
static struct vm_object file;
static unsigned int steps;

static uint64_t file_word(uint64_t index)
{
    return 0xf11e0000UL + index;
}

static __thread void (*fill_hook)(void);

static int file_fill(struct vm_object *o, uint64_t index, struct page *const *pages,
                     unsigned int nr)
{
    if (fill_hook)
        fill_hook();
    sched_yield();
    for (unsigned int i = 0; i < nr; i++)
        *(uint64_t *)page_to_virt(pages[i]) = file_word(index + i);
    return 0;
}

static const struct vm_object_ops file_ops = {.fill = file_fill};

static long map_new(vaddr_t addr, unsigned int pages, unsigned int prot, unsigned int flags)
{
    const struct vm_mmap_args args = {
        .addr = addr, .size = SIZE(pages), .prot = prot, .flags = flags | ANON};
    return vm_map_mmap(map, &args);
}

static long map_file(unsigned int flags)
{
    const struct vm_mmap_args args = {
        .size = SIZE(FILE_PAGES), .prot = RW, .flags = flags, .object = &file};
    return vm_map_mmap(map, &args);
}

// A load or store of the word at `addr`: the signal, or 0.
static int access_word(struct vm_map *m, vaddr_t addr, uint64_t *word, bool write)
{
    while (!hart_access(m, addr, word, write)) {
        struct vm_fault_result result =
            vm_map_fault(m, addr, write ? VM_ACCESS_WRITE : VM_ACCESS_READ);
        if (result.signal != 0)
            return result.signal;
    }
    return 0;
}

static int store(vaddr_t addr, uint64_t word)
{
    return access_word(map, addr, &word, true);
}

static void expect(struct vm_map *m, vaddr_t addr, uint64_t word)
{
    uint64_t found = ~word;
    int signal = access_word(m, addr, &found, false);
    if (signal != 0 || found != word)
        panic("%#lx: signal %d, %#lx instead of %#lx", (unsigned long)addr, signal,
              (unsigned long)found, (unsigned long)word);
}

// ---- While one is at it

static bool reached, done; // atomic

// Called in the middle of the first thread's work.
static void let_the_other_work(void)
{
    atomic_store(&reached, true);
    while (!atomic_load(&done))
        sched_yield();
}

static void flush_while_the_other_works(const struct mmu_context *ctx, vaddr_t start, vaddr_t end)
{
    let_the_other_work();
    flush_harts(ctx, start, end);
}

static void other_works(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    long a = map_new(0, 4, RW, 0);
    ASSERT(a > 0 && store((vaddr_t)a, 1) == 0);
    ASSERT(vm_map_mprotect(map, (vaddr_t)a, SIZE(1), VM_READ) == 0);
    ASSERT(vm_map_munmap(map, (vaddr_t)a, SIZE(4)) == 0);
    atomic_store(&done, true);
}

static void (*works[THREADS])(void);

static void *one_work(void *arg)
{
    host_hart.cpu = (unsigned int)(uintptr_t)arg;
    works[host_hart.cpu]();
    return NULL;
}

static bool through; // atomic: the first has left its hook

static void all_work(unsigned int nr)
{
    atomic_store(&reached, false);
    atomic_store(&done, false);
    atomic_store(&through, false);
    alarm(20);
    host_run_threads(nr, one_work);
    ASSERT(atomic_load(&done)); // else the first never got where the other works
}

static void meanwhile(void (*first)(void), void (*second)(void))
{
    works[0] = first;
    works[1] = second;
    all_work(2);
}

#define FAR (PT_SIZE(2) * 5) // from where the other thread maps: no table in common but the root

static void unmap_far(void)
{
    ASSERT(map_new(FAR, 4, RW, MAP_FIXED) == FAR && store(FAR, 7) == 0);
    host_flush_hook = flush_while_the_other_works;
    ASSERT(vm_map_munmap(map, FAR, SIZE(4)) == 0);
    ASSERT(store(FAR, 7) == SIGSEGV);
}

static void protect_far(void)
{
    ASSERT(map_new(FAR, 4, RW, MAP_FIXED) == FAR && store(FAR, 7) == 0);
    host_flush_hook = flush_while_the_other_works;
    ASSERT(vm_map_mprotect(map, FAR, SIZE(3), VM_READ) == 0);
    ASSERT(store(FAR, 7) == SIGSEGV);
}

static void give_the_other_time(const struct mmu_context *ctx, vaddr_t start, vaddr_t end)
{
    atomic_store(&reached, true);
    for (unsigned int i = 0; i < 1000; i++)
        sched_yield();
    flush_harts(ctx, start, end);
    atomic_store(&through, true);
}

static void protect_far_slowly(void)
{
    ASSERT(map_new(FAR, 4, RW, MAP_FIXED) == FAR && store(FAR, 7) == 0);
    host_flush_hook = give_the_other_time;
    ASSERT(vm_map_mprotect(map, FAR, SIZE(4), VM_READ) == 0);
    while (!atomic_load(&done))
        sched_yield();
}

static void protect_far_again(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    ASSERT(vm_map_mprotect(map, FAR, SIZE(4), VM_READ) == 0);
    ASSERT(atomic_load(&through));
    atomic_store(&done, true);
}

// By every hart, so that each has a translation.
static void expect_everywhere(vaddr_t addr, uint64_t word)
{
    for (unsigned int i = 0; i < MIGRATE_AFTER * THREADS; i++)
        expect(map, addr, word);
}

static void unmap_far_slowly(void)
{
    ASSERT(map_new(FAR, 4, RW, MAP_FIXED) == FAR && store(FAR, 7) == 0);
    expect_everywhere(FAR, 7);
    host_flush_hook = give_the_other_time;
    ASSERT(vm_map_munmap(map, FAR, SIZE(4)) == 0);
    while (!atomic_load(&done))
        sched_yield();
}

static void map_far_again(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    ASSERT(map_new(FAR, 4, RW, MAP_FIXED) == FAR);
    expect_everywhere(FAR, 0);
    atomic_store(&done, true);
}

// Over a border of leaf tables, with so many pages in the first that they go in batches: the second
// table's turn comes after the hook.
#define BORDER (FAR + PT_SIZE(1))
#define BATCHES 80U

static void unmap_over_a_border(void)
{
    ASSERT(map_new(BORDER - SIZE(BATCHES), BATCHES + 4, RW, MAP_FIXED) > 0);
    for (unsigned int i = 0; i < BATCHES; i++)
        ASSERT(store(BORDER - SIZE(1 + i), 7) == 0);
    ASSERT(store(BORDER, 7) == 0);
    expect_everywhere(BORDER, 7);
    host_flush_hook = give_the_other_time;
    ASSERT(vm_map_munmap(map, BORDER - SIZE(BATCHES), SIZE(BATCHES + 4)) == 0);
}

static void map_beyond_the_border(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    ASSERT(map_new(BORDER, 4, RW, MAP_FIXED) == BORDER);
    expect_everywhere(BORDER, 0);
    atomic_store(&done, true);
}

static void map_far_and_more(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    ASSERT(map_new(FAR, 3 * PT_ENTRIES, RW, MAP_FIXED) == FAR);
    expect_everywhere(FAR, 0);
    atomic_store(&done, true);
}

static void protect_beyond_slowly(void)
{
    ASSERT(map_new(BORDER - SIZE(4), 4, VM_READ, MAP_FIXED) > 0);
    ASSERT(map_new(BORDER, 4, RW, MAP_FIXED) > 0 && store(BORDER, 7) == 0);
    host_flush_hook = give_the_other_time;
    ASSERT(vm_map_mprotect(map, BORDER, SIZE(4), VM_READ) == 0);
}

static void protect_over_the_border(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    ASSERT(vm_map_mprotect(map, BORDER - SIZE(4), SIZE(8), VM_READ) == 0);
    ASSERT(atomic_load(&through));
    atomic_store(&done, true);
}

static bool holding; // atomic: the third has the first leaf table

static void hold_this_side(void)
{
    struct vm_cursor c;
    host_flush_hook = flush_harts;
    while (!atomic_load(&reached))
        sched_yield();
    vm_cursor_open(&c, &map->space, BORDER - SIZE(4), BORDER);
    atomic_store(&holding, true);
    for (unsigned int i = 0; i < 3000 && !atomic_load(&done); i++)
        sched_yield();
    vm_cursor_close(&c);
}

static void protect_both_sides(void)
{
    host_flush_hook = flush_harts;
    ASSERT(map_new(BORDER - SIZE(4), 8, VM_READ, MAP_FIXED) > 0);
    expect(map, BORDER - SIZE(4), 0);
    expect(map, BORDER, 0);
    atomic_store(&reached, true);
    while (!atomic_load(&holding))
        sched_yield();
    ASSERT(vm_map_mprotect(map, BORDER - SIZE(4), SIZE(8), RW) == 0);
}

static void protect_the_other_side(void)
{
    host_flush_hook = flush_harts;
    while (!atomic_load(&holding))
        sched_yield();
    for (unsigned int i = 0; i < 1000; i++)
        sched_yield();
    (void)vm_map_mprotect(map, BORDER, SIZE(4), 0);
    atomic_store(&done, true);
}

static void read_file(void)
{
    long a = map_file(MAP_PRIVATE);
    ASSERT(a > 0);
    fill_hook = let_the_other_work;
    expect(map, (vaddr_t)a, file_word(0));
}

static void munmap_lets_others_map(void **state)
{
    meanwhile(unmap_far, other_works);
}

static void mprotect_lets_others_map(void **state)
{
    meanwhile(protect_far, other_works);
}

static void the_second_of_two_equal_calls_waits(void **state)
{
    meanwhile(protect_far_slowly, protect_far_again);
}

static void what_is_mapped_where_another_unmaps_is_new(void **state)
{
    meanwhile(unmap_far_slowly, map_far_again);
}

static void a_small_range_is_new_where_a_large_one_goes(void **state)
{
    meanwhile(unmap_over_a_border, map_beyond_the_border);
}

static void a_large_range_is_new_where_a_small_one_goes(void **state)
{
    meanwhile(unmap_far_slowly, map_far_and_more);
}

static void the_second_waits_over_a_larger_range(void **state)
{
    meanwhile(protect_beyond_slowly, protect_over_the_border);
}

// The last to have the map decides; teardown looks at the rights.
static void a_small_range_keeps_the_rights_it_got_last(void **state)
{
    atomic_store(&holding, false);
    works[0] = protect_both_sides;
    works[1] = protect_the_other_side;
    works[2] = hold_this_side;
    all_work(3);
}

static void a_read_of_a_file_lets_others_map(void **state)
{
    meanwhile(read_file, other_works);
}

// ---- Everything at once

struct piece {
    vaddr_t at;
    unsigned int pages;
    uint64_t words[PIECE_PAGES]; // 0: nothing was stored
    unsigned int prot[PIECE_PAGES];
};

struct worker {
    unsigned int id;
    uint64_t seed, next_word;
    struct piece pieces[PIECES];
};

static unsigned int rnd(struct worker *w, unsigned int n)
{
    w->seed = w->seed * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned int)((w->seed >> 33) % n);
}

static void check_page(struct vm_map *m, const struct piece *p, unsigned int i)
{
    uint64_t word;
    if (p->prot[i] & VM_READ)
        expect(m, p->at + SIZE(i), p->words[i]);
    else
        ASSERT(access_word(m, p->at + SIZE(i), &word, false) == SIGSEGV);
}

static void check_piece(struct vm_map *m, const struct piece *p)
{
    for (unsigned int i = 0; i < p->pages; i++)
        check_page(m, p, i);
}

static void use_piece(struct worker *w)
{
    struct piece *p = &w->pieces[rnd(w, PIECES)];
    if (p->pages == 0) {
        unsigned int pages = 1 + rnd(w, PIECE_PAGES);
        long at = map_new(0, pages, RW, rnd(w, 8) ? 0 : MAP_POPULATE);
        if (at < 0)
            return;
        *p = (struct piece){.at = (vaddr_t)at, .pages = pages};
        for (unsigned int i = 0; i < pages; i++)
            p->prot[i] = RW;
        check_piece(map, p);
    }
    for (unsigned int n = rnd(w, 6); n > 0; n--) {
        unsigned int i = rnd(w, p->pages);
        uint64_t word = (uint64_t)w->id << 32 | ++w->next_word;
        int signal = store(p->at + SIZE(i), word);
        ASSERT(signal == (p->prot[i] & VM_WRITE ? 0 : SIGSEGV));
        if (signal == 0)
            p->words[i] = word;
    }
    check_piece(map, p);
}

static void unmap_piece(struct worker *w)
{
    struct piece *p = &w->pieces[rnd(w, PIECES)];
    if (p->pages == 0)
        return;
    check_piece(map, p);
    unsigned int kept = rnd(w, 2) ? rnd(w, p->pages) : 0;
    ASSERT(vm_map_munmap(map, p->at + SIZE(kept), SIZE(p->pages - kept)) == 0);
    p->pages = kept;
}

static void protect_piece(struct worker *w)
{
    static const unsigned int rights[] = {0, VM_READ, RW, RW};
    struct piece *p = &w->pieces[rnd(w, PIECES)];
    if (p->pages == 0)
        return;
    unsigned int first = rnd(w, p->pages), n = 1 + rnd(w, p->pages - first);
    unsigned int prot = rights[rnd(w, ARRAY_SIZE(rights))];
    ASSERT(vm_map_mprotect(map, p->at + SIZE(first), SIZE(n), prot) == 0);
    for (unsigned int i = first; i < first + n; i++)
        p->prot[i] = prot;
    check_piece(map, p);
}

static void discard_piece(struct worker *w)
{
    struct piece *p = &w->pieces[rnd(w, PIECES)];
    if (p->pages == 0)
        return;
    unsigned int first = rnd(w, p->pages), n = 1 + rnd(w, p->pages - first);
    ASSERT(vm_map_madvise(map, p->at + SIZE(first), SIZE(n), MADV_DONTNEED) == 0);
    for (unsigned int i = first; i < first + n; i++)
        p->words[i] = 0;
}

static void move_piece(struct worker *w)
{
    struct piece *p = &w->pieces[rnd(w, PIECES)];
    for (unsigned int i = 1; i < p->pages; i++)
        if (p->prot[i] != p->prot[0])
            return; // several regions
    unsigned int pages = 1 + rnd(w, PIECE_PAGES);
    if (p->pages == 0 || pages < p->pages)
        return;
    long at = vm_map_mremap(map, p->at, SIZE(p->pages), SIZE(pages), MREMAP_MAYMOVE, 0);
    if (at < 0)
        return;
    p->at = (vaddr_t)at;
    for (unsigned int i = p->pages; i < pages; i++) {
        p->prot[i] = p->prot[0];
        p->words[i] = 0;
    }
    p->pages = pages;
    check_piece(map, p);
}

// Others truncate it: SIGBUS is an answer.
static void use_file(struct worker *w)
{
    unsigned int first = rnd(w, FILE_PAGES);
    long at = map_file(rnd(w, 2) ? MAP_SHARED : MAP_PRIVATE);
    ASSERT(at > 0);
    for (unsigned int i = first; i < FILE_PAGES; i++) {
        uint64_t word;
        int signal = access_word(map, (vaddr_t)at + SIZE(i), &word, false);
        ASSERT(signal == SIGBUS || (signal == 0 && word == file_word(i)));
    }
    if (rnd(w, 4) == 0)
        vm_object_resize(&file, SIZE(1 + rnd(w, FILE_PAGES)));
    if (rnd(w, 4) == 0)
        vm_object_drop_clean(&file);
    ASSERT(vm_map_mprotect(map, (vaddr_t)at, SIZE(1 + first), VM_READ) == 0);
    ASSERT(vm_map_munmap(map, (vaddr_t)at, SIZE(FILE_PAGES)) == 0);
}

static void fork_map(struct worker *w)
{
    struct vm_map *child = vm_map_fork(map);
    if (!child)
        return;
    for (unsigned int i = 0; i < PIECES; i++)
        check_piece(child, &w->pieces[i]);
    vm_map_put(child);
}

// Nothing is mapped outside of regions, and no page with rights that its region hasn't. Who has the
// map and the cursor waits for whoever has only a cursor.
static void check_rights(vaddr_t start, vaddr_t end)
{
    struct vm_mapping now;
    struct vm_cursor c;

    rwlock_read_lock(&map->lock);
    vm_cursor_open(&c, &map->space, start, end);
    while (vm_cursor_find(&c)) {
        const struct vm_region *r = vm_region_find(map, c.pos);
        vm_cursor_query(&c, &now);
        ASSERT(r && r->start <= c.pos);
        ASSERT((now.prot & ~r->flags & ~(r->flags & VM_WRITE ? VM_READ : 0U)) == 0);
        vm_cursor_seek(&c, c.pos + PAGE_SIZE);
    }
    vm_cursor_close(&c);
    rwlock_read_unlock(&map->lock);
}

// Nobody knows what is there, but whoever finds something finds an arena's word, or zero.
static void use_arena(struct worker *w)
{
    static const unsigned int rights[] = {VM_READ, RW, 0};
    unsigned int first = rnd(w, ARENA_PAGES), n = 1 + rnd(w, ARENA_PAGES - first);
    vaddr_t at = ARENA + SIZE(first);
    uint64_t word;

    switch (rnd(w, 6)) {
    case 0:
        ASSERT(map_new(at, n, RW, MAP_FIXED) == (long)at);
        break;
    case 1:
        ASSERT(vm_map_munmap(map, at, SIZE(n)) == 0);
        break;
    case 2:
        (void)vm_map_mprotect(map, at, SIZE(n), rights[rnd(w, ARRAY_SIZE(rights))]);
        break;
    case 3:
        (void)vm_map_madvise(map, at, SIZE(n), MADV_DONTNEED);
        break;
    default:
        for (unsigned int i = 0; i < n; i++) {
            (void)store(at + SIZE(i), at + SIZE(i));
            if (access_word(map, at + SIZE(i), &word, false) == 0)
                ASSERT(word == 0 || word == at + SIZE(i));
        }
        break;
    }
    check_rights(ARENA, ARENA + SIZE(ARENA_PAGES));
}

static void *work(void *arg)
{
    static void (*const operations[])(struct worker *) = {
        use_piece, use_piece,     use_piece,  unmap_piece, unmap_piece, protect_piece,
        use_arena, discard_piece, move_piece, use_arena,   use_arena,   protect_piece};
    struct worker w = {.id = (unsigned int)(uintptr_t)arg, .seed = (uintptr_t)arg + 1};

    host_hart.cpu = w.id;
    host_flush_hook = flush_harts;
    for (unsigned int i = 0; i < steps; i++) {
        unsigned int what = rnd(&w, 60);
        if (what == 0)
            fork_map(&w);
        else if (what < 5)
            use_file(&w);
        else
            operations[what % ARRAY_SIZE(operations)](&w);
    }
    for (unsigned int i = 0; i < PIECES; i++)
        check_piece(map, &w.pieces[i]);
    return NULL;
}

static void threads_edit_one_map(void **state)
{
    const char *wanted = getenv("UNIT_STEPS");
    steps = wanted ? (unsigned int)atoi(wanted) : 1500;
    host_run_threads(THREADS, work);
}

// ---- Each begins with a map that is empty, and loses no page

static uint64_t free_before;

static int setup(void **state)
{
    const uint64_t random[3] = {1, 2, 3};
    free_before = host_ram_free();
    vm_object_init(&file, &file_ops, SIZE(FILE_PAGES));
    map = vm_map_create(random);
    alarm(200);
    return map ? 0 : -1;
}

static void *end(void *arg)
{
    host_hart.cpu = (unsigned int)(uintptr_t)arg;
    host_flush_hook = flush_harts;
    if (host_hart.cpu == 0) {
        check_rights(0, USER_END);
        vm_map_put(map);
        vm_object_resize(&file, 0);
    }
    return NULL;
}

static void *give_back(void *arg)
{
    host_hart.cpu = (unsigned int)(uintptr_t)arg;
    vm_space_reclaim();
    return NULL;
}

static int teardown(void **state)
{
    host_run_threads(1, end);
    host_run_threads(THREADS, give_back);
    assert_int_equal(host_ram_free(), free_before);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(munmap_lets_others_map, setup, teardown),
        cmocka_unit_test_setup_teardown(mprotect_lets_others_map, setup, teardown),
        cmocka_unit_test_setup_teardown(the_second_of_two_equal_calls_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_mapped_where_another_unmaps_is_new, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_small_range_is_new_where_a_large_one_goes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_large_range_is_new_where_a_small_one_goes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_second_waits_over_a_larger_range, setup, teardown),
        cmocka_unit_test_setup_teardown(a_small_range_keeps_the_rights_it_got_last, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_read_of_a_file_lets_others_map, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_edit_one_map, setup, teardown),
    };
    harts_init();
    host_ram_start();
    vm_caches_init();
    return cmocka_run_group_tests_name("map/map_race", tests, NULL, NULL);
}
