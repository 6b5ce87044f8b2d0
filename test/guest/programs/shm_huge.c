// SPDX-License-Identifier: BSD-2-Clause
// Shared memory in 2 MiB pages: SHM_HUGETLB (shmget(2)) and shared MAP_HUGETLB mappings: pages kept
// by the pool from the start, rights, sizes, attaches that are cut, moved, forked and counted, and
// a pool that is whole again in the end.
#include "pool.h"
#include "shm.h"

#define RW (PROT_READ | PROT_WRITE)

#ifndef SHM_HUGE_2MB
#define SHM_HUGE_2MB (21 << 26)
#define SHM_HUGE_1GB (30 << 26)
#endif

static int huge_segment(size_t size)
{
    int id = shmget(IPC_PRIVATE, size, SHM_HUGETLB | 0600);
    CHECK(id >= 0);
    return id;
}

TEST(a_segment_has_its_pages_from_the_start)
{
    pool_of(4);
    CHECK_ERRNO(shmget(IPC_PRIVATE, 5 * HUGE, SHM_HUGETLB | 0600), ENOMEM);
    CHECK_ERRNO(shmget(IPC_PRIVATE, 4 * HUGE + 1, SHM_HUGETLB | 0600), ENOMEM);
    CHECK_EQ(promised(), 0);
    unsigned long charged = usage_now().shm_tot;
    int id = huge_segment(2 * HUGE + 5);
    CHECK_EQ(usage_now().shm_tot - charged, 2 * HUGE / PAGE + 1); // as asked for
    CHECK_EQ(pool_free(), 4);
    CHECK_EQ(promised(), 3);
    struct shmid_ds ds = stat_of(id);
    CHECK_EQ(ds.shm_segsz, 2 * HUGE + 5);
    CHECK_EQ(ds.shm_perm.mode, 0600);
    // The last page is free, the others aren't.
    CHECK_ERRNO(shmget(IPC_PRIVATE, 2 * HUGE, SHM_HUGETLB | 0600), ENOMEM);
    CHECK(mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) == MAP_FAILED);
    CHECK_EQ(errno, ENOMEM);
    char *p = attach(id);
    CHECK_EQ((uintptr_t)p % HUGE, 0);
    for (long i = 0; i < 3 * HUGE; i += PAGE) { // it is as large as its pages
        CHECK_EQ(p[i], 0);
        p[i] = (char)(i / PAGE);
    }
    CHECK_EQ(pool_free(), 1);
    CHECK_EQ(promised(), 0);
    char line[300];
    CHECK(proc_line("shm", id, line, sizeof(line)));
    CHECK_EQ(shmdt(p), 0);
    CHECK_EQ(pool_free(), 1);
    p = attach(id);
    CHECK_EQ(p[PAGE], 1);
    CHECK_EQ(p[2 * HUGE + 7 * PAGE], 7);
    CHECK_EQ(shmdt(p), 0);
    drop(id);
    pool_of(4);
}

TEST(sizes_and_rights)
{
    pool_of(1);
    int id = shmget(IPC_PRIVATE, HUGE, SHM_HUGETLB | SHM_HUGE_2MB | 0600);
    CHECK(id >= 0);
    drop(id);
    CHECK_ERRNO(shmget(IPC_PRIVATE, HUGE, SHM_HUGETLB | SHM_HUGE_1GB | 0600), ENOMEM);
    CHECK_ERRNO(shmget(IPC_PRIVATE, HUGE, SHM_HUGETLB | (20 << 26) | 0600), EINVAL);
    CHECK_ERRNO(shmget(IPC_PRIVATE, 0, SHM_HUGETLB | 0600), EINVAL);
    // Who has neither the capability nor the group.
    AS_USER(1000, 1000, CHECK_ERRNO(shmget(IPC_PRIVATE, HUGE, SHM_HUGETLB | 0600), EPERM));
    AS_USER(1000, 0, drop(huge_segment(HUGE))); // group 0, unless told otherwise
    write_setting("hugetlb_shm_group", 1000);
    AS_USER(1000, 0, CHECK_ERRNO(shmget(IPC_PRIVATE, HUGE, SHM_HUGETLB | 0600), EPERM));
    AS_USER(1000, 1000, drop(huge_segment(HUGE)));
    write_setting("hugetlb_shm_group", 0);
    // Locked by nature.
    id = huge_segment(HUGE);
    CHECK_EQ(shmctl(id, SHM_LOCK, NULL), 0);
    CHECK_EQ(stat_of(id).shm_perm.mode, 0600);
    drop(id);
    pool_of(1);
}

TEST(attached_where_it_fits)
{
    pool_of(2);
    int id = huge_segment(2 * HUGE);
    char *range = mmap(NULL, 5 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(range != MAP_FAILED);
    char *at = (char *)(((uintptr_t)range + HUGE - 1) & -HUGE);
    CHECK_ERRNO(shmat(id, at, 0), EINVAL); // busy
    CHECK_EQ(shmat(id, at, SHM_REMAP), at);
    CHECK_EQ(attaches(id), 1);
    CHECK_EQ(munmap(range, 5 * HUGE), 0);
    CHECK_EQ(attaches(id), 0);
    CHECK_ERRNO(shmat(id, at + PAGE, 0), EINVAL);
    CHECK_EQ(shmat(id, at, 0), at);
    CHECK_ERRNO(munmap(at, PAGE), EINVAL);
    CHECK_ERRNO(munmap(at + HUGE + PAGE, PAGE), EINVAL);
    CHECK_ERRNO(mprotect(at + PAGE, HUGE, PROT_READ), EINVAL);
    CHECK_EQ(attaches(id), 1);
    at[0] = 1;
    at[HUGE] = 2;
    CHECK_EQ(mprotect(at, HUGE, PROT_READ), 0);
    CHECK_EQ(attaches(id), 2);
    CHECK_EQ(at[0], 1);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        at[HUGE] = 3;
        at[0] = 3;
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK_EQ(at[HUGE], 3);
    CHECK_EQ(munmap(at, HUGE), 0);
    CHECK_EQ(attaches(id), 1);
    CHECK_EQ(shmdt(at), 0); // the rest of it
    CHECK_EQ(attaches(id), 0);
    drop(id);
    pool_of(2);
}

TEST(moved_but_never_grown)
{
    pool_of(3);
    int id = huge_segment(3 * HUGE);
    char *p = attach(id);
    for (int i = 0; i < 3; i++)
        p[i * HUGE] = (char)(i + 1);
    char *range = mmap(NULL, 4 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *to = (char *)(((uintptr_t)range + HUGE - 1) & -HUGE);
    CHECK(mremap(p, 3 * HUGE, 4 * HUGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL);
    CHECK(mremap(p + HUGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE) == MAP_FAILED &&
          errno == EINVAL);
    CHECK(mremap(p + PAGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED &&
          errno == EINVAL);
    CHECK_EQ(mremap(p + HUGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
    CHECK_EQ(attaches(id), 3);
    CHECK_EQ(to[0], 2);
    to[PAGE] = 5;
    CHECK_EQ(p[0], 1);
    CHECK_EQ(p[2 * HUGE], 3);
    CHECK_EQ(mremap(p, HUGE, HUGE, 0), p);
    CHECK_EQ(munmap(range, 4 * HUGE), 0);
    CHECK_EQ(shmdt(p), 0);
    CHECK_EQ(attaches(id), 0);
    p = attach(id);
    CHECK_EQ(p[HUGE + PAGE], 5);
    drop(id);
    CHECK_EQ(shmdt(p), 0);
    pool_of(3);
}

TEST(shared_by_fork_and_gone_with_the_last)
{
    pool_of(2);
    int id = huge_segment(2 * HUGE), go[2], ready[2];
    char byte, *p = attach(id);
    CHECK_EQ(pipe(go), 0);
    CHECK_EQ(pipe(ready), 0);
    p[0] = 1;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK_EQ(p[0], 1);
        p[PAGE] = 2;
        p[HUGE] = 3; // first touched here
        write(ready[1], "", 1);
        read(go[0], &byte, 1);
        _exit(0);
    }
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    CHECK_EQ(p[PAGE], 2);
    CHECK_EQ(p[HUGE], 3);
    CHECK_EQ(attaches(id), 2);
    CHECK_EQ(pool_free(), 0);
    drop(id);
    CHECK_EQ(shmdt(p), 0);
    CHECK_EQ(attaches(id), 1);
    CHECK_EQ(pool_free(), 0);
    write(go[1], "", 1);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    pool_of(2);
}

TEST(noreserve_is_never_promised)
{
    pool_of(2);
    int id = shmget(IPC_PRIVATE, 2 * HUGE, SHM_HUGETLB | SHM_NORESERVE | 0600), status;
    CHECK(id >= 0);
    CHECK_EQ(promised(), 0);
    int other = huge_segment(HUGE);
    char *p = attach(id);
    CHECK_EQ(promised(), 1);
    p[0] = 1;
    pid_t child = CHILD(signal(SIGBUS, SIG_DFL); p[HUGE] = 1); // the last page is the other's
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    drop(other);
    p[HUGE] = 1;
    CHECK_EQ(pool_free(), 0);
    CHECK_EQ(shmdt(p), 0);
    drop(id);
    pool_of(2);
}

TEST(shared_mappings_without_a_segment)
{
    pool_of(3);
    const int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB;
    CHECK(mmap(NULL, 4 * HUGE, RW, flags, -1, 0) == MAP_FAILED);
    CHECK_EQ(errno, ENOMEM);
    char *p = mmap(NULL, HUGE + 1, RW, flags, -1, 0);
    CHECK(p != MAP_FAILED && (uintptr_t)p % HUGE == 0);
    CHECK_EQ(promised(), 2);
    REAP(CHILD(p[5] = 1; p[HUGE] = 2));
    CHECK_EQ(p[5], 1);
    CHECK_EQ(p[HUGE], 2);
    CHECK_EQ(pool_free(), 1);
    // What is given back by one is kept for all.
    CHECK_EQ(madvise(p, HUGE, MADV_DONTNEED), 0);
    CHECK_EQ(p[5], 1);
    CHECK_EQ(madvise(p, HUGE, MADV_REMOVE), 0);
    CHECK_EQ(pool_free(), 2);
    CHECK_EQ(p[5], 0);
    CHECK_EQ(pool_free(), 1);
    unsigned char vec[2 * HUGE / PAGE];
    CHECK_EQ(mincore(p, 2 * HUGE, vec), 0);
    CHECK(vec[0] && vec[HUGE / PAGE - 1] && vec[2 * HUGE / PAGE - 1]);
    CHECK_EQ(munmap(p, 2 * HUGE), 0);
    pool_of(3);
}

TEST(a_promise_is_kept_when_the_pool_shrinks)
{
    pool_of(4);
    int id = huge_segment(2 * HUGE);
    write_setting("nr_hugepages", 0);
    CHECK_EQ(pool_free(), 2);
    CHECK_EQ(promised(), 2);
    char *p = attach(id);
    p[0] = p[HUGE] = 1;
    CHECK_EQ(pool_free(), 0);
    CHECK_EQ(shmdt(p), 0);
    drop(id);
    CHECK_EQ(meminfo("HugePages_Total:"), 0);
}

TEST_SECONDS(killed_at_any_point, 60)
{
    pool_of(4);
    int id = huge_segment(3 * HUGE);
    char *p = attach(id);
    for (int round = 0; round < 40; round++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            for (int i = 0;; i++) {
                char *q = shmat(id, NULL, i % 2 ? SHM_RDONLY : 0);
                p[i % 3 * HUGE + i % 512 * PAGE]++;
                if (i % 3 == 0)
                    munmap(q + HUGE, HUGE);
                if (i % 5 == 0 && fork() == 0) {
                    shmdt(q);
                    _exit(0);
                }
                shmdt(q);
            }
        }
        for (volatile int i = 0; i < round % 20 * 5000; i++)
            ;
        CHECK_EQ(kill(pid, SIGKILL), 0);
        int status;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
    }
    for (int i = 0; attaches(id) != 1 && i < 5000; i++)
        sleep_ms(1);
    CHECK_EQ(attaches(id), 1);
    drop(id);
    CHECK_EQ(shmdt(p), 0);
    pool_of(4);
    write_setting("nr_hugepages", 0);
}
