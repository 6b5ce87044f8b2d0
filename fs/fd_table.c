// SPDX-License-Identifier: BSD-2-Clause
// File descriptors. A table starts with room for 64 inside itself and grows by doubling; a bit for
// each open slot makes the lowest free one cheap to find. Files are put (which may sleep) after the
// lock was released.
#include <errno.h>
#include <fs/fd_table.h>
#include <mm/slab.h>
#include <string.h>

#include "vfs_priv.h"

#define WORD_BITS 64u

struct fd_table *fd_table_create(void)
{
    struct fd_table *t = kzalloc(sizeof(*t));
    if (!t)
        return NULL;
    refcount_init(&t->refs);
    spin_init(&t->lock);
    t->size = FD_INLINE;
    t->files = t->inline_files;
    t->open_bits = &t->inline_open;
    t->cloexec_bits = &t->inline_cloexec;
    return t;
}

void fd_table_get(struct fd_table *t)
{
    refcount_get(&t->refs);
}

static bool bit_test(const uint64_t *bits, unsigned int n)
{
    return bits[n / WORD_BITS] & BIT(n % WORD_BITS);
}

static void bit_set(uint64_t *bits, unsigned int n, bool on)
{
    if (on)
        bits[n / WORD_BITS] |= BIT(n % WORD_BITS);
    else
        bits[n / WORD_BITS] &= ~BIT(n % WORD_BITS);
}

struct arrays {
    struct file **files;
    uint64_t *open_bits, *cloexec_bits;
};

static size_t bits_bytes(unsigned int size)
{
    return size / WORD_BITS * sizeof(uint64_t);
}

// One block: files, then both bit maps.
static bool arrays_alloc(struct arrays *a, unsigned int size)
{
    a->files = kzalloc(size * sizeof(*a->files) + 2 * bits_bytes(size));
    if (!a->files)
        return false;
    a->open_bits = (uint64_t *)(a->files + size);
    a->cloexec_bits = a->open_bits + size / WORD_BITS;
    return true;
}

// Locked. Move to larger arrays; the old block goes to the caller, NULL if it was inside.
static struct file **arrays_install(struct fd_table *t, const struct arrays *a, unsigned int size)
{
    struct file **old = t->files == t->inline_files ? NULL : t->files;
    memcpy(a->files, t->files, t->size * sizeof(*a->files));
    memcpy(a->open_bits, t->open_bits, bits_bytes(t->size));
    memcpy(a->cloexec_bits, t->cloexec_bits, bits_bytes(t->size));
    t->files = a->files;
    t->open_bits = a->open_bits;
    t->cloexec_bits = a->cloexec_bits;
    t->size = size;
    return old;
}

// Make room for slot `fd`. Called and returns unlocked. 0 or -ENOMEM.
static int table_grow(struct fd_table *t, unsigned int fd)
{
    struct arrays a;
    unsigned int size = FD_INLINE;
    while (size <= fd)
        size *= 2;
    if (!arrays_alloc(&a, size))
        return -ENOMEM;
    spin_lock(&t->lock);
    struct file **unused = t->size < size ? arrays_install(t, &a, size) : a.files;
    spin_unlock(&t->lock);
    kfree(unused);
    return 0;
}

struct fd_table *fd_table_copy(struct fd_table *from)
{
    struct fd_table *t = fd_table_create();
    if (!t)
        return NULL;
    spin_lock(&from->lock);
    while (t->size < from->size) {
        unsigned int size = from->size;
        spin_unlock(&from->lock);
        if (table_grow(t, size - 1) != 0) {
            fd_table_put(t);
            return NULL;
        }
        spin_lock(&from->lock);
    }
    for (unsigned int i = 0; i < from->size; i += WORD_BITS) {
        uint64_t bits = from->open_bits[i / WORD_BITS];
        t->open_bits[i / WORD_BITS] = bits;
        t->cloexec_bits[i / WORD_BITS] = from->cloexec_bits[i / WORD_BITS];
        for (; bits; bits &= bits - 1) {
            unsigned int fd = i + (unsigned int)__builtin_ctzl(bits);
            file_get(from->files[fd]);
            t->files[fd] = from->files[fd];
        }
    }
    t->first_free = from->first_free;
    spin_unlock(&from->lock);
    return t;
}

// Locked: empty slot `fd`; its reference goes to the caller. NULL: it was free.
static struct file *slot_clear(struct fd_table *t, unsigned int fd)
{
    struct file *f = fd < t->size ? t->files[fd] : NULL;
    if (!f)
        return NULL;
    t->files[fd] = NULL;
    bit_set(t->open_bits, fd, false);
    bit_set(t->cloexec_bits, fd, false);
    t->first_free = MIN(t->first_free, fd);
    return f;
}

static void file_close(struct fd_table *t, struct file *f)
{
    if (unlikely(f->has_locks))
        file_lock_closed(f, t);
    if (unlikely(f->ops->closed != NULL))
        f->ops->closed(f, t);
    file_put(f);
}

int fd_next_open(struct fd_table *t, int fd)
{
    int found = -1;
    if (fd < 0)
        return -1;
    spin_lock(&t->lock);
    unsigned int i = (unsigned int)fd;
    while (i < t->size) {
        uint64_t bits = t->open_bits[i / WORD_BITS] >> (i % WORD_BITS);
        if (bits) {
            found = (int)i + __builtin_ctzl(bits);
            break;
        }
        i = (i / WORD_BITS + 1) * WORD_BITS;
    }
    spin_unlock(&t->lock);
    return found;
}

void fd_table_put(struct fd_table *t)
{
    if (!t || !refcount_put(&t->refs))
        return;
    for (int fd = 0; (fd = fd_next_open(t, fd)) >= 0; fd++)
        file_close(t, slot_clear(t, (unsigned int)fd));
    if (t->files != t->inline_files)
        kfree(t->files);
    kfree(t);
}

void fd_table_close_on_exec(struct fd_table *t)
{
    for (unsigned int fd = 0; fd < t->size; fd++) {
        if (fd % WORD_BITS == 0 && t->cloexec_bits[fd / WORD_BITS] == 0) {
            fd += WORD_BITS - 1;
            continue;
        }
        spin_lock(&t->lock);
        struct file *f = bit_test(t->cloexec_bits, fd) ? slot_clear(t, fd) : NULL;
        spin_unlock(&t->lock);
        if (f)
            file_close(t, f);
    }
}

// Locked: lowest free slot >= min; t->size if all are taken.
static unsigned int find_free(const struct fd_table *t, unsigned int min)
{
    unsigned int fd = MAX(min, t->first_free);
    while (fd < t->size) {
        uint64_t bits = ~t->open_bits[fd / WORD_BITS] >> (fd % WORD_BITS);
        if (bits)
            return fd + (unsigned int)__builtin_ctzl(bits);
        fd = (fd / WORD_BITS + 1) * WORD_BITS;
    }
    return MAX(fd, t->size);
}

int fd_install(struct fd_table *t, struct file *f, unsigned int min, uint64_t limit, bool cloexec)
{
    limit = MIN(limit, FD_MAX);
    for (;;) {
        spin_lock(&t->lock);
        unsigned int fd = find_free(t, min);
        if (fd < t->size && fd < limit) {
            t->files[fd] = f;
            bit_set(t->open_bits, fd, true);
            bit_set(t->cloexec_bits, fd, cloexec);
            if (min <= t->first_free)
                t->first_free = fd + 1;
            spin_unlock(&t->lock);
            return (int)fd;
        }
        spin_unlock(&t->lock);
        if (fd >= limit)
            return -EMFILE;
        int err = table_grow(t, fd);
        if (err != 0)
            return err;
    }
}

int fd_replace(struct fd_table *t, int fd, struct file *f, uint64_t limit, bool cloexec)
{
    if (fd < 0 || (unsigned int)fd >= MIN(limit, FD_MAX))
        return -EBADF;
    unsigned int slot = (unsigned int)fd;
    if (slot >= t->size) {
        int err = table_grow(t, slot);
        if (err != 0)
            return err;
    }
    spin_lock(&t->lock);
    struct file *old = t->files[slot];
    t->files[slot] = f;
    bit_set(t->open_bits, slot, true);
    bit_set(t->cloexec_bits, slot, cloexec);
    spin_unlock(&t->lock);
    if (old)
        file_close(t, old);
    return 0;
}

struct file *fd_get(struct fd_table *t, int fd)
{
    struct file *f = NULL;
    spin_lock(&t->lock);
    if ((unsigned int)fd < t->size)
        f = t->files[fd];
    if (f)
        file_get(f);
    spin_unlock(&t->lock);
    return f;
}

int fd_close(struct fd_table *t, int fd)
{
    spin_lock(&t->lock);
    struct file *f = fd >= 0 ? slot_clear(t, (unsigned int)fd) : NULL;
    spin_unlock(&t->lock);
    if (!f)
        return -EBADF;
    file_close(t, f);
    return 0;
}

int fd_close_range(struct fd_table *t, unsigned int first, unsigned int last, bool cloexec_only)
{
    if (first > INT_MAX)
        return 0;
    for (int fd = (int)first; (fd = fd_next_open(t, fd)) >= 0 && (unsigned int)fd <= last; fd++) {
        if (cloexec_only)
            fd_set_cloexec(t, fd, true);
        else
            fd_close(t, fd);
    }
    return 0;
}

int fd_get_cloexec(struct fd_table *t, int fd)
{
    int result = -EBADF;
    spin_lock(&t->lock);
    if ((unsigned int)fd < t->size && t->files[fd])
        result = bit_test(t->cloexec_bits, (unsigned int)fd);
    spin_unlock(&t->lock);
    return result;
}

int fd_set_cloexec(struct fd_table *t, int fd, bool on)
{
    int result = -EBADF;
    spin_lock(&t->lock);
    if ((unsigned int)fd < t->size && t->files[fd]) {
        bit_set(t->cloexec_bits, (unsigned int)fd, on);
        result = 0;
    }
    spin_unlock(&t->lock);
    return result;
}
