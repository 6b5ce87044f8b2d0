// SPDX-License-Identifier: BSD-2-Clause
// Files and directories for the rescue init.

#include "../newlib/linux.h"
#include "init.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

int file_read(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY);
    size_t length = 0;
    ssize_t n = 0;

    if (fd < 0)
        return -1;
    while (length < size - 1 && (n = read(fd, buf + length, size - 1 - length)) > 0)
        length += (size_t)n;
    close(fd);
    buf[length] = '\0';
    return n < 0 ? -1 : (int)length;
}

int dir_for_each(const char *path, void (*fn)(const char *name, void *ctx), void *ctx)
{
    _Alignas(8) char buf[1024];
    long n;
    int fd = open(path, O_RDONLY | O_DIRECTORY);

    if (fd < 0)
        return -1;
    while ((n = linux_call(LINUX_getdents64, fd, buf, sizeof(buf))) > 0) {
        for (long at = 0; at < n;) {
            const struct linux_dirent *d = (const struct linux_dirent *)(buf + at);
            if (strcmp(d->name, ".") != 0 && strcmp(d->name, "..") != 0)
                fn(d->name, ctx);
            at += d->length;
        }
    }
    close(fd);
    return (int)n;
}
