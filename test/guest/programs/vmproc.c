// SPDX-License-Identifier: BSD-2-Clause
// What files tell of memory and set for it, and the rarer flags: pagemap, /proc/sys/vm,
// PROT_GROWSDOWN, MADV_DONTNEED_LOCKED, where large mappings lie, limits of data.
#include "ktap.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { PAGE = 4096, HUGE = 2 << 20, RW = PROT_READ | PROT_WRITE };

static char *map_new(size_t size, int flags)
{
    char *p = mmap(NULL, size, RW, MAP_ANONYMOUS | (flags ? flags : MAP_PRIVATE), -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

#define PRESENT   (1UL << 63)
#define FILE_PAGE (1UL << 61)
#define EXCLUSIVE (1UL << 56)
#define FRAME     ((1UL << 55) - 1)

static uint64_t pagemap(const void *address)
{
    uint64_t entry = 0;
    int f = open("/proc/self/pagemap", O_RDONLY);
    CHECK(f >= 0);
    CHECK_EQ(pread(f, &entry, 8, (long)address / PAGE * 8), 8);
    close(f);
    return entry;
}

TEST(pagemap_tells_what_is_there)
{
    char *p = map_new(4 * PAGE, 0), *shared = map_new(PAGE, MAP_SHARED);
    p[PAGE] = *shared = 1;
    CHECK_EQ(pagemap(p) & PRESENT, 0);
    CHECK_EQ(pagemap(p + PAGE) & (PRESENT | EXCLUSIVE | FILE_PAGE), PRESENT | EXCLUSIVE);
    CHECK_EQ(pagemap(shared) & (PRESENT | FILE_PAGE), PRESENT | FILE_PAGE);
    CHECK((pagemap(p + PAGE) & FRAME) != 0 &&
          (pagemap(p + PAGE) & FRAME) != (pagemap(shared) & FRAME));
    int ready[2];
    char byte;
    CHECK_EQ(pipe(ready), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(ready[1]);
        read(ready[0], &byte, 1);
        _exit(0);
    }
    CHECK_EQ(pagemap(p + PAGE) & (PRESENT | EXCLUSIVE), PRESENT);
    p[PAGE] = 2;
    CHECK_EQ(pagemap(p + PAGE) & (PRESENT | EXCLUSIVE), PRESENT | EXCLUSIVE);
    close(ready[1]);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    uint64_t two[2];
    int f = open("/proc/self/pagemap", O_RDONLY);
    CHECK_EQ(pread(f, two, 16, (long)p / PAGE * 8), 16);
    CHECK(!(two[0] & PRESENT) && (two[1] & PRESENT));
    CHECK_EQ(pread(f, two, 7, 0), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(pread(f, two, 8, (long)(1UL << 60)), 0);
    CHECK_EQ(munmap(p, 4 * PAGE), 0);
    CHECK_EQ(pagemap(p + PAGE), 0);
}

TEST(pagemap_of_large_pages)
{
    char *p = (char *)(((uintptr_t)map_new(2 * HUGE, 0) + HUGE - 1) & -(uintptr_t)HUGE);
    madvise(p, HUGE, MADV_HUGEPAGE);
    memset(p, 1, HUGE);
    uint64_t first = pagemap(p), last = pagemap(p + HUGE - PAGE);
    CHECK_EQ(first & last & (PRESENT | EXCLUSIVE), PRESENT | EXCLUSIVE);
    note("frames %lx to %lx", first & FRAME, last & FRAME);
}

TEST(mappings_of_whole_2_mib_lie_on_their_border)
{
    for (int i = 0; i < 4; i++) {
        map_new(PAGE, 0);
        CHECK_EQ((uintptr_t)map_new((size_t)(i + 1) * HUGE, 0) % HUGE, 0);
    }
}

TEST(protection_down_to_the_start_of_a_stack)
{
    char *p = mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(mprotect(p + 6 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN), 0);
    CHECK_EQ(mprotect(p + 6 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(mprotect(p + 6 * PAGE, PAGE, PROT_READ | PROT_GROWSUP), -1);
    CHECK_EQ(errno, EINVAL);
    p[7 * PAGE] = 1;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        p[0] = 1; // read-only from its very start
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    char *plain = map_new(2 * PAGE, 0);
    CHECK_EQ(mprotect(plain, PAGE, PROT_READ | PROT_GROWSDOWN), -1);
    CHECK_EQ(errno, EINVAL);
}

TEST(locked_memory_is_dropped_on_demand)
{
    char *p = map_new(2 * PAGE, 0);
    p[0] = 1;
    CHECK_EQ(mlock(p, 2 * PAGE), 0);
    CHECK_EQ(madvise(p, PAGE, MADV_DONTNEED), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(madvise(p, PAGE, 24), 0); // MADV_DONTNEED_LOCKED
    CHECK_EQ(p[0], 0);
}

static long setting(const char *name, long value)
{
    char path[80], text[40] = "";
    long before = -1;
    snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
    int f = open(path, O_RDWR);
    CHECK(f >= 0);
    CHECK(read(f, text, sizeof(text) - 1) > 0);
    before = atol(text);
    if (value >= 0) {
        snprintf(text, sizeof(text), "%ld\n", value);
        CHECK_EQ(pwrite(f, text, strlen(text), 0), (long)strlen(text));
    }
    close(f);
    return before;
}

// The sum of regions is bounded by a setting.
static char *pages;

static int lock_without_rights(void *arg)
{
    const struct rlimit limit = {PAGE, PAGE};
    *(int *)arg = setrlimit(RLIMIT_MEMLOCK, &limit) || setresuid(1000, 1000, 1000) ||
                  mlock(pages, 2 * PAGE) != -1 || errno != ENOMEM;
    return 0;
}

// A child that shares the memory and gives its rights up takes none from its parent.
TEST(limit_of_locked_memory_is_the_callers)
{
    static char stack[16384] __attribute__((aligned(16)));
    int failed = 1, status;
    pages = mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pid_t pid = clone(lock_without_rights, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD,
                      &failed);
    CHECK(pid > 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(failed, 0);
    CHECK_EQ(mlock(pages, 8 * PAGE), 0);
    CHECK_EQ(munlock(pages, 8 * PAGE), 0);
}

TEST(max_map_count)
{
    int made = 0;
    long before = setting("max_map_count", 100);
    while (made < 200 && mmap(NULL, PAGE, made % 2 ? PROT_READ : PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        made++;
    int error = errno;
    setting("max_map_count", before);
    CHECK_EQ(error, ENOMEM);
    CHECK(made > 50 && made < 100);
    CHECK_EQ(before, 65530);
}

static long meminfo(const char *field);

static bool faults(volatile char *p)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        signal(SIGBUS, SIG_DFL);
        *p = 1;
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}

TEST(pool_of_huge_pages)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
    long before = setting("nr_hugepages", 6);
    CHECK_EQ(before, 0);
    CHECK_EQ(setting("nr_hugepages", -1), 6);
    CHECK_EQ(meminfo("HugePages_Free:"), 6);
    CHECK(mmap(NULL, 7 * HUGE, RW, flags, -1, 0) == MAP_FAILED);
    CHECK_EQ(errno, ENOMEM);
    CHECK(mmap(NULL, HUGE, RW, flags | 5 << 26, -1, 0) == MAP_FAILED);
    CHECK_EQ(errno, EINVAL);
    CHECK(mmap(NULL, 1 << 30, RW, flags | 30 << 26, -1, 0) == MAP_FAILED);
    CHECK_EQ(errno, ENOMEM);
    char *p = mmap(NULL, 2 * HUGE + PAGE, RW, flags | 21 << 26, -1, 0);
    CHECK(p != MAP_FAILED && (uintptr_t)p % HUGE == 0);
    for (int i = 0; i < 3 * HUGE; i += PAGE) {
        CHECK_EQ(p[i], 0);
        p[i] = (char)(i / PAGE);
    }
    CHECK_EQ(meminfo("HugePages_Free:"), 3);
    CHECK_EQ(munmap(p, PAGE), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(mprotect(p + PAGE, HUGE, PROT_READ), -1);
    CHECK_EQ(errno, EINVAL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        bool same = p[HUGE + PAGE] == 1;
        p[HUGE + PAGE] = 77;
        _exit(!same || p[HUGE + PAGE] != 77 || p[HUGE + 2 * PAGE] != 2 ||
              meminfo("HugePages_Free:") != 2);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_EQ(p[HUGE + PAGE], 1);
    CHECK_EQ(madvise(p + HUGE, HUGE, MADV_DONTNEED), 0);
    CHECK_EQ(meminfo("HugePages_Free:"), 4);
    CHECK_EQ(p[HUGE + PAGE], 0);
    CHECK_EQ(meminfo("HugePages_Free:"), 3);
    CHECK_EQ(munmap(p + 2 * HUGE, HUGE), 0);
    CHECK_EQ(meminfo("HugePages_Free:"), 4);
    char *all = mmap(NULL, 4 * HUGE, RW, flags | MAP_NORESERVE, -1, 0);
    CHECK(all != MAP_FAILED);
    memset(all, 1, 4 * HUGE);
    CHECK(faults(all)); // its copy of a page can't be had
    CHECK_EQ(setting("nr_hugepages", 1), 6);
    CHECK_EQ(munmap(all, 4 * HUGE), 0);
    CHECK_EQ(munmap(p, 2 * HUGE), 0);
    CHECK_EQ(setting("nr_hugepages", 0), 1);
    CHECK_EQ(meminfo("HugePages_Total:"), 0);
}

static long meminfo(const char *field)
{
    char line[100];
    long kib = -1;
    FILE *f = fopen("/proc/meminfo", "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, field, strlen(field)) == 0)
            kib = atol(line + strlen(field));
    fclose(f);
    return kib;
}

TEST(commit_limit_by_amount_or_ratio)
{
    long ratio = setting("overcommit_ratio", -1), limit = meminfo("CommitLimit:");
    setting("overcommit_kbytes", 123456);
    CHECK_EQ(meminfo("CommitLimit:"), 123456);
    CHECK_EQ(setting("overcommit_ratio", ratio), 0);
    CHECK_EQ(setting("overcommit_kbytes", -1), 0);
    CHECK_EQ(meminfo("CommitLimit:"), limit);
}

static void drop_caches(void)
{
    int f = open("/proc/sys/vm/drop_caches", O_WRONLY);
    CHECK(f >= 0);
    CHECK_EQ(pwrite(f, "3\n", 2, 0), 2);
    CHECK_EQ(pwrite(f, "9\n", 2, 0), -1);
    CHECK_EQ(errno, EINVAL);
    close(f);
}

// The kernel may keep the stacks of children that are gone, until it is asked for them.
TEST(caches_are_dropped_with_kept_stacks)
{
    enum { CHILDREN = 60, STACK_KIB = 16 };
    pid_t children[CHILDREN];
    drop_caches();
    long before = meminfo("KernelStack:");
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] == 0)
            for (;;)
                pause();
    }
    CHECK(meminfo("KernelStack:") > before + CHILDREN * STACK_KIB / 2); // some were kept
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_EQ(kill(children[i], SIGKILL), 0);
        CHECK_EQ(waitpid(children[i], NULL, 0), children[i]);
    }
    // The last may still be on their way out; on Linux so may be those of earlier cases.
    do
        drop_caches();
    while (meminfo("KernelStack:") > before + CHILDREN * STACK_KIB / 10 && usleep(1000) == 0);
}

TEST(limit_of_data)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_DATA, &limit), 0);
    limit.rlim_cur = 16 << 20;
    CHECK_EQ(setrlimit(RLIMIT_DATA, &limit), 0);
    CHECK(mmap(NULL, 32 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    CHECK_EQ(errno, ENOMEM);
    CHECK(mmap(NULL, 32 << 20, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    char *p = mmap(NULL, 32 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(mprotect(p, 32 << 20, RW), -1);
    CHECK_EQ(errno, ENOMEM);
    CHECK(sbrk(32 << 20) == (void *)-1);
}
