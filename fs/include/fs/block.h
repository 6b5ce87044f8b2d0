// SPDX-License-Identifier: BSD-2-Clause
// Block devices: 512-byte sectors behind a page cache, as /dev/vda. Drivers fill the ops.
#pragma once

#include <fs/file.h>

struct block_device;

struct block_ops {
    // Transfer nr_pages whole pages at `sector` (512 bytes each); may sleep; whole transfer or -EIO.
    int (*transfer)(struct block_device *b, bool write, uint64_t sector, struct page *const *pages,
                    unsigned int nr_pages);
    int (*flush)(struct block_device *b); // to stable storage
};

struct block_device {
    const struct block_ops *ops;
    char name[16]; // "vda"
    uint64_t nr_sectors;
    bool read_only;
    struct vm_object object; // the page cache, made by block_register
    void *private;
};

// Make /dev/NAME. The last partial page of the device is not reachable. 0 or -errno.
int block_register(struct block_device *b, dev_t dev);
