// SPDX-License-Identifier: BSD-2-Clause
// Between block.c and the files that make block devices out of others.
#pragma once

#include <fs/block.h>

// As block_register, without a look for partitions.
int block_add(struct block_device *b, dev_t dev);
// ops->transfer and ops->flush (0 where there is none, or nothing can be written), counted
// (block_stats.c). May sleep.
int block_transfer(struct block_device *b, bool write, uint64_t sector, struct page *const *pages,
                   unsigned int nr_sectors);
int block_flush_device(struct block_device *b);
struct text;
int block_show_stats(struct text *t, uint64_t key); // /proc/diskstats
// Register the partitions of a disk, and say in the log what was found.
void block_scan_partitions(struct block_device *disk, dev_t dev);
