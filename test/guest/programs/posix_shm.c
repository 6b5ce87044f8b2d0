// SPDX-License-Identifier: BSD-2-Clause
// POSIX shared memory and named semaphores, which the C library keeps as files in /dev/shm, a
// tmpfs.
#include "ktap.h"
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#define NAME  "/ktap-posix"
#define PAGE  4096
#define TMPFS 0x01021994

static void enter(void)
{
    struct statfs fs;
    mkdir("/dev/shm", 01777);
    if (statfs("/dev/shm", &fs) != 0 || fs.f_type != TMPFS)
        CHECK_EQ(mount("none", "/dev/shm", "tmpfs", 0, "mode=1777"), 0);
    shm_unlink(NAME);
    sem_unlink(NAME);
}

static void reap(pid_t pid)
{
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

TEST(memory_by_name)
{
    struct stat st;
    enter();
    CHECK_ERRNO(shm_open(NAME, O_RDWR, 0), ENOENT);
    int fd = shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0640);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_ERRNO(shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
    CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
    CHECK_EQ(stat("/dev/shm" NAME, &st), 0);
    CHECK_EQ(st.st_size, 2 * PAGE);
    CHECK_EQ(st.st_blocks, 0); // pages come with use
    CHECK_EQ(st.st_mode, S_IFREG | 0640);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(p[PAGE], 0);
    pid_t pid = fork();
    if (pid == 0) { // another process, by the name, read-only
        int other = shm_open(NAME, O_RDONLY, 0);
        char *q = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, other, 0);
        CHECK(q != MAP_FAILED);
        CHECK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, other, 0) == MAP_FAILED && errno == EACCES);
        p[0] = 1;
        while (*(volatile char *)(q + PAGE) != 2)
            sleep_ms(1);
        _exit(0);
    }
    while (*(volatile char *)p != 1)
        sleep_ms(1);
    p[PAGE] = 2;
    reap(pid);
    CHECK_EQ(shm_unlink(NAME), 0);
    CHECK_ERRNO(shm_unlink(NAME), ENOENT);
    CHECK_ERRNO(shm_open(NAME, O_RDWR, 0), ENOENT);
    CHECK_EQ(p[PAGE], 2); // mapped, it stays
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_nlink, 0);
}

TEST(memory_of_another_user)
{
    enter();
    int fd = shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0604);
    CHECK_EQ(ftruncate(fd, PAGE), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(setgid(1000), 0);
        CHECK_EQ(setuid(1000), 0);
        CHECK_ERRNO(shm_open(NAME, O_RDWR, 0), EACCES);
        CHECK(shm_open(NAME, O_RDONLY, 0) >= 0);
        CHECK(shm_unlink(NAME) == -1 && (errno == EACCES || errno == EPERM)); // sticky
        _exit(0);
    }
    reap(pid);
    CHECK_EQ(shm_unlink(NAME), 0);
}

TEST(semaphores_by_name)
{
    enter();
    CHECK(sem_open(NAME, 0) == SEM_FAILED && errno == ENOENT);
    sem_t *a = sem_open(NAME, O_CREAT | O_EXCL, 0600, 0), *b;
    CHECK(a != SEM_FAILED);
    CHECK(sem_open(NAME, O_CREAT | O_EXCL, 0600, 0) == SEM_FAILED && errno == EEXIST);
    pid_t pid = fork();
    if (pid == 0) {
        b = sem_open(NAME, 0);
        CHECK(b != SEM_FAILED);
        for (int i = 0; i < 100; i++)
            CHECK_EQ(sem_post(b), 0);
        _exit(0);
    }
    for (int i = 0; i < 100; i++)
        CHECK_EQ(sem_wait(a), 0);
    reap(pid);
    CHECK_EQ(sem_trywait(a), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(sem_unlink(NAME), 0);
    CHECK(sem_open(NAME, 0) == SEM_FAILED && errno == ENOENT);
    CHECK_EQ(sem_close(a), 0);
}
