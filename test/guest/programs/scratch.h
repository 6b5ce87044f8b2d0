// SPDX-License-Identifier: BSD-2-Clause
// A directory of its own for each case that works on files.
#pragma once
#include "ktap.h"
#include <sys/stat.h>

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
