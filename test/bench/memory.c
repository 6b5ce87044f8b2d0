// SPDX-License-Identifier: BSD-2-Clause
// Page faults of each kind: one operation is one fault.
#include "bench.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE  4096UL
#define PAGES 8192L // most faults of one run

static int fd = -1;

// Every second page only where a kernel may map several at once: fault-around and large pages would
// make one fault of many, which the rows with "each" want to see.
static void touch_pages(char *start, long n, bool write)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        volatile char *at = start + (size_t)i * PAGE;
        if (write)
            *at = 1;
        else
            (void)*at;
    }
    bench_stop();
}

static void loop_anon(long n)
{
    char *map = bench_map((size_t)n * PAGE);
    madvise(map, (size_t)n * PAGE, bench_arg & 2 ? MADV_NORMAL : MADV_NOHUGEPAGE);
    touch_pages(map, n, bench_arg & 1);
    munmap(map, (size_t)n * PAGE);
}

static void loop_write_after_read(long n)
{
    char *map = bench_map((size_t)n * PAGE);
    madvise(map, (size_t)n * PAGE, MADV_NOHUGEPAGE);
    for (long i = 0; i < n; i++)
        (void)*(volatile char *)(map + (size_t)i * PAGE);
    touch_pages(map, n, true);
    munmap(map, (size_t)n * PAGE);
}

static int hold[2];

static void hold_pages(long arg)
{
    char token;
    close(hold[1]);
    MUST(read(hold[0], &token, 1));
}

// The pages are shared with a child that waits: each write copies one.
static void loop_copy(long n)
{
    char *map = bench_map((size_t)n * PAGE);
    madvise(map, (size_t)n * PAGE, MADV_NOHUGEPAGE);
    bench_touch(map, (size_t)n * PAGE);
    MUST(pipe(hold));
    pid_t pid = bench_fork(hold_pages, 0);
    touch_pages(map, n, true);
    close(hold[1]);
    bench_reap(pid);
    close(hold[0]);
    munmap(map, (size_t)n * PAGE);
}

// Like loop_copy, but the child is gone: the pages are ours alone again.
static void loop_reuse(long n)
{
    char *map = bench_map((size_t)n * PAGE);
    madvise(map, (size_t)n * PAGE, MADV_NOHUGEPAGE);
    bench_touch(map, (size_t)n * PAGE);
    MUST(pipe(hold));
    pid_t pid = bench_fork(hold_pages, 0);
    close(hold[1]);
    bench_reap(pid);
    close(hold[0]);
    touch_pages(map, n, true);
    munmap(map, (size_t)n * PAGE);
}

static void make_file(void)
{
    static char block[65536] = {1};
    fd = MUST(open("/tmp/memory", O_RDWR | O_CREAT | O_TRUNC, 0600));
    for (size_t at = 0; at < (size_t)PAGES * PAGE; at += sizeof(block))
        MUST(write(fd, block, sizeof(block)));
}

// bench_arg: 1 writes, 2 shared.
static void loop_file(long n)
{
    char *map = MUST(mmap(NULL, (size_t)n * PAGE, PROT_READ | PROT_WRITE,
                          bench_arg & 2 ? MAP_SHARED : MAP_PRIVATE, fd, 0));
    touch_pages(map, n, bench_arg & 1);
    munmap(map, (size_t)n * PAGE);
}

// In steps of 64 KiB, which no fault-around of 64 KiB aligned blocks covers twice.
static void loop_file_sparse(long n)
{
    char *map = MUST(mmap(NULL, (size_t)PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0));
    bench_start();
    for (long i = 0; i < n; i++)
        (void)*(volatile char *)(map + (size_t)i * 16 * PAGE);
    bench_stop();
    munmap(map, (size_t)PAGES * PAGE);
}

static void loop_shared_anon(long n)
{
    char *map = MUST(
        mmap(NULL, (size_t)n * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    touch_pages(map, n, true);
    munmap(map, (size_t)n * PAGE);
}

// Touched, given back, touched again.
static char *area;

static void make_area(void)
{
    area = bench_map(1 << 20);
    bench_touch(area, 1 << 20);
}

static void loop_dontneed(long n)
{
    size_t size = (size_t)bench_arg * PAGE;
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(madvise(area, size, MADV_DONTNEED));
        bench_touch(area, size);
    }
    bench_stop();
}

static void loop_free(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(madvise(area, PAGE, MADV_FREE));
        bench_touch(area, PAGE);
    }
    bench_stop();
}

static void loop_willneed(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(madvise(area, 1 << 20, MADV_WILLNEED));
    bench_stop();
}

static void loop_populate(long n)
{
    size_t size = (size_t)bench_arg * PAGE;
    bench_start();
    for (long i = 0; i < n; i++) {
        char *map = MUST(mmap(NULL, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
        munmap(map, size);
    }
    bench_stop();
}

static void loop_mincore(long n)
{
    unsigned char present[256];
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(mincore(area, 1 << 20, present));
    bench_stop();
}

static void loop_mlock(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(mlock(area, 16 * PAGE));
        MUST(munlock(area, 16 * PAGE));
    }
    bench_stop();
}

const struct bench bench_memory[] = {
    {"memory/fault-read-zero", NULL, loop_anon, 0, PAGES},
    {"memory/fault-write", NULL, loop_anon, 1, PAGES},
    {"memory/fault-write-default", NULL, loop_anon, 3, PAGES},
    {"memory/fault-write-after-read", NULL, loop_write_after_read, 0, PAGES},
    {"memory/fault-copy", NULL, loop_copy, 0, PAGES},
    {"memory/fault-copy-sole-owner", NULL, loop_reuse, 0, PAGES},
    {"memory/fault-file-read", make_file, loop_file, 0, PAGES},
    {"memory/fault-file-read-sparse", make_file, loop_file_sparse, 0, PAGES / 16},
    {"memory/fault-file-write-private", make_file, loop_file, 1, PAGES},
    {"memory/fault-file-write-shared", make_file, loop_file, 3, PAGES},
    {"memory/fault-shared-anon", NULL, loop_shared_anon, 0, PAGES},
    {"memory/madvise-dontneed-touch-1", make_area, loop_dontneed, 1},
    {"memory/madvise-dontneed-touch-64", make_area, loop_dontneed, 64},
    {"memory/madvise-free-touch", make_area, loop_free},
    {"memory/madvise-willneed-1M", make_area, loop_willneed},
    {"memory/mmap-populate-64K", NULL, loop_populate, 16},
    {"memory/mmap-populate-1M", NULL, loop_populate, 256},
    {"memory/mincore-1M", make_area, loop_mincore},
    {"memory/mlock-munlock-64K", make_area, loop_mlock},
    {0},
};
