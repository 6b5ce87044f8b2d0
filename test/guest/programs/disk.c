// SPDX-License-Identifier: BSD-2-Clause
// A disk of 8 MiB, /dev/vda, whose content nobody needs: how many requests reads, faults, advice
// and writes cost, by /proc/diskstats, and that what was written is read while others write, read
// and empty the cache. Without the disk everything is skipped.
#include "ktap.h"
#include <sys/ioctl.h>
#include <sys/mman.h>

#define PAGE        4096L
#define FLUSH_CACHE 0x1261 // BLKFLSBUF

static int disk;
static char bytes[1 << 20];

struct requests {
    long reads, sectors_read, writes, sectors_written;
};

static struct requests total(void)
{
    char line[200];
    struct requests r = {0};
    bool found = false;
    FILE *f = fopen("/proc/diskstats", "r");
    CHECK(f != NULL);
    while (!found && fgets(line, sizeof(line), f))
        found = sscanf(line, "%*d %*d vda %ld %*d %ld %*d %ld %*d %ld", &r.reads, &r.sectors_read,
                       &r.writes, &r.sectors_written) == 4;
    fclose(f);
    CHECK(found);
    return r;
}

static struct requests before;

static void begin_cold(void)
{
    if (access("/dev/vda", F_OK) != 0)
        SKIP("no disk");
    disk = open("/dev/vda", O_RDWR);
    CHECK(disk >= 0);
    CHECK_EQ(ioctl(disk, FLUSH_CACHE, 0), 0);
    before = total();
}

// Since begin_cold or the last time.
static struct requests since(void)
{
    struct requests now = total(),
                    r = {now.reads - before.reads, now.sectors_read - before.sectors_read,
                         now.writes - before.writes, now.sectors_written - before.sectors_written};
    before = now;
    return r;
}

static void read_pages(long first, long nr)
{
    for (long i = first; i < first + nr; i++)
        CHECK_EQ(pread(disk, bytes, PAGE, i * PAGE), PAGE);
}

TEST(sequence_is_read_ahead)
{
    begin_cold();
    read_pages(3, 100);
    CHECK(since().reads <= 8);
}

TEST(advised_as_random_reads_what_is_asked)
{
    begin_cold();
    CHECK_EQ(posix_fadvise(disk, 0, 0, POSIX_FADV_RANDOM), 0);
    read_pages(3, 40);
    struct requests r = since();
    CHECK_EQ(r.reads, 40);
    CHECK_EQ(r.sectors_read, 40 * 8);
    CHECK_EQ(posix_fadvise(disk, 0, 0, POSIX_FADV_NORMAL), 0);
    read_pages(100, 100);
    CHECK(since().reads <= 8);
}

TEST(advice_reads_at_once)
{
    begin_cold();
    CHECK_EQ(posix_fadvise(disk, 5 * PAGE + 100, 63 * PAGE, POSIX_FADV_WILLNEED), 0);
    struct requests r = since();
    CHECK_EQ(r.reads, 2); // 64 pages
    CHECK_EQ(r.sectors_read, 64 * 8);
    read_pages(5, 64);
    CHECK_EQ(since().reads, 0);
    CHECK_EQ(readahead(disk, 512 * PAGE, 32 * PAGE), 0);
    CHECK_EQ(since().reads, 1);
    read_pages(512, 32);
    CHECK_EQ(since().reads, 0);
    // To the end, and past it; no more than 2 MiB are taken.
    CHECK_EQ(posix_fadvise(disk, 1024 * PAGE, 0, POSIX_FADV_WILLNEED), 0);
    CHECK_EQ(since().sectors_read, 4096);
    CHECK_EQ(readahead(disk, 1L << 40, 1 << 20), 0);
    CHECK_EQ(since().reads, 0);
}

TEST(faults_are_read_ahead)
{
    begin_cold();
    volatile char *map = mmap(NULL, 200 * PAGE, PROT_READ, MAP_SHARED, disk, 0);
    CHECK(map != MAP_FAILED);
    for (long i = 0; i < 200; i++)
        (void)map[i * PAGE];
    CHECK(since().reads <= 12);
    for (long i = 199; i > 0; i -= 31)
        (void)map[i * PAGE];
    CHECK_EQ(since().reads, 0);
}

TEST(stores_go_out_together)
{
    begin_cold();
    char *map = mmap(NULL, 40 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, disk, 64 * PAGE);
    CHECK(map != MAP_FAILED);
    for (long i = 0; i < 40; i++)
        if (i != 20)
            map[i * PAGE + 7] = (char)(i + 1);
    CHECK_EQ(msync(map, 40 * PAGE, MS_SYNC), 0);
    struct requests r = since();
    CHECK_EQ(r.writes, 2);
    CHECK_EQ(r.sectors_written, 39 * 8);
    CHECK_EQ(munmap(map, 40 * PAGE), 0);
    CHECK_EQ(ioctl(disk, FLUSH_CACHE, 0), 0);
    CHECK_EQ(pread(disk, bytes, 40 * PAGE, 64 * PAGE), 40 * PAGE);
    for (long i = 0; i < 40; i++)
        CHECK(i == 20 || bytes[i * PAGE + 7] == (char)(i + 1));
}

TEST(whole_pages_are_not_read_first)
{
    begin_cold();
    CHECK_EQ(pwrite(disk, bytes, 1 << 20, 256 * PAGE), 1 << 20);
    CHECK_EQ(since().reads, 0);
    CHECK_EQ(fsync(disk), 0);
    CHECK_EQ(since().writes, 8);
    CHECK_EQ(pwrite(disk, "x", 1, 700 * PAGE + 1), 1);
    CHECK_EQ(since().reads, 1);
    CHECK_EQ(fsync(disk), 0);
    // Memory that ends in the second page: the first is written.
    char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    CHECK_EQ(munmap(map + PAGE, PAGE), 0);
    memset(map, 'm', PAGE);
    CHECK_EQ(pwrite(disk, map, 2 * PAGE, 800 * PAGE), PAGE);
    CHECK_ERRNO(pwrite(disk, map + PAGE, PAGE, 801 * PAGE), EFAULT);
}

#define OWNERS      4
#define OWNED_PAGES 100

static unsigned int pick(unsigned int *state, unsigned int n)
{
    *state = *state * 1664525 + 1013904223;
    return (*state >> 8) % n;
}

// Each owner knows what its pages hold; the ranges meet, so that runs cross them.
static void own(unsigned int owner, int64_t end_ns)
{
    static unsigned char value[OWNED_PAGES];
    unsigned int state = owner + 1;
    long base = owner * OWNED_PAGES;
    for (long i = 0; i < OWNED_PAGES; i++) {
        memset(bytes, 0, PAGE);
        CHECK_EQ(pwrite(disk, bytes, PAGE, (base + i) * PAGE), PAGE);
    }
    while (now_ns(CLOCK_MONOTONIC) < end_ns) {
        long first = pick(&state, OWNED_PAGES),
             nr = 1 + pick(&state, (unsigned int)(OWNED_PAGES - first));
        if (pick(&state, 3) == 0) {
            unsigned char v = (unsigned char)pick(&state, 256);
            memset(bytes, v, (size_t)(nr * PAGE));
            CHECK_EQ(pwrite(disk, bytes, (size_t)(nr * PAGE), (base + first) * PAGE), nr * PAGE);
            memset(value + first, v, (size_t)nr);
        } else {
            CHECK_EQ(pread(disk, bytes, (size_t)(nr * PAGE), (base + first) * PAGE), nr * PAGE);
            for (long at = 0; at < nr * PAGE; at += 64)
                CHECK_EQ((unsigned char)bytes[at], value[first + at / PAGE]);
        }
    }
}

TEST_SECONDS(owners_read_what_they_wrote, 60)
{
    int64_t end_ns = now_ns(CLOCK_MONOTONIC) + 4000000000LL;
    pid_t owners[OWNERS];
    begin_cold();
    for (unsigned int i = 0; i < OWNERS; i++) {
        owners[i] = fork();
        CHECK(owners[i] >= 0);
        if (owners[i] == 0) {
            own(i, end_ns);
            _exit(0);
        }
    }
    while (now_ns(CLOCK_MONOTONIC) < end_ns) {
        CHECK_EQ(ioctl(disk, FLUSH_CACHE, 0), 0);
        sleep_ms(3);
    }
    for (unsigned int i = 0; i < OWNERS; i++) {
        int status;
        CHECK_EQ(waitpid(owners[i], &status, 0), owners[i]);
        CHECK_EQ(status, 0);
    }
    CHECK(since().reads > 0);
}
