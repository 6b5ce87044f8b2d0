// SPDX-License-Identifier: BSD-2-Clause
// /proc/sys: what programs ask of the kernel's constants and settings. proc(5), sysctl(8).

#include "proc_priv.h"

#include <asm/stat.h>
#include <core/board.h>
#include <core/random.h>
#include <core/system.h>
#include <core/version.h>
#include <linux/capability.h>
#include <linux/stat.h>
#include <string.h>
#include <sync/mutex.h>

#define R_ALL   (S_IFREG | 0444)
#define RW_ROOT (S_IFREG | 0644)
#define DIR     (S_IFDIR | 0555)

static int show_text_line(struct text *t, const char *line)
{
    text_printf(t, "%s\n", line);
    return 0;
}

static int show_ostype(struct text *t, uint64_t key)
{
    return show_text_line(t, VERSION_SYSNAME);
}

static int show_osrelease(struct text *t, uint64_t key)
{
    return show_text_line(t, VERSION_RELEASE);
}

static int show_version(struct text *t, uint64_t key)
{
    return show_text_line(t, VERSION_TEXT);
}

static int show_host_name(struct text *t, uint64_t key)
{
    char name[SYSTEM_NAME_SIZE];

    system_host_name(name);
    return show_text_line(t, name);
}

static int show_domain_name(struct text *t, uint64_t key)
{
    char name[SYSTEM_NAME_SIZE];

    system_domain_name(name);
    return show_text_line(t, name);
}

// What comes before the end of the line; longer names are cut, as Linux does.
static size_t name_length(const char *data, size_t n)
{
    const char *end = memchr(data, '\n', n);

    return strnlen(data, end != NULL ? (size_t)(end - data) : n);
}

static ssize_t store_host_name(uint64_t key, const char *data, size_t n)
{
    int err = system_set_host_name(data, MIN(name_length(data, n), SYSTEM_NAME_SIZE - 1UL));

    return err != 0 ? err : (ssize_t)n;
}

static ssize_t store_domain_name(uint64_t key, const char *data, size_t n)
{
    int err = system_set_domain_name(data, MIN(name_length(data, n), SYSTEM_NAME_SIZE - 1UL));

    return err != 0 ? err : (ssize_t)n;
}

static int show_pid_max(struct text *t, uint64_t key)
{
    text_printf(t, "%u\n", board->nr_processes_max);
    return 0;
}

static int show_cap_last_cap(struct text *t, uint64_t key)
{
    text_printf(t, "%d\n", CAP_LAST_CAP);
    return 0;
}

static int show_ngroups_max(struct text *t, uint64_t key)
{
    text_printf(t, "%d\n", CRED_GROUPS_MAX);
    return 0;
}

static int show_nr_open(struct text *t, uint64_t key)
{
    text_printf(t, "%d\n", FD_MAX);
    return 0;
}

// RFC 9562, version 4.
static void random_uuid(struct text *t, const uint8_t bytes[16])
{
    for (int i = 0; i < 16; i++) {
        unsigned int b = bytes[i];
        if (i == 6)
            b = (b & 0x0f) | 0x40;
        if (i == 8)
            b = (b & 0x3f) | 0x80;
        text_printf(t, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b);
    }
    text_printf(t, "\n");
}

static int show_boot_id(struct text *t, uint64_t key)
{
    static struct mutex lock = MUTEX_INIT(lock); // guards the rest
    static uint8_t id[16];
    static bool made;

    mutex_lock(&lock);
    if (!made)
        random_fill(id, sizeof(id));
    made = true;
    mutex_unlock(&lock);
    random_uuid(t, id);
    return 0;
}

static int show_uuid(struct text *t, uint64_t key)
{
    uint8_t bytes[16];

    random_fill(bytes, sizeof(bytes));
    random_uuid(t, bytes);
    return 0;
}

static int show_entropy(struct text *t, uint64_t key)
{
    text_printf(t, "%d\n", random_is_ready() ? 256 : 0);
    return 0;
}

static const struct proc_file random_files[] = {
    {.name = "boot_id", .mode = R_ALL, .show = show_boot_id},
    {.name = "uuid", .mode = R_ALL, .show = show_uuid},
    {.name = "entropy_avail", .mode = R_ALL, .show = show_entropy},
    {.name = NULL},
};

static const struct proc_file kernel_files[] = {
    {.name = "ostype", .mode = R_ALL, .show = show_ostype},
    {.name = "osrelease", .mode = R_ALL, .show = show_osrelease},
    {.name = "version", .mode = R_ALL, .show = show_version},
    {.name = "hostname", .mode = RW_ROOT, .show = show_host_name, .store = store_host_name},
    {.name = "domainname", .mode = RW_ROOT, .show = show_domain_name, .store = store_domain_name},
    {.name = "pid_max", .mode = R_ALL, .show = show_pid_max},
    {.name = "cap_last_cap", .mode = R_ALL, .show = show_cap_last_cap},
    {.name = "ngroups_max", .mode = R_ALL, .show = show_ngroups_max},
    {.name = "random", .mode = DIR, .children = random_files},
    PROC_IPC_LIMITS(PROC_IPC_LIMIT_FILE) // clang-format off
    {.name = NULL}, // clang-format on
};

static const struct proc_file fs_files[] = {
    {.name = "mqueue", .mode = DIR, .children = proc_mqueue_files},
    {.name = "nr_open", .mode = R_ALL, .show = show_nr_open},
    {.name = NULL},
};

static const struct proc_file sys_files[] = {
    {.name = "kernel", .mode = DIR, .children = kernel_files},
    {.name = "fs", .mode = DIR, .children = fs_files},
    {.name = "vm", .mode = DIR, .children = proc_vm_files},
    {.name = NULL},
};

const struct proc_file proc_sys_files[] = {
    {.name = "sys", .mode = DIR, .children = sys_files},
    {.name = NULL},
};
