// SPDX-License-Identifier: BSD-2-Clause
// Block devices: 512-byte sectors behind a page cache, as /dev/vda, and their partitions.
// Drivers fill the ops.
#pragma once

#include <fs/file.h>

struct block_device;

struct block_ops {
    // Transfer nr_sectors (512 bytes each) at `sector` from or to whole pages, the last of which
    // may be used in part; may sleep; whole transfer or -EIO.
    int (*transfer)(struct block_device *b, bool write, uint64_t sector, struct page *const *pages,
                    unsigned int nr_sectors);
    int (*flush)(struct block_device *b); // to stable storage
};

enum block_request { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_REQUEST_KINDS };

struct block_stats {
    struct spinlock lock; // guards the rest
    uint32_t nr_running;  // requests
    uint64_t busy_since_ns, busy_ns;
    struct {
        uint64_t nr, nr_sectors, ns;
    } done[BLOCK_REQUEST_KINDS];
};

struct block_device {
    const struct block_ops *ops;
    char name[16]; // "vda"
    uint64_t nr_sectors;
    bool read_only;
    struct vm_object object; // the page cache, made by block_register
    void *private;
    // Private to fs.
    uint32_t nr_open;          // atomic
    uint32_t nr_holders;       // atomic: file systems on it, one at most
    struct mutex drop_lock;    // the last close, or too large a cache, empties it
    struct block_device *next; // all of them
    struct block_stats stats;
};

#define BLOCK_MINORS 16 // of a disk: itself and partitions 1 to 15

// Make /dev/NAME, and a device for each partition that the disk has now ("vda1", "mmcblk0p1"), with
// the numbers that follow `dev`. 0 or -errno; a damaged table is no error. May sleep.
int block_register(struct block_device *b, dev_t dev);
// Write what is dirty of every device to stable storage. 0 or the first error. May sleep.
int block_sync_all(void);

// For file systems. One holds a device at a time; programs may open it all the same. 0, -ENXIO,
// -EBUSY (held), -EACCES (`write`, and it is read-only).
int block_hold(dev_t dev, bool write, struct block_device **b);
void block_drop(struct block_device *b); // writes back what is dirty
// Bytes by way of the page cache. 0 or -errno. May sleep; no user memory is touched.
int block_read_bytes(struct block_device *b, uint64_t offset, void *buf, size_t n);
int block_write_bytes(struct block_device *b, uint64_t offset, const void *buf, size_t n);
// These bytes will be read soon: bring them into the cache, in few requests. May sleep.
void block_want(struct block_device *b, uint64_t offset, size_t n);
int block_flush(struct block_device *b); // what is dirty goes to stable storage
void block_trim(struct block_device *b); // a cache too large for memory is written and emptied
