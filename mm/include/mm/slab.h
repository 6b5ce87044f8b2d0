// SPDX-License-Identifier: BSD-2-Clause
// Slabs: caches of equal objects inside pages, and kmalloc over power-of-two caches. Memory is in
// the linear map, 16-byte aligned (sizes from a page up: page-aligned). Never sleep; NULL when out
// of memory.
#pragma once

#include <lib/types.h>

struct slab_cache;

// Boot time or later; name must stay. Panics only in boot code when out of memory.
struct slab_cache *slab_cache_create(const char *name, size_t size_bytes, size_t align);
void *slab_alloc(struct slab_cache *c); // not cleared
void *slab_zalloc(struct slab_cache *c);
void slab_free(struct slab_cache *c, void *p);

// A cache, by its number from 0 on. Objects in use are counted exactly while nobody allocates.
struct slab_info {
    const char *name;
    uint64_t nr_active, nr_slabs;
    unsigned int size, slab_objects, slab_pages;
};
bool slab_info(unsigned int index, struct slab_info *info); // false: there is none

void slab_init(void);
void *kmalloc(size_t size_bytes); // up to 4 MiB
void *kzalloc(size_t size_bytes);
void *krealloc(void *p, size_t size_bytes); // NULL p: kmalloc; on failure p stays
void kfree(void *p);                        // NULL is fine
char *kstrdup(const char *s);
