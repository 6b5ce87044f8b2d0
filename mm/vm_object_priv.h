// SPDX-License-Identifier: BSD-2-Clause
// What the fault path and the regions use of an object while they hold its lock.
#pragma once

#include <mm/vm_object.h>

// vm_object_page with o->lock held.
int vm_object_page_locked(struct vm_object *o, uint64_t index, bool create, struct page **page);

// Put a page, whose reference is handed over, where nothing is. 0 or -ENOMEM (it is the caller's
// still). o->lock held.
int vm_object_insert_locked(struct vm_object *o, uint64_t index, struct page *page);

// vm_object_run.c. A miss at `index` of an object with ops->fill, whose caller asks for `wanted`
// pages: read a run. *page is the first, with a reference for the caller. ahead: it may be longer
// than wanted. 0, -ENOMEM, -EIO. o->lock held.
int vm_object_fill_run(struct vm_object *o, uint64_t index, uint64_t wanted, bool ahead,
                       struct page **page);

// Pages of the object, the last one partly: a fault at or past this index is SIGBUS.
static inline uint64_t vm_object_end_index(const struct vm_object *o)
{
    return (o->size_bytes >> PAGE_SHIFT) + (o->size_bytes % PAGE_SIZE != 0);
}

// Where the page for `index` stands in the object's tree.
static inline uint64_t vm_object_slot(const struct vm_object *o, uint64_t index)
{
    return o->huge ? ALIGN_DOWN(index, PT_SIZE(1) / PAGE_SIZE) : index;
}

// Does a write through a mapping have to be noticed (page dirtied) by a fault?
static inline bool vm_object_tracks_writes(const struct vm_object *o)
{
    return o->ops->write_back != NULL;
}

// Is what it holds nowhere else, and so promised memory (Committed_AS)?
static inline bool vm_object_is_memory(const struct vm_object *o)
{
    return !o->ops->fill && !o->ops->device_page && !o->huge;
}

// Take pages [first, end) of `o`, and private copies of them, out of every map. o->lock held.
void vm_object_unmap_locked(struct vm_object *o, uint64_t first, uint64_t end);
// Make every mapping of `o` read-only, so that the next write is noticed. o->lock held.
void vm_object_write_protect_locked(struct vm_object *o);
