// SPDX-License-Identifier: BSD-2-Clause
// uio: the memory side of a read or write: a list of segments, in user or in kernel memory, which
// the copying advances. So every file has one read and one write for all callers (read, readv,
// pread, sendfile, exec).
#pragma once

#include <lib/types.h>

struct uio_segment {
    vaddr_t base;
    size_t size;
};

struct uio {
    const struct uio_segment *segments;
    unsigned int nr_segments;
    unsigned int index; // segment we are in
    size_t offset;      // inside it
    size_t left;        // bytes left over all
    bool kernel;        // segments are kernel addresses
    bool exact;         // of what is read, nothing beyond it is brought into the page cache
};

void uio_init_user(struct uio *u, const struct uio_segment *segments, unsigned int nr);
// One kernel buffer; *segment must live as long as the uio.
void uio_init_kernel(struct uio *u, struct uio_segment *segment, void *buffer, size_t size);
void uio_init_kernel_segments(struct uio *u, const struct uio_segment *segments, unsigned int nr);

// Copy from `src` into the uio (a read), or from the uio to `dst` (a write), at most n bytes.
// Bytes copied: fewer than MIN(n, left) means a fault there. User segments: may sleep, no spinlock.
size_t uio_copy_out(struct uio *u, const void *src, size_t n);
size_t uio_copy_in(struct uio *u, void *dst, size_t n);
size_t uio_zero_out(struct uio *u, size_t n);
