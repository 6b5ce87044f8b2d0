// SPDX-License-Identifier: BSD-2-Clause
// /proc/PID/{cmdline,environ,auxv,maps}: what lies in a process's memory, and where.

#include "proc_priv.h"

#include <errno.h>
#include <mm/slab.h>
#include <stdio.h>
#include <string.h>

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

struct maps_context {
    struct text *text;
    char *path; // PATH_MAX_LEN bytes
};

static int show_region(void *ctx, const struct vm_region *r)
{
    const struct maps_context *c = ctx;
    struct text *t = c->text;
    dev_t dev = 0;
    ino_t ino = 0;
    const char *name = r->name;
    size_t before = t->length;

    if (r->file) {
        r->file_ops->describe(r->file, c->path, PATH_MAX_LEN, &dev, &ino);
        name = c->path;
    }
    text_printf(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", r->start, r->end,
                r->flags & VM_READ ? 'r' : '-', r->flags & VM_WRITE ? 'w' : '-',
                r->flags & VM_EXEC ? 'x' : '-', r->flags & VM_SHARED ? 's' : 'p',
                (unsigned long)(r->object || r->file ? r->offset : 0),
                (unsigned int)(dev >> 8 & 0xfff),
                (unsigned int)((dev & 0xff) | (dev >> 12 & ~0xffUL)), (unsigned long)ino);
    if (name) {
        // Names stand in column 73, as tools expect.
        size_t column = t->length - before;
        text_printf(t, "%*s%s", column < 73 ? (int)(73 - column) : 0, "", name);
    }
    text_printf(t, "\n");
    return t->failed ? -ENOMEM : 0;
}

int proc_show_maps(struct text *t, uint64_t key)
{
    struct process *p = proc_process(key);

    if (!p)
        return -ESRCH;
    struct vm_map *m = process_map_get(p);
    process_put(p);
    if (!m)
        return 0;
    struct maps_context c = {t, kmalloc(PATH_MAX_LEN)};
    int err = c.path ? vm_map_for_each(m, 0, show_region, &c) : -ENOMEM;
    kfree(c.path);
    vm_map_put(m);
    return err;
}
