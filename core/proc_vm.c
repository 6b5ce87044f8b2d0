// SPDX-License-Identifier: BSD-2-Clause
// /proc/meminfo, /proc/vmstat and /proc/sys/vm: memory as a whole. proc(5).

#include "proc_priv.h"

#include <arch/cpu.h>
#include <arch/tlb.h>
#include <asm/stat.h>
#include <errno.h>
#include <lib/atomic.h>
#include <linux/stat.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/vm_map.h>
#include <mm/vmap.h>

#define R_ALL   (S_IFREG | 0444)
#define RW_ROOT (S_IFREG | 0644)

static unsigned long hugetlb_kib(void)
{
    static const unsigned int orders[] = {NAPOT_ORDER, HUGE_ORDER, GIGA_ORDER};
    unsigned long kib = 0;

    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        struct vm_hugetlb_stats pool;
        vm_hugetlb_stats(orders[i], &pool);
        kib += pool.nr_total << (orders[i] + PAGE_SHIFT - 10);
    }
    return kib;
}

int proc_show_meminfo(struct text *t, uint64_t key)
{
    struct page_stats s;

    struct vmap_stats vmap;
    page_stats(&s);
    vmap_stats(&vmap);
    const struct {
        const char *name;
        uint64_t pages;
    } rows[] = {
        {"MemTotal:", s.total},
        {"MemFree:", s.free},
        {"MemAvailable:", s.free},
        {"Buffers:", 0},
        {"Cached:", s.cached},
        {"SwapCached:", 0},
        {"SwapTotal:", 0},
        {"SwapFree:", 0},
        {"Shmem:", s.cached},
        {"Slab:", s.slab},
        {"SReclaimable:", 0},
        {"SUnreclaim:", s.slab},
        {"PageTables:", s.page_tables},
        {"CommitLimit:", vm_commit_limit_pages()},
        {"Committed_AS:", vm_committed_pages()},
        {"KernelStack:", vmap.stacks},
        {"VmallocTotal:", VMAP_SIZE >> PAGE_SHIFT},
        {"VmallocUsed:", vmap.stacks + vmap.tables},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        text_printf(t, "%-15s %8lu kB\n", rows[i].name, PROC_PAGES_TO_KIB(rows[i].pages));
    struct vm_hugetlb_stats pool;
    vm_hugetlb_stats(HUGE_ORDER, &pool);
    text_printf(t, "HugePages_Total: %7lu\nHugePages_Free:  %7lu\nHugePages_Rsvd:  %7lu\n",
                (unsigned long)pool.nr_total, (unsigned long)pool.nr_free,
                (unsigned long)pool.nr_promised);
    text_printf(t, "HugePages_Surp:  %7d\nHugepagesize:    %7lu kB\n", 0, PT_SIZE(1) / 1024);
    text_printf(t, "Hugetlb:         %7lu kB\n", hugetlb_kib());
    return 0;
}

// As slabinfo(5); nothing is to be tuned, and no slab is held back.
int proc_show_slabinfo(struct text *t, uint64_t key)
{
    struct slab_info info;

    text_printf(t,
                "slabinfo - version: 2.1\n"
                "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
                " : tunables <limit> <batchcount> <sharedfactor>"
                " : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
    for (unsigned int i = 0; slab_info(i, &info); i++)
        text_printf(t,
                    "%-17s %6lu %6lu %6u %4u %4u : tunables %4u %4u %4u : slabdata %6lu %6lu %6u\n",
                    info.name, (unsigned long)info.nr_active,
                    (unsigned long)info.nr_slabs * info.slab_objects, info.size, info.slab_objects,
                    info.slab_pages, 0U, 0U, 0U, (unsigned long)info.nr_slabs,
                    (unsigned long)info.nr_slabs, 0U);
    return 0;
}

int proc_show_vmstat(struct text *t, uint64_t key)
{
    struct page_stats s;
    uint64_t local = 0, remote = 0, deferred = 0, avoided = 0;

    page_stats(&s);
    for (cpu_t cpu = 0; cpu < cpu_count(); cpu++) {
        const struct tlb_stats *tlb = tlb_stats_of_cpu(cpu);
        local += tlb->flush_all + tlb->flush_asid + tlb->flush_page;
        remote += tlb->remote_sent;
        deferred += tlb->deferred;
        avoided += tlb->remote_avoided;
    }
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"nr_free_pages", s.free},           {"nr_page_table_pages", s.page_tables},
        {"nr_slab_unreclaimable", s.slab},   {"nr_file_pages", s.cached},
        {"nr_tlb_local_flush", local},       {"nr_tlb_remote_flush", remote},
        {"nr_tlb_deferred_flush", deferred}, {"nr_tlb_remote_avoided", avoided},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        text_printf(t, "%s %lu\n", rows[i].name, (unsigned long)rows[i].value);
    return 0;
}

static int show_overcommit_memory(struct text *t, uint64_t key)
{
    unsigned int mode, ratio;

    vm_overcommit_get(&mode, &ratio);
    text_printf(t, "%u\n", mode);
    return 0;
}

static int show_overcommit_ratio(struct text *t, uint64_t key)
{
    unsigned int mode, ratio;

    vm_overcommit_get(&mode, &ratio);
    text_printf(t, "%u\n", ratio);
    return 0;
}

// A decimal number and a newline at most. 0 or -EINVAL.
static int parse_number(const char *data, size_t n, unsigned int *number)
{
    size_t i = 0;

    *number = 0;
    for (; i < n && i < 9 && data[i] >= '0' && data[i] <= '9'; i++)
        *number = *number * 10 + (unsigned int)(data[i] - '0');
    return i == 0 || (i < n && data[i] != '\n') ? -EINVAL : 0;
}

static ssize_t store_overcommit_memory(uint64_t key, const char *data, size_t n)
{
    unsigned int mode;
    int err = parse_number(data, n, &mode);

    if (err == 0)
        err = vm_overcommit_set_mode(mode);
    return err != 0 ? err : (ssize_t)n;
}

static ssize_t store_overcommit_ratio(uint64_t key, const char *data, size_t n)
{
    unsigned int ratio;
    int err = parse_number(data, n, &ratio);

    if (err != 0)
        return err;
    vm_overcommit_set_ratio(ratio);
    return (ssize_t)n;
}

static int show_overcommit_kbytes(struct text *t, uint64_t key)
{
    text_printf(t, "%lu\n", PROC_PAGES_TO_KIB(vm_overcommit_pages()));
    return 0;
}

static ssize_t store_overcommit_kbytes(uint64_t key, const char *data, size_t n)
{
    unsigned int kib;
    int err = parse_number(data, n, &kib);

    if (err != 0)
        return err;
    vm_overcommit_set_pages(kib / (PAGE_SIZE / 1024));
    return (ssize_t)n;
}

// 1: pages of files, 2: other objects, 4: no line in the log. Pages of files are all the memory
// that files here have.
static ssize_t store_drop_caches(uint64_t key, const char *data, size_t n)
{
    unsigned int what;
    int err = parse_number(data, n, &what);

    if (err == 0 && (what < 1 || what > 4))
        err = -EINVAL;
    if (err != 0)
        return err;
    page_reclaim();
    return (ssize_t)n;
}

static int show_max_map_count(struct text *t, uint64_t key)
{
    text_printf(t, "%u\n", atomic_load(&vm_regions_max));
    return 0;
}

static ssize_t store_max_map_count(uint64_t key, const char *data, size_t n)
{
    unsigned int count;
    int err = parse_number(data, n, &count);

    if (err != 0)
        return err;
    atomic_store(&vm_regions_max, count);
    return (ssize_t)n;
}

static int show_mmap_min_addr(struct text *t, uint64_t key)
{
    text_printf(t, "%lu\n", USER_BASE);
    return 0;
}

static int show_nr_hugepages(struct text *t, uint64_t key)
{
    struct vm_hugetlb_stats pool;

    vm_hugetlb_stats(HUGE_ORDER, &pool);
    text_printf(t, "%lu\n", (unsigned long)pool.nr_total);
    return 0;
}

static ssize_t store_nr_hugepages(uint64_t key, const char *data, size_t n)
{
    unsigned int nr;
    int err = parse_number(data, n, &nr);

    if (err != 0)
        return err;
    vm_hugetlb_set(HUGE_ORDER, nr);
    return (ssize_t)n;
}

const struct proc_file proc_vm_files[] = {
    {.name = "overcommit_memory",
     .mode = RW_ROOT,
     .show = show_overcommit_memory,
     .store = store_overcommit_memory},
    {.name = "overcommit_ratio",
     .mode = RW_ROOT,
     .show = show_overcommit_ratio,
     .store = store_overcommit_ratio},
    {.name = "overcommit_kbytes",
     .mode = RW_ROOT,
     .show = show_overcommit_kbytes,
     .store = store_overcommit_kbytes},
    {.name = "max_map_count",
     .mode = RW_ROOT,
     .show = show_max_map_count,
     .store = store_max_map_count},
    {.name = "drop_caches", .mode = S_IFREG | 0200, .store = store_drop_caches},
    {.name = "mmap_min_addr", .mode = R_ALL, .show = show_mmap_min_addr},
    {.name = "nr_hugepages",
     .mode = RW_ROOT,
     .show = show_nr_hugepages,
     .store = store_nr_hugepages},
    {.name = "hugetlb_shm_group",
     .mode = RW_ROOT,
     .show = proc_show_hugetlb_shm_group,
     .store = proc_store_hugetlb_shm_group},
    {.name = NULL},
};
