// SPDX-License-Identifier: BSD-2-Clause
// Attaches as regions of an address space: what mremap, madvise, SHM_REMAP and fork do to their
// number, which of them shmdt(2) knows, and a segment that is removed and still attached.
#include "shm.h"
#include <sched.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

// A range of `pages` that is free.
static char *room(int pages)
{
    char *p = mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(munmap(p, pages * PAGE), 0);
    return p;
}

TEST(mremap_moves_doubles_and_cuts)
{
    int id = private_segment(4 * PAGE);
    char *p = attach(id), *to = room(4);
    p[PAGE] = 5;
    CHECK_EQ(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
    CHECK_EQ(attaches(id), 1);
    CHECK_EQ(to[PAGE], 5);
    CHECK_ERRNO(shmdt(p), EINVAL); // it isn't there any more
    // No old size: the same once more.
    char *twin = mremap(to, 0, 4 * PAGE, MREMAP_MAYMOVE);
    CHECK(twin != MAP_FAILED && twin != to);
    CHECK_EQ(attaches(id), 2);
    CHECK_EQ(twin[PAGE], 5);
    // Moved, and the old range still mapped.
    char *third = mremap(twin, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    CHECK(third != MAP_FAILED && third != twin);
    CHECK_EQ(attaches(id), 3);
    third[PAGE] = 6;
    CHECK(to[PAGE] == 6 && twin[PAGE] == 6);
    CHECK_EQ(mremap(third, 4 * PAGE, PAGE, 0), third);
    CHECK_EQ(attaches(id), 3);
    CHECK_EQ(shmdt(third), 0);
    CHECK_EQ(attaches(id), 2);
    CHECK_EQ(shmdt(to), 0);
    CHECK_EQ(shmdt(twin), 0);
    CHECK_EQ(attaches(id), 0);
    drop(id);
}

TEST(grown_there_is_nothing_behind_the_end)
{
    int id = private_segment(2 * PAGE), status;
    char *p = mremap(attach(id), 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(attaches(id), 1);
    p[2 * PAGE - 1] = 1;
    pid_t child = CHILD(p[2 * PAGE] = 1);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    CHECK_EQ(munmap(p, 4 * PAGE), 0);
    CHECK_EQ(attaches(id), 0);
    drop(id);
}

TEST(detach_leaves_what_is_not_its_own)
{
    int id = private_segment(2 * PAGE), other = private_segment(2 * PAGE);
    int fd = memfd_create("file", 0);
    CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
    char *file = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK_ERRNO(shmdt(file), EINVAL);
    char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK_ERRNO(shmdt(shared), EINVAL);
    // The first half of one segment, then another segment over the second half.
    char *p = attach(id);
    CHECK_EQ(munmap(p + PAGE, PAGE), 0);
    CHECK_EQ(mmap(p + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, PAGE), p + PAGE);
    CHECK_EQ(shmdt(p), 0);
    CHECK_EQ(p[PAGE], 0);
    CHECK_EQ(munmap(p + PAGE, PAGE), 0);
    p = attach(id);
    CHECK_EQ(shmat(other, p + PAGE, SHM_REMAP), p + PAGE);
    CHECK(attaches(id) == 1 && attaches(other) == 1);
    CHECK_EQ(shmdt(p), 0);
    CHECK(attaches(id) == 0 && attaches(other) == 1);
    CHECK_EQ(shmdt(p + PAGE), 0);
    drop(other);
    drop(id);
}

TEST(remap_takes_over_attaches)
{
    int id = private_segment(PAGE), large = private_segment(6 * PAGE);
    char *p = attach(large);
    p[0] = p[3 * PAGE] = p[5 * PAGE] = 8;
    CHECK_EQ(shmat(id, p + 3 * PAGE + 5, SHM_REMAP | SHM_RND), p + 3 * PAGE);
    CHECK(attaches(large) == 2 && attaches(id) == 1);
    CHECK(p[0] == 8 && p[3 * PAGE] == 0 && p[5 * PAGE] == 8);
    CHECK_EQ(shmat(large, p, SHM_REMAP), p); // over itself, and the other
    CHECK(attaches(large) == 1 && attaches(id) == 0);
    CHECK_EQ(p[3 * PAGE], 8);
    CHECK_ERRNO(shmat(id, p + 5, SHM_REMAP), EINVAL); // unaligned all the same
    CHECK_EQ(shmat(id, p + 5 * PAGE, SHM_REMAP | SHM_RDONLY), p + 5 * PAGE);
    CHECK_ERRNO(mprotect(p + 5 * PAGE, PAGE, PROT_READ | PROT_WRITE), EACCES);
    drop(id);
    drop(large);
}

TEST(rounding_goes_down)
{
    int id = private_segment(PAGE);
    char *p = room(4);
    CHECK_EQ(shmat(id, p + 2 * PAGE - 1, SHM_RND), p + PAGE);
    CHECK_EQ(shmdt(p + PAGE), 0);
    CHECK_EQ(shmat(id, p + 2 * PAGE, SHM_RND), p + 2 * PAGE);
    CHECK_ERRNO(shmat(id, p + 2 * PAGE + 1, SHM_RND), EINVAL); // busy
    CHECK_ERRNO(shmat(id, p + 1, 0), EINVAL);
    // Nothing chooses a place, not 0, for somebody who rounds to it and may be there.
    CHECK_ERRNO(shmat(id, (void *)1, SHM_RND | SHM_REMAP), EINVAL);
    AS_USER(1000, 1000, {
        int own = private_segment(PAGE);
        CHECK_ERRNO(shmat(own, (void *)1, SHM_RND), EPERM);
        drop(own);
    });
    drop(id);
}

TEST(rights_of_regions)
{
    int id = private_segment(2 * PAGE), status;
    char *p = attach(id);
    // Written but not read is nothing that RISC-V has: it is read, too.
    CHECK_EQ(mprotect(p, PAGE, PROT_WRITE), 0);
    p[0] = 3;
    CHECK_EQ(*(volatile char *)p, 3);
    CHECK_EQ(attaches(id), 2);
    CHECK_EQ(mprotect(p, PAGE, PROT_NONE), 0);
    pid_t child = CHILD((void)*(volatile char *)p);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK_EQ(mprotect(p, 2 * PAGE, PROT_READ | PROT_EXEC), 0);
    CHECK_EQ(shmdt(p), 0);
    // Read-only stays so in a child.
    p = shmat(id, NULL, SHM_RDONLY);
    child = CHILD(CHECK_EQ(p[0], 3); CHECK_ERRNO(mprotect(p, PAGE, PROT_WRITE), EACCES); p[0] = 1);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    drop(id);
}

// SHM_RDONLY asks for reading, nothing for both, SHM_EXEC for execution on top.
TEST(an_attach_asks_for_what_it_wants)
{
    static const struct {
        int mode, flags, error;
    } cases[] = {
        {0400, SHM_RDONLY, 0},
        {0400, 0, EACCES},
        {0200, SHM_RDONLY, EACCES},
        {0200, 0, EACCES},
        {0600, 0, 0},
        {0600, SHM_EXEC, EACCES},
        {0700, SHM_EXEC, 0},
        {0500, SHM_RDONLY | SHM_EXEC, 0},
        {0500, SHM_EXEC, EACCES},
        {0100, SHM_RDONLY | SHM_EXEC, EACCES},
        {0077, SHM_RDONLY, EACCES},
    };
    AS_USER(
        1000, 1000, for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            int id = shmget(IPC_PRIVATE, PAGE, cases[i].mode);
            CHECK(id >= 0);
            errno = 0;
            void *p = shmat(id, NULL, cases[i].flags);
            CHECK_EQ(p == (void *)-1 ? errno : 0, cases[i].error);
            drop(id);
        });
}

TEST(size_is_charged_and_pages_come_with_use)
{
    struct shm_info start = usage_now(), now;
    int id = private_segment(100 * PAGE + 1);
    now = usage_now();
    CHECK_EQ(now.shm_tot, start.shm_tot + 101);
    CHECK_EQ(now.shm_rss, start.shm_rss);
    char *p = shmat(id, NULL, 0);
    CHECK_EQ(usage_now().shm_rss, start.shm_rss);
    p[100 * PAGE + 4095] = 1; // the last page is whole
    for (int i = 0; i < 10; i++)
        CHECK_EQ(p[i * 10 * PAGE], 0);
    CHECK_EQ(usage_now().shm_rss, start.shm_rss + 11);
    CHECK_EQ(madvise(p, 101 * PAGE, MADV_DONTNEED), 0); // of this attach, not of the segment
    CHECK_EQ(p[100 * PAGE + 4095], 1);
    CHECK_EQ(shmdt(p), 0);
    CHECK_EQ(usage_now().shm_rss, start.shm_rss + 11);
    drop(id);
    now = usage_now();
    CHECK(now.shm_tot == start.shm_tot && now.shm_rss == start.shm_rss);
    CHECK_EQ(now.used_ids, start.used_ids);
}

TEST(removed_but_attached_it_is_still_administered)
{
    key_t key = own_key(0);
    struct shm_info start = usage_now();
    int id = shmget(key, PAGE, IPC_CREAT | 0666);
    char *p = attach(id);
    AS_USER(1000, 1000, CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EPERM));
    CHECK_EQ(stat_of(id).shm_perm.mode, 0666);
    drop(id);
    CHECK_EQ(usage_now().shm_tot, start.shm_tot + 1); // it counts until it is gone
    CHECK_EQ(shmctl(id, SHM_LOCK, NULL), 0);
    CHECK_EQ(stat_of(id).shm_perm.mode, 03666);
    struct shmid_ds ds = stat_of(id);
    CHECK_EQ(ds.shm_perm.__key, IPC_PRIVATE);
    ds.shm_perm.mode = 0640;
    ds.shm_perm.uid = 1000;
    CHECK_EQ(shmctl(id, IPC_SET, &ds), 0);
    CHECK_EQ(stat_of(id).shm_perm.mode, 03640);
    CHECK_EQ(shmctl(id, SHM_UNLOCK, NULL), 0);
    CHECK_EQ(stat_of(id).shm_perm.mode, 01640);
    CHECK_EQ(shmctl(id % 32768, SHM_STAT, &ds), id);
    AS_USER(1000, 1000, CHECK_EQ(shmdt(attach(id)), 0)); // not the last
    CHECK_EQ(shmget(key, PAGE, 0), -1);
    REAP(CHILD(*p = 4)); // a child's detach isn't the last, either
    CHECK_EQ(*p, 4);
    CHECK_EQ(munmap(p, PAGE), 0); // this is, by whatever call
    CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EINVAL);
    CHECK_ERRNO(shmat(id, NULL, 0), EINVAL);
    CHECK_EQ(usage_now().shm_tot, start.shm_tot);
}

struct attacher {
    int id;
    int said; // the end of a pipe for a byte once it is attached
};

static int end_with_an_attach(void *arg)
{
    const struct attacher *a = arg;
    attach(a->id);
    CHECK_EQ(write(a->said, "", 1), 1);
    return 0;
}

// The address space goes with the last who has it.
TEST(kill_of_who_shares_memory)
{
    static char stack[2][16384] __attribute__((aligned(16)));
    int id = private_segment(PAGE), status, pipefd[2];
    char byte;
    CHECK_EQ(pipe(pipefd), 0);
    pid_t pid = CHILD({
        struct attacher a = {id, pipefd[1]};
        attach(id);
        for (int i = 0; i < 2; i++)
            CHECK(clone(end_with_an_attach, stack[i] + sizeof(stack[i]), CLONE_VM | SIGCHLD, &a) >
                  0);
        pause();
    });
    // To look at the count until it is right won't do: Linux counts a shmat() under way twice.
    for (int i = 0; i < 2; i++)
        CHECK_EQ(read(pipefd[0], &byte, 1), 1);
    CHECK_EQ(attaches(id), 3);
    close(pipefd[0]);
    close(pipefd[1]);
    drop(id);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    struct shmid_ds ds;
    for (int i = 0; shmctl(id, IPC_STAT, &ds) == 0 && i < 5000; i++)
        sleep_ms(1); // until its children are gone
    CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EINVAL);
}

TEST(what_was_written_outlives_its_writers)
{
    int id = private_segment(2 * PAGE);
    REAP(CHILD(char *p = attach(id); strcpy(p + PAGE - 3, "over the edge")));
    REAP(CHILD(char *p = shmat(id, NULL, SHM_RDONLY);
               CHECK(!strcmp(p + PAGE - 3, "over the edge"))));
    CHECK_EQ(attaches(id), 0);
    drop(id);
}
