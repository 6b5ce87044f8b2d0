// SPDX-License-Identifier: BSD-2-Clause
// Reader of newc cpio archives (cpio(5), Linux Documentation/driver-api/early-userspace/
// buffer-format). Pure: walks memory, allocates nothing, trusts nothing.
#pragma once

#include <lib/types.h>

struct cpio_entry {
    const char *name; // NUL-terminated, inside the archive
    const void *data;
    uint32_t size;
    uint32_t mode, uid, gid, nlink, mtime, ino;
    uint32_t dev_major, dev_minor;   // of the device the file was on
    uint32_t rdev_major, rdev_minor; // of a device node
};

// Read the entry at *offset and move *offset past it. 1: an entry; 0: TRAILER!!! or only zero
// padding is left; -EINVAL: no valid header here or a name or file beyond the end, in which case
// *why (never NULL) says what, and *offset still is where.
int cpio_next(const void *archive, size_t size, size_t *offset, struct cpio_entry *entry,
              const char **why);
