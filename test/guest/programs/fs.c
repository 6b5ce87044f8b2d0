// SPDX-License-Identifier: BSD-2-Clause
// Open files: flags, offsets, holes, truncation, duplication, limits, special files, sendfile,
// locks.
#include "scratch.h"
#include <limits.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

TEST(open_flags)
{
    enter("open");
    CHECK_ERRNO(open("a", O_RDONLY), ENOENT);
    int fd = open("a", O_CREAT | O_EXCL | O_RDWR, 0640);
    CHECK(fd >= 0);
    CHECK_ERRNO(open("a", O_CREAT | O_EXCL | O_RDWR, 0640), EEXIST);
    CHECK_EQ(write(fd, "hello", 5), 5);
    CHECK_ERRNO(open("a/b", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("a/", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("a", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
    CHECK_ERRNO(open("new/", O_CREAT | O_WRONLY, 0600), EISDIR);
    CHECK_ERRNO(open("", O_RDONLY), ENOENT);
    int append = open("a", O_WRONLY | O_APPEND);
    CHECK_EQ(write(append, "!", 1), 1);
    CHECK_EQ(lseek(append, 0, SEEK_CUR), 6);
    CHECK_ERRNO(read(append, &fd, 1), EBADF);
    int read_only = open("a", O_RDONLY);
    CHECK_ERRNO(write(read_only, "x", 1), EBADF);
    int truncated = open("a", O_WRONLY | O_TRUNC);
    struct stat info;
    CHECK_EQ(fstat(truncated, &info), 0);
    CHECK_EQ(info.st_size, 0);
    CHECK_EQ(symlink("a", "l"), 0);
    CHECK_ERRNO(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
    int path = open("l", O_PATH | O_NOFOLLOW);
    CHECK(path >= 0);
    CHECK_EQ(fstat(path, &info), 0);
    CHECK(S_ISLNK(info.st_mode));
    CHECK_ERRNO(read(path, &info, 1), EBADF);
    CHECK_ERRNO(openat(99, "x", O_RDONLY), EBADF);
    CHECK_ERRNO(openat(fd, "x", O_RDONLY), ENOTDIR);
    char name[300];
    memset(name, 'n', sizeof(name));
    name[256] = 0;
    CHECK_ERRNO(open(name, O_CREAT | O_WRONLY, 0600), ENAMETOOLONG);
    name[255] = 0;
    CHECK(open(name, O_CREAT | O_WRONLY, 0600) >= 0);
    char *path_name = malloc(PATH_MAX + 100);
    memset(path_name, '/', PATH_MAX + 99);
    path_name[PATH_MAX + 99] = 0;
    CHECK_ERRNO(open(path_name, O_RDONLY), ENAMETOOLONG);
}

TEST(umask_applies)
{
    struct stat info;
    enter("umask");
    CHECK_EQ(umask(027), 022);
    put("f", "");
    CHECK_EQ(mkdir("d", 0777), 0);
    CHECK_EQ(stat("f", &info), 0);
    CHECK_EQ(info.st_mode, S_IFREG | 0640);
    CHECK_EQ(stat("d", &info), 0);
    CHECK_EQ(info.st_mode, S_IFDIR | 0750);
}

TEST(offsets_holes_and_vectors)
{
    char buffer[8192];
    enter("offsets");
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    CHECK_EQ(pwrite(fd, "end", 3, 100000), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 100003);
    CHECK_EQ(pread(fd, buffer, 4096, 50000), 4096);
    for (int i = 0; i < 4096; i++)
        CHECK_EQ(buffer[i], 0);
    CHECK_EQ(pread(fd, buffer, 10, 99998), 5);
    CHECK_EQ(memcmp(buffer, "\0\0end", 5), 0);
    CHECK_EQ(pread(fd, buffer, 10, 200000), 0);
    CHECK_ERRNO(pread(fd, buffer, 10, -1), EINVAL);
    CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERRNO(lseek(fd, 0, 99), EINVAL);
    CHECK_EQ(lseek(fd, 5, SEEK_SET), 5);
    CHECK_EQ(lseek(fd, 10, SEEK_CUR), 15);
    struct stat info;
    CHECK_EQ(fstat(fd, &info), 0);
    CHECK(info.st_blocks < 100);
    CHECK_EQ(pwrite(fd, "x", 1, 4095), 1);
    struct iovec parts[2] = {{buffer, 4090}, {buffer + 4090, 20}};
    CHECK_EQ(preadv(fd, parts, 2, 0), 4110);
    CHECK_EQ(buffer[4095], 'x');
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    CHECK_ERRNO(lseek(fds[0], 0, SEEK_CUR), ESPIPE);
    CHECK_ERRNO(pread(fds[0], buffer, 1, 0), ESPIPE);
}

TEST(truncate_both_ways)
{
    char byte;
    enter("truncate");
    put("f", "0123456789");
    int fd = open("f", O_RDWR);
    CHECK_EQ(truncate("f", 4), 0);
    CHECK_EQ(ftruncate(fd, 8), 0);
    CHECK_EQ(pread(fd, &byte, 1, 3), 1);
    CHECK_EQ(byte, '3');
    CHECK_EQ(pread(fd, &byte, 1, 4), 1);
    CHECK_EQ(byte, 0);
    CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
    CHECK_ERRNO(truncate(".", 0), EISDIR);
    CHECK_ERRNO(truncate("g", 0), ENOENT);
    int read_only = open("f", O_RDONLY);
    CHECK_ERRNO(ftruncate(read_only, 0), EINVAL);
}

TEST(duplicates_share_the_offset)
{
    enter("duplicates");
    put("f", "0123456789");
    char byte;
    int fd = open("f", O_RDONLY), second = dup(fd);
    CHECK_EQ(lseek(fd, 5, SEEK_SET), 5);
    CHECK_EQ(read(second, &byte, 1), 1);
    CHECK_EQ(byte, '5');
    CHECK_EQ(dup2(fd, 50), 50);
    CHECK_EQ(dup2(fd, fd), fd);
    CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
    CHECK_ERRNO(dup2(99, 1), EBADF);
    CHECK_ERRNO(dup2(fd, 5000), EBADF);
    CHECK_EQ(dup3(fd, 51, O_CLOEXEC), 51);
    CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(50, F_GETFD), 0);
    CHECK_EQ(fcntl(fd, F_DUPFD, 60), 60);
    CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 60), 61);
    CHECK_ERRNO(fcntl(fd, F_DUPFD, 100000), EINVAL);
    CHECK_EQ(fcntl(50, F_SETFD, FD_CLOEXEC), 0);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    CHECK_EQ(close(fd), 0);
    CHECK_ERRNO(close(fd), EBADF);
    CHECK_ERRNO(fcntl(fd, F_GETFD), EBADF);
    CHECK_ERRNO(fcntl(50, 9999, 0), EINVAL);
    CHECK_EQ(lseek(60, 0, SEEK_CUR), 6);
}

TEST(descriptor_limit)
{
    struct rlimit limit = {20, 20};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int fd, last = -1;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
        last = fd;
    CHECK_EQ(errno, EMFILE);
    CHECK_EQ(last, 19);
    int fds[2];
    CHECK_ERRNO(pipe(fds), EMFILE);
    CHECK_ERRNO(dup(0), EMFILE);
}

TEST(file_size_limit)
{
    struct rlimit limit = {5000, 5000};
    enter("fsize");
    signal(SIGXFSZ, SIG_IGN);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int fd = open("f", O_CREAT | O_WRONLY, 0600);
    static char block[4096];
    CHECK_EQ(write(fd, block, 4096), 4096);
    CHECK_EQ(write(fd, block, 4096), 904);
    CHECK_ERRNO(write(fd, block, 1), EFBIG);
    CHECK_ERRNO(ftruncate(fd, 6000), EFBIG);
}

// The same for writes that the kernel makes out of other files.
TEST(file_size_limit_of_copies)
{
    struct rlimit limit = {5000, 5000};
    enter("fsize_copies");
    int in = open("/bin/busybox", O_RDONLY), out = open("f", O_CREAT | O_RDWR, 0600), fds[2];
    static char block[8192];
    signal(SIGXFSZ, SIG_IGN);
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_EQ(sendfile(out, in, NULL, 4096), 4096);
    CHECK_EQ(sendfile(out, in, NULL, 4096), 904);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 5000);
    CHECK_ERRNO(sendfile(out, in, NULL, 1), EFBIG);
    CHECK_EQ(lseek(out, 4500, SEEK_SET), 4500);
    CHECK_EQ(copy_file_range(in, NULL, out, NULL, 4096, 0), 500);
    CHECK_ERRNO(copy_file_range(in, NULL, out, NULL, 1, 0), EFBIG);
    CHECK_EQ(write(fds[1], block, sizeof(block)), sizeof(block));
    loff_t at = 4900;
    CHECK_EQ(splice(fds[0], NULL, out, &at, sizeof(block), 0), 100);
    CHECK_EQ(at, 5000);
    CHECK_ERRNO(splice(fds[0], NULL, out, &at, 1, 0), EFBIG);
    // A pipe has no size.
    CHECK_EQ(sendfile(fds[1], in, NULL, 4096), 4096);
    // Without a handler it ends the program.
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGXFSZ, SIG_DFL);
        sendfile(out, in, NULL, 1);
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

TEST(sendfile_and_copies)
{
    enter("sendfile");
    int in = open("/bin/busybox", O_RDONLY), out = open("copy", O_CREAT | O_RDWR, 0600);
    struct stat info;
    CHECK_EQ(fstat(in, &info), 0);
    off_t offset = 1000;
    CHECK_EQ(sendfile(out, in, &offset, 5000), 5000);
    CHECK_EQ(offset, 6000);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
    CHECK_EQ(ftruncate(out, 0), 0);
    CHECK_EQ(lseek(out, 0, SEEK_SET), 0);
    long total = 0, n;
    while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
        total += n;
    CHECK_EQ(total, info.st_size);
    CHECK_EQ(system("/bin/busybox cmp copy /bin/busybox"), 0);
    CHECK_ERRNO(sendfile(out, 99, NULL, 1), EBADF);
}

TEST(special_files)
{
    char buffer[100];
    int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR),
        full = open("/dev/full", O_RDWR);
    memset(buffer, 1, sizeof(buffer));
    CHECK_EQ(read(zero, buffer, 100), 100);
    CHECK_EQ(buffer[99], 0);
    CHECK_EQ(read(null, buffer, 100), 0);
    CHECK_EQ(write(null, buffer, 100), 100);
    CHECK_ERRNO(write(full, buffer, 100), ENOSPC);
    int random = open("/dev/random", O_RDONLY), urandom = open("/dev/urandom", O_RDONLY);
    long a = 0, b = 0;
    CHECK_EQ(read(random, &a, 8), 8);
    CHECK_EQ(read(urandom, &b, 8), 8);
    CHECK(a != b && a && b);
    struct stat info;
    CHECK_EQ(fstat(null, &info), 0);
    CHECK_EQ(info.st_rdev, 0x103);
    enter("special");
    CHECK_EQ(mknod("odd", S_IFCHR | 0600, 0xfafa), 0);
    CHECK_ERRNO(open("odd", O_RDONLY), ENXIO);
    CHECK_EQ(mkfifo("fifo", 0600), 0);
    CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    int reader = open("fifo", O_RDONLY | O_NONBLOCK), writer = open("fifo", O_WRONLY);
    CHECK(reader >= 0 && writer >= 0);
    CHECK_ERRNO(read(reader, buffer, 1), EAGAIN);
    CHECK_EQ(write(writer, "f", 1), 1);
    CHECK_EQ(read(reader, buffer, 1), 1);
    CHECK_EQ(close(writer), 0);
    CHECK_EQ(read(reader, buffer, 1), 0);
}

TEST(locks_conflict_between_processes)
{
    enter("locks");
    put("f", "x");
    int fd = open("f", O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
    if (fcntl(fd, F_SETLK, &lock) == -1 &&
        (errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP))
        SKIP("record locks are not there");
    pid_t pid = fork();
    if (pid == 0) {
        struct flock want = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1};
        CHECK_ERRNO(fcntl(fd, F_SETLK, &want), EAGAIN);
        CHECK_EQ(fcntl(fd, F_GETLK, &want), 0);
        CHECK_EQ(want.l_pid, getppid());
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

TEST_SECONDS(create_write_remove_2000_files, 60)
{
    enter("many");
    for (int i = 0; i < 2000; i++) {
        char name[20];
        snprintf(name, sizeof(name), "f%d", i);
        put(name, "content");
        if (i >= 50) {
            snprintf(name, sizeof(name), "f%d", i - 50);
            CHECK_EQ(unlink(name), 0);
        }
    }
}
