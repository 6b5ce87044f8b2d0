// SPDX-License-Identifier: BSD-2-Clause
// The pool of 2 MiB pages, for programs that use it: how many there are, and that all are back.
#pragma once
#include "ktap.h"

#define HUGE (2L << 20)

static long meminfo(const char *field)
{
    char line[100];
    long value = -1;
    FILE *f = fopen("/proc/meminfo", "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, field, strlen(field)) == 0)
            value = atol(line + strlen(field));
    fclose(f);
    return value;
}

static long pool_free(void)
{
    return meminfo("HugePages_Free:");
}

static long promised(void)
{
    return meminfo("HugePages_Rsvd:");
}

static void write_setting(const char *name, long value)
{
    char path[60], text[20];
    snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
    int fd = open(path, O_WRONLY), n = snprintf(text, sizeof(text), "%ld\n", value);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, n), n);
    close(fd);
}

// So many pages, all free; a busy machine may need a second try to gather them.
static void pool_of(long pages)
{
    for (int i = 0; i < 20 && meminfo("HugePages_Total:") != pages; i++)
        write_setting("nr_hugepages", pages);
    CHECK_EQ(meminfo("HugePages_Total:"), pages);
    CHECK_EQ(pool_free(), pages);
    CHECK_EQ(promised(), 0);
}
