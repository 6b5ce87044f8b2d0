// SPDX-License-Identifier: BSD-2-Clause
// Upward port: what differs between boards and isn't in the device tree. Declared here, defined
// once in boards/<name>/board.c, never patched at run time.
#pragma once

#include <lib/types.h>

struct board {
    const char *name;       // "qemu-virt"
    const char *compatible; // root node's; a different tree is warned of, not refused
    // Limits of the modules.
    unsigned int nr_processes_max; // threads in all
    unsigned int tlb_flush_pages;  // more pages than this: flush the whole ASID
    unsigned int nr_ipc_ids_max;   // segments, semaphore arrays and message queues, of each
    unsigned int msg_bytes_max;    // of one System V message, and of a queue
    // Where DMA isn't coherent: write cache lines of this memory back and forget them. NULL: it is.
    void (*dma_sync)(paddr_t base, size_t size_bytes);
};

extern const struct board *const board;

// Before a device reads or writes memory, and after it wrote. Order comes from mmio_write32() and
// mmio_read32(), which fence memory against devices.
static inline void board_dma_sync(paddr_t base, size_t size_bytes)
{
    if (board->dma_sync)
        board->dma_sync(base, size_bytes);
}
