// SPDX-License-Identifier: BSD-2-Clause
// Large pages: every pool of MAP_HUGETLB that the kernel has (64 KiB where harts have Svnapot,
// 2 MiB, 1 GiB where memory for one is free), and MADV_COLLAPSE. What the kernel tells of memory by
// kind: RssAnon and its relatives, Committed_AS with shared memory. MADV_REMOVE asks the file. A
// long read of pagemap ends when it is killed.
#include "ktap.h"
#include <dirent.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

enum { PAGE = 4096, HUGE = 2 << 20, RW = PROT_READ | PROT_WRITE };

static long number_in(const char *path, const char *field)
{
    char line[200];
    long value = -1;
    FILE *f = fopen(path, "r");
    while (f && value < 0 && fgets(line, sizeof(line), f))
        if (strncmp(line, field, strlen(field)) == 0)
            value = atol(line + strlen(field));
    if (f)
        fclose(f);
    return value;
}

static void set_number(const char *path, long value)
{
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    fprintf(f, "%ld\n", value);
    CHECK_EQ(fclose(f), 0);
}

// The child's copy is its own: a write of either isn't seen by the other.
static void fork_and_write(char *p, size_t at)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int wrong = (p[at] != 5) | (p[at + 1] != 0) << 1;
        p[at] = 6;
        _exit(wrong | (p[at] != 6) << 2 | (p[at + 1] != 0) << 3);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(p[at], 5);
}

static void use_pool(const char *path, size_t size, unsigned int shift)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (int)(shift << 26);
    char *p = mmap(NULL, size, RW, flags, -1, 0);
    CHECK(p != MAP_FAILED && (uintptr_t)p % size == 0);
    for (size_t i = 0; i < size; i += size / 16)
        CHECK_EQ(p[i], 0);
    p[PAGE + 1] = 5;
    p[size - 2] = 5;
    CHECK_EQ(munmap(p, PAGE), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(mprotect(p, size - PAGE, PROT_READ), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(mprotect(p, size, PROT_READ), 0);
    CHECK_EQ(p[PAGE + 1], 5);
    CHECK_EQ(mprotect(p, size, RW), 0);
    if (number_in(path, "") > 1) {
        fork_and_write(p, PAGE + 1);
        fork_and_write(p, size - 2);
    }
    CHECK_EQ(madvise(p, size, MADV_DONTNEED), 0);
    CHECK_EQ(p[PAGE + 1], 0);
    p[PAGE + 1] = 7;
    CHECK_EQ(munmap(p, size), 0);
}

// Sizes that were used are named for test/guest/test_large.py.
TEST_SECONDS(every_pool, 120)
{
    struct dirent *entry;
    DIR *pools = opendir("/sys/kernel/mm/hugepages");
    if (!pools && mount("sysfs", "/sys", "sysfs", 0, NULL) == 0)
        pools = opendir("/sys/kernel/mm/hugepages");
    if (!pools)
        SKIP("no pools");
    while ((entry = readdir(pools))) {
        char path[400];
        unsigned long kib;
        if (sscanf(entry->d_name, "hugepages-%lukB", &kib) != 1)
            continue;
        snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/nr_hugepages", entry->d_name);
        set_number(path, kib == 1 << 20 ? 1 : 3);
        if (number_in(path, "") > 0)
            use_pool(path, kib << 10, (unsigned int)__builtin_ctzl(kib << 10));
        note("pool of %lu KiB: %ld pages", kib, number_in(path, ""));
        set_number(path, 0);
        CHECK_EQ(number_in(path, ""), 0);
    }
    closedir(pools);
}

// 2 MiB that begin on a border.
static char *aligned(size_t size)
{
    char *p = mmap(NULL, size + HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    return (char *)(((uintptr_t)p + HUGE - 1) & -(uintptr_t)HUGE);
}

TEST(collapse)
{
    char *p = aligned(HUGE);
    CHECK_EQ(madvise(p, HUGE, MADV_NOHUGEPAGE), 0);
    for (int i = 0; i < 512; i++)
        p[i * PAGE] = (char)i;
    CHECK_EQ(madvise(p, HUGE, MADV_COLLAPSE), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(madvise(p, HUGE, MADV_HUGEPAGE), 0);
    if (madvise(p, HUGE, MADV_COLLAPSE) != 0 && errno == EINVAL)
        SKIP("no MADV_COLLAPSE");
    CHECK_EQ(number_in("/proc/self/smaps_rollup", "AnonHugePages:"), HUGE / 1024);
    for (int i = 0; i < 512; i++)
        CHECK_EQ(p[i * PAGE], (char)i);
    p[7] = 7;
    CHECK_EQ(munmap(p + PAGE, PAGE), 0);
    CHECK_EQ(p[7], 7);
    CHECK_EQ(p[2 * PAGE], 2);
}

static long status_kib(const char *field)
{
    return number_in("/proc/self/status", field);
}

TEST(resident_by_kind)
{
    enum { SIZE = 1 << 20 };
    long anon = status_kib("RssAnon:"), shmem = status_kib("RssShmem:");
    CHECK(anon > 0 && shmem >= 0 && status_kib("RssFile:") >= 0);
    char *own = mmap(NULL, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(own != MAP_FAILED);
    long more = status_kib("RssAnon:") - anon;
    CHECK(more >= 1024 - 64 && more <= 1024 + 300);
    char *shared = mmap(NULL, SIZE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (int i = 0; i < SIZE; i += PAGE)
        shared[i] = 1;
    more = status_kib("RssShmem:") - shmem;
    CHECK(more >= 1024 - 64 && more <= 1024 + 300);
    CHECK(status_kib("VmRSS:") >= status_kib("RssAnon:") + status_kib("RssShmem:"));
}

static long committed_kib(void)
{
    return number_in("/proc/meminfo", "Committed_AS:");
}

// Within a tenth: other processes promise and give back, too.
#define CHECK_ABOUT(kib, wanted)                                                                   \
    CHECK((kib) > (wanted) - (wanted) / 10 && (kib) < (wanted) + (wanted) / 10)

TEST(shared_memory_is_promised)
{
    enum { SIZE = 64 << 20 };
    long before = committed_kib();
    char *p = mmap(NULL, SIZE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    CHECK_ABOUT(committed_kib() - before, SIZE / 1024);
    CHECK_EQ(munmap(p, SIZE), 0);
    CHECK(committed_kib() - before < SIZE / 1024 / 10);
    // A file in memory promises what it has.
    int f = memfd_create("promise", 0);
    CHECK(f >= 0);
    CHECK_EQ(ftruncate(f, SIZE), 0);
    CHECK(committed_kib() - before < SIZE / 1024 / 10);
    CHECK_EQ(fallocate(f, 0, 0, SIZE / 4), 0);
    CHECK_ABOUT(committed_kib() - before, SIZE / 4096);
    close(f);
    CHECK(committed_kib() - before < SIZE / 1024 / 10);
}

TEST(never_overcommit_counts_shared_memory)
{
    long mode = number_in("/proc/sys/vm/overcommit_memory", "");
    long limit = number_in("/proc/meminfo", "CommitLimit:");
    if (committed_kib() > limit)
        SKIP("more is promised already");
    set_number("/proc/sys/vm/overcommit_memory", 2);
    char *p = mmap(NULL, (size_t)(limit + 1024) << 10, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int error = errno;
    char *q = mmap(NULL, (size_t)(limit + 1024) << 10, RW,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    set_number("/proc/sys/vm/overcommit_memory", mode);
    CHECK(p == MAP_FAILED && error == ENOMEM);
    CHECK(q == MAP_FAILED);
}

TEST(remove_asks_the_seals)
{
    int f = memfd_create("sealed", MFD_ALLOW_SEALING);
    CHECK(f >= 0);
    CHECK_EQ(ftruncate(f, 4 * PAGE), 0);
    char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, f, 0);
    CHECK(p != MAP_FAILED);
    memset(p, 1, 4 * PAGE);
    CHECK_EQ(madvise(p, PAGE, MADV_REMOVE), 0);
    CHECK(p[0] == 0 && p[PAGE] == 1);
    CHECK_EQ(fcntl(f, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
    CHECK_EQ(madvise(p + PAGE, PAGE, MADV_REMOVE), -1);
    CHECK_EQ(errno, EPERM);
    CHECK_EQ(p[PAGE], 1);
    char *q = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, f, 0);
    CHECK(q != MAP_FAILED);
    CHECK_EQ(madvise(q, PAGE, MADV_REMOVE), -1);
    CHECK_EQ(errno, EACCES);
    char *r = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, f, 0);
    CHECK(r != MAP_FAILED);
    CHECK_EQ(madvise(r, PAGE, MADV_REMOVE), -1);
    CHECK_EQ(errno, EACCES);
    CHECK_EQ(munmap(p + 2 * PAGE, PAGE), 0);
    CHECK_EQ(fcntl(f, F_GET_SEALS), F_SEAL_FUTURE_WRITE);
}

// What goes is free in its file system at once.
TEST(remove_gives_room_back)
{
    struct statfs full, after;
    CHECK(mkdir("/tmp/vmlarge", 0700) == 0 || errno == EEXIST);
    CHECK_EQ(mount("none", "/tmp/vmlarge", "tmpfs", 0, "size=1m"), 0);
    int f = open("/tmp/vmlarge/file", O_RDWR | O_CREAT, 0600);
    CHECK(f >= 0);
    CHECK_EQ(ftruncate(f, 256 << 10), 0);
    char *p = mmap(NULL, 256 << 10, RW, MAP_SHARED, f, 0);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(fallocate(f, 0, 0, 256 << 10), 0);
    CHECK_EQ(statfs("/tmp/vmlarge", &full), 0);
    CHECK_EQ(madvise(p, 128 << 10, MADV_REMOVE), 0);
    CHECK_EQ(statfs("/tmp/vmlarge", &after), 0);
    CHECK_EQ(after.f_bfree - full.f_bfree, 32);
    munmap(p, 256 << 10);
    close(f);
    CHECK_EQ(umount("/tmp/vmlarge"), 0);
    CHECK_EQ(rmdir("/tmp/vmlarge"), 0);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// 256 GiB of addresses in one call: seconds of work.
TEST_SECONDS(pagemap_is_killed, 60)
{
    enum { SIZE = 512 << 10, SEGMENTS = 1024 };
    char *buffer = mmap(NULL, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(buffer != MAP_FAILED);
    int ready[2], status;
    CHECK_EQ(pipe(ready), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        static struct iovec segments[SEGMENTS];
        int f = open("/proc/self/pagemap", O_RDONLY);
        for (int i = 0; i < SEGMENTS; i++)
            segments[i] = (struct iovec){buffer, SIZE};
        write(ready[1], "", 1);
        for (;;)
            preadv(f, segments, SEGMENTS, 0);
    }
    char byte;
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    usleep(100000);
    double start = now();
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    double took = now() - start;
    note("%d ms from SIGKILL to the end", (int)(took * 1000));
    // Linux finishes the call first.
    CHECK(WIFSIGNALED(status) &&
          took < (number_in("/proc/vmstat", "nr_tlb_remote_avoided") < 0 ? 40 : 1));
}
