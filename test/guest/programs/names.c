// SPDX-License-Identifier: BSD-2-Clause
// Names and what hangs on them: links, renames, directories, metadata, permission, mounts, chroot.
#include "scratch.h"
#include <dirent.h>
#include <sys/mount.h>
#include <sys/statfs.h>

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
