// SPDX-License-Identifier: BSD-2-Clause
// Files of /proc about the machine and the kernel as a whole. proc(5).

#include "proc_priv.h"

#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/sbi.h>
#include <arch/thread.h>
#include <arch/tlb.h>
#include <asm/stat.h>
#include <core/cmdline.h>
#include <core/irq.h>
#include <core/sched.h>
#include <core/version.h>
#include <errno.h>
#include <fs/inode.h>
#include <linux/stat.h>
#include <stdio.h>
#include <sync/futex.h>

#define R_ALL (S_IFREG | 0444)

static int show_cpuinfo(struct text *t, uint64_t key)
{
    const struct sbi_info *info = sbi_info();

    for (cpu_t cpu = 0; cpu < cpu_count(); cpu++) {
        const struct hart *h = hart_of_cpu(cpu);
        if (!h->online)
            continue;
        text_printf(t, "processor\t: %u\nhart\t\t: %lu\n", cpu, h->id);
        text_printf(t, "isa\t\t: %s\nmmu\t\t: sv39\n", cpu_isa_string(cpu));
        text_printf(t, "mvendorid\t: 0x%lx\nmarchid\t\t: 0x%lx\nmimpid\t\t: 0x%lx\n",
                    info->mvendorid, info->marchid, info->mimpid);
        text_printf(t, "hart isa\t: %s\n\n", cpu_isa_string(cpu));
    }
    return 0;
}

static uint64_t idle_ns_of_all(void)
{
    uint64_t sum = 0;

    for (cpu_t cpu = 0; cpu < cpu_count(); cpu++) {
        struct sched_stats s;
        sched_stats_of_cpu(cpu, &s);
        sum += s.idle_ns;
    }
    return sum;
}

static int show_uptime(struct text *t, uint64_t key)
{
    uint64_t up = clock_monotonic_ns() / (NS_PER_SEC / 100),
             idle = idle_ns_of_all() / (NS_PER_SEC / 100);

    text_printf(t, "%lu.%02lu %lu.%02lu\n", (unsigned long)(up / 100), (unsigned long)(up % 100),
                (unsigned long)(idle / 100), (unsigned long)(idle % 100));
    return 0;
}

// Threads of all processes: how many there are and how many of them want a hart now.
static void count_threads(unsigned int *total, unsigned int *runnable, pid_t *last)
{
    *total = *runnable = 0;
    *last = 0;
    for (cpu_t cpu = 0; cpu < cpu_count(); cpu++) {
        struct sched_stats s;
        sched_stats_of_cpu(cpu, &s);
        *runnable += s.nr_runnable;
    }
    for (struct process *p = process_next(1); p;) {
        pid_t pid = p->pid;
        *total += p->nr_threads;
        *last = pid;
        process_put(p);
        p = process_next(pid + 1);
    }
}

static int show_loadavg(struct text *t, uint64_t key)
{
    uint64_t load[3];
    unsigned int total, runnable;
    pid_t last;

    sched_loadavg(load);
    count_threads(&total, &runnable, &last);
    for (int i = 0; i < 3; i++) // fixed point 16.16
        text_printf(t, "%lu.%02lu ", (unsigned long)(load[i] >> 16),
                    (unsigned long)((load[i] & 0xffff) * 100 >> 16));
    text_printf(t, "%u/%u %d\n", runnable, total, last);
    return 0;
}

static void show_stat_cpu(struct text *t, const char *name, const struct sched_stats *s)
{
    text_printf(t, "%s %lu 0 %lu %lu 0 0 0 0 0 0\n", name, PROC_TICKS(s->user_ns),
                PROC_TICKS(s->system_ns), PROC_TICKS(s->idle_ns));
}

static int show_stat(struct text *t, uint64_t key)
{
    struct sched_stats sum = {0}, s;
    uint64_t interrupts = 0;
    unsigned int total, runnable;
    pid_t last;

    for (cpu_t cpu = 0; cpu < cpu_count(); cpu++) {
        const struct hart *h = hart_of_cpu(cpu);
        sched_stats_of_cpu(cpu, &s);
        sum.user_ns += s.user_ns;
        sum.system_ns += s.system_ns;
        sum.idle_ns += s.idle_ns;
        sum.switches += s.switches;
        interrupts += h->nr_ipis + h->nr_timer_irqs + h->nr_external_irqs;
    }
    show_stat_cpu(t, "cpu ", &sum);
    for (cpu_t cpu = 0; cpu < cpu_count(); cpu++) {
        char name[16];
        snprintf(name, sizeof(name), "cpu%u", cpu);
        sched_stats_of_cpu(cpu, &s);
        show_stat_cpu(t, name, &s);
    }
    count_threads(&total, &runnable, &last);
    text_printf(
        t, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %d\nprocs_running %u\nprocs_blocked 0\n",
        (unsigned long)interrupts, (unsigned long)sum.switches,
        (unsigned long)((clock_realtime_ns() - clock_monotonic_ns()) / NS_PER_SEC), last, runnable);
    return 0;
}

static int show_version(struct text *t, uint64_t key)
{
    text_printf(t, "%s version %s %s\n", VERSION_SYSNAME, VERSION_RELEASE, VERSION_TEXT);
    return 0;
}

static int show_filesystems(struct text *t, uint64_t key)
{
    const struct file_system *fs;

    for (unsigned int i = 0; (fs = file_system_at(i)); i++)
        text_printf(t, "%s\t%s\n", fs->nodev ? "nodev" : "", fs->name);
    return 0;
}

static int show_cmdline(struct text *t, uint64_t key)
{
    text_printf(t, "%s\n", cmdline.text);
    return 0;
}

static void show_per_cpu(struct text *t, const char *name, size_t offset, const char *what)
{
    text_printf(t, "%4s:", name);
    for (cpu_t cpu = 0; cpu < cpu_count(); cpu++)
        text_printf(t, " %10lu", *(const uint64_t *)((const char *)hart_of_cpu(cpu) + offset));
    text_printf(t, "  %s\n", what);
}

static int show_interrupts(struct text *t, uint64_t key)
{
    text_printf(t, "     ");
    for (cpu_t cpu = 0; cpu < cpu_count(); cpu++)
        text_printf(t, "       CPU%u", cpu);
    text_printf(t, "\n");
    for (uint32_t irq = 1; irq < IRQ_MAX; irq++) {
        const char *name = irq_name(irq);
        if (!name)
            continue;
        text_printf(t, "%4u:", irq);
        for (cpu_t cpu = 0; cpu < cpu_count(); cpu++)
            text_printf(t, " %10lu", (unsigned long)irq_count(irq, cpu));
        text_printf(t, "  %s\n", name);
    }
    show_per_cpu(t, "TMR", offsetof(struct hart, nr_timer_irqs), "Timer interrupts");
    show_per_cpu(t, "EXT", offsetof(struct hart, nr_external_irqs), "External interrupts");
    show_per_cpu(t, "IPI", offsetof(struct hart, nr_ipis), "Inter-processor interrupts");
    return 0;
}

// Ours alone: what translation caching costs, a column for each hart.
static int show_tlb(struct text *t, uint64_t key)
{
    static const struct {
        const char *name;
        size_t offset;
    } rows[] = {
        {"flush_all", offsetof(struct tlb_stats, flush_all)},
        {"flush_asid", offsetof(struct tlb_stats, flush_asid)},
        {"flush_page", offsetof(struct tlb_stats, flush_page)},
        {"remote_sent", offsetof(struct tlb_stats, remote_sent)},
        {"remote_avoided", offsetof(struct tlb_stats, remote_avoided)},
        {"deferred", offsetof(struct tlb_stats, deferred)},
        {"rollovers", offsetof(struct tlb_stats, rollovers)},
        {"fence_i", offsetof(struct tlb_stats, fence_i)},
    };

    text_printf(t, "%-15s %u\n", "asid_bits", asid_bits());
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        text_printf(t, "%-15s", rows[i].name);
        for (cpu_t cpu = 0; cpu < cpu_count(); cpu++)
            text_printf(t, " %10lu",
                        *(const uint64_t *)((const char *)tlb_stats_of_cpu(cpu) + rows[i].offset));
        text_printf(t, "\n");
    }
    return 0;
}

// Ours alone: futexes since boot.
static int show_futex(struct text *t, uint64_t key)
{
    struct futex_stats s;
    futex_stats(&s);
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {{"waits", s.waits},       {"wakes", s.wakes},           {"gave_up", s.gave_up},
                {"requeues", s.requeues}, {"collisions", s.collisions}, {"pi_boosts", s.pi_boosts}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        text_printf(t, "%-15s %lu\n", rows[i].name, (unsigned long)rows[i].count);
    return 0;
}

const struct proc_file proc_system_files[] = {
    {.name = "meminfo", .mode = R_ALL, .show = proc_show_meminfo},
    {.name = "slabinfo", .mode = S_IFREG | 0400, .show = proc_show_slabinfo},
    {.name = "vmstat", .mode = R_ALL, .show = proc_show_vmstat},
    {.name = "cpuinfo", .mode = R_ALL, .show = show_cpuinfo},
    {.name = "uptime", .mode = R_ALL, .show = show_uptime},
    {.name = "loadavg", .mode = R_ALL, .show = show_loadavg},
    {.name = "stat", .mode = R_ALL, .show = show_stat},
    {.name = "version", .mode = R_ALL, .show = show_version},
    {.name = "filesystems", .mode = R_ALL, .show = show_filesystems},
    {.name = "cmdline", .mode = R_ALL, .show = show_cmdline},
    {.name = "interrupts", .mode = R_ALL, .show = show_interrupts},
    {.name = "tlb", .mode = R_ALL, .show = show_tlb},
    {.name = "futex", .mode = R_ALL, .show = show_futex},
    {.name = NULL},
};
