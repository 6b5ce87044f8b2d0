// SPDX-License-Identifier: BSD-2-Clause
// Text under construction for generated files. A struct text is zero at first, owns one heap buffer
// that doubles as it fills, and is freed by text_free(). Once memory ran out it ignores the rest
// and `failed` says so: the reader of the file gets -ENOMEM instead of half a text.
//
// No locking: a text belongs to whoever builds it.
#include <fs/procfs.h>
#include <mm/slab.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE_FIRST 256

// Room for n more bytes and a NUL.
static bool text_reserve(struct text *t, size_t n)
{
    size_t need = t->length + n + 1;
    if (t->failed)
        return false;
    if (need <= t->capacity)
        return true;
    size_t capacity = MAX(t->capacity * 2, (size_t)TEXT_SIZE_FIRST);
    while (capacity < need)
        capacity *= 2;
    char *data = krealloc(t->data, capacity);
    if (data == NULL) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->capacity = capacity;
    return true;
}

void text_printf(struct text *t, const char *fmt, ...)
{
    va_list args;
    size_t room = t->capacity - t->length;

    if (t->failed)
        return;
    va_start(args, fmt);
    int n = vsnprintf(room != 0 ? t->data + t->length : NULL, room, fmt, args);
    va_end(args);
    if (n < 0) {
        t->failed = true;
        return;
    }
    if ((size_t)n >= room) {
        if (!text_reserve(t, (size_t)n))
            return;
        va_start(args, fmt);
        vsnprintf(t->data + t->length, (size_t)n + 1, fmt, args);
        va_end(args);
    }
    t->length += (size_t)n;
}

void text_append(struct text *t, const void *data, size_t n)
{
    if (n == 0 || !text_reserve(t, n))
        return;
    memcpy(t->data + t->length, data, n);
    t->length += n;
    t->data[t->length] = '\0';
}

void text_free(struct text *t)
{
    kfree(t->data);
    *t = (struct text){0};
}
