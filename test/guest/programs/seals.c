// SPDX-License-Identifier: BSD-2-Clause
// File seals: memfd_create with sealing, F_ADD_SEALS, F_GET_SEALS, and what each seal forbids.
#include "scratch.h"
#include <sys/mman.h>

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#define NOEXEC_SEAL 8
#define EXEC        0x10

static char bytes[20000];

static int sealable(size_t size)
{
    int fd = memfd_create("seals", MFD_ALLOW_SEALING);
    CHECK(fd >= 0);
    CHECK_EQ(pwrite(fd, bytes, size, 0), size);
    return fd;
}

static void seal(int fd, int seals)
{
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, seals), 0);
}

TEST(asking_and_refusing)
{
    int plain = memfd_create("plain", 0), fd = sealable(0), fds[2];
    CHECK_EQ(fcntl(plain, F_GET_SEALS), F_SEAL_SEAL);
    CHECK_ERRNO(fcntl(plain, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, 0x100), EINVAL);
    seal(fd, F_SEAL_GROW);
    seal(fd, F_SEAL_SHRINK);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_GROW | F_SEAL_SHRINK);
    seal(fd, F_SEAL_SEAL);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", sealable(1));
    CHECK_ERRNO(fcntl(open(path, O_RDONLY), F_ADD_SEALS, F_SEAL_GROW), EPERM);
    CHECK_EQ(pipe(fds), 0);
    CHECK_ERRNO(fcntl(fds[0], F_GET_SEALS), EINVAL);
    CHECK_ERRNO(fcntl(fds[1], F_ADD_SEALS, 0), EINVAL);
    CHECK_ERRNO(memfd_create("x", 0x8000), EINVAL);
    CHECK_ERRNO(memfd_create("x", NOEXEC_SEAL | EXEC), EINVAL);
    enter("seals");
    put("file", "named");
    CHECK_EQ(fcntl(open("file", O_RDWR), F_GET_SEALS), F_SEAL_SEAL);
}

TEST(size)
{
    int fd = sealable(5000);
    seal(fd, F_SEAL_SHRINK);
    CHECK_ERRNO(ftruncate(fd, 4999), EPERM);
    CHECK_EQ(ftruncate(fd, 5000), 0);
    CHECK_EQ(ftruncate(fd, 6000), 0);
    seal(fd, F_SEAL_GROW);
    CHECK_ERRNO(ftruncate(fd, 6001), EPERM);
    CHECK_ERRNO(fallocate(fd, 0, 0, 6001), EPERM);
    CHECK_ERRNO(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 10000), EPERM);
    CHECK_EQ(fallocate(fd, 0, 0, 6000), 0);
    CHECK_EQ(pwrite(fd, bytes, 6000, 0), 6000);
    CHECK_ERRNO(pwrite(fd, bytes, 7000, 0), EPERM);
    CHECK_ERRNO(pwrite(fd, bytes, 2000, 4096), EPERM);
    CHECK_ERRNO(pwrite(fd, bytes, 1, 6000), EPERM);
    CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
}

TEST(content)
{
    int fd = sealable(8192);
    char *read_write = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(read_write != MAP_FAILED);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK_EQ(munmap(read_write + 4096, 4096), 0);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK_EQ(munmap(read_write, 4096), 0);
    char *mine = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(mine != MAP_FAILED);
    seal(fd, F_SEAL_WRITE);
    mine[0] = 'x';
    CHECK_ERRNO(pwrite(fd, bytes, 1, 0), EPERM);
    CHECK_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), EPERM);
    CHECK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    CHECK_EQ(errno, EPERM);
    char *read_only = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(read_only != MAP_FAILED);
    CHECK_EQ(read_only[0], 0);
    CHECK_ERRNO(mprotect(read_only, 8192, PROT_READ | PROT_WRITE), EACCES);
    CHECK_EQ(ftruncate(fd, 4096), 0);
}

TEST(writes_of_the_future)
{
    int fd = sealable(4096);
    char *old = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    seal(fd, F_SEAL_FUTURE_WRITE);
    old[0] = 'o';
    CHECK_ERRNO(pwrite(fd, bytes, 1, 0), EPERM);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    CHECK_EQ(errno, EPERM);
    char *new = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(new != MAP_FAILED);
    CHECK_EQ(new[0], 'o');
    CHECK_ERRNO(mprotect(new, 4096, PROT_READ | PROT_WRITE), EACCES);
}

TEST(programs)
{
    int fd = memfd_create("noexec", NOEXEC_SEAL);
    struct stat st;
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_mode & 0777, 0666);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_EXEC);
    CHECK_ERRNO(fchmod(fd, 0777), EPERM);
    CHECK_EQ(fchmod(fd, 0600), 0);
    fd = sealable(10);
    seal(fd, F_SEAL_EXEC);
    CHECK_EQ(fcntl(fd, F_GET_SEALS),
             F_SEAL_EXEC | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
}

static int raced;

// Whoever is first, mapping or seal, the other one is refused.
TEST_SECONDS(mapping_against_sealing, 60)
{
    for (int i = 0; i < 300; i++) {
        raced = sealable(4096);
        pid_t child = fork();
        if (child == 0) {
            char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, raced, 0);
            if (p == MAP_FAILED)
                _exit(2);
            bool sealed = fcntl(raced, F_GET_SEALS) & F_SEAL_WRITE;
            _exit(sealed ? 1 : 0);
        }
        int result = fcntl(raced, F_ADD_SEALS, F_SEAL_WRITE), status;
        CHECK(result == 0 || errno == EBUSY);
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WEXITSTATUS(status) == 0 || (WEXITSTATUS(status) == 2 && result == 0));
        close(raced);
    }
}
