// SPDX-License-Identifier: BSD-2-Clause
// memfd_create(2) with MFD_HUGETLB: files of 2 MiB pages: sizes, mappings shared and private,
// holes, reads, seals, and a pool that is whole again in the end.
#include "pool.h"
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define RW (PROT_READ | PROT_WRITE)

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif

static int make_file(unsigned int flags)
{
    int fd = memfd_create("huge", MFD_HUGETLB | flags);
    CHECK(fd >= 0);
    return fd;
}

static long size_of(int fd)
{
    struct stat st;
    CHECK_EQ(fstat(fd, &st), 0);
    return st.st_size;
}

TEST(sizes_are_whole_pages)
{
    pool_of(2);
    CHECK_ERRNO(memfd_create("x", MFD_HUGETLB | 20U << 26), ENODEV);
    CHECK_ERRNO(memfd_create("x", MFD_HUGE_2MB), EINVAL);
    int fd = make_file(MFD_HUGE_2MB);
    CHECK_ERRNO(ftruncate(fd, 4096), EINVAL);
    CHECK_EQ(ftruncate(fd, HUGE), 0);
    CHECK_EQ(size_of(fd), HUGE);
    CHECK_EQ(promised(), 0);
    CHECK_ERRNO(write(fd, "x", 1), EINVAL);
    char byte = 1;
    CHECK_EQ(read(fd, &byte, 1), 1);
    CHECK_EQ(byte, 0);
    CHECK(mmap(NULL, HUGE, RW, MAP_SHARED, fd, 4096) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, 3 * HUGE, RW, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENOMEM);
    CHECK_EQ(size_of(fd), HUGE);
    pool_of(2);
}

TEST(a_shared_mapping_makes_it_longer)
{
    pool_of(3);
    int fd = make_file(0);
    char back[6], *p = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED && (uintptr_t)p % HUGE == 0);
    CHECK_EQ(size_of(fd), 2 * HUGE);
    CHECK_EQ(promised(), 2);
    memcpy(p + HUGE - 2, "abcdef", 6);
    CHECK_EQ(pool_free(), 1);
    CHECK_EQ(promised(), 0);
    CHECK_EQ(pread(fd, back, 6, HUGE - 2), 6);
    CHECK(!memcmp(back, "abcdef", 6));
    CHECK_EQ(pread(fd, back, 6, 2 * HUGE - 3), 3);
    char *q = mmap(NULL, HUGE, PROT_READ, MAP_SHARED, fd, HUGE);
    CHECK(q != MAP_FAILED);
    CHECK_EQ(q[0], 'c');
    CHECK_EQ(ftruncate(fd, HUGE), 0);
    CHECK_EQ(pool_free(), 2);
    CHECK_EQ(p[HUGE - 1], 'b');
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGBUS, SIG_DFL);
        _exit(p[HUGE]);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    CHECK_EQ(munmap(p, 2 * HUGE), 0);
    CHECK_EQ(munmap(q, HUGE), 0);
    close(fd);
    pool_of(3);
}

TEST(private_mappings_copy)
{
    pool_of(3);
    int fd = make_file(0);
    char *shared = mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0);
    char *private = mmap(NULL, HUGE, RW, MAP_PRIVATE, fd, 0);
    CHECK(shared != MAP_FAILED && private != MAP_FAILED);
    shared[5] = 1;
    CHECK_EQ(private[5], 1);
    CHECK_EQ(pool_free(), 2);
    private[5] = 2;
    CHECK_EQ(pool_free(), 1);
    CHECK_EQ(shared[5], 1);
    shared[6] = 7;
    CHECK_EQ(private[6], 0);
    CHECK_EQ(madvise(private, HUGE, MADV_DONTNEED), 0);
    CHECK_EQ(pool_free(), 2);
    CHECK_EQ(private[6], 7);
    CHECK_EQ(munmap(private, HUGE), 0);
    CHECK_EQ(munmap(shared, HUGE), 0);
    close(fd);
    pool_of(3);
}

TEST(allocated_and_punched)
{
    pool_of(3);
    int fd = make_file(0);
    CHECK_EQ(fallocate(fd, 0, 0, 2 * HUGE), 0);
    CHECK_EQ(size_of(fd), 2 * HUGE);
    CHECK_EQ(pool_free(), 1);
    CHECK_ERRNO(fallocate(fd, 0, 0, 4 * HUGE), ENOSPC);
    char *p = mmap(NULL, 2 * HUGE, RW, MAP_SHARED, fd, 0);
    memset(p, 5, 2 * HUGE);
    // A part of a page is cleared, a whole one dropped.
    CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HUGE - 10, 20), 0);
    CHECK(p[HUGE - 11] == 5 && p[HUGE - 10] == 0 && p[HUGE + 9] == 0 && p[HUGE + 10] == 5);
    long free = pool_free();
    CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HUGE, HUGE), 0);
    CHECK_EQ(pool_free(), free + 1);
    CHECK_EQ(p[HUGE + 10], 0);
    CHECK_EQ(p[5], 5);
    CHECK_EQ(munmap(p, 2 * HUGE), 0);
    close(fd);
    pool_of(3);
}

TEST(seals_hold)
{
    pool_of(2);
    int fd = make_file(MFD_ALLOW_SEALING);
    CHECK_EQ(ftruncate(fd, HUGE), 0);
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    CHECK_ERRNO(ftruncate(fd, 0), EPERM);
    CHECK_ERRNO(ftruncate(fd, 2 * HUGE), EPERM);
    CHECK_ERRNO(fallocate(fd, 0, 0, 2 * HUGE), EPERM);
    char *p = mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK_EQ(munmap(p, HUGE), 0);
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    CHECK(mmap(NULL, HUGE, RW, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
    CHECK_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HUGE), EPERM);
    CHECK_EQ(fcntl(make_file(0), F_GET_SEALS), F_SEAL_SEAL);
    close(fd);
    pool_of(2);
    write_setting("nr_hugepages", 0);
}
