// SPDX-License-Identifier: BSD-2-Clause
// Who may reach what: memory of a process through /proc, paths below a directory, descriptors that
// threads close under each other, locks that change their type.
#include "ktap.h"
#include "scratch.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/syscall.h>

static long secret = 0x5ec2e7;

// Run again by exec with "--look FD": the descriptor shows the program before, not this one.
__attribute__((constructor)) static void look_after_exec(int argc, char **argv)
{
    long found = 0;
    if (argc != 3 || strcmp(argv[1], "--look"))
        return;
    ssize_t n = pread(atoi(argv[2]), &found, sizeof(found), (off_t)&secret);
    _exit(n <= 0 && found != secret ? 0 : 1);
}

TEST(memory_file_does_not_follow_exec)
{
    int fd = open("/proc/self/mem", O_RDWR);
    long found = 0;
    CHECK(fd >= 0);
    CHECK_EQ(pread(fd, &found, sizeof(found), (off_t)&secret), (ssize_t)sizeof(found));
    CHECK_EQ(found, secret);
    pid_t pid = fork();
    if (pid == 0) {
        char number[16];
        fd = open("/proc/self/mem", O_RDWR);
        snprintf(number, sizeof(number), "%d", fd);
        execl("/proc/self/exe", "access", "--look", number, NULL);
        _exit(2);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

TEST(strangers_see_no_map)
{
    pid_t pid = fork();
    if (pid == 0) {
        char text[64];
        bool ok = setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0;
        ok = ok && open("/proc/1/maps", O_RDONLY) < 0 && errno == EACCES;
        ok = ok && open("/proc/1/smaps", O_RDONLY) < 0 && errno == EACCES;
        ok = ok && readlink("/proc/1/exe", text, sizeof(text)) < 0 && errno == EACCES;
        ok = ok && readlink("/proc/1/cwd", text, sizeof(text)) < 0 && errno == EACCES;
        ok = ok && open("/proc/1/cmdline", O_RDONLY) >= 0;
        _exit(ok ? 0 : 1);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

static int open_below(int dir, const char *name, unsigned long long resolve)
{
    struct open_how how = {.flags = O_RDONLY, .resolve = resolve};
    return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

TEST(openat2_stays_below_its_directory)
{
    enter("below");
    CHECK_EQ(mkdir("jail", 0755), 0);
    CHECK_EQ(symlink("/inside", "jail/link"), 0);
    put("jail/inside", "in");
    int jail = open("jail", O_PATH | O_DIRECTORY);
    char text[4] = "";
    int fd = open_below(jail, "/inside", RESOLVE_IN_ROOT);
    CHECK(fd >= 0);
    CHECK_EQ(read(fd, text, 4), 2);
    CHECK(open_below(jail, "link", RESOLVE_IN_ROOT) >= 0);
    CHECK(open_below(jail, "../../inside", RESOLVE_IN_ROOT) >= 0);
    CHECK_ERRNO(open_below(jail, "/proc", RESOLVE_IN_ROOT), ENOENT);
    CHECK_ERRNO(open_below(jail, "link", RESOLVE_BENEATH), EXDEV);
    CHECK_ERRNO(open_below(jail, "../jail", RESOLVE_BENEATH), EXDEV);
    CHECK_ERRNO(open_below(999, "/inside", RESOLVE_IN_ROOT), EBADF);
    CHECK(open_below(open("/proc/self", O_PATH), "exe", 0) >= 0);
    CHECK_ERRNO(open_below(open("/proc/self", O_PATH), "exe", RESOLVE_NO_XDEV), EXDEV);
    CHECK_EQ(chdir("jail"), 0);
    CHECK(open_below(AT_FDCWD, "/inside", RESOLVE_IN_ROOT) >= 0);
    CHECK_ERRNO(open_below(AT_FDCWD, "..", RESOLVE_BENEATH), EXDEV);
}

static volatile pid_t reader_tid;

static void *reader(void *argument)
{
    char byte;
    reader_tid = gettid();
    long n = read(*(int *)argument, &byte, 1);
    return (void *)(n == 1 ? (long)byte : -1L);
}

static bool sleeps(pid_t tid)
{
    char path[64], text[128] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *state = n > 0 ? strrchr(text, ')') : NULL;
    return state && state[2] == 'S';
}

// A thread closes what another one waits on: the wait goes on with the file as it was.
TEST_SECONDS(close_under_a_reading_thread, 60)
{
    for (int i = 0; i < 100; i++) {
        int fds[2];
        pthread_t thread;
        void *got;
        reader_tid = 0;
        CHECK_EQ(pipe(fds), 0);
        CHECK_EQ(pthread_create(&thread, NULL, reader, &fds[0]), 0);
        while (reader_tid == 0 || !sleeps(reader_tid))
            sched_yield();
        CHECK_EQ(close(fds[0]), 0);
        CHECK_EQ(write(fds[1], "x", 1), 1);
        CHECK_EQ(pthread_join(thread, &got), 0);
        CHECK_EQ((long)got, (long)'x');
        close(fds[1]);
    }
}

TEST(flock_upgrade_gives_up_the_old_lock_first)
{
    enter("flock");
    int a = open("lock", O_CREAT | O_RDWR, 0644), b = open("lock", O_RDWR);
    CHECK_EQ(flock(a, LOCK_SH), 0);
    CHECK_EQ(flock(b, LOCK_SH), 0);
    CHECK_ERRNO(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK_EQ(flock(a, LOCK_EX | LOCK_NB), 0); // b has lost its share
    CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
}
