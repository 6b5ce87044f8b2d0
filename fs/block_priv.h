// SPDX-License-Identifier: BSD-2-Clause
// Between block.c and the files that make block devices out of others.
#pragma once

#include <fs/block.h>

// As block_register, without a look for partitions.
int block_add(struct block_device *b, dev_t dev);
// Register the partitions of a disk, and say in the log what was found.
void block_scan_partitions(struct block_device *disk, dev_t dev);
