// SPDX-License-Identifier: BSD-2-Clause
// The address space beyond the usual calls: 2 MiB pages under every kind of cut, fork with full
// page tables, locked memory, other processes' memory, what /proc says of it, mremap's forms and
// madvise's advice.
#include "ktap.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

enum { PAGE = 4096, HUGE = 2 << 20 };

static char *map_at(char *where, size_t size, int flags)
{
    return mmap(where, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

// `spans` times 2 MiB on a border of 2 MiB, with nothing around.
static char *aligned_spans(int spans)
{
    char *p = map_at(NULL, (size_t)(spans + 2) * HUGE, 0);
    CHECK(p != MAP_FAILED);
    char *start = (char *)(((uintptr_t)p + HUGE - 1) & -(uintptr_t)HUGE) + HUGE - HUGE;
    return start;
}

static void number_pages(char *p, size_t size, int plus)
{
    for (size_t i = 0; i < size / PAGE; i++)
        *(volatile int *)(p + i * PAGE) = (int)i + plus;
}

static bool numbered(const char *p, size_t size, int plus)
{
    for (size_t i = 0; i < size / PAGE; i++)
        if (*(const volatile int *)(p + i * PAGE) != (int)i + plus)
            return false;
    return true;
}

static void finish(pid_t child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(large_memory_is_cut_anywhere)
{
    char *p = aligned_spans(3);
    number_pages(p, 3 * HUGE, 1);
    CHECK_EQ(munmap(p + 7 * PAGE, PAGE), 0);
    CHECK_EQ(mprotect(p + HUGE + 9 * PAGE, 5 * PAGE, PROT_READ), 0);
    CHECK_EQ(madvise(p + 2 * HUGE + 100 * PAGE, 100 * PAGE, MADV_DONTNEED), 0);
    CHECK(numbered(p, 7 * PAGE, 1));
    CHECK(numbered(p + 8 * PAGE, HUGE - 8 * PAGE, 9));
    CHECK(numbered(p + HUGE, HUGE, 513));
    CHECK(numbered(p + 2 * HUGE, 100 * PAGE, 1025));
    for (int i = 100; i < 200; i++)
        CHECK_EQ(*(int *)(p + 2 * HUGE + i * PAGE), 0);
    CHECK(numbered(p + 2 * HUGE + 200 * PAGE, HUGE - 200 * PAGE, 1225));
    *(int *)(p + HUGE + 8 * PAGE) = 1;
    *(int *)(p + HUGE + 14 * PAGE) = 1;
}

static void fork_over(bool huge)
{
    char *p = aligned_spans(2);
    madvise(p, 2 * HUGE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    number_pages(p, 2 * HUGE, 1);
    for (int generation = 0; generation < 3; generation++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            if (!numbered(p, 2 * HUGE, 1))
                _exit(1);
            number_pages(p + 3 * PAGE, 700 * PAGE, 5000);
            pid_t grandchild = fork();
            if (grandchild == 0)
                _exit(!numbered(p + 3 * PAGE, 700 * PAGE, 5000) || *(int *)p != 1);
            number_pages(p + 3 * PAGE, 700 * PAGE, 9000);
            int status;
            waitpid(grandchild, &status, 0);
            _exit(status != 0 || !numbered(p + 3 * PAGE, 700 * PAGE, 9000));
        }
        // Reading and writing while the child does.
        CHECK(numbered(p, 2 * HUGE, 1));
        *(int *)(p + 20 * PAGE) = 21;
        finish(child);
        CHECK(numbered(p, 2 * HUGE, 1));
    }
}

TEST(fork_over_2_mib_pages)
{
    fork_over(true);
}

TEST(fork_over_full_page_tables)
{
    fork_over(false);
}

TEST(fork_then_cut_before_any_use)
{
    char *p = aligned_spans(3);
    madvise(p, 3 * HUGE, MADV_NOHUGEPAGE);
    number_pages(p, 3 * HUGE, 1);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (munmap(p + 10 * PAGE, 3 * PAGE) != 0 || munmap(p + HUGE, HUGE) != 0 ||
            mprotect(p + 2 * HUGE, HUGE, PROT_READ) != 0)
            _exit(1);
        _exit(!numbered(p, 10 * PAGE, 1) || !numbered(p + 2 * HUGE, HUGE, 1025));
    }
    CHECK_EQ(munmap(p + 2 * HUGE + 5 * PAGE, 100 * PAGE), 0);
    CHECK(numbered(p, 2 * HUGE, 1));
    finish(child);
    CHECK(numbered(p, 2 * HUGE, 1));
    number_pages(p, 2 * HUGE, 7);
    CHECK(numbered(p, 2 * HUGE, 7));
}

static char *race_base;
static volatile bool race_over;

static void *race_writer(void *arg)
{
    long id = (long)arg;
    for (long n = 1; !race_over; n++)
        for (int i = 0; i < 1024; i += 8) {
            volatile long *word = (volatile long *)(race_base + i * PAGE) + id;
            *word = n;
            if (*word != n)
                return (void *)1L;
        }
    return NULL;
}

// A write that a fork's flush came too late for would be lost: the copy is older.
TEST_SECONDS(threads_write_while_one_forks, 60)
{
    pthread_t threads[3];
    race_base = aligned_spans(2);
    madvise(race_base + HUGE, HUGE, MADV_NOHUGEPAGE);
    number_pages(race_base, 2 * HUGE, 0);
    for (long i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, race_writer, (void *)(i + 1)), 0);
    for (int i = 0; i < 40; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            for (int k = 0; k < 1024; k += 8)
                *(volatile long *)(race_base + k * PAGE) = -1;
            _exit(0);
        }
        finish(child);
    }
    race_over = true;
    for (int i = 0; i < 3; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        CHECK(!bad);
    }
    CHECK(*(int *)(race_base + 8 * PAGE) == 8);
}

TEST(mremap_moves_large_memory)
{
    char *p = aligned_spans(2), *target = aligned_spans(3);
    number_pages(p, 2 * HUGE, 1);
    CHECK(mremap(p, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE) ==
          target + PAGE);
    CHECK(numbered(target + PAGE, 2 * HUGE, 1));
    CHECK_EQ(msync(p, PAGE, MS_ASYNC), -1);
    CHECK_EQ(errno, ENOMEM);
    char *to = mremap(target + PAGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    CHECK(to != MAP_FAILED && to != target + PAGE);
    CHECK(numbered(to, HUGE, 1));
    CHECK_EQ(*(int *)(target + PAGE), 0);
    CHECK(mremap(to, HUGE, PAGE, 0) == to);
    CHECK(numbered(to, PAGE, 1));
}

TEST(mlock_counts_and_limits)
{
    char *p = map_at(NULL, 8 * PAGE, 0);
    unsigned char present[8];
    CHECK_EQ(mlock(p + 1, 2 * PAGE), 0);
    CHECK_EQ(mincore(p, 8 * PAGE, present), 0);
    CHECK(present[0] & 1 && present[1] & 1 && present[2] & 1 && !(present[3] & 1));
    CHECK_EQ(madvise(p, PAGE, MADV_DONTNEED), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(munlock(p, 8 * PAGE), 0);
    CHECK_EQ(madvise(p, PAGE, MADV_DONTNEED), 0);
    CHECK_EQ(syscall(SYS_mlock2, p + 4 * PAGE, PAGE, 1), 0);
    CHECK_EQ(mincore(p + 4 * PAGE, PAGE, present), 0);
    CHECK(!(present[0] & 1));
    CHECK_EQ(syscall(SYS_mlock2, p, PAGE, 2), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(mprotect(p, PAGE, PROT_NONE), 0);
    CHECK_EQ(mlock(p, PAGE), -1);
    CHECK_EQ(errno, ENOMEM);
    CHECK_EQ(munmap(p + 2 * PAGE, PAGE), 0);
    CHECK_EQ(mlock(p + PAGE, 3 * PAGE), -1);
    CHECK_EQ(errno, ENOMEM);
}

TEST(mlockall_takes_what_comes)
{
    unsigned char present[4];
    CHECK_EQ(mlockall(0), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(mlockall(MCL_ONFAULT), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(mlockall(8), -1);
    CHECK_EQ(errno, EINVAL);
    char *before = map_at(NULL, 4 * PAGE, 0);
    CHECK_EQ(mlockall(MCL_FUTURE), 0);
    char *p = map_at(NULL, 4 * PAGE, 0);
    CHECK_EQ(mincore(p, 4 * PAGE, present), 0);
    CHECK(present[0] & 1 && present[3] & 1);
    CHECK_EQ(mincore(before, 4 * PAGE, present), 0);
    CHECK(!(present[0] & 1));
    CHECK_EQ(mlockall(MCL_CURRENT), 0);
    CHECK_EQ(mincore(before, 4 * PAGE, present), 0);
    CHECK(present[0] & 1 && present[3] & 1);
    CHECK_EQ(munlockall(), 0);
    CHECK_EQ(madvise(p, PAGE, MADV_DONTNEED), 0);
}

TEST(process_vm_reads_and_writes_another)
{
    static char text[3 * PAGE];
    int ready[2], done[2];
    CHECK_EQ(pipe(ready), 0);
    CHECK_EQ(pipe(done), 0);
    strcpy(text + PAGE - 3, "parent");
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        char byte;
        strcpy(text + PAGE - 3, "child!");
        write(ready[1], "r", 1);
        read(done[0], &byte, 1);
        _exit(strcmp(text + PAGE - 3, "writ!!") != 0);
    }
    char byte, first[4] = "", second[8] = "";
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    struct iovec local[2] = {{first, 3}, {second, 7}}, remote = {text + PAGE - 3, 7};
    CHECK_EQ(process_vm_readv(child, local, 2, &remote, 1, 0), 7);
    CHECK(strcmp(first, "chi") == 0 && strcmp(second, "ld!") == 0);
    CHECK(strcmp(text + PAGE - 3, "parent") == 0);
    struct iovec from = {"writ", 4};
    CHECK_EQ(process_vm_writev(child, &from, 1, &remote, 1, 0), 4);
    // Partial, then not at all.
    struct iovec remotes[2] = {{text, 4}, {(void *)16, 4}}, big = {second, 8};
    CHECK_EQ(process_vm_readv(child, &big, 1, remotes, 2, 0), 4);
    CHECK_EQ(process_vm_readv(child, &big, 1, remotes + 1, 1, 0), -1);
    CHECK_EQ(errno, EFAULT);
    CHECK_EQ(process_vm_readv(child, &big, 1, remotes, 1, 1), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(process_vm_readv(99999, &big, 1, remotes, 1, 0), -1);
    CHECK_EQ(errno, ESRCH);
    CHECK_EQ(process_vm_readv(child, &big, 2000, remotes, 1, 0), -1);
    CHECK_EQ(errno, EINVAL);
    char name[40];
    snprintf(name, sizeof(name), "/proc/%d/mem", child);
    int mem = open(name, O_RDWR);
    CHECK(mem >= 0);
    CHECK_EQ(pread(mem, second, 4, (long)(text + PAGE - 3)), 4);
    CHECK(memcmp(second, "writ", 4) == 0);
    CHECK_EQ(pwrite(mem, "!!", 2, (long)(text + PAGE + 1)), 2);
    CHECK_EQ(pread(mem, second, 4, 16), -1);
    CHECK_EQ(errno, EIO);
    write(done[1], "d", 1);
    finish(child);
    CHECK_EQ(pread(mem, second, 4, (long)text), 0);
}

static long smaps_field(const char *start, const char *field)
{
    char line[300], address[20];
    long value = -1;
    bool here = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    CHECK(f != NULL);
    snprintf(address, sizeof(address), "%lx-", (long)start);
    while (fgets(line, sizeof(line), f)) {
        if (strchr(line, '-') && strncmp(line, address, strlen(address)) == 0)
            here = true;
        if (here && strncmp(line, field, strlen(field)) == 0) {
            value = atol(line + strlen(field));
            break;
        }
    }
    fclose(f);
    return value;
}

TEST(smaps_counts_pages)
{
    char *p = map_at(NULL, 16 * PAGE, 0);
    CHECK_EQ(mprotect(p + 15 * PAGE, PAGE, PROT_NONE), 0);
    CHECK_EQ(munmap(p, PAGE), 0);
    p += PAGE;
    number_pages(p, 5 * PAGE, 1);
    CHECK_EQ(smaps_field(p, "Size:"), 56);
    CHECK_EQ(smaps_field(p, "Rss:"), 20);
    CHECK_EQ(smaps_field(p, "Private_Dirty:"), 20);
    CHECK_EQ(smaps_field(p, "Anonymous:"), 20);
}

TEST(madvise_free_remove_and_populate)
{
    char *p = map_at(NULL, 8 * PAGE, 0);
    unsigned char present[8];
    CHECK_EQ(madvise(p, 4 * PAGE, 23), 0); // MADV_POPULATE_WRITE
    CHECK_EQ(mincore(p, 8 * PAGE, present), 0);
    CHECK(present[3] & 1 && !(present[4] & 1));
    CHECK_EQ(madvise(p, 8 * PAGE, MADV_FREE), 0);
    number_pages(p, 8 * PAGE, 3);
    CHECK(numbered(p, 8 * PAGE, 3));
    CHECK_EQ(madvise(p, PAGE, MADV_REMOVE), -1);
    CHECK_EQ(errno, EINVAL);
    char *s = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    number_pages(s, 4 * PAGE, 1);
    CHECK_EQ(madvise(s + PAGE, PAGE, MADV_REMOVE), 0);
    CHECK_EQ(*(int *)s, 1);
    CHECK_EQ(*(int *)(s + PAGE), 0);
    CHECK_EQ(*(int *)(s + 2 * PAGE), 3);
    CHECK_EQ(madvise(p, PAGE, 12345), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(madvise(p + 1, PAGE, MADV_DONTNEED), -1);
    CHECK_EQ(errno, EINVAL);
}

TEST(wipeonfork_and_dontfork)
{
    char *p = map_at(NULL, 4 * PAGE, 0), *q = map_at(NULL, 4 * PAGE, 0);
    number_pages(p, 4 * PAGE, 1);
    number_pages(q, 4 * PAGE, 1);
    CHECK_EQ(madvise(p, 4 * PAGE, MADV_WIPEONFORK), 0);
    CHECK_EQ(madvise(q, 4 * PAGE, MADV_DONTFORK), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        unsigned char present;
        bool wiped = *(int *)p == 0 && *(int *)(p + 3 * PAGE) == 0;
        _exit(!wiped || mincore(q, PAGE, &present) != -1 || errno != ENOMEM);
    }
    finish(child);
    CHECK(numbered(p, 4 * PAGE, 1));
}

static long overcommit(const char *value)
{
    int f = open("/proc/sys/vm/overcommit_memory", O_RDWR);
    CHECK(f >= 0);
    long n = write(f, value, strlen(value));
    close(f);
    return n;
}

TEST(overcommit_modes)
{
    const size_t much = 64UL << 30;
    CHECK(map_at(NULL, much, 0) == MAP_FAILED);
    CHECK_EQ(errno, ENOMEM);
    CHECK(map_at(NULL, much, MAP_NORESERVE) != MAP_FAILED);
    CHECK_EQ(overcommit("1"), 1);
    CHECK(map_at(NULL, much, 0) != MAP_FAILED);
    CHECK_EQ(overcommit("3"), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(overcommit("0"), 1);
}
