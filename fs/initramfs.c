// SPDX-License-Identifier: BSD-2-Clause
// Unpacks the initramfs: one or more archives, plain or gzip, with zeros between. An archive's
// bytes are pushed in pieces of any size through a parser with four states; each entry becomes a
// file by the ordinary path operations, with root's rights (initramfs_entry.c). So gzip needs no
// room for the whole archive.
//
// Runs once, at boot, in one thread.
#include <arch/log.h>
#include <errno.h>
#include <fs/initramfs.h>
#include <lib/inflate.h>
#include <mm/slab.h>
#include <string.h>

#include "initramfs_priv.h"

#define HEADER_ROOM (CPIO_HEADER_SIZE + PATH_MAX_LEN + 4)

enum state {
    BETWEEN, // zeros, then a header or the end
    HEADER,  // collecting header and name
    DATA,    // of the entry
    PADDING, // after it
};

struct parser {
    enum state state;
    char *header;      // HEADER_ROOM bytes
    size_t have, need; // of the header; of data and padding what is left is in `need`
    struct cpio_entry entry;
    bool trailer; // one was seen: the archive is over
    bool stop_at_trailer;
    const char *why;
    struct initramfs_target target;
};

static int bad(struct parser *p, const char *why)
{
    p->why = why;
    return -EINVAL;
}

static void end_of_entry(struct parser *p)
{
    initramfs_end_entry(&p->target, &p->entry);
    p->need = ALIGN_UP((size_t)p->entry.size, 4) - p->entry.size;
    p->state = p->need ? PADDING : BETWEEN;
}

// Header and name are complete.
static int begin_entry(struct parser *p)
{
    p->entry.name = p->header + CPIO_HEADER_SIZE;
    if (p->entry.name[p->entry.name_size - 1] != '\0')
        return bad(p, "a file name isn't terminated");
    if (strcmp(p->entry.name, "TRAILER!!!") == 0) {
        initramfs_forget_links(&p->target);
        p->trailer = true;
        p->state = BETWEEN;
        return 0;
    }
    int err = initramfs_begin_entry(&p->target, &p->entry);
    if (err != 0)
        return err;
    p->need = p->entry.size;
    p->state = DATA;
    if (p->need == 0)
        end_of_entry(p);
    return 0;
}

static int push_header(struct parser *p, const char *data, size_t size, size_t *used)
{
    *used = MIN(size, p->need - p->have);
    memcpy(p->header + p->have, data, *used);
    p->have += *used;
    if (p->have < p->need)
        return 0;
    if (p->need > CPIO_HEADER_SIZE)
        return begin_entry(p);
    int err = cpio_read_header(p->header, p->have, &p->entry, &p->need, &p->why);
    if (err != 0)
        return err;
    return p->entry.name_size > PATH_MAX_LEN ? bad(p, "a file name is too long") : 0;
}

static int push_data(struct parser *p, const char *data, size_t size, size_t *used)
{
    *used = MIN(size, p->need);
    int err = initramfs_write(&p->target, &p->entry, data, *used);
    if (err != 0)
        return err;
    p->need -= *used;
    if (p->need == 0)
        end_of_entry(p);
    return 0;
}

static int push_some(struct parser *p, const char *data, size_t size, size_t *used)
{
    switch (p->state) {
    case BETWEEN:
        *used = 0;
        if (*data == '\0') {
            *used = 1;
            return 0;
        }
        p->trailer = false;
        p->state = HEADER;
        p->have = 0;
        p->need = CPIO_HEADER_SIZE;
        return 0;
    case HEADER:
        return push_header(p, data, size, used);
    case DATA:
        return push_data(p, data, size, used);
    default:
        *used = MIN(size, p->need);
        p->need -= *used;
        if (p->need == 0)
            p->state = BETWEEN;
        return 0;
    }
}

// Take in `size` bytes, or less with stop_at_trailer. *used: how many.
static int push(struct parser *p, const char *data, size_t size, size_t *used)
{
    size_t part;
    *used = 0;
    while (*used < size) {
        int err = push_some(p, data + *used, size - *used, &part);
        *used += part;
        if (err != 0)
            return err;
        if (p->trailer && p->stop_at_trailer)
            return 0;
    }
    return 0;
}

static int push_all(void *ctx, const void *data, size_t size)
{
    size_t used;
    return push(ctx, data, size, &used);
}

// The piece of archive that was begun ends here.
static int check_end(struct parser *p)
{
    if (p->state == HEADER)
        return bad(p, "the archive ends inside a header");
    if (p->state == DATA)
        return bad(p, "the archive ends inside a file");
    p->state = BETWEEN;
    return 0;
}

static int unpack_one(struct parser *p, const char *data, size_t size, size_t *used)
{
    int err;
    p->trailer = false;
    if (inflate_is_gzip(data, size)) {
        p->stop_at_trailer = false;
        err = inflate_gzip(data, size, used, push_all, p, kmalloc, kfree, &p->why);
    } else {
        p->stop_at_trailer = true;
        err = push(p, data, size, used);
    }
    return err != 0 ? err : check_end(p);
}

static int unpack_all(struct parser *p, const char *data, size_t size, size_t *at)
{
    size_t used;
    while (*at < size) {
        if (data[*at] == '\0') {
            ++*at;
            continue;
        }
        int err = unpack_one(p, data + *at, size - *at, &used);
        *at += used;
        if (err != 0)
            return err;
    }
    return 0;
}

int initramfs_unpack(const void *archive, size_t size)
{
    struct parser p = {.why = ""};
    size_t at = 0;
    int err = initramfs_target_init(&p.target);
    p.header = kmalloc(HEADER_ROOM);
    if (err == 0)
        err = p.header ? unpack_all(&p, archive, size, &at) : -ENOMEM;
    if (err == -EINVAL)
        log_err("initramfs: %s, at byte %zu of %zu; going on with what was unpacked", p.why, at,
                size);
    else if (err != 0)
        log_err("initramfs: no room for it (error %d at byte %zu of %zu): give the machine more "
                "memory or a smaller archive; going on with what was unpacked",
                -err, at, size);
    initramfs_target_end(&p.target);
    kfree(p.header);
    return err;
}
