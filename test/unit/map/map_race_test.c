// SPDX-License-Identifier: BSD-2-Clause
// One process's map on several harts at once, under ThreadSanitizer; map_order_test.c has the cases
// of two calls that meet.
//
// Threads map, touch, cut up and unmap memory of their own that lies wherever the map has room,
// which is mostly where another thread has just unmapped something; they map, read and truncate one
// file; they fork, and look at what the child has; and they all protect, discard and unmap parts of
// one arena at will.
//
// What breaks: an edit that lets go of the map before it has its cursor, or takes it in another
// order (a thread's page is gone, or the arena's PTEs end up with rights that its regions don't
// have); a region or an object that is used after it was freed; a page that was (HOST_FREED).
#include "map_calls.h"

#define ARENA_PAGES 48U
#define ARENA       (PT_SIZE(2) * 3 - SIZE(ARENA_PAGES / 2)) // over a border of every level
#define PIECES      6U
#define PIECE_PAGES 40U

static unsigned int steps;

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_edit_one_map, map_setup, map_teardown),
    };
    map_start();
    return cmocka_run_group_tests_name("map/map_race", tests, NULL, NULL);
}
