// SPDX-License-Identifier: BSD-2-Clause
// vm_object: what backs a region that isn't private anonymous memory: a file's page cache, shared
// memory, a device. Pages are kept by index in a radix tree; a page in an object holds one
// reference for the object, each PTE another. mm owns the ops, fs and ipc implement them. Private
// anonymous memory has no object: its pages live in the page tables alone.
#pragma once

#include <lib/refcount.h>
#include <mm/page.h>
#include <sync/mutex.h>

struct vm_object;
struct vm_region;

struct vm_object_ops {
    // Fill `nr` new pages, at most VM_RUN_MAX, with the content from `index` on, in one request
    // where that can be; they are zeroed, and what lies behind the end is left alone. May sleep. 0,
    // or -errno (-EIO) and none counts as filled: a run is then asked for page by page, up to the
    // first that fails. NULL: they stay zero.
    int (*fill)(struct vm_object *o, uint64_t index, struct page *const *pages, unsigned int nr);
    // Write `nr` neighbouring dirty pages back, at most VM_RUN_MAX. May sleep. 0, or -errno and all
    // count as dirty: a run is then tried page by page. NULL: memory is all there is.
    int (*write_back)(struct vm_object *o, uint64_t index, struct page *const *pages,
                      unsigned int nr);
    // Last reference gone; pages are freed already. Frees the object.
    void (*release)(struct vm_object *o);
    // Device memory: physical address for `index`, 0 for none. NULL for objects with pages.
    paddr_t (*device_page)(struct vm_object *o, uint64_t index);
    // A region of it came to be or goes (mmap, fork, a split, mremap; munmap, exit): for whoever
    // counts. Both or none; regions of an object that has them are never merged, so that the count
    // is Linux's. The region's map is locked for writing or belongs to the caller alone, the object
    // isn't locked; they may not sleep.
    void (*mapped)(struct vm_object *o, const struct vm_region *r);
    void (*unmapped)(struct vm_object *o, const struct vm_region *r);
};

#define VM_RUN_MAX 32U // pages of one request: 128 KiB

struct radix_node;

struct vm_object {
    struct refcount refs;
    const struct vm_object_ops *ops;
    struct mutex lock; // guards the rest; below vm_map.lock, above page tables
    struct radix_node *root;
    uint8_t height;
    bool huge;          // all of it is 2 MiB pages of the pool; constant
    uint16_t run_pages; // read by the last miss; 0: none, or it failed
    uint64_t run_end;   // the page after them: a miss there goes on in sequence
    uint64_t nr_pages;
    uint64_t nr_promised;      // of those, kept for it
    uint64_t nr_committed;     // pages promised at once; constant. 0: each when it comes to be
    uint64_t size_bytes;       // a fault at or past its last page is SIGBUS
    struct list_node mappings; // regions that map it (vm_region.object_node), for truncate
};

void vm_object_init(struct vm_object *o, const struct vm_object_ops *ops, uint64_t size_bytes);
// Anonymous shared memory (MAP_SHARED|MAP_ANONYMOUS, shm): zeroed on first touch. NULL: no memory.
struct vm_object *vm_object_create_shared(uint64_t size_bytes);
// Promise (overcommit_memory) all that a fresh object may hold, rather than each page when it
// comes. 0 or -ENOMEM.
int vm_object_commit(struct vm_object *o);
void vm_object_get(struct vm_object *o);
void vm_object_put(struct vm_object *o);

// Make a new object, of a size that fits, one of 2 MiB pages of the pool (MAP_HUGETLB).
void vm_object_make_huge(struct vm_object *o);
// Have the pool keep what such an object may need up to `end_bytes`. 0 or -ENOMEM: it has too few.
int vm_object_promise(struct vm_object *o, uint64_t end_bytes);
// Bytes [offset, end) of such an object read as zeros: pages are dropped, parts of one cleared.
void vm_object_punch_huge(struct vm_object *o, uint64_t offset, uint64_t end);

// The page at `index` with a reference for the caller. With create, allocated (and filled, along
// with those that follow, if misses go on in sequence) when absent. 0; -ENOENT absent; -ENOMEM;
// -EIO. May sleep.
int vm_object_page(struct vm_object *o, uint64_t index, bool create, struct page **page);
// The pages from `index` on, up to `max` and until one is absent, each with a reference for the
// caller. How many.
unsigned int vm_object_pages(struct vm_object *o, uint64_t index, unsigned int max,
                             struct page **pages);
// Change the size. Shrinking drops pages, clears the tail of the last one and takes the pages out
// of every map of the object before it returns (truncate(2)). May sleep.
void vm_object_resize(struct vm_object *o, uint64_t size_bytes);
// Drop the pages of [first, end) (punch a hole): they read as zeros, or as the file, again.
void vm_object_drop(struct vm_object *o, uint64_t first, uint64_t end);
// Is it mapped shared, by a region that is writable or can become so? The answer is about now.
bool vm_object_is_shared_writable(struct vm_object *o);
// Write every dirty page back through ops->write_back, neighbours together. 0 or the first error;
// what could not be written stays dirty.
int vm_object_sync(struct vm_object *o);
// The same for the pages of [first, end).
int vm_object_sync_range(struct vm_object *o, uint64_t first, uint64_t end);
// Forget every page that isn't dirty and that nobody else uses or maps; `fill` brings it back.
void vm_object_drop_clean(struct vm_object *o);

// Bring in what is missing of pages [first, end), a run at a time. What can't be read, or has no
// room, is left out: whoever reads it learns why. May sleep.
void vm_object_read_ahead(struct vm_object *o, uint64_t first, uint64_t end);

// Copy between the object and memory, for read(2) and write(2) on page-cached files. Reads stop at
// size_bytes; writes must lie within. `uio` is advanced. Bytes done, or -errno if none. A miss
// reads as much as `uio` still asks for, more when misses go on in sequence (not for uio->exact);
// a page that is written as a whole isn't read before.
struct uio;
ssize_t vm_object_read(struct vm_object *o, uint64_t offset, struct uio *uio);
ssize_t vm_object_write(struct vm_object *o, uint64_t offset, struct uio *uio);
