// SPDX-License-Identifier: BSD-2-Clause
// /proc/PID/{cmdline,environ,auxv,maps,smaps,pagemap}: what lies in a process's memory, and where.

#include "proc_priv.h"

#include <errno.h>
#include <linux/capability.h>
#include <mm/slab.h>
#include <mm/uio.h>
#include <stdio.h>
#include <string.h>
#include <sync/port.h>

// Copy [start, end) of another process's memory into the text.
static int copy_memory(struct text *t, struct vm_map *m, vaddr_t start, vaddr_t end)
{
    char *page = kmalloc(PAGE_SIZE);

    if (!page)
        return -ENOMEM;
    while (start < end) {
        ssize_t n = vm_map_access(m, start, page, MIN(end - start, PAGE_SIZE), false, true);
        if (n <= 0)
            break;
        text_append(t, page, (size_t)n);
        start += (vaddr_t)n;
    }
    kfree(page);
    return 0;
}

// A process without a map (a zombie, a kernel thread) has an empty file, as on Linux.
static int show_range(struct text *t, uint64_t key, bool environment)
{
    struct process *p = proc_process(key);

    if (!p)
        return -ESRCH;
    struct vm_map *m = process_map_get(p);
    process_put(p);
    if (!m)
        return 0;
    int err = environment ? copy_memory(t, m, m->env_start, m->env_end)
                          : copy_memory(t, m, m->arg_start, m->arg_end);
    vm_map_put(m);
    return err;
}

int proc_show_cmdline(struct text *t, uint64_t key)
{
    return show_range(t, key, false);
}

int proc_show_environ(struct text *t, uint64_t key)
{
    return show_range(t, key, true);
}

int proc_show_auxv(struct text *t, uint64_t key)
{
    struct process *p = proc_process(key);

    if (!p)
        return -ESRCH;
    struct vm_map *m = process_map_get(p);
    process_put(p);
    if (!m)
        return 0;
    text_append(t, m->auxv, m->nr_auxv * sizeof(m->auxv[0]));
    vm_map_put(m);
    return 0;
}

#define NAME_COLUMN 73        // as tools expect
#define LINE_SIZE   PAGE_SIZE // kmalloc has one at hand
#define NAME_SIZE   (LINE_SIZE - 128)

struct maps_context {
    struct text *text;
    struct vm_usage sum; // smaps_rollup
    char *line;          // of LINE_SIZE
};

// At least `width` hexadecimal digits. Where they end.
static char *put_hex(char *to, uint64_t value, unsigned int width)
{
    unsigned int digits = width;
    while (digits < 16 && value >> (4 * digits) != 0)
        digits++;
    for (unsigned int i = digits; i > 0; i--, value >>= 4)
        to[i - 1] = "0123456789abcdef"[value & 15];
    return to + digits;
}

static char *put_decimal(char *to, uint64_t value)
{
    char digits[20];
    unsigned int n = 0;
    do
        digits[n++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    while (n > 0)
        *to++ = digits[--n];
    return to;
}

// "start-end rwxp offset dev ino ", at most 111 characters. By hand: a process has many regions,
// and formats cost far more.
static char *put_region(char *to, const struct vm_region *r, dev_t dev, ino_t ino)
{
    to = put_hex(to, r->start, 8);
    *to++ = '-';
    to = put_hex(to, r->end, 8);
    *to++ = ' ';
    *to++ = r->flags & VM_READ ? 'r' : '-';
    *to++ = r->flags & VM_WRITE ? 'w' : '-';
    *to++ = r->flags & VM_EXEC ? 'x' : '-';
    *to++ = r->flags & VM_SHARED ? 's' : 'p';
    *to++ = ' ';
    to = put_hex(to, r->object || r->file ? r->offset : 0, 8);
    *to++ = ' ';
    to = put_hex(to, dev >> 8 & 0xfff, 2);
    *to++ = ':';
    to = put_hex(to, (dev & 0xff) | (dev >> 12 & ~0xffUL), 2);
    *to++ = ' ';
    to = put_decimal(to, ino);
    *to++ = ' ';
    return to;
}

static int show_region(void *ctx, const struct vm_region *r)
{
    const struct maps_context *c = ctx;
    dev_t dev = 0;
    ino_t ino = 0;
    char *path = c->line + LINE_SIZE - NAME_SIZE;
    const char *name = r->name;

    if (r->file) {
        r->file_ops->describe(r->file, path, NAME_SIZE, &dev, &ino);
        name = path;
    }
    char *end = put_region(c->line, r, dev, ino);
    if (name) {
        for (; end < c->line + NAME_COLUMN; end++)
            *end = ' ';
        while (*name) // downwards, and maybe over itself
            *end++ = *name++;
    }
    *end++ = '\n';
    text_append(c->text, c->line, (size_t)(end - c->line));
    return c->text->failed ? -ENOMEM : 0;
}

static void show_usage(struct text *t, const struct vm_usage *u)
{
    const struct {
        const char *name;
        uint64_t pages;
    } rows[] = {
        {"Rss:", u->resident},
        {"Shared_Clean:", u->shared_clean},
        {"Shared_Dirty:", u->shared_dirty},
        {"Private_Clean:", u->private_clean},
        {"Private_Dirty:", u->private_dirty},
        {"Referenced:", u->referenced},
        {"Anonymous:", u->anonymous},
        {"AnonHugePages:", u->huge},
        {"Shared_Hugetlb:", u->shared_pool},
        {"Private_Hugetlb:", u->private_pool},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        text_printf(t, "%-15s %8lu kB\n", rows[i].name, PROC_PAGES_TO_KIB(rows[i].pages));
}

static int show_region_usage(void *ctx, const struct vm_region *r)
{
    const struct maps_context *c = ctx;
    struct text *t = c->text;
    struct vm_usage u;
    int err = show_region(ctx, r);

    if (err)
        return err;
    const unsigned long page_size = vm_region_page_size(r->flags);
    vm_region_usage(r, &u);
    text_printf(t, "%-15s %8lu kB\n", "Size:", (r->end - r->start) / 1024);
    text_printf(t, "%-15s %8lu kB\n", "KernelPageSize:", page_size / 1024);
    text_printf(t, "%-15s %8lu kB\n", "MMUPageSize:", page_size / 1024);
    show_usage(t, &u);
    text_printf(t, "%-15s %8lu kB\n", "Swap:", 0UL);
    text_printf(t, "%-15s %8lu kB\n",
                "Locked:", r->flags & VM_LOCKED ? PROC_PAGES_TO_KIB(u.resident) : 0UL);
    static const struct {
        unsigned int flag;
        char name[4];
    } names[] = {{VM_READ, "rd "},     {VM_WRITE, "wr "},      {VM_EXEC, "ex "},
                 {VM_SHARED, "sh "},   {VM_MAYREAD, "mr "},    {VM_MAYWRITE, "mw "},
                 {VM_MAYEXEC, "me "},  {VM_GROWSDOWN, "gd "},  {VM_LOCKED, "lo "},
                 {VM_DONTFORK, "dc "}, {VM_NORESERVE, "nr "},  {VM_WIPEONFORK, "wf "},
                 {VM_HUGEPAGE, "hg "}, {VM_NOHUGEPAGE, "nh "}, {VM_LOCKONFAULT, "lf "},
                 {VM_HUGETLB, "ht "}};
    text_printf(t, "VmFlags: ");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (r->flags & names[i].flag)
            text_printf(t, "%s", names[i].name);
    text_printf(t, "\n");
    return t->failed ? -ENOMEM : 0;
}

static int sum_region(void *ctx, const struct vm_region *r)
{
    struct maps_context *c = ctx;
    struct vm_usage u;

    vm_region_usage(r, &u);
    uint64_t *sum = (uint64_t *)&c->sum;
    const uint64_t *part = (const uint64_t *)&u;
    for (size_t i = 0; i < sizeof(u) / sizeof(*part); i++)
        sum[i] += part[i];
    return 0;
}

static int show_regions(struct text *t, uint64_t key,
                        int (*show)(void *ctx, const struct vm_region *r), struct vm_usage *sum)
{
    struct process *p = proc_process(key);

    if (!p)
        return -ESRCH;
    struct vm_map *m = process_map_get(p);
    process_put(p);
    if (!m)
        return 0;
    struct maps_context c = {.text = t, .line = kmalloc(LINE_SIZE)};
    int err = c.line ? vm_map_for_each(m, 0, show, &c) : -ENOMEM;
    kfree(c.line);
    vm_map_put(m);
    if (sum)
        *sum = c.sum;
    return err;
}

int proc_show_maps(struct text *t, uint64_t key)
{
    return show_regions(t, key, show_region, NULL);
}

int proc_show_smaps(struct text *t, uint64_t key)
{
    return show_regions(t, key, show_region_usage, NULL);
}

int proc_show_smaps_rollup(struct text *t, uint64_t key)
{
    struct vm_usage sum = {0};
    int err = show_regions(t, key, sum_region, &sum);
    if (err)
        return err;
    text_printf(t, "%08lx-%08lx ---p 00000000 00:00 0%26s[rollup]\n", USER_BASE, USER_END, "");
    show_usage(t, &sum);
    return 0;
}

static ssize_t read_pagemap(struct vm_map *m, uint64_t first, struct uio *uio)
{
    const bool with_frames = cred_has_cap(thread_self()->cred, CAP_SYS_ADMIN);
    uint64_t entries[64];
    size_t done = 0;

    while (uio->left > 0 && first < USER_END >> PAGE_SHIFT) {
        size_t nr = MIN(MIN(uio->left / sizeof(entries[0]), ARRAY_SIZE(entries)),
                        (USER_END >> PAGE_SHIFT) - first);
        vm_map_pagemap(m, first << PAGE_SHIFT, nr, with_frames, entries);
        size_t size = nr * sizeof(entries[0]), copied = uio_copy_out(uio, entries, size);
        done += copied;
        if (copied < size)
            return done > 0 ? (ssize_t)done : -EFAULT;
        first += nr;
        if (uio->left > 0 && port_relax(PARK_KILLABLE) != 0)
            return (ssize_t)done;
    }
    return (ssize_t)done;
}

// Eight bytes a page; frames for those who may know them.
ssize_t proc_access_pagemap(uint64_t key, uint64_t version, uint64_t offset, struct uio *uio,
                            bool write)
{
    if (write || (offset | uio->left) % sizeof(uint64_t) != 0)
        return -EINVAL;
    struct process *p = proc_process(key);
    struct vm_map *m = p ? process_map_get(p) : NULL;
    if (p)
        process_put(p);
    if (!m)
        return 0;
    ssize_t n = m->id == version ? read_pagemap(m, offset / sizeof(uint64_t), uio) : 0;
    vm_map_put(m);
    return n;
}
