// SPDX-License-Identifier: BSD-2-Clause
// Between slab.c and kmalloc.c, and for whoever is short of memory.
#pragma once

#include <mm/slab.h>

void kmalloc_init(void);
void vm_caches_init(void); // mm's own caches (vm_map.c)
size_t slab_object_size(const struct slab_cache *c);
// Give this hart's cached objects and every empty slab back to the page allocator.
void slab_reclaim(void);
