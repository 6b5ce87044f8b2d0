// SPDX-License-Identifier: BSD-2-Clause
// The hardware below the tests of maps: harts that walk page tables without a lock and keep what
// they found until a flush, which waits until none is in the middle of an access.
#pragma once

#include <mm/vm_map.h>

#define HARTS         4U
#define MIGRATE_AFTER 3U // accesses

void harts_init(void);
// For host_flush_hook.
void flush_harts(const struct mmu_context *ctx, vaddr_t start, vaddr_t end);
// Load or store the word at addr, on whatever hart the thread has got to. False: a fault.
bool hart_access(struct vm_map *m, vaddr_t addr, uint64_t *word, bool write);
