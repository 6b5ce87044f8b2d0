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
};

extern const struct board *const board;
