// SPDX-License-Identifier: BSD-2-Clause
// What the cursors of cursor_test.c stand on: RAM whose pages are overwritten when they are freed,
// harts that are threads, and flushes that only count.
#pragma once

#include <arch/thread.h>

#include "../../../mm/vm_space_priv.h"
#include "../sync/sync_host.h"

#define HOST_PAGES  4096
#define HOST_BLOCKS 16
#define HOST_FREED  0xdeadUL // first word of a free page

// Called by every flush of this thread's.
extern __thread void (*host_flush_hook)(const struct mmu_context *ctx, vaddr_t start, vaddr_t end);

void host_ram_start(void);
uint64_t host_ram_free(void); // pages, those in blocks too
