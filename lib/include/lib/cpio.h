// SPDX-License-Identifier: BSD-2-Clause
// Reader of newc cpio archives (cpio(5), Linux Documentation/driver-api/early-userspace/
// buffer-format). Pure: walks memory, allocates nothing, trusts nothing.
#pragma once

#include <lib/types.h>

struct cpio_entry {
    const char *name;   // NUL-terminated, inside the archive
    uint32_t name_size; // with the NUL
    const void *data;
    uint32_t size;
    uint32_t mode, uid, gid, nlink, mtime, ino;
    uint32_t dev_major, dev_minor;   // of the device the file was on
    uint32_t rdev_major, rdev_minor; // of a device node
};

#define CPIO_HEADER_SIZE 110 // before the name

// Decode one header alone, for archives that come in pieces: all but `data`. `size` bytes are
// there, at least CPIO_HEADER_SIZE; the name need not be among them yet and is not checked.
// *header_size: header, name and padding, after which the data begin. 0 or -EINVAL with *why.
int cpio_read_header(const char *header, size_t size, struct cpio_entry *entry, size_t *header_size,
                     const char **why);

// Read the entry at *offset and move *offset past it. 1: an entry; 0: TRAILER!!! or only zero
// padding is left; -EINVAL: no valid header here or a name or file beyond the end, in which case
// *why (never NULL) says what, and *offset still is where.
int cpio_next(const void *archive, size_t size, size_t *offset, struct cpio_entry *entry,
              const char **why);
