// SPDX-License-Identifier: BSD-2-Clause
// A random walk over every call that edits address spaces, in up to four processes that fork from
// each other and map two shared files, against a model that keeps for every page of every process
// what mmap(2) and its relatives promise. After each call: regions equal (and none that could be
// one line with its neighbour), no stale translation, no lock held; on the way and at the end:
// bytes equal; at the end: no page lost. Both kinds of A/D hardware.
#include <errno.h>
#include <signal.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mm/slab.h>

#include "host.h"

#define PROCESSES 4
#define FILES     3
#ifndef WINDOW
#define WINDOW 96 // pages
#endif
#define BASE       0x3fffe0000UL // not on a 2 MiB border: the window crosses one
#define FILE_PAGES 40

#define MODEL_FLAGS                                                                                \
    (VM_SHARED | VM_DONTFORK | VM_WIPEONFORK | VM_NORESERVE | VM_LOCKED | VM_HUGEPAGE |            \
     VM_NOHUGEPAGE)

struct model_page {
    bool mapped;
    unsigned int prot, flags, may;
    int file;       // -1: anonymous
    uint64_t index; // page in the file
    bool own;       // private content below; else the file's, or zeros
    uint64_t value;
};

static struct model {
    struct vm_map *m;
    struct model_page pages[WINDOW];
} processes[PROCESSES];

static struct model_file {
    struct vm_object object;
    uint64_t size; // in pages
    uint64_t values[FILE_PAGES];
    int refs;
} files[FILES];

static uint64_t seed;

static uint64_t rnd(uint64_t n)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (seed >> 33) % n;
}

// The first word of a file's page as the "disk" has it.
static uint64_t disk_value(int file, uint64_t index)
{
    return file == 0 ? 0 : 0x1000000UL * (uint64_t)file + index;
}

static int file_fill(struct vm_object *o, uint64_t index, struct page *const *pages,
                     unsigned int nr)
{
    struct model_file *f = container_of(o, struct model_file, object);
    for (unsigned int i = 0; i < nr; i++)
        *(uint64_t *)page_to_virt(pages[i]) = disk_value((int)(f - files), index + i);
    return 0;
}

static int file_write_back(struct vm_object *o, uint64_t index, struct page *const *pages,
                           unsigned int nr)
{
    struct model_file *f = container_of(o, struct model_file, object);
    assert_true(index + nr <= f->size);
    for (unsigned int i = 0; i < nr; i++)
        assert_int_equal(*(uint64_t *)page_to_virt(pages[i]), f->values[index + i]);
    return 0;
}

static void file_release(struct vm_object *o)
{
    fail_msg("a file was released while the test holds it");
}

// Memory only, filled from disk, filled and written back.
static const struct vm_object_ops file_ops[FILES] = {
    {.release = file_release},
    {.release = file_release, .fill = file_fill},
    {.release = file_release, .fill = file_fill, .write_back = file_write_back},
};

static void file_get(void *file)
{
    ((struct model_file *)file)->refs++;
}

static void file_put(void *file)
{
    ((struct model_file *)file)->refs--;
}

static const struct vm_file_ops described = {.get = file_get, .put = file_put};

static struct model_page *page_at(struct model *p, uint64_t i)
{
    return &p->pages[i];
}

static vaddr_t address_of(uint64_t i)
{
    return BASE + (i << PAGE_SHIFT);
}

// Could two neighbours be one region?
static bool model_joins(const struct model_page *a, const struct model_page *b)
{
    return a->mapped && b->mapped && a->prot == b->prot && a->flags == b->flags &&
           a->may == b->may && a->file == b->file && (a->file < 0 || a->index + 1 == b->index);
}

struct walk {
    struct model *p;
    uint64_t next; // first page not yet compared
};

static int compare_region(void *ctx, const struct vm_region *r)
{
    struct walk *w = ctx;
    assert_true(r->start >= BASE && r->end <= address_of(WINDOW));
    uint64_t first = (r->start - BASE) >> PAGE_SHIFT, end = (r->end - BASE) >> PAGE_SHIFT;
    for (; w->next < first; w->next++)
        assert_false(page_at(w->p, w->next)->mapped);
    for (uint64_t i = first; i < end; i++) {
        const struct model_page *page = page_at(w->p, i);
        assert_true(page->mapped);
        assert_int_equal(r->flags & VM_PROT_MASK, page->prot);
        assert_int_equal(r->flags & MODEL_FLAGS, page->flags);
        if (page->file >= 0) {
            assert_ptr_equal(r->object, &files[page->file].object);
            assert_int_equal(r->offset + ((i - first) << PAGE_SHIFT), page->index << PAGE_SHIFT);
        }
        if (i > first)
            assert_true(model_joins(page - 1, page));
    }
    // One line where one can be.
    if (first > 0)
        assert_false(model_joins(page_at(w->p, first - 1), page_at(w->p, first)));
    w->next = end;
    return 0;
}

static void compare_regions(struct model *p)
{
    struct walk w = {p, 0};
    assert_int_equal(vm_map_for_each(p->m, 0, compare_region, &w), 0);
    for (; w.next < WINDOW; w.next++)
        assert_false(page_at(p, w.next)->mapped);
    uint64_t total = 0, data = 0;
    for (uint64_t i = 0; i < WINDOW; i++) {
        const struct model_page *page = page_at(p, i);
        total += page->mapped;
        data += page->mapped && (page->prot & VM_WRITE) && !(page->flags & VM_SHARED);
    }
    assert_int_equal(p->m->total_pages, total);
    assert_int_equal(p->m->data_pages, data);
}

static int expected_signal(const struct model_page *page, unsigned int need)
{
    if (!page->mapped || !(page->prot & need))
        return SIGSEGV;
    if (page->file >= 0 && page->index >= files[page->file].size)
        return SIGBUS;
    return 0;
}

static uint64_t model_value(const struct model_page *page)
{
    if (page->own)
        return page->value;
    return page->file < 0 ? 0 : files[page->file].values[page->index];
}

static void read_page(struct model *p, uint64_t i)
{
    const struct model_page *page = page_at(p, i);
    uint64_t value = 0;
    int expected = expected_signal(page, VM_READ | VM_WRITE);
    assert_int_equal(host_user_read(p->m, address_of(i), &value, 8), expected);
    if (expected == 0)
        assert_int_equal(value, model_value(page));
    else if (expected == SIGSEGV)
        assert_int_equal(host_fault_code, page->mapped ? SEGV_ACCERR : SEGV_MAPERR);
}

static void write_page(struct model *p, uint64_t i)
{
    struct model_page *page = page_at(p, i);
    uint64_t value = rnd(1UL << 31);
    int expected = expected_signal(page, VM_WRITE);
    assert_int_equal(host_user_write(p->m, address_of(i), &value, 8), expected);
    if (expected != 0)
        return;
    if (page->flags & VM_SHARED) {
        files[page->file].values[page->index] = value;
    } else {
        page->own = true;
        page->value = value;
    }
}

// The first page of the window on a border of 2 MiB at or above `i`.
static uint64_t huge_border(uint64_t i)
{
    return (ALIGN_UP(address_of(i), PT_SIZE(1)) - BASE) >> PAGE_SHIFT;
}

static void do_mmap(struct model *p, uint64_t i, uint64_t n)
{
    static const unsigned int prots[] = {0,
                                         VM_READ,
                                         VM_READ | VM_WRITE,
                                         VM_READ | VM_WRITE,
                                         VM_READ | VM_EXEC,
                                         VM_READ | VM_WRITE | VM_EXEC};
    int file = n <= 8 ? (int)rnd(FILES + 2) - 2 : -1;
    struct vm_mmap_args args = {
        .addr = address_of(i), .size = n << PAGE_SHIFT, .prot = prots[rnd(6)], .flags = MAP_FIXED};
    uint64_t index = rnd(FILE_PAGES - 8);
    bool shared = false;
    if (file >= 0) {
        args.object = &files[file].object;
        args.file = &files[file];
        args.file_ops = &described;
        args.offset = index << PAGE_SHIFT;
        shared = rnd(2);
    } else {
        file = -1;
        args.flags |= MAP_ANONYMOUS;
    }
    args.flags |= shared ? MAP_SHARED : MAP_PRIVATE;
    if (rnd(8) == 0)
        args.flags |= MAP_NORESERVE;
    if (rnd(8) == 0)
        args.flags |= MAP_POPULATE;
    if (rnd(6) == 0)
        args.flags |= MAP_FIXED_NOREPLACE;
    if (rnd(2))
        args.flags |= MAP_STACK;
    bool taken = false;
    for (uint64_t k = i; k < i + n; k++)
        taken |= page_at(p, k)->mapped;
    long got = vm_map_mmap(p->m, &args);
    if (taken && (args.flags & MAP_FIXED_NOREPLACE)) {
        assert_int_equal(got, -EEXIST);
        return;
    }
    assert_int_equal(got, args.addr);
    for (uint64_t k = 0; k < n; k++)
        *page_at(p, i + k) = (struct model_page){
            .mapped = true,
            .prot = args.prot,
            .flags = (shared ? VM_SHARED : 0) | (args.flags & MAP_NORESERVE ? VM_NORESERVE : 0) |
                     (args.flags & MAP_STACK ? VM_NOHUGEPAGE : 0),
            .file = file,
            .index = file >= 0 ? index + k : 0};
    // Populating private writable memory makes the copies at once.
    if ((args.flags & MAP_POPULATE) && (args.prot & VM_WRITE) && !shared && file >= 0)
        for (struct model_page *page = page_at(p, i); n > 0 && page->index < files[file].size;
             n--, page++) {
            page->own = true;
            page->value = files[file].values[page->index];
        }
}

static void do_munmap(struct model *p, uint64_t i, uint64_t n)
{
    assert_int_equal(vm_map_munmap(p->m, address_of(i), n << PAGE_SHIFT), 0);
    memset(page_at(p, i), 0, n * sizeof(struct model_page));
}

static void do_mprotect(struct model *p, uint64_t i, uint64_t n)
{
    static const unsigned int prots[] = {0, VM_READ, VM_READ | VM_WRITE, VM_READ | VM_EXEC};
    unsigned int prot = prots[rnd(4)];
    int expected = 0;
    for (uint64_t k = i; k < i + n && expected == 0; k++)
        if (page_at(p, k)->mapped)
            page_at(p, k)->prot = prot;
        else
            expected = -ENOMEM;
    assert_int_equal(vm_map_mprotect(p->m, address_of(i), n << PAGE_SHIFT, prot), expected);
}

static void do_madvise(struct model *p, uint64_t i, uint64_t n)
{
    static const int advices[] = {MADV_DONTNEED, MADV_DONTNEED, MADV_DONTFORK,  MADV_DOFORK,
                                  MADV_WILLNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE};
    int advice = advices[rnd(ARRAY_SIZE(advices))], expected = 0;
    for (uint64_t k = i; k < i + n; k++) {
        struct model_page *page = page_at(p, k);
        if (!page->mapped)
            expected = -ENOMEM;
        else if (advice == MADV_DONTNEED)
            page->own = false;
        else if (advice == MADV_DONTFORK)
            page->flags |= VM_DONTFORK;
        else if (advice == MADV_DOFORK)
            page->flags &= ~(unsigned int)VM_DONTFORK;
        else if (advice == MADV_HUGEPAGE)
            page->flags = (page->flags | VM_HUGEPAGE) & ~(unsigned int)VM_NOHUGEPAGE;
        else if (advice == MADV_NOHUGEPAGE)
            page->flags = (page->flags | VM_NOHUGEPAGE) & ~(unsigned int)VM_HUGEPAGE;
    }
    assert_int_equal(vm_map_madvise(p->m, address_of(i), n << PAGE_SHIFT, advice), expected);
}

// Move with a fixed target; sizes may differ.
static void do_mremap(struct model *p, uint64_t i, uint64_t n)
{
    uint64_t m = rnd(3) ? n : 1 + rnd(8), to = rnd(WINDOW - m), asked = n;
    if (WINDOW > PT_ENTRIES && rnd(2) && to + m + PT_ENTRIES <= WINDOW)
        to = huge_border(to);
    int expected = 0;
    bool dontunmap = m == n && rnd(4) == 0;
    static struct model_page moved[WINDOW];
    if (!page_at(p, i)->mapped)
        expected = -EFAULT;
    else if (i + n > to && to + m > i)
        expected = -EINVAL;
    unsigned int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (dontunmap ? 4 : 0);
    if (expected == 0) {
        // Linux unmaps the target and the part cut off before it looks at the rest.
        memset(page_at(p, to), 0, m * sizeof(struct model_page));
        if (n > m) {
            memset(page_at(p, i + m), 0, (n - m) * sizeof(struct model_page));
            n = m;
        }
        for (uint64_t k = i + 1; k < i + n; k++)
            if (!model_joins(page_at(p, k - 1), page_at(p, k)))
                expected = -EFAULT;
    }
    long got = vm_map_mremap(p->m, address_of(i), asked << PAGE_SHIFT, m << PAGE_SHIFT, flags,
                             address_of(to));
    assert_int_equal(got, expected ? expected : (long)address_of(to));
    if (expected != 0)
        return;
    for (uint64_t k = 0; k < m; k++) {
        moved[k] = *page_at(p, k < n ? i + k : i);
        if (k >= n) {
            moved[k].own = false;
            moved[k].index = moved[0].index + (moved[0].file >= 0 ? k : 0);
        }
    }
    for (uint64_t k = 0; k < n; k++)
        if (dontunmap)
            page_at(p, i + k)->own = false;
        else
            *page_at(p, i + k) = (struct model_page){0};
    memcpy(page_at(p, to), moved, m * sizeof(moved[0]));
}

static void destroy(struct model *p)
{
    vm_map_put(p->m);
    memset(p, 0, sizeof(*p));
}

static struct model *do_fork(struct model *p)
{
    struct model *child = &processes[rnd(PROCESSES)];
    if (child == p)
        return NULL;
    if (child->m)
        destroy(child);
    *child = *p;
    child->m = vm_map_fork(p->m);
    assert_non_null(child->m);
    for (uint64_t i = 0; i < WINDOW; i++) {
        if (page_at(child, i)->flags & VM_DONTFORK)
            *page_at(child, i) = (struct model_page){0};
    }
    compare_regions(child);
    return child;
}

static void do_truncate(void)
{
    int k = (int)rnd(FILES);
    struct model_file *f = &files[k];
    uint64_t size = rnd(FILE_PAGES + 1);
    vm_object_resize(&f->object, size << PAGE_SHIFT);
    // Pages that come back are read from "disk" again.
    for (uint64_t i = size; i < FILE_PAGES; i++)
        f->values[i] = disk_value(k, i);
    for (struct model *p = processes; p < processes + PROCESSES; p++)
        for (uint64_t i = 0; i < WINDOW; i++)
            if (page_at(p, i)->mapped && page_at(p, i)->file == k && page_at(p, i)->index >= size)
                page_at(p, i)->own = false;
    f->size = size;
}

// What another process would do through /proc/PID/mem.
static void do_access(struct model *p, uint64_t i)
{
    struct model_page *page = page_at(p, i);
    uint64_t value = rnd(1UL << 31);
    bool write = rnd(2), force = rnd(2);
    unsigned int need = write ? VM_WRITE : VM_READ | VM_WRITE;
    bool forced = force && page->mapped && (!write || !(page->flags & VM_SHARED));
    bool past = page->mapped && page->file >= 0 && page->index >= files[page->file].size;
    bool works = (forced || expected_signal(page, need) == 0) && page->mapped && !past;
    ssize_t n = vm_map_access(p->m, address_of(i), &value, 8, write, force);
    assert_int_equal(n, works ? 8 : -EFAULT);
    if (!works)
        return;
    if (!write)
        assert_int_equal(value, model_value(page));
    else if (page->flags & VM_SHARED)
        files[page->file].values[page->index] = value;
    else
        page->own = true, page->value = value;
}

// Where the next call works: a few pages, or a good part of a large window.
static void choose_range(uint64_t *i, uint64_t *n)
{
    *n = 1 + rnd(8);
    if (WINDOW > PT_ENTRIES && rnd(3) == 0)
        *n = rnd(3) ? PT_ENTRIES : 1 + rnd(WINDOW / 2);
    *i = rnd(WINDOW - *n);
    if (*n >= PT_ENTRIES && rnd(4) && huge_border(*i) + *n <= WINDOW)
        *i = huge_border(*i);
}

// A 2 MiB page, or a full page table, and a fork that takes it along: then each side's first uses.
static void do_fill(struct model *p)
{
    uint64_t i = huge_border(rnd(WINDOW - 2 * PT_ENTRIES));
    struct vm_mmap_args args = {.addr = address_of(i),
                                .size = PT_SIZE(1),
                                .prot = VM_READ | VM_WRITE,
                                .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE};
    if (rnd(4))
        args.flags |= MAP_STACK;
    assert_int_equal(vm_map_mmap(p->m, &args), args.addr);
    for (uint64_t k = i; k < i + PT_ENTRIES; k++)
        *page_at(p, k) = (struct model_page){.mapped = true,
                                             .prot = args.prot,
                                             .flags = args.flags & MAP_STACK ? VM_NOHUGEPAGE : 0,
                                             .file = -1};
    for (int k = 0; k < 4; k++)
        write_page(p, i + rnd(PT_ENTRIES));
    struct model *child = do_fork(p);
    for (int k = 0; child && k < 6; k++) {
        struct model *user = rnd(2) ? p : child;
        uint64_t at = i + rnd(PT_ENTRIES);
        if (rnd(3))
            write_page(user, at);
        read_page(user == p ? child : p, at);
    }
}

static void step(void)
{
    struct model *p;
    do
        p = &processes[rnd(PROCESSES)];
    while (!p->m);
    uint64_t n, i;
    choose_range(&i, &n);
    switch (rnd(WINDOW > PT_ENTRIES ? 26 : 24)) {
    case 0:
    case 1:
    case 2:
        do_mmap(p, i, n);
        break;
    case 3:
        do_munmap(p, i, n);
        break;
    case 4:
    case 5:
        do_mprotect(p, i, n);
        break;
    case 6:
        do_madvise(p, i, n);
        break;
    case 7:
    case 8:
        do_mremap(p, i, n);
        break;
    case 9:
        if (rnd(WINDOW > PT_ENTRIES ? 2 : 4) == 0)
            do_fork(p);
        break;
    case 10:
        if (rnd(4) == 0)
            do_truncate();
        break;
    case 11:
        if (rnd(4) == 0)
            assert_int_equal(vm_object_sync(&files[rnd(FILES)].object), 0);
        break;
    case 12:
    case 13:
        do_access(p, i);
        break;
    case 24:
    case 25:
        do_fill(p);
        break;
    case 14:
    case 15:
    case 16:
    case 17:
    case 18:
        write_page(p, i);
        break;
    default:
        read_page(p, i);
    }
    host_check_tlb();
    assert_int_equal(host_locks_held, 0);
    compare_regions(p);
}

static void compare_bytes(void)
{
    for (struct model *p = processes; p < processes + PROCESSES; p++)
        for (uint64_t i = 0; p->m && i < WINDOW; i++)
            read_page(p, i);
}

static void walk(bool svadu, uint64_t start_seed, int steps)
{
    const uint64_t random[3] = {start_seed, start_seed, start_seed};
    uint64_t before = host_free_pages();
    seed = start_seed;
    host_svadu = svadu;
    for (int k = 0; k < FILES; k++) {
        files[k] = (struct model_file){.size = FILE_PAGES / 2};
        vm_object_init(&files[k].object, &file_ops[k], files[k].size << PAGE_SHIFT);
        for (uint64_t i = 0; i < FILE_PAGES; i++)
            files[k].values[i] = disk_value(k, i);
    }
    processes[0].m = vm_map_create(random);
    assert_non_null(processes[0].m);
    for (int i = 0; i < steps; i++) {
        step();
        if (i % 1000 == 999)
            compare_bytes();
    }
    for (struct model *p = processes; p < processes + PROCESSES; p++)
        if (p->m)
            destroy(p);
    for (int k = 0; k < FILES; k++) {
        assert_int_equal(files[k].refs, 0);
        assert_int_equal(files[k].object.refs.count, 1);
        vm_object_resize(&files[k].object, 0);
        assert_int_equal(files[k].object.nr_pages, 0);
    }
    assert_int_equal(host_free_pages(), before);
}

// UNIT_STEPS and UNIT_SEED in the environment make it longer or repeat a failure.
static void against_the_model(void **state)
{
    const char *steps = getenv("UNIT_STEPS"), *first = getenv("UNIT_SEED");
    uint64_t from = first ? strtoul(first, NULL, 0) : 1;
    for (uint64_t s = from; s < from + 8; s++) {
        printf("seed %lu\n", (unsigned long)s);
        walk(s % 2, s, steps ? atoi(steps) : 6000);
    }
}

static int setup(void **state)
{
    host_start(16384);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_the_model)};
    return cmocka_run_group_tests_name("mm/random", tests, setup, NULL);
}
