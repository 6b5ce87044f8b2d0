// SPDX-License-Identifier: BSD-2-Clause
// Reader of newc cpio archives (cpio(5), Linux Documentation/driver-api/early-userspace/
// buffer-format) that come in pieces of any size. Pure: calls back, allocates nothing, trusts
// nothing.
#pragma once

#include <lib/types.h>

#define CPIO_HEADER_SIZE 110
#define CPIO_NAME_MAX    4096 // with the NUL

struct cpio_entry {
    const char *name; // NUL-terminated, valid during the callback
    uint32_t size;    // of the data that follows
    uint32_t mode, uid, gid, nlink, mtime, ino;
    uint32_t dev_major, dev_minor;   // of the device the file was on
    uint32_t rdev_major, rdev_minor; // of a device node
};

struct cpio_ops { // a non-zero result ends the reading and is returned by cpio_feed
    int (*begin)(void *ctx, const struct cpio_entry *entry);
    int (*data)(void *ctx, const void *data, size_t size); // a piece of the entry's data
    int (*end)(void *ctx);                                 // all of it came
};

enum cpio_state { CPIO_BETWEEN, CPIO_HEADER, CPIO_NAME, CPIO_DATA, CPIO_PADDING };

struct cpio_reader {
    const struct cpio_ops *ops;
    void *ctx;
    enum cpio_state state;
    uint32_t have;      // bytes of header and name in `buffer`
    uint32_t name_size; // with the NUL
    uint32_t data_left;
    uint32_t padding_left;
    bool after_trailer;
    struct cpio_entry entry;
    const char *why; // what is wrong, after -EINVAL
    char buffer[CPIO_HEADER_SIZE + CPIO_NAME_MAX];
};

void cpio_reader_init(struct cpio_reader *r, const struct cpio_ops *ops, void *ctx);
// Read on. Between archives zeros are skipped, and anything else that doesn't begin a header stops:
// 0 with *used < size. Else 0 with all used, -EINVAL with r->why, or a callback's result.
int cpio_feed(struct cpio_reader *r, const void *data, size_t size, size_t *used);
// True if the input may end here: after a trailer, or before any header.
bool cpio_reader_is_done(const struct cpio_reader *r);
