// SPDX-License-Identifier: BSD-2-Clause
// read(2) and write(2) on an object's pages. The object's lock is held only to find a page, never
// while user memory is touched; a page that is in use here stays in memory by its reference, even
// when truncate drops it meanwhile. Between pages others get the hart, and who is to die ends
// early.
#include <errno.h>
#include <mm/uio.h>
#include <mm/vm_object.h>
#include <string.h>
#include <sync/port.h>

#include "radix_priv.h"
#include "vm_object_priv.h"

unsigned int vm_object_pages(struct vm_object *o, uint64_t index, unsigned int max,
                             struct page **pages)
{
    unsigned int nr = 0;
    mutex_lock(&o->lock);
    radix_get_some(o, index, max, pages);
    for (; nr < max && pages[nr]; nr++)
        page_get(pages[nr]);
    mutex_unlock(&o->lock);
    return nr;
}

// A page that isn't there, and those that `uio` asks for after it. 0 or -errno.
static int object_read_miss(struct vm_object *o, uint64_t offset, struct uio *uio,
                            struct page **page)
{
    uint64_t index = offset >> PAGE_SHIFT;
    mutex_lock(&o->lock);
    int err = vm_object_page_locked(o, index, false, page); // somebody else was first?
    if (err == -ENOENT)
        err = vm_object_fill_run(o, index, DIV_ROUND_UP(offset % PAGE_SIZE + uio->left, PAGE_SIZE),
                                 !uio->exact, page);
    mutex_unlock(&o->lock);
    uio->exact = true; // that one read(2) goes on says nothing about the next
    return err;
}

// Copy out of one page, or zeros where memory-only objects have a hole. Bytes done or -errno.
static ssize_t object_read_part(struct vm_object *o, uint64_t offset, size_t part, struct uio *uio)
{
    struct page *page;
    int err = vm_object_page(o, offset >> PAGE_SHIFT, false, &page);
    if (err == -ENOENT && !o->ops->fill)
        return (ssize_t)uio_zero_out(uio, part);
    if (err == -ENOENT)
        err = object_read_miss(o, offset, uio, &page);
    if (err != 0)
        return err;
    const char *content = page_to_virt(page);
    size_t done = uio_copy_out(uio, content + offset % (o->huge ? PT_SIZE(1) : PAGE_SIZE), part);
    page_put(page);
    return (ssize_t)done;
}

ssize_t vm_object_read(struct vm_object *o, uint64_t offset, struct uio *uio)
{
    uint64_t size = __atomic_load_n(&o->size_bytes, __ATOMIC_RELAXED);
    ssize_t total = 0;
    while (uio->left > 0 && offset < size) {
        size_t part = MIN(MIN(uio->left, size - offset), PAGE_SIZE - offset % PAGE_SIZE);
        ssize_t done = object_read_part(o, offset, part, uio);
        if (done < 0)
            return total > 0 ? total : done;
        total += done;
        offset += (uint64_t)done;
        if ((size_t)done < part)
            return total > 0 ? total : -EFAULT;
        if (uio->left > 0 && port_relax(PARK_KILLABLE) != 0)
            break;
    }
    return total;
}

// A whole page where none is: what the file has there isn't read. Others see it with all of its
// content only. Bytes done; 0, and uio as it was: not all of the user's memory can be read; -errno.
static ssize_t object_write_whole(struct vm_object *o, uint64_t index, struct uio *uio)
{
    struct uio before = *uio;
    struct page *page = page_alloc(0, PAGE_ALLOC_USER);
    if (!page)
        return -ENOMEM;
    if (uio_copy_in(uio, page_to_virt(page), PAGE_SIZE) < PAGE_SIZE) {
        *uio = before;
        page_put(page);
        return 0;
    }
    mutex_lock(&o->lock);
    struct page *there = radix_get(o, index);
    int err = there ? 0 : vm_object_insert_locked(o, index, page);
    if (there)
        memcpy(page_to_virt(there), page_to_virt(page), PAGE_SIZE);
    else if (err == 0)
        there = page;
    if (there && vm_object_tracks_writes(o))
        there->flags |= PAGE_DIRTY;
    if (there != page)
        page_put(page);
    mutex_unlock(&o->lock);
    if (err == 0)
        return (ssize_t)PAGE_SIZE;
    *uio = before;
    return err;
}

static ssize_t object_write_part(struct vm_object *o, uint64_t offset, size_t part, struct uio *uio)
{
    struct page *page;
    bool may_skip = o->ops->fill && part == PAGE_SIZE;
    int err = vm_object_page(o, offset >> PAGE_SHIFT, !may_skip, &page);
    if (may_skip && err == -ENOENT) {
        ssize_t whole = object_write_whole(o, offset >> PAGE_SHIFT, uio);
        if (whole != 0)
            return whole;
        err = vm_object_page(o, offset >> PAGE_SHIFT, true, &page);
    }
    if (err != 0)
        return err;
    size_t done = uio_copy_in(uio, (char *)page_to_virt(page) + offset % PAGE_SIZE, part);
    if (vm_object_tracks_writes(o)) {
        mutex_lock(&o->lock);
        page->flags |= PAGE_DIRTY;
        mutex_unlock(&o->lock);
    }
    page_put(page);
    return (ssize_t)done;
}

ssize_t vm_object_write(struct vm_object *o, uint64_t offset, struct uio *uio)
{
    uint64_t size = __atomic_load_n(&o->size_bytes, __ATOMIC_RELAXED);
    ssize_t total = 0;
    while (uio->left > 0 && offset < size) {
        size_t part = MIN(MIN(uio->left, size - offset), PAGE_SIZE - offset % PAGE_SIZE);
        ssize_t done = object_write_part(o, offset, part, uio);
        if (done < 0)
            return total > 0 ? total : done;
        total += done;
        offset += (uint64_t)done;
        if ((size_t)done < part)
            return total > 0 ? total : -EFAULT;
        if (uio->left > 0 && port_relax(PARK_KILLABLE) != 0)
            break;
    }
    return total;
}
