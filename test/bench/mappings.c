// SPDX-License-Identifier: BSD-2-Clause
// Changing the map: mmap, munmap, mprotect, mremap, brk, with pages present and without.
#include "bench.h"

#include <fcntl.h>
#include <sys/mman.h>

#define PAGE 4096UL

static int fd;
static char *area;

// bench_arg pages, each touched or (0) none.
static void loop_mmap(long n)
{
    size_t pages = bench_arg ? (size_t)bench_arg : 1;
    bench_start();
    for (long i = 0; i < n; i++) {
        char *map = bench_map(pages * PAGE);
        if (bench_arg)
            bench_touch(map, pages * PAGE);
        MUST(munmap(map, pages * PAGE));
    }
    bench_stop();
}

static void make_file(void)
{
    fd = MUST(open("/tmp/mappings", O_RDWR | O_CREAT, 0600));
    MUST(ftruncate(fd, 1 << 20));
    area = MUST(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    bench_touch(area, 1 << 20);
}

static void loop_mmap_file(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        char *map = MUST(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
        (void)*(volatile char *)map;
        MUST(munmap(map, PAGE));
    }
    bench_stop();
}

static void loop_msync(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(msync(area, 1 << 20, MS_SYNC));
    bench_stop();
}

// bench_arg regions that don't merge, besides those that the benchmark changes.
static void make_regions(void)
{
    for (long i = 0; i < bench_arg; i++)
        MUST(mmap(NULL, PAGE, i & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    area = bench_map(1 << 20);
    bench_touch(area, 1 << 20);
}

static void loop_mmap_none(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        char *map = bench_map(PAGE);
        MUST(munmap(map, PAGE));
    }
    bench_stop();
}

static void loop_mmap_fixed(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(mmap(area + 64 * PAGE, PAGE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
        *(volatile char *)(area + 64 * PAGE) = 1;
    }
    bench_stop();
}

static void loop_hole(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(munmap(area + 64 * PAGE, PAGE));
        MUST(mmap(area + 64 * PAGE, PAGE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    }
    bench_stop();
}

static void make_plain(void)
{
    area = bench_map(4 << 20);
    madvise(area, 4 << 20, MADV_NOHUGEPAGE);
    bench_touch(area, 1 << 20);
}

static void loop_mprotect(long n)
{
    size_t size = (size_t)bench_arg * PAGE;
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(mprotect(area, size, PROT_READ));
        MUST(mprotect(area, size, PROT_READ | PROT_WRITE));
    }
    bench_stop();
}

// Splits a region in three, and merges it again.
static void loop_mprotect_split(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(mprotect(area + 64 * PAGE, PAGE, PROT_READ));
        MUST(mprotect(area + 64 * PAGE, PAGE, PROT_READ | PROT_WRITE));
    }
    bench_stop();
}

static void loop_mremap_grow(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        char *map = bench_map(PAGE);
        map = MUST(mremap(map, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
        map = MUST(mremap(map, 2 * PAGE, PAGE, 0));
        MUST(munmap(map, PAGE));
    }
    bench_stop();
}

// Moves bench_arg pages between two places.
static void loop_mremap_move(long n)
{
    size_t size = (size_t)bench_arg * PAGE;
    char *from = area, *to = area + (2 << 20);
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to));
        char *swap = from;
        from = to;
        to = swap;
    }
    bench_stop();
    if (from != area)
        MUST(mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, area));
}

static void loop_brk(long n)
{
    char *end = sbrk(0);
    bench_start();
    for (long i = 0; i < n; i++) {
        syscall(SYS_brk, end + PAGE);
        *(volatile char *)end = 1;
        syscall(SYS_brk, end);
    }
    bench_stop();
}

const struct bench bench_mappings[] = {
    {"mappings/mmap-munmap", NULL, loop_mmap, 0, .several = true},
    {"mappings/mmap-touch-munmap-4K", NULL, loop_mmap, 1},
    {"mappings/mmap-touch-munmap-64K", NULL, loop_mmap, 16},
    {"mappings/mmap-touch-munmap-1M", NULL, loop_mmap, 256},
    {"mappings/mmap-touch-munmap-2M", NULL, loop_mmap, 512},
    {"mappings/mmap-touch-munmap-64M", NULL, loop_mmap, 16384},
    {"mappings/mmap-file-read-munmap", make_file, loop_mmap_file},
    {"mappings/mmap-munmap-1000-regions", make_regions, loop_mmap_none, 1000},
    {"mappings/mmap-fixed-over", make_plain, loop_mmap_fixed},
    {"mappings/munmap-hole-refill", make_plain, loop_hole},
    {"mappings/mprotect-1", make_plain, loop_mprotect, 1},
    {"mappings/mprotect-256", make_plain, loop_mprotect, 256},
    {"mappings/mprotect-split-merge", make_plain, loop_mprotect_split},
    {"mappings/mprotect-split-1000-regions", make_regions, loop_mprotect_split, 1000},
    {"mappings/mremap-grow-shrink", NULL, loop_mremap_grow},
    {"mappings/mremap-move-1", make_plain, loop_mremap_move, 1},
    {"mappings/mremap-move-256", make_plain, loop_mremap_move, 256},
    {"mappings/brk-touch", NULL, loop_brk},
    {"mappings/msync-1M", make_file, loop_msync},
    {0},
};
