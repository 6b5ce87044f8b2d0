// SPDX-License-Identifier: BSD-2-Clause
// Partitions as block devices of their own: vda1, mmcblk0p1. Made once, when the disk is
// registered, and they stay. As on Linux, a partition's page cache isn't the whole disk's: what was
// written through one is seen through the other after a sync and BLKFLSBUF.
#include <arch/log.h>
#include <ctype.h>
#include <errno.h>
#include <fs/block.h>
#include <fs/chrdev.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <stdio.h>
#include <string.h>

#include "block_priv.h"
#include "partition_priv.h"

struct block_partition {
    struct block_device block;
    struct block_device *disk;
    uint64_t start;
};

struct scan {
    struct block_device *disk;
    struct page *page; // what is read lands here
    dev_t dev;         // of the disk; those of partitions follow
    unsigned int nr_found, nr_left_out;
};

static int partition_transfer(struct block_device *b, bool write, uint64_t sector,
                              struct page *const *pages, unsigned int nr_sectors)
{
    struct block_partition *p = container_of(b, struct block_partition, block);

    if (sector > b->nr_sectors || nr_sectors > b->nr_sectors - sector)
        return -EIO;
    return block_transfer(p->disk, write, p->start + sector, pages, nr_sectors);
}

static int partition_flush(struct block_device *b)
{
    struct block_partition *p = container_of(b, struct block_partition, block);

    return block_flush_device(p->disk);
}

static const struct block_ops partition_ops = {
    .transfer = partition_transfer,
    .flush = partition_flush,
};

static int scan_read(void *ctx, uint64_t sector, void *buf)
{
    struct scan *s = ctx;
    int err = block_transfer(s->disk, false, sector, &s->page, 1);

    if (err == 0)
        memcpy(buf, page_to_virt(s->page), PARTITION_SECTOR);
    return err;
}

static int partition_add(struct scan *s, const struct partition *found)
{
    struct block_partition *p = kzalloc(sizeof(*p));
    const char *disk = s->disk->name;

    if (!p)
        return -ENOMEM;
    p->disk = s->disk;
    p->start = found->start;
    p->block.ops = &partition_ops;
    p->block.nr_sectors = found->nr_sectors;
    p->block.read_only = s->disk->read_only;
    const char *between = isdigit((unsigned char)disk[strlen(disk) - 1]) ? "p" : "";
    snprintf(p->block.name, sizeof(p->block.name), "%s%s%u", disk, between, found->number);
    int err = block_add(&p->block, s->dev + found->number);
    if (err)
        kfree(p);
    return err;
}

static void scan_found(void *ctx, const struct partition *found)
{
    struct scan *s = ctx;

    if (found->number < BLOCK_MINORS && partition_add(s, found) == 0)
        s->nr_found++;
    else
        s->nr_left_out++;
}

void block_scan_partitions(struct block_device *disk, dev_t dev)
{
    static const char *const tables[] = {
        [PARTITION_MBR] = "MBR", [PARTITION_GPT] = "GPT", [PARTITION_GPT_BACKUP] = "backup GPT"};
    struct scan s = {.disk = disk, .page = page_alloc(0, 0), .dev = dev};

    if (!s.page)
        return;
    const struct partition_disk d = {disk->nr_sectors, scan_read, scan_found, &s};
    int result = partition_scan(&d);
    page_put(s.page);
    if (result == -EINVAL)
        log_err("%s: both copies of its GPT are damaged: no partitions", disk->name);
    else if (result < 0)
        log_err("%s: its partition table can't be read (%d)", disk->name, result);
    else if (result != PARTITION_NONE)
        log_info("%s: %u partitions (%s)", disk->name, s.nr_found, tables[result]);
    if (result == PARTITION_GPT_BACKUP)
        log_warn("%s: the GPT at its start is damaged, the one at its end was taken", disk->name);
    if (s.nr_left_out > 0)
        log_warn("%s: %u more partitions have no device: numbers end at %u", disk->name,
                 s.nr_left_out, BLOCK_MINORS - 1);
}
