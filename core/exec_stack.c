// SPDX-License-Identifier: BSD-2-Clause
// The first content of a program's stack, as Linux lays it out (execve(2), getauxval(3)). Downwards
// from the top: 8 zero bytes, file name, environment strings, argument strings, a random gap, 16
// random bytes, auxiliary vector, environment pointers, argument pointers, argc.
#include <arch/cpu.h>
#include <arch/vdso.h>
#include <asm/auxvec.h>
#include <core/random.h>
#include <core/rseq.h>
#include <errno.h>
#include <linux/auxvec.h>
#include <string.h>

#include "exec_priv.h"
#include "signal_priv.h"

#define AUX_MAX      26
#define GAP_MAX      8192
#define RANDOM_BYTES 16
#define CLOCK_TICKS  100

#ifndef AT_RSEQ_FEATURE_SIZE // younger than Debian 12's headers
#define AT_RSEQ_FEATURE_SIZE 27
#define AT_RSEQ_ALIGN        28
#endif
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

struct layout {
    vaddr_t execfn, env, args, random; // strings: where the first one begins
    size_t prefix_size;                // bytes of x->prefix
    size_t skipped;                    // bytes of argv[0] that the prefix replaces
    unsigned int argc;
};

static int write_bytes(struct vm_map *map, vaddr_t at, const void *data, size_t size)
{
    ssize_t n = vm_map_access(map, at, (void *)(uintptr_t)data, size, true, true);
    if (n == (ssize_t)size)
        return 0;
    return n < 0 ? (int)n : -ENOMEM; // a part: the rest found no memory
}

// Sequential words into another address space, through a buffer.
struct writer {
    struct vm_map *map;
    vaddr_t at; // of the buffer's start
    uint64_t *buffer;
    unsigned int n, max;
    int err;
};

static void writer_flush(struct writer *w)
{
    size_t size = w->n * sizeof(uint64_t);
    if (w->err == 0)
        w->err = write_bytes(w->map, w->at, w->buffer, size);
    w->at += size;
    w->n = 0;
}

static void writer_put(struct writer *w, uint64_t word)
{
    w->buffer[w->n++] = word;
    if (w->n == w->max)
        writer_flush(w);
}

static size_t prefix_size(const struct exec *x)
{
    size_t size = 0;
    for (unsigned int i = 0; i < x->nr_prefix; i++)
        size += strlen(x->prefix[i]) + 1;
    return size;
}

static unsigned int count_args(const struct exec *x)
{
    unsigned int replaced = x->nr_prefix > 0 ? MIN(x->args->argc, 1U) : 0;
    return x->args->argc - replaced + x->nr_prefix;
}

size_t exec_stack_size(const struct exec *x)
{
    size_t words = 1 + count_args(x) + 1 + x->args->envc + 1 + 2 * AUX_MAX;
    return 8 + x->args->used + prefix_size(x) + GAP_MAX + RANDOM_BYTES + 16 + words * 8;
}

static void plan(const struct exec *x, struct layout *l)
{
    const struct exec_args *a = x->args;
    vaddr_t top = x->map->stack_top - 8;
    l->argc = count_args(x);
    l->prefix_size = prefix_size(x);
    l->skipped = x->nr_prefix > 0 && a->argc > 0 ? a->offsets[1] : 0;
    vaddr_t base = top - a->used; // where offset 0 of the packed strings would lie
    l->execfn = base + a->offsets[a->argc + a->envc];
    l->env = base + a->offsets[a->argc];
    l->args = base + l->skipped - l->prefix_size;
    vaddr_t p = ALIGN_DOWN(l->args - random_u64() % GAP_MAX, 16);
    l->random = p - RANDOM_BYTES;
}

static int write_strings(const struct exec *x, const struct layout *l)
{
    const struct exec_args *a = x->args;
    vaddr_t at = l->args;
    for (unsigned int i = 0; i < x->nr_prefix; i++) {
        size_t n = strlen(x->prefix[i]) + 1;
        if (write_bytes(x->map, at, x->prefix[i], n) != 0)
            return -EFAULT;
        at += n;
    }
    for (size_t done = l->skipped; done < a->used;) {
        size_t part = MIN(PAGE_SIZE - done % PAGE_SIZE, a->used - done);
        if (write_bytes(x->map, at, a->pages[done / PAGE_SIZE] + done % PAGE_SIZE, part) != 0)
            return -EFAULT;
        at += part;
        done += part;
    }
    return 0;
}

static void write_pointers(struct writer *w, const struct exec *x, const struct layout *l)
{
    const struct exec_args *a = x->args;
    vaddr_t at = l->args, base = l->args + l->prefix_size - l->skipped;
    writer_put(w, l->argc);
    for (unsigned int i = 0; i < x->nr_prefix; i++) {
        writer_put(w, at);
        at += strlen(x->prefix[i]) + 1;
    }
    for (unsigned int i = l->skipped > 0 ? 1 : 0; i < a->argc; i++)
        writer_put(w, base + a->offsets[i]);
    writer_put(w, 0);
    for (unsigned int i = 0; i < a->envc; i++)
        writer_put(w, base + a->offsets[a->argc + i]);
    writer_put(w, 0);
}

static unsigned int fill_auxv(const struct exec *x, const struct layout *l, vaddr_t bias,
                              vaddr_t base, uint64_t *auxv)
{
    const struct elf_image *image = &x->image;
    const uint64_t entries[][2] = {
        {AT_SYSINFO_EHDR, x->map->vdso},
        {AT_MINSIGSTKSZ, signal_frame_size_max()},
        {AT_HWCAP, cpu_features()->hwcap},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_CLKTCK, CLOCK_TICKS},
        {AT_PHDR, image->headers ? bias + image->headers : 0},
        {AT_PHENT, sizeof(Elf64_Phdr)},
        {AT_PHNUM, image->nr_headers},
        {AT_BASE, base},
        {AT_FLAGS, 0},
        {AT_ENTRY, bias + image->entry},
        {AT_UID, x->cred->uid},
        {AT_EUID, x->cred->euid},
        {AT_GID, x->cred->gid},
        {AT_EGID, x->cred->egid},
        {AT_SECURE, x->secure},
        {AT_RANDOM, l->random},
        {AT_EXECFN, l->execfn},
        {AT_RSEQ_FEATURE_SIZE, RSEQ_FEATURE_SIZE},
        {AT_RSEQ_ALIGN, RSEQ_ALIGN},
        {AT_NULL, 0},
    };
    _Static_assert(ARRAY_SIZE(entries) <= AUX_MAX, "room was planned for AUX_MAX");
    memcpy(auxv, entries, sizeof(entries));
    return 2 * ARRAY_SIZE(entries);
}

int exec_build_stack(struct exec *x, vaddr_t bias, vaddr_t base)
{
    struct layout l;
    struct vm_map *map = x->map;
    plan(x, &l);
    map->nr_auxv = fill_auxv(x, &l, bias, base, map->auxv);
    size_t words = 1 + l.argc + 1 + x->args->envc + 1 + map->nr_auxv;
    x->sp = ALIGN_DOWN(l.random - words * sizeof(uint64_t), 16);

    // The head of the file isn't needed any more.
    struct writer w = {.map = map,
                       .at = x->sp,
                       .buffer = (uint64_t *)x->head,
                       .max = EXEC_HEAD_SIZE / sizeof(uint64_t)};
    write_pointers(&w, x, &l);
    for (unsigned int i = 0; i < map->nr_auxv; i++)
        writer_put(&w, map->auxv[i]);
    if (x->sp + words * sizeof(uint64_t) != l.random)
        writer_put(&w, 0);
    writer_put(&w, random_u64());
    writer_put(&w, random_u64());
    writer_flush(&w);
    if (w.err != 0 || write_strings(x, &l) != 0)
        return -EFAULT;
    map->arg_start = l.args;
    map->arg_end = map->env_start = l.env;
    map->env_end = l.execfn;
    return 0;
}
