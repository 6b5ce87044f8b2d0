// SPDX-License-Identifier: BSD-2-Clause
// The arguments of execve(2), copied out of the old address space before the new one exists.
// execve(2), "Limits on size of arguments and environment".
#include <arch/uaccess.h>
#include <errno.h>
#include <mm/slab.h>
#include <string.h>

#include "exec_priv.h"

#define LIMIT_MIN (32 * PAGE_SIZE) // ARG_MAX
#define LIMIT_MAX ((size_t)_STK_LIM / 4 * 3)

#define VECTOR_BATCH 16

void exec_args_init(struct exec_args *a)
{
    uint64_t stack = process_limit(process_self(), RLIMIT_STACK);
    memset(a, 0, sizeof(*a));
    a->limit = MAX(MIN(stack / 4, (uint64_t)LIMIT_MAX), (uint64_t)LIMIT_MIN);
}

void exec_args_free(struct exec_args *a)
{
    for (unsigned int i = 0; i < a->nr_pages; i++)
        kfree(a->pages[i]);
    kfree(a->pages);
    kfree(a->offsets);
    memset(a, 0, sizeof(*a));
}

static int add_page(struct exec_args *a)
{
    if (a->nr_pages == a->max_pages) {
        unsigned int max = a->max_pages ? 2 * a->max_pages : 8;
        char **pages = krealloc(a->pages, max * sizeof(*pages));
        if (!pages)
            return -ENOMEM;
        a->pages = pages;
        a->max_pages = max;
    }
    char *page = kmalloc(PAGE_SIZE);
    if (!page)
        return -ENOMEM;
    a->pages[a->nr_pages++] = page;
    return 0;
}

// Room for one more offset and the end.
static int add_offset(struct exec_args *a)
{
    if (a->nr + 1 >= a->max) {
        unsigned int max = a->max ? 2 * a->max : 64;
        uint32_t *offsets = krealloc(a->offsets, max * sizeof(*offsets));
        if (!offsets)
            return -ENOMEM;
        a->offsets = offsets;
        a->max = max;
    }
    a->offsets[a->nr] = (uint32_t)a->used;
    return 0;
}

// Copy the next piece of a string, at most `room` bytes, to `dst`. Its length without NUL;
// -ENAMETOOLONG: the piece is full and the string goes on.
static ssize_t copy_piece(char *dst, vaddr_t src, size_t room, bool user)
{
    if (user)
        return user_copy_string(dst, src, room);
    size_t n = strnlen((const char *)src, room);
    memcpy(dst, (const char *)src, n < room ? n + 1 : room);
    return n < room ? (ssize_t)n : -ENAMETOOLONG;
}

static int add_string(struct exec_args *a, vaddr_t src, bool user)
{
    size_t before = a->used;
    int err = add_offset(a);
    if (err != 0)
        return err;
    for (;;) {
        size_t offset = a->used % PAGE_SIZE, room = PAGE_SIZE - offset;
        if (a->used == a->nr_pages * PAGE_SIZE && (err = add_page(a)) != 0)
            return err;
        ssize_t n = copy_piece(a->pages[a->used / PAGE_SIZE] + offset, src, room, user);
        if (n < 0 && n != -ENAMETOOLONG)
            return (int)n;
        a->used += n < 0 ? room : (size_t)n + 1;
        src += room;
        if (a->used - before > EXEC_STRING_MAX ||
            a->used + (a->nr + 1) * sizeof(vaddr_t) > a->limit)
            return -E2BIG;
        if (n >= 0)
            break;
    }
    a->offsets[++a->nr] = (uint32_t)a->used;
    return 0;
}

int exec_args_add(struct exec_args *a, const char *string)
{
    return add_string(a, (vaddr_t)string, false);
}

int exec_args_add_vector(struct exec_args *a, const char *const *vector, unsigned int *count)
{
    int err = 0;
    unsigned int before = a->nr;
    for (; vector && *vector && err == 0; vector++)
        err = exec_args_add(a, *vector);
    *count = a->nr - before;
    return err;
}

// Pointers come in batches; a batch may reach past the vector's end into memory that isn't there.
int exec_args_add_user_vector(struct exec_args *a, vaddr_t vector, unsigned int *count)
{
    vaddr_t batch[VECTOR_BATCH];
    unsigned int before = a->nr;
    while (vector) {
        size_t got =
            (sizeof(batch) - user_copy_in_partial(batch, vector, sizeof(batch))) / sizeof(batch[0]);
        if (got == 0)
            return -EFAULT;
        for (size_t i = 0; i < got; i++) {
            if (batch[i] == 0) {
                *count = a->nr - before;
                return 0;
            }
            int err = add_string(a, batch[i], true);
            if (err != 0)
                return err;
        }
        vector += got * sizeof(batch[0]);
    }
    *count = 0; // NULL for an empty vector, as Linux takes it
    return 0;
}
