// SPDX-License-Identifier: BSD-2-Clause
// What was found on the board, from /proc and /sys.

#include "../newlib/linux.h"
#include "init.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char text[16384];

void report_file(const char *title, const char *path)
{
    if (file_read(path, text, sizeof(text)) < 0)
        printf("%s: can't read %s: %s\n", title, path, strerror(errno));
    else
        printf("%s:\n%s", title, text);
}

// Value of the first line "name ...: value" of `text`, or NULL.
static const char *find_value(const char *name)
{
    static char value[128];
    const char *p = strstr(text, name);

    if (!p || !(p = strchr(p, ':')))
        return NULL;
    p += strspn(p, ": \t");
    size_t n = strcspn(p, "\n");
    n = n < sizeof(value) - 1 ? n : sizeof(value) - 1;
    memcpy(value, p, n);
    value[n] = '\0';
    return value;
}

static int count_lines(const char *name)
{
    int count = 0;

    for (const char *p = text; (p = strstr(p, name)); p += strlen(name))
        count += p == text || p[-1] == '\n';
    return count;
}

static void report_cpus(void)
{
    if (file_read("/proc/cpuinfo", text, sizeof(text)) < 0) {
        printf("  harts     unknown: %s\n", strerror(errno));
        return;
    }
    int harts = count_lines("processor");
    const char *isa = find_value("isa");
    printf("  harts     %d, %s\n", harts, isa ? isa : "isa unknown");
}

static void report_memory(void)
{
    if (file_read("/proc/meminfo", text, sizeof(text)) < 0) {
        printf("  memory    unknown: %s\n", strerror(errno));
        return;
    }
    const char *value = find_value("MemTotal");
    printf("  memory    %ld KiB in all", value ? atol(value) : 0);
    value = find_value("MemAvailable");
    printf(", %ld KiB free\n", value ? atol(value) : 0);
}

static void print_name(const char *name, void *ctx)
{
    (void)ctx;
    printf(" %s", name);
}

static void report_devices(void)
{
    printf("  devices  ");
    if (dir_for_each("/dev", print_name, NULL) < 0)
        printf(" unknown: %s", strerror(errno));
    printf("\n  disks    ");
    if (dir_for_each("/sys/block", print_name, NULL) < 0)
        printf(" none");
    printf("\n");
}

void report_board(void)
{
    struct linux_uname u;

    if (linux_call(LINUX_uname, &u) == 0)
        printf("  kernel    %s %s %s\n", u.sysname, u.release, u.version);
    report_cpus();
    report_memory();
    report_devices();
    if (file_read("/proc/cmdline", text, sizeof(text)) >= 0)
        printf("  cmdline   %s%s", text, strchr(text, '\n') ? "" : "\n");
    printf("\n");
}
