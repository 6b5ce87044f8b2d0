// SPDX-License-Identifier: BSD-2-Clause
// newc cpio: a header of 110 ASCII hex digits, the name, padding to 4, the data, padding to 4. All
// offsets are counted from the archive's first header.

#include <ctype.h>
#include <errno.h>
#include <lib/cpio.h>
#include <string.h>

#define NR_FIELDS 13

enum field {
    F_INO,
    F_MODE,
    F_UID,
    F_GID,
    F_NLINK,
    F_MTIME,
    F_SIZE,
    F_DEV_MAJOR,
    F_DEV_MINOR,
    F_RDEV_MAJOR,
    F_RDEV_MINOR,
    F_NAME_SIZE,
    F_CHECK,
};

void cpio_reader_init(struct cpio_reader *r, const struct cpio_ops *ops, void *ctx)
{
    r->ops = ops;
    r->ctx = ctx;
    r->state = CPIO_BETWEEN;
    r->have = 0;
    r->after_trailer = true;
    r->why = "";
}

bool cpio_reader_is_done(const struct cpio_reader *r)
{
    return r->state == CPIO_BETWEEN && r->after_trailer;
}

static int bad(struct cpio_reader *r, const char *why)
{
    r->why = why;
    return -EINVAL;
}

static bool parse_fields(const char *digits, uint32_t fields[NR_FIELDS])
{
    for (int i = 0; i < NR_FIELDS; i++) {
        fields[i] = 0;
        for (int digit = 0; digit < 8; digit++, digits++) {
            if (!isxdigit(*digits))
                return false;
            int value = isdigit(*digits) ? *digits - '0' : tolower(*digits) - 'a' + 10;
            fields[i] = fields[i] << 4 | (uint32_t)value;
        }
    }
    return true;
}

static int parse_header(struct cpio_reader *r)
{
    uint32_t f[NR_FIELDS];

    if (memcmp(r->buffer, "070701", 6) != 0 && memcmp(r->buffer, "070702", 6) != 0)
        return bad(r, "no newc header (070701) where one should be");
    if (!parse_fields(r->buffer + 6, f))
        return bad(r, "a header field isn't hexadecimal");
    if (f[F_NAME_SIZE] == 0 || f[F_NAME_SIZE] > CPIO_NAME_MAX)
        return bad(r, "a file name is empty or too long");
    r->name_size = f[F_NAME_SIZE];
    r->entry = (struct cpio_entry){
        .name = r->buffer + CPIO_HEADER_SIZE,
        .size = f[F_SIZE],
        .mode = f[F_MODE],
        .uid = f[F_UID],
        .gid = f[F_GID],
        .nlink = f[F_NLINK],
        .mtime = f[F_MTIME],
        .ino = f[F_INO],
        .dev_major = f[F_DEV_MAJOR],
        .dev_minor = f[F_DEV_MINOR],
        .rdev_major = f[F_RDEV_MAJOR],
        .rdev_minor = f[F_RDEV_MINOR],
    };
    r->state = CPIO_NAME;
    return 0;
}

static uint32_t padding_of(uint32_t length)
{
    return (uint32_t)(-length & 3U);
}

// After data and its padding: the next header must follow, unless this was the trailer.
static void finish_entry(struct cpio_reader *r)
{
    r->have = 0;
    r->state = r->after_trailer ? CPIO_BETWEEN : CPIO_HEADER;
}

static int begin_entry(struct cpio_reader *r)
{
    if (r->entry.name[r->name_size - 1] != '\0')
        return bad(r, "a file name isn't terminated");
    r->after_trailer = strcmp(r->entry.name, "TRAILER!!!") == 0;
    r->padding_left = padding_of(CPIO_HEADER_SIZE + r->name_size);
    r->data_left = r->entry.size;
    r->state = CPIO_PADDING;
    if (r->after_trailer)
        return r->data_left == 0 ? 0 : bad(r, "the trailer has data");
    return r->ops->begin(r->ctx, &r->entry);
}

// Collect up to `wanted` bytes of header and name; how many were taken.
static size_t collect(struct cpio_reader *r, const char *data, size_t size, uint32_t wanted)
{
    size_t n = MIN(size, (size_t)(wanted - r->have));

    memcpy(r->buffer + r->have, data, n);
    r->have += (uint32_t)n;
    return n;
}

// Padding comes twice for an entry: before its data and after. data_left tells which.
static int after_padding(struct cpio_reader *r)
{
    if (r->data_left > 0) {
        r->state = CPIO_DATA;
        return 0;
    }
    int err = r->after_trailer ? 0 : r->ops->end(r->ctx);
    finish_entry(r);
    return err;
}

static int feed_data(struct cpio_reader *r, const char *data, size_t size, size_t *taken)
{
    *taken = MIN(size, (size_t)r->data_left);
    r->data_left -= (uint32_t)*taken;
    if (r->data_left == 0) {
        r->padding_left = padding_of(r->entry.size);
        r->state = CPIO_PADDING;
    }
    return r->ops->data(r->ctx, data, *taken);
}

int cpio_feed(struct cpio_reader *r, const void *input, size_t size, size_t *used)
{
    const char *data = input;
    size_t at = 0, n;
    int err = 0;

    // Padding of length 0 is a step that takes no byte, so it may run when all input is used.
    while (err == 0 && (at < size || (r->state == CPIO_PADDING && r->padding_left == 0))) {
        switch (r->state) {
        case CPIO_BETWEEN:
            if (data[at] == '0') {
                r->state = CPIO_HEADER;
                r->after_trailer = false;
            } else if (data[at] == '\0') {
                at++;
            } else {
                *used = at;
                return 0;
            }
            break;
        case CPIO_HEADER:
            at += collect(r, data + at, size - at, CPIO_HEADER_SIZE);
            if (r->have == CPIO_HEADER_SIZE)
                err = parse_header(r);
            break;
        case CPIO_NAME:
            at += collect(r, data + at, size - at, CPIO_HEADER_SIZE + r->name_size);
            if (r->have == CPIO_HEADER_SIZE + r->name_size)
                err = begin_entry(r);
            break;
        case CPIO_PADDING:
            n = MIN(size - at, (size_t)r->padding_left);
            at += n;
            r->padding_left -= (uint32_t)n;
            if (r->padding_left == 0)
                err = after_padding(r);
            break;
        case CPIO_DATA:
            err = feed_data(r, data + at, size - at, &n);
            at += n;
            break;
        }
    }
    *used = at;
    return err;
}
