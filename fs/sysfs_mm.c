// SPDX-License-Identifier: BSD-2-Clause
// /sys/kernel/mm/hugepages: the pools of MAP_HUGETLB.
// /sys/kernel/mm/transparent_hugepage: whether memory comes in pages of 2 MiB. `enabled` is a
// choice; the others say what is so, in the words that allocators and tools know: no page is moved
// to make room for a large one, shared memory has none, and nobody joins small pages later. Such a
// file takes a write of what it says. Constant but for mm's choice; no locks.
#include <errno.h>
#include <linux/stat.h>
#include <mm/vm_map.h>
#include <stdio.h>
#include <string.h>

#include "procfs_priv.h"

#define READABLE  (S_IFREG | 0444)
#define WRITABLE  (S_IFREG | 0644)
#define DIRECTORY (S_IFDIR | 0555)

static bool says(const char *data, size_t n, const char *word)
{
    size_t length = strlen(word);
    return n >= length && memcmp(data, word, length) == 0 &&
           (n == length || (n == length + 1 && data[length] == '\n'));
}

static ssize_t store_constant(const char *data, size_t n, const char *word)
{
    return says(data, n, word) ? (ssize_t)n : -EINVAL;
}

static const char *const modes[] = {
    [VM_HUGE_ALWAYS] = "always", [VM_HUGE_MADVISE] = "madvise", [VM_HUGE_NEVER] = "never"};

static int show_enabled(struct text *t, uint64_t key)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++)
        text_printf(t, i == vm_huge_mode() ? "%s[%s]" : "%s%s", i > 0 ? " " : "", modes[i]);
    text_printf(t, "\n");
    return 0;
}

static ssize_t store_enabled(uint64_t key, const char *data, size_t n)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++)
        if (says(data, n, modes[i])) {
            vm_huge_set_mode(i);
            return (ssize_t)n;
        }
    return -EINVAL;
}

static int show_size(struct text *t, uint64_t key)
{
    text_printf(t, "%lu\n", PT_SIZE(1));
    return 0;
}

static int show_defrag(struct text *t, uint64_t key)
{
    text_printf(t, "always defer defer+madvise madvise [never]\n");
    return 0;
}

static int show_shmem_enabled(struct text *t, uint64_t key)
{
    text_printf(t, "always within_size advise [never] deny force\n");
    return 0;
}

static ssize_t store_never(uint64_t key, const char *data, size_t n)
{
    return store_constant(data, n, "never");
}

static int show_zero(struct text *t, uint64_t key)
{
    text_printf(t, "0\n");
    return 0;
}

static ssize_t store_zero(uint64_t key, const char *data, size_t n)
{
    return store_constant(data, n, "0");
}

#define ZERO(file)                                                                                 \
    {                                                                                              \
        .name = file, .mode = WRITABLE, .show = show_zero, .store = store_zero                     \
    }

static const struct proc_file joiner_files[] = {
    ZERO("alloc_sleep_millisecs"),
    ZERO("defrag"),
    ZERO("full_scans"),
    ZERO("max_ptes_none"),
    ZERO("max_ptes_shared"),
    ZERO("max_ptes_swap"),
    ZERO("pages_collapsed"),
    ZERO("pages_to_scan"),
    ZERO("scan_sleep_millisecs"),
    {.name = NULL},
};

static const struct proc_file huge_files[] = {
    {.name = "enabled", .mode = WRITABLE, .show = show_enabled, .store = store_enabled},
    {.name = "defrag", .mode = WRITABLE, .show = show_defrag, .store = store_never},
    {.name = "hpage_pmd_size", .mode = READABLE, .show = show_size},
    {.name = "khugepaged", .mode = DIRECTORY, .children = joiner_files},
    {.name = "shmem_enabled", .mode = WRITABLE, .show = show_shmem_enabled, .store = store_never},
    ZERO("use_zero_page"),
    {.name = NULL},
};

// A pool's directory; the key is the order of its pages.
static int64_t next_pool(uint64_t key, int64_t from)
{
    for (int64_t order = from; order <= GIGA_ORDER; order++)
        if (vm_hugetlb_exists((unsigned int)order))
            return order;
    return -1;
}

static void name_pool(uint64_t key, int64_t order, char *buf, size_t size)
{
    snprintf(buf, size, "hugepages-%lukB", (PAGE_SIZE << order) / 1024);
}

static int show_nr(struct text *t, uint64_t key)
{
    struct vm_hugetlb_stats pool;
    vm_hugetlb_stats((unsigned int)key, &pool);
    text_printf(t, "%lu\n", (unsigned long)pool.nr_total);
    return 0;
}

static int show_free(struct text *t, uint64_t key)
{
    struct vm_hugetlb_stats pool;
    vm_hugetlb_stats((unsigned int)key, &pool);
    text_printf(t, "%lu\n", (unsigned long)pool.nr_free);
    return 0;
}

static ssize_t store_nr(uint64_t key, const char *data, size_t n)
{
    uint64_t nr = 0;
    size_t i = 0;

    for (; i < n && i < 9 && data[i] >= '0' && data[i] <= '9'; i++)
        nr = nr * 10 + (uint64_t)(data[i] - '0');
    if (i == 0 || (i < n && data[i] != '\n'))
        return -EINVAL;
    vm_hugetlb_set((unsigned int)key, nr);
    return (ssize_t)n;
}

static const struct proc_file pool_files[] = {
    {.name = "nr_hugepages", .mode = WRITABLE, .show = show_nr, .store = store_nr},
    {.name = "free_hugepages", .mode = READABLE, .show = show_free},
    ZERO("nr_overcommit_hugepages"),
    {.name = "resv_hugepages", .mode = READABLE, .show = show_zero},
    {.name = "surplus_hugepages", .mode = READABLE, .show = show_zero},
    {.name = NULL},
};

static const struct proc_file pool_entry = {.mode = DIRECTORY, .children = pool_files};

const struct proc_file sysfs_mm_files[] = {
    {.name = "hugepages",
     .mode = DIRECTORY,
     .next = next_pool,
     .name_entry = name_pool,
     .entry = &pool_entry},
    {.name = "transparent_hugepage", .mode = DIRECTORY, .children = huge_files},
    {.name = NULL},
};
