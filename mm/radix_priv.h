// SPDX-License-Identifier: BSD-2-Clause
// The radix tree of an object's pages. The object's lock guards it.
#pragma once

#include <mm/vm_object.h>

void radix_init(void); // boot: the cache of nodes

// The page at `index`, or NULL.
struct page *radix_get(const struct vm_object *o, uint64_t index);
// The same for nr pages from `first` on.
void radix_get_some(const struct vm_object *o, uint64_t first, unsigned int nr,
                    struct page **pages);
// Put `page` where nothing is. 0 or -ENOMEM (nothing changed that a reader could see).
int radix_put(struct vm_object *o, uint64_t index, struct page *page);
// Take every page in [first, end) out, in order, and hand it to fn.
void radix_remove(struct vm_object *o, uint64_t first, uint64_t end,
                  void (*fn)(void *ctx, struct page *page), void *ctx);
// Call fn for every page in [first, end), in order, until it returns non-zero; that is returned.
int radix_for_each(const struct vm_object *o, uint64_t first, uint64_t end,
                   int (*fn)(void *ctx, uint64_t index, struct page *page), void *ctx);
