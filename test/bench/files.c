// SPDX-License-Identifier: BSD-2-Clause
// Files on tmpfs: names, directories, the page cache.
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define DEEP "/tmp/a/b/c/d/e/f/g/h/i/j/k/l"

static int fd, other;
static char buffer[1 << 20];

// bench_arg bytes are written to each file.
static void loop_create(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        int file = MUST(open("/tmp/new", O_WRONLY | O_CREAT | O_EXCL, 0600));
        if (bench_arg)
            MUST(write(file, buffer, (size_t)bench_arg));
        close(file);
        MUST(unlink("/tmp/new"));
    }
    bench_stop();
}

static void make_deep(void)
{
    char path[] = DEEP;
    for (char *at = path + 5; *at; at++) {
        if (*at == '/') {
            *at = '\0';
            mkdir(path, 0755);
            *at = '/';
        }
    }
    close(MUST(open(DEEP, O_WRONLY | O_CREAT, 0600)));
}

static void loop_stat(long n)
{
    struct stat info;
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(stat(DEEP, &info));
    bench_stop();
}

static void loop_open_deep(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        close(MUST(open(DEEP, O_RDONLY)));
    bench_stop();
}

static void loop_stat_absent(long n)
{
    struct stat info;
    bench_start();
    for (long i = 0; i < n; i++) {
        if (stat("/tmp/absent", &info) != -1 || errno != ENOENT)
            bench_fail("stat");
    }
    bench_stop();
}

static void loop_access(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(access(DEEP, R_OK));
    bench_stop();
}

static void make_thousand(void)
{
    char path[64];
    MUST(mkdir("/tmp/thousand", 0755));
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "/tmp/thousand/file-%d", i);
        close(MUST(open(path, O_WRONLY | O_CREAT, 0600)));
    }
    fd = MUST(open("/tmp/thousand", O_RDONLY | O_DIRECTORY));
}

static void loop_readdir(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(lseek(fd, 0, SEEK_SET));
        while (MUST(syscall(SYS_getdents64, fd, buffer, 32768)) > 0)
            ;
    }
    bench_stop();
}

static void make_file(void)
{
    fd = MUST(open("/tmp/file", O_RDWR | O_CREAT, 0600));
    MUST(write(fd, buffer, sizeof(buffer)));
    other = MUST(open("/tmp/other", O_RDWR | O_CREAT, 0600));
    MUST(write(other, buffer, sizeof(buffer)));
}

static void loop_pread(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(pread(fd, buffer, (size_t)bench_arg, 0));
    bench_stop();
}

static void loop_pwrite(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(pwrite(fd, buffer, (size_t)bench_arg, 0));
    bench_stop();
}

static void loop_truncate(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(pwrite(fd, buffer, 4096, 0));
        MUST(ftruncate(fd, 0));
    }
    bench_stop();
}

static void loop_mmap_read(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        char *map = MUST(mmap(NULL, sizeof(buffer), PROT_READ, MAP_SHARED, fd, 0));
        for (size_t at = 0; at < sizeof(buffer); at += 4096)
            (void)*(volatile char *)(map + at);
        MUST(munmap(map, sizeof(buffer)));
    }
    bench_stop();
}

static void loop_rename(long n)
{
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(i & 1 ? rename("/tmp/renamed", "/tmp/file") : rename("/tmp/file", "/tmp/renamed"));
    bench_stop();
    if (n & 1)
        MUST(rename("/tmp/renamed", "/tmp/file"));
}

static void loop_mkdir(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(mkdir("/tmp/directory", 0755));
        MUST(rmdir("/tmp/directory"));
    }
    bench_stop();
}

static void loop_link(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(link("/tmp/file", "/tmp/link"));
        MUST(unlink("/tmp/link"));
    }
    bench_stop();
}

static void make_symlink(void)
{
    make_file();
    unlink("/tmp/symlink");
    MUST(symlink("/tmp/file", "/tmp/symlink"));
}

static void loop_readlink(long n)
{
    char text[64];
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(readlink("/tmp/symlink", text, sizeof(text)));
    bench_stop();
}

static void loop_stat_symlink(long n)
{
    struct stat info;
    bench_start();
    for (long i = 0; i < n; i++)
        MUST(stat("/tmp/symlink", &info));
    bench_stop();
}

static void loop_sendfile(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        off_t from = 0;
        MUST(lseek(other, 0, SEEK_SET));
        MUST(sendfile(other, fd, &from, 65536));
    }
    bench_stop();
}

static void loop_proc(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        int file = MUST(open("/proc/self/stat", O_RDONLY));
        MUST(read(file, buffer, 4096));
        close(file);
    }
    bench_stop();
}

static void loop_maps(long n)
{
    bench_start();
    for (long i = 0; i < n; i++) {
        int file = MUST(open("/proc/self/maps", O_RDONLY));
        while (MUST(read(file, buffer, 4096)) > 0)
            ;
        close(file);
    }
    bench_stop();
}

static void loop_flock(long n)
{
    struct flock lock = {.l_type = F_WRLCK, .l_len = 1},
                 open_lock = {.l_type = F_UNLCK, .l_len = 1};
    bench_start();
    for (long i = 0; i < n; i++) {
        MUST(fcntl(fd, F_SETLK, &lock));
        MUST(fcntl(fd, F_SETLK, &open_lock));
    }
    bench_stop();
}

const struct bench bench_files[] = {
    {"files/create-unlink", NULL, loop_create, 0, .several = true},
    {"files/create-write-unlink-4K", NULL, loop_create, 4096},
    {"files/create-write-unlink-64K", NULL, loop_create, 65536},
    {"files/stat-deep", make_deep, loop_stat},
    {"files/open-close-deep", make_deep, loop_open_deep},
    {"files/access-deep", make_deep, loop_access},
    {"files/stat-absent", NULL, loop_stat_absent},
    {"files/stat-symlink", make_symlink, loop_stat_symlink},
    {"files/readlink", make_symlink, loop_readlink},
    {"files/readdir-1000", make_thousand, loop_readdir},
    {"files/pread-4K", make_file, loop_pread, 4096},
    {"files/pread-1M", make_file, loop_pread, 1 << 20},
    {"files/pwrite-4K", make_file, loop_pwrite, 4096},
    {"files/pwrite-1M", make_file, loop_pwrite, 1 << 20},
    {"files/write-truncate-4K", make_file, loop_truncate},
    {"files/mmap-read-1M", make_file, loop_mmap_read},
    {"files/sendfile-64K", make_file, loop_sendfile},
    {"files/rename", make_file, loop_rename},
    {"files/mkdir-rmdir", NULL, loop_mkdir},
    {"files/link-unlink", make_file, loop_link},
    {"files/fcntl-lock-unlock", make_file, loop_flock},
    {"files/proc-self-stat", NULL, loop_proc},
    {"files/proc-self-maps", NULL, loop_maps},
    {0},
};
