// SPDX-License-Identifier: BSD-2-Clause
// Partition tables as numbers: reads what is on a disk and says where its partitions lie. Keeps
// nothing, and trusts nothing that it reads.
#pragma once

#include <lib/types.h>

#define PARTITION_SECTOR 512U

struct partition {
    unsigned int number;        // from 1, as in the table
    uint64_t start, nr_sectors; // inside the disk, never empty
};

struct partition_disk {
    uint64_t nr_sectors;
    int (*read)(void *ctx, uint64_t sector, void *buf); // one sector; 0 or -errno
    void (*found)(void *ctx, const struct partition *p);
    void *ctx;
};

enum partition_table { PARTITION_NONE, PARTITION_MBR, PARTITION_GPT, PARTITION_GPT_BACKUP };

// Find the partitions of a disk by its GPT (UEFI specification 2.10, 5.3), the copy at the disk's
// end if the first is damaged, else by its MBR with logical partitions. Those that leave the disk
// are skipped. enum partition_table; -EIO: the disk can't be read; -EINVAL: it says that it has a
// GPT, and both copies are damaged; -ENOMEM.
int partition_scan(const struct partition_disk *disk);
