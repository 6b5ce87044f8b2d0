// SPDX-License-Identifier: BSD-2-Clause
#include "map_calls.h"

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

struct vm_map *map;
struct vm_object file;

uint64_t file_word(uint64_t index)
{
    return 0xf11e0000UL + index;
}

__thread void (*fill_hook)(void);

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

long map_new(vaddr_t addr, unsigned int pages, unsigned int prot, unsigned int flags)
{
    const struct vm_mmap_args args = {
        .addr = addr, .size = SIZE(pages), .prot = prot, .flags = flags | ANON};
    return vm_map_mmap(map, &args);
}

long map_file(unsigned int flags)
{
    const struct vm_mmap_args args = {
        .size = SIZE(FILE_PAGES), .prot = RW, .flags = flags, .object = &file};
    return vm_map_mmap(map, &args);
}

int access_word(struct vm_map *m, vaddr_t addr, uint64_t *word, bool write)
{
    while (!hart_access(m, addr, word, write)) {
        struct vm_fault_result result =
            vm_map_fault(m, addr, write ? VM_ACCESS_WRITE : VM_ACCESS_READ);
        if (result.signal != 0)
            return result.signal;
    }
    return 0;
}

int store(vaddr_t addr, uint64_t word)
{
    return access_word(map, addr, &word, true);
}

void expect(struct vm_map *m, vaddr_t addr, uint64_t word)
{
    uint64_t found = ~word;
    int signal = access_word(m, addr, &found, false);
    if (signal != 0 || found != word)
        panic("%#lx: signal %d, %#lx instead of %#lx", (unsigned long)addr, signal,
              (unsigned long)found, (unsigned long)word);
}

void check_rights(vaddr_t start, vaddr_t end)
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

static uint64_t free_before;

int map_setup(void **state)
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

int map_teardown(void **state)
{
    host_run_threads(1, end);
    host_run_threads(THREADS, give_back);
    assert_int_equal(host_ram_free(), free_before);
    return 0;
}

void map_start(void)
{
    harts_init();
    host_ram_start();
    vm_caches_init();
}
