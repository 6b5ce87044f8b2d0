// SPDX-License-Identifier: BSD-2-Clause
// Requests to block devices, counted and timed, and /proc/diskstats. What a partition passes on
// counts for its disk, too. A request is what a driver is asked for at once; it may make several of
// it.
//
// Locking: block_stats.lock guards the counts of a device; it isn't held while a request runs.
#include <arch/clock.h>
#include <fs/chrdev.h>
#include <fs/procfs.h>

#include "block_priv.h"

static uint64_t stats_begin(struct block_device *b)
{
    uint64_t now = clock_monotonic_ns();

    spin_lock(&b->stats.lock);
    if (b->stats.nr_running++ == 0)
        b->stats.busy_since_ns = now;
    spin_unlock(&b->stats.lock);
    return now;
}

static void stats_end(struct block_device *b, enum block_request kind, uint64_t nr_sectors,
                      uint64_t since_ns)
{
    uint64_t now = clock_monotonic_ns();

    spin_lock(&b->stats.lock);
    if (--b->stats.nr_running == 0)
        b->stats.busy_ns += now - b->stats.busy_since_ns;
    b->stats.done[kind].nr++;
    b->stats.done[kind].nr_sectors += nr_sectors;
    b->stats.done[kind].ns += now - since_ns;
    spin_unlock(&b->stats.lock);
}

int block_transfer(struct block_device *b, bool write, uint64_t sector, struct page *const *pages,
                   unsigned int nr_sectors)
{
    uint64_t since = stats_begin(b);
    int err = b->ops->transfer(b, write, sector, pages, nr_sectors);
    stats_end(b, write ? BLOCK_WRITE : BLOCK_READ, nr_sectors, since);
    return err;
}

int block_flush_device(struct block_device *b)
{
    if (!b->ops->flush || b->read_only)
        return 0;
    uint64_t since = stats_begin(b);
    int err = b->ops->flush(b);
    stats_end(b, BLOCK_FLUSH, 0, since);
    return err;
}

// Columns as in the kernel's Documentation/admin-guide/iostats.rst; nothing is merged or discarded
// here.
static void show_device(struct text *t, dev_t dev, const char *name, struct block_device *b)
{
    struct block_stats s;
    uint64_t now = clock_monotonic_ns(), total_ns = 0;

    spin_lock(&b->stats.lock);
    s = b->stats;
    spin_unlock(&b->stats.lock);
    if (s.nr_running > 0 && now > s.busy_since_ns)
        s.busy_ns += now - s.busy_since_ns;
    text_printf(t, "%4u %7u %s", DEV_MAJOR(dev), DEV_MINOR(dev), name);
    for (unsigned int kind = BLOCK_READ; kind <= BLOCK_WRITE; kind++)
        text_printf(t, " %llu 0 %llu %llu", (unsigned long long)s.done[kind].nr,
                    (unsigned long long)s.done[kind].nr_sectors,
                    (unsigned long long)(s.done[kind].ns / NS_PER_MS));
    for (unsigned int kind = 0; kind < BLOCK_REQUEST_KINDS; kind++)
        total_ns += s.done[kind].ns;
    text_printf(t, " %u %llu %llu 0 0 0 0 %llu %llu\n", s.nr_running,
                (unsigned long long)(s.busy_ns / NS_PER_MS),
                (unsigned long long)(total_ns / NS_PER_MS),
                (unsigned long long)s.done[BLOCK_FLUSH].nr,
                (unsigned long long)(s.done[BLOCK_FLUSH].ns / NS_PER_MS));
}

int block_show_stats(struct text *t, uint64_t key)
{
    const char *name;
    dev_t dev;

    for (unsigned int i = 0; device_at(true, i, &name, &dev); i++) {
        const struct file_ops *ops;
        void *private;
        if (blkdev_find(dev, &ops, &private) == 0)
            show_device(t, dev, name, private);
    }
    return 0;
}
