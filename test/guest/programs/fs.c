// SPDX-License-Identifier: BSD-2-Clause
// Files: opening, names, links, metadata, directories, offsets, truncation, duplication,
// permission.
#include "ktap.h"
#include <dirent.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>

// An own empty directory for each case; the next use of the same name starts empty again.
static void enter(const char *name)
{
    char command[100];
    snprintf(command, sizeof(command), "/bin/busybox rm -rf /tmp/%s", name);
    CHECK_EQ(system(command), 0);
    CHECK_EQ(chdir("/tmp"), 0);
    CHECK_EQ(mkdir(name, 0755), 0);
    CHECK_EQ(chdir(name), 0);
}

static void put(const char *name, const char *content)
{
    int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, content, strlen(content)), strlen(content));
    CHECK_EQ(close(fd), 0);
}

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

TEST(links)
{
    struct stat info;
    char text[10];
    enter("links");
    put("a", "a");
    CHECK_EQ(link("a", "b"), 0);
    CHECK_EQ(stat("b", &info), 0);
    CHECK_EQ(info.st_nlink, 2);
    CHECK_ERRNO(link("a", "b"), EEXIST);
    CHECK_EQ(mkdir("d", 0755), 0);
    CHECK_ERRNO(link("d", "e"), EPERM);
    CHECK_ERRNO(link("nothere", "e"), ENOENT);
    CHECK_EQ(unlink("a"), 0);
    CHECK_EQ(stat("b", &info), 0);
    CHECK_EQ(info.st_nlink, 1);
    CHECK_ERRNO(unlink("d"), EISDIR);
    CHECK_ERRNO(unlink("a"), ENOENT);
    CHECK_EQ(symlink("target", "s"), 0);
    CHECK_ERRNO(symlink("x", "s"), EEXIST);
    CHECK_ERRNO(symlink("", "t"), ENOENT);
    memset(text, '.', sizeof(text));
    CHECK_EQ(readlink("s", text, sizeof(text)), 6);
    CHECK_EQ(memcmp(text, "target..", 8), 0);
    CHECK_EQ(readlink("s", text, 3), 3);
    CHECK_ERRNO(readlink("b", text, 3), EINVAL);
    CHECK_ERRNO(readlink("s", text, 0), EINVAL);
    CHECK_EQ(lstat("s", &info), 0);
    CHECK_EQ(info.st_size, 6);
    CHECK_ERRNO(stat("s", &info), ENOENT);
    CHECK_EQ(symlink("l2", "l1"), 0);
    CHECK_EQ(symlink("l1", "l2"), 0);
    CHECK_ERRNO(stat("l1", &info), ELOOP);
    CHECK_EQ(symlink("/tmp/links/d", "to_d"), 0);
    CHECK_EQ(mkdir("to_d/sub", 0755), 0);
    CHECK_EQ(stat("d/sub", &info), 0);
    CHECK_ERRNO(rmdir("to_d"), ENOTDIR);
}

TEST(unlinked_files_live_while_open)
{
    struct stat info;
    char text[5] = "";
    enter("unlinked");
    put("f", "text");
    int fd = open("f", O_RDWR);
    CHECK_EQ(unlink("f"), 0);
    CHECK_EQ(fstat(fd, &info), 0);
    CHECK_EQ(info.st_nlink, 0);
    CHECK_EQ(read(fd, text, 4), 4);
    CHECK_EQ(memcmp(text, "text", 4), 0);
    CHECK_EQ(mkdir("gone", 0755), 0);
    CHECK_EQ(chdir("gone"), 0);
    CHECK_EQ(rmdir("../gone"), 0);
    CHECK_ERRNO(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
    char path[100];
    CHECK_ERRNO(syscall(SYS_getcwd, path, sizeof(path)), ENOENT);
}

TEST(renames)
{
    struct stat info;
    enter("renames");
    put("a", "a");
    put("b", "bb");
    CHECK_EQ(mkdir("d", 0755), 0);
    CHECK_EQ(mkdir("d/e", 0755), 0);
    CHECK_EQ(mkdir("empty", 0755), 0);
    CHECK_EQ(rename("a", "b"), 0);
    CHECK_EQ(stat("b", &info), 0);
    CHECK_EQ(info.st_size, 1);
    CHECK_ERRNO(rename("a", "c"), ENOENT);
    CHECK_ERRNO(rename("b", "d"), EISDIR);
    CHECK_ERRNO(rename("d", "b"), ENOTDIR);
    CHECK_ERRNO(rename("empty", "d"), ENOTEMPTY);
    CHECK_ERRNO(rename("d", "d/e/f"), EINVAL);
    CHECK_EQ(rename("d", "empty"), 0);
    CHECK_EQ(stat("empty/e", &info), 0);
    CHECK_EQ(rename("empty/e", "top"), 0);
    CHECK_EQ(stat("top/..", &info), 0);
    CHECK_EQ(link("b", "same"), 0);
    CHECK_EQ(rename("b", "same"), 0);
    CHECK_EQ(stat("b", &info), 0);
    CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "same", 1), EEXIST);
    put("x", "xxx");
    CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "x", 2), 0);
    CHECK_EQ(stat("b", &info), 0);
    CHECK_EQ(info.st_size, 3);
    CHECK_ERRNO(rename(".", "z"), EBUSY);
}

TEST(directories)
{
    enter("directories");
    CHECK_ERRNO(mkdir(".", 0755), EEXIST);
    CHECK_ERRNO(mkdir("a/b", 0755), ENOENT);
    CHECK_EQ(mkdir("a/", 0755), 0);
    CHECK_ERRNO(rmdir("a/."), EINVAL);
    put("a/f", "");
    CHECK_ERRNO(rmdir("a"), ENOTEMPTY);
    CHECK_ERRNO(rmdir("a/f"), ENOTDIR);
    CHECK_EQ(unlink("a/f"), 0);
    struct stat info;
    CHECK_EQ(mkdir("a/s", 0755), 0);
    CHECK_EQ(stat("a", &info), 0);
    CHECK_EQ(info.st_nlink, 3);
    CHECK_EQ(rmdir("a/s"), 0);
    CHECK_EQ(rmdir("a"), 0);
    CHECK_ERRNO(chdir("a"), ENOENT);
    char path[100];
    CHECK(getcwd(path, sizeof(path)));
    CHECK_EQ(strcmp(path, "/tmp/directories"), 0);
    CHECK_ERRNO(syscall(SYS_getcwd, path, 5), ERANGE);
    CHECK_EQ(mkdir("deep", 0755), 0);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(chdir("deep"), 0);
        CHECK_EQ(mkdir("deep", 0755), 0);
    }
    char long_path[2000];
    CHECK(getcwd(long_path, sizeof(long_path)));
    CHECK_EQ(strlen(long_path), 16 + 100 * 5);
}

TEST(getdents_lists_each_entry_once)
{
    enum { ENTRIES = 500 };
    static char seen[ENTRIES];
    enter("getdents");
    for (int i = 0; i < ENTRIES; i++) {
        char name[20];
        snprintf(name, sizeof(name), "entry%d", i);
        put(name, "");
    }
    int fd = open(".", O_RDONLY | O_DIRECTORY), dots = 0, total = 0;
    char buffer[1000];
    long size;
    while ((size = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0) {
        for (long at = 0; at < size;) {
            struct dirent64 *entry = (void *)(buffer + at);
            CHECK(entry->d_reclen % 8 == 0 && entry->d_reclen >= 24);
            if (entry->d_name[0] == '.') {
                CHECK_EQ(entry->d_type, DT_DIR);
                dots++;
            } else {
                int number = atoi(entry->d_name + 5);
                CHECK_EQ(entry->d_type, DT_REG);
                CHECK_EQ(seen[number], 0);
                seen[number] = 1;
                total++;
            }
            at += entry->d_reclen;
        }
    }
    CHECK_EQ(size, 0);
    CHECK_EQ(dots, 2);
    CHECK_EQ(total, ENTRIES);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_ERRNO(syscall(SYS_getdents64, fd, buffer, 10), EINVAL);
    CHECK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)) > 0);
    // Removing while reading loses nothing that stays.
    DIR *directory = opendir(".");
    struct dirent *entry;
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            CHECK_EQ(unlink(entry->d_name), 0);
    closedir(directory);
    CHECK_EQ(chdir(".."), 0);
    CHECK_EQ(rmdir("getdents"), 0);
}

TEST(statx_and_times)
{
    struct statx info;
    enter("times");
    put("f", "12345");
    CHECK_EQ(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &info), 0);
    CHECK_EQ(info.stx_size, 5);
    CHECK_EQ(info.stx_mode, S_IFREG | 0644);
    CHECK_EQ(info.stx_nlink, 1);
    CHECK(info.stx_mask & STATX_SIZE);
    struct timespec set[2] = {{1000000000, 123456789}, {1500000000, 987654321}};
    CHECK_EQ(utimensat(AT_FDCWD, "f", set, 0), 0);
    CHECK_EQ(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &info), 0);
    CHECK_EQ(info.stx_atime.tv_sec, 1000000000);
    CHECK_EQ(info.stx_mtime.tv_nsec, 987654321);
    set[0].tv_nsec = UTIME_OMIT;
    set[1].tv_nsec = UTIME_NOW;
    CHECK_EQ(utimensat(AT_FDCWD, "f", set, 0), 0);
    CHECK_EQ(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &info), 0);
    CHECK_EQ(info.stx_atime.tv_sec, 1000000000);
    CHECK(info.stx_mtime.tv_sec > 1700000000 || info.stx_mtime.tv_sec == time(NULL));
    set[1].tv_nsec = 1000000000;
    CHECK_ERRNO(utimensat(AT_FDCWD, "f", set, 0), EINVAL);
    int fd = open("f", O_RDONLY);
    CHECK_EQ(futimens(fd, NULL), 0);
    CHECK_EQ(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &info), 0);
    CHECK_ERRNO(statx(fd, "", 0, STATX_SIZE, &info), ENOENT);
    CHECK_ERRNO(statx(AT_FDCWD, "f", 0x10000000, STATX_SIZE, &info), EINVAL);
    struct stat a, b;
    CHECK_EQ(stat("f", &a), 0);
    CHECK_EQ(fstat(fd, &b), 0);
    CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_ino != 0);
    CHECK_EQ(stat(".", &b), 0);
    CHECK(a.st_ino != b.st_ino);
    CHECK_EQ(a.st_blksize, 4096);
}

TEST(mode_and_owner)
{
    struct stat info;
    enter("mode");
    put("f", "");
    CHECK_EQ(chmod("f", 06711), 0);
    CHECK_EQ(chown("f", 5, 6), 0);
    CHECK_EQ(stat("f", &info), 0);
    CHECK_EQ(info.st_uid * 10 + info.st_gid, 56);
    CHECK_EQ(info.st_mode & 07777, 0711);
    CHECK_EQ(chown("f", -1, 7), 0);
    CHECK_EQ(stat("f", &info), 0);
    CHECK_EQ(info.st_uid * 10 + info.st_gid, 57);
    CHECK_EQ(symlink("nothere", "l"), 0);
    CHECK_EQ(lchown("l", 9, 9), 0);
    CHECK_ERRNO(chown("l", 1, 1), ENOENT);
    CHECK_ERRNO(chmod("l", 0600), ENOENT);
    CHECK_EQ(access("f", R_OK | W_OK | X_OK), 0);
    CHECK_EQ(chmod("f", 0600), 0);
    CHECK_ERRNO(access("f", X_OK), EACCES);
    CHECK_ERRNO(access("g", F_OK), ENOENT);
    CHECK_ERRNO(access("f", 8), EINVAL);
}

TEST(permissions_of_another_user)
{
    enter("permissions");
    put("private", "");
    put("public", "");
    chmod("private", 0600);
    CHECK_EQ(mkdir("closed", 0700), 0);
    CHECK_EQ(mkdir("sticky", 0777), 0);
    CHECK_EQ(chmod("sticky", 01777), 0);
    put("sticky/root", "");
    put("grouped", "");
    CHECK_EQ(chown("grouped", 0, 1000), 0);
    chmod("grouped", 0060);
    CHECK_EQ(setgid(1000), 0);
    CHECK_EQ(setuid(1000), 0);
    CHECK_ERRNO(open("private", O_RDONLY), EACCES);
    CHECK(open("public", O_RDONLY) >= 0);
    CHECK_ERRNO(open("public", O_WRONLY), EACCES);
    CHECK(open("grouped", O_RDWR) >= 0);
    CHECK_ERRNO(open("closed/x", O_RDONLY), EACCES);
    CHECK_ERRNO(open("new", O_CREAT | O_WRONLY, 0600), EACCES);
    CHECK_ERRNO(unlink("public"), EACCES);
    CHECK_ERRNO(unlink("sticky/root"), EPERM);
    put("sticky/mine", "");
    CHECK_EQ(unlink("sticky/mine"), 0);
    CHECK_ERRNO(chmod("public", 0777), EPERM);
    CHECK_ERRNO(chown("public", 1000, 1000), EPERM);
    CHECK_ERRNO(mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
    CHECK_ERRNO(mknod("/tmp/device", S_IFCHR | 0600, 0x103), EPERM);
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

TEST(mounts)
{
    struct statfs info;
    enter("mounts");
    put("below", "");
    CHECK_EQ(mkdir("m", 0755), 0);
    CHECK_EQ(mount("none", "m", "tmpfs", 0, "size=64k"), 0);
    CHECK_EQ(statfs("m", &info), 0);
    CHECK_EQ(info.f_type, 0x01021994);
    CHECK_EQ(info.f_blocks * info.f_bsize, 65536);
    int fd = open("m/f", O_CREAT | O_WRONLY, 0600);
    static char block[65536];
    CHECK_EQ(write(fd, block, 40000), 40000);
    CHECK(write(fd, block, 65536) < 65536);
    CHECK_ERRNO(write(fd, block, 1 << 16), ENOSPC);
    CHECK_ERRNO(rename("m/f", "f"), EXDEV);
    CHECK_ERRNO(link("m/f", "f"), EXDEV);
    CHECK_ERRNO(rmdir("m"), EBUSY);
    CHECK_ERRNO(umount("m"), EBUSY);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(umount("m"), 0);
    CHECK_ERRNO(umount("m"), EINVAL);
    CHECK_ERRNO(mount("none", "m", "nosuch", 0, NULL), ENODEV);
    CHECK_ERRNO(mount("none", "below", "tmpfs", 0, NULL), ENOTDIR);
    CHECK_ERRNO(mount("none", "nothere", "tmpfs", 0, NULL), ENOENT);
    CHECK_EQ(mount("none", "m", "tmpfs", MS_RDONLY, NULL), 0);
    CHECK_ERRNO(mkdir("m/d", 0755), EROFS);
    CHECK_EQ(umount("m"), 0);
}

TEST(chroot_confines)
{
    enter("root");
    struct stat outer, inner;
    put("marker", "");
    CHECK_EQ(stat(".", &outer), 0);
    CHECK_EQ(chroot("."), 0);
    CHECK_EQ(chdir("/"), 0);
    CHECK_EQ(stat("/../../..", &inner), 0);
    CHECK_EQ(inner.st_ino, outer.st_ino);
    CHECK_EQ(access("/marker", F_OK), 0);
    CHECK_ERRNO(open("/bin/busybox", O_RDONLY), ENOENT);
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

static void *churn(long worker)
{
    for (int i = 0; i < 300; i++) {
        char name[20], other[20];
        snprintf(name, sizeof(name), "n%d", (int)(i * 7 + worker) % 10);
        snprintf(other, sizeof(other), "n%d", (int)(i * 3 + worker) % 10);
        int fd = open(name, O_CREAT | O_RDWR, 0600);
        if (fd >= 0) {
            write(fd, name, 3);
            close(fd);
        }
        rename(name, other);
        if (i % 5 == 0)
            unlink(other);
    }
    return NULL;
}

TEST_SECONDS(four_processes_rename_in_one_directory, 60)
{
    enter("churn");
    for (long worker = 0; worker < 4; worker++)
        if (fork() == 0) {
            churn(worker);
            _exit(0);
        }
    int status;
    for (int i = 0; i < 4; i++) {
        CHECK(wait(&status) > 0);
        CHECK_EQ(status, 0);
    }
    CHECK_EQ(chdir("/"), 0);
    CHECK_EQ(system("/bin/busybox rm -r /tmp/churn"), 0);
}
