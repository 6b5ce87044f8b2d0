// SPDX-License-Identifier: BSD-2-Clause
// Runs: neighbouring pages of an object that are read, or written back, in one request, as devices
// like it.
//
// Reading ahead. A miss reads what its caller is known to want: the rest of a read(2), one page for
// a fault. If the first miss of a call comes right where the last run ended, the object is read in
// sequence, and the run is twice the last one, from RUN_FIRST pages to VM_RUN_MAX. So random access
// reads no page that wasn't asked for. A run ends at the object's end, at the first page that is
// there already, and where memory is short.
//
// Errors. A run that fails is read again page by page, up to the first page that fails, which is
// the one that gets the error once it is asked for. Dirty pages are all tried.
//
// Locking: o->lock is held from the look for what is absent until the pages are in the tree, and
// while they are written; so nobody truncates in between, and nobody reads the same page twice.
#include <errno.h>
#include <sync/port.h>

#include "radix_priv.h"
#include "vm_object_priv.h"

#define RUN_FIRST 4U

// Pages that a miss at `index` reads.
static unsigned int run_length(const struct vm_object *o, uint64_t index, uint64_t wanted,
                               bool ahead)
{
    struct page *there[VM_RUN_MAX];
    uint64_t end = vm_object_end_index(o);
    unsigned int i = 1, nr = (unsigned int)MIN(wanted, (uint64_t)VM_RUN_MAX);

    if (ahead && o->run_pages > 0 && index == o->run_end)
        nr = MIN(MAX(nr, MAX(2U * o->run_pages, RUN_FIRST)), VM_RUN_MAX);
    if (nr <= 1 || index >= end) // behind the end: it was truncated meanwhile
        return 1;
    nr = (unsigned int)MIN(nr, end - index);
    radix_get_some(o, index, nr, there);
    while (i < nr && !there[i])
        i++;
    return i;
}

// How many of the pages, from the first on, were filled; fewer: *error.
static unsigned int run_fill(struct vm_object *o, uint64_t index, struct page *const *pages,
                             unsigned int nr, int *error)
{
    unsigned int i = 0;

    *error = o->ops->fill(o, index, pages, nr);
    if (*error == 0)
        return nr;
    if (nr > 1)
        while (i < nr && (*error = o->ops->fill(o, index + i, &pages[i], 1)) == 0)
            i++;
    return i;
}

int vm_object_fill_run(struct vm_object *o, uint64_t index, uint64_t wanted, bool ahead,
                       struct page **page)
{
    struct page *pages[VM_RUN_MAX];
    unsigned int nr = 0, nr_wanted = run_length(o, index, wanted, ahead), done = 0;
    int err;

    mutex_assert_held(&o->lock);
    while (nr < nr_wanted && (pages[nr] = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER)))
        nr++;
    if (nr == 0)
        return -ENOMEM;
    unsigned int filled = run_fill(o, index, pages, nr, &err);
    while (done < filled && (err = vm_object_insert_locked(o, index + done, pages[done])) == 0)
        done++;
    for (unsigned int i = done; i < nr; i++)
        page_put(pages[i]);
    o->run_pages = (uint16_t)(done == nr ? done : 0);
    o->run_end = index + done;
    if (done == 0)
        return err;
    page_get(pages[0]);
    *page = pages[0];
    return 0;
}

void vm_object_read_ahead(struct vm_object *o, uint64_t first, uint64_t end)
{
    int err = 0;

    while (err == 0 && first < end && o->ops->fill) {
        struct page *page;
        mutex_lock(&o->lock);
        end = MIN(end, vm_object_end_index(o));
        if (first >= end || radix_get(o, first)) {
            first++;
        } else {
            err = vm_object_fill_run(o, first, end - first, false, &page);
            first = o->run_end;
            if (err == 0)
                page_put(page);
        }
        mutex_unlock(&o->lock);
        if (err == 0 && first < end)
            err = port_relax(PARK_KILLABLE);
    }
}

struct sync_walk {
    struct vm_object *o;
    int first_error;
    uint64_t index; // of the run
    unsigned int nr;
    struct page *pages[VM_RUN_MAX];
};

static int sync_pages(struct sync_walk *w, unsigned int first, unsigned int nr)
{
    int err = w->o->ops->write_back(w->o, w->index + first, &w->pages[first], nr);

    for (unsigned int i = first; err == 0 && i < first + nr; i++)
        w->pages[i]->flags &= (uint16_t)~PAGE_DIRTY;
    return err;
}

// Write what was collected.
static void sync_run(struct sync_walk *w)
{
    int err = w->nr > 0 ? sync_pages(w, 0, w->nr) : 0;

    for (unsigned int i = 0; err != 0 && i < w->nr; i++) {
        int page_err = w->nr > 1 ? sync_pages(w, i, 1) : err;
        if (w->first_error == 0)
            w->first_error = page_err;
    }
    w->nr = 0;
}

static int sync_collect(void *ctx, uint64_t index, struct page *page)
{
    struct sync_walk *w = ctx;

    if (!(page->flags & PAGE_DIRTY))
        return 0;
    if (w->nr == VM_RUN_MAX || index != w->index + w->nr)
        sync_run(w);
    if (w->nr == 0)
        w->index = index;
    w->pages[w->nr++] = page;
    return 0;
}

int vm_object_sync_range(struct vm_object *o, uint64_t first, uint64_t end)
{
    struct sync_walk w = {.o = o};

    if (!vm_object_tracks_writes(o))
        return 0;
    mutex_lock(&o->lock);
    vm_object_write_protect_locked(o);
    radix_for_each(o, first, end, sync_collect, &w);
    sync_run(&w);
    mutex_unlock(&o->lock);
    return w.first_error;
}

int vm_object_sync(struct vm_object *o)
{
    return vm_object_sync_range(o, 0, UINT64_MAX);
}
