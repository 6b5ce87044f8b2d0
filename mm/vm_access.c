// SPDX-License-Identifier: BSD-2-Clause
// Kernel access to any map's memory through the linear map (/proc/PID/mem and cmdline,
// process_vm_readv). The map is read-locked page by page.
#include <errno.h>
#include <lib/assert.h>
#include <string.h>

#include "page_priv.h"
#include "vm_map_priv.h"

static bool access_allowed(const struct vm_region *r, bool write, bool force)
{
    if (r->object && r->object->ops->device_page && (write || (r->flags & VM_SHARED)))
        return false;
    if (!force)
        return vm_fault_allowed(r->flags, write ? VM_ACCESS_WRITE : VM_ACCESS_READ);
    if (!write)
        return r->flags & VM_MAYREAD;
    // A breakpoint goes into a private copy, never into a file that is mapped read-only.
    return (r->flags & VM_MAYWRITE) && (!(r->flags & VM_SHARED) || (r->flags & VM_WRITE));
}

// Copy inside one page, if it is resident and, for a write, this map's own. The cursor stays open
// meanwhile: so neither truncate nor fork takes or shares the page under our hands.
static bool access_copy(struct vm_map *m, vaddr_t addr, char *buf, size_t size, bool write)
{
    vaddr_t va = ALIGN_DOWN(addr, PAGE_SIZE);
    struct vm_mapping now;
    struct vm_cursor c;

    vm_cursor_open(&c, &m->space, va, va + PAGE_SIZE);
    vm_cursor_query(&c, &now);
    bool usable = now.present && page_of(now.pa) && !(write && now.cow);
    if (usable) {
        char *memory = (char *)phys_to_virt(now.pa) + addr % PAGE_SIZE;
        if (write)
            memcpy(memory, buf, size);
        else
            memcpy(buf, memory, size);
    }
    vm_cursor_close(&c);
    return usable;
}

// Bytes done inside one page, or -errno.
static ssize_t access_page(struct vm_map *m, vaddr_t addr, char *buf, size_t size, bool write,
                           bool force)
{
    const struct vm_region *r = vm_region_find(m, addr);
    size_t part = MIN(size, PAGE_SIZE - addr % PAGE_SIZE);
    if (!r || r->start > addr || !access_allowed(r, write, force))
        return -EFAULT;
    int err = vm_fault_page(m, r, addr, write ? VM_ACCESS_WRITE : VM_ACCESS_READ, VM_FAULT_KEEP);
    if (err != 0)
        return err;
    return access_copy(m, addr, buf, part, write) ? (ssize_t)part : -EFAULT;
}

ssize_t vm_map_access(struct vm_map *m, vaddr_t addr, void *buf, size_t size, bool write,
                      bool force)
{
    ssize_t result = size == 0 ? 0 : -EFAULT;
    size_t done = 0;
    while (done < size && addr + done < USER_END) {
        rwlock_read_lock(&m->lock);
        result = access_page(m, addr + done, (char *)buf + done, size - done, write, force);
        rwlock_read_unlock(&m->lock);
        if (result < 0)
            break;
        done += (size_t)result;
    }
    return done > 0 ? (ssize_t)done : result;
}
