// SPDX-License-Identifier: BSD-2-Clause
// read(2) and write(2) on an object's pages. The object's lock is held only to find a page, never
// while user memory is touched; a page that is in use here stays in memory by its reference, even
// when truncate drops it meanwhile. Between pages others get the hart, and who is to die ends
// early.
#include <errno.h>
#include <mm/uio.h>
#include <mm/vm_object.h>
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

// Copy out of one page, or zeros where memory-only objects have a hole. Bytes done or -errno.
static ssize_t object_read_part(struct vm_object *o, uint64_t offset, size_t part, struct uio *uio)
{
    struct page *page;
    int err = vm_object_page(o, offset >> PAGE_SHIFT, o->ops->fill != NULL, &page);
    if (err == -ENOENT)
        return (ssize_t)uio_zero_out(uio, part);
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

static ssize_t object_write_part(struct vm_object *o, uint64_t offset, size_t part, struct uio *uio)
{
    struct page *page;
    int err = vm_object_page(o, offset >> PAGE_SHIFT, true, &page);
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
