// SPDX-License-Identifier: BSD-2-Clause
// mmap and munmap. The map's write lock is held while regions change; the order of checks follows
// mmap(2) as Linux answers it, because programs probe with it.
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <linux/mman.h>

#include "vm_hugetlb_priv.h"
#include "vm_map_priv.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

// Flags that MAP_SHARED_VALIDATE accepts (MAP_SYNC isn't among them: no file here is DAX).
#define MMAP_KNOWN_FLAGS                                                                           \
    (MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE |        \
     MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |       \
     MAP_HUGETLB | MAP_FIXED_NOREPLACE)

// VM_HUGETLB and the size, or 0: there is no such size.
static unsigned int hugetlb_flags(const struct vm_mmap_args *a)
{
    unsigned int shift = a->flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;
    unsigned int order = shift == 0 ? HUGE_ORDER : shift - PAGE_SHIFT;
    if (!(a->flags & MAP_HUGETLB) || !vm_hugetlb_exists(order))
        return 0;
    return VM_HUGETLB | (order == NAPOT_ORDER  ? VM_HUGETLB_64K
                         : order == GIGA_ORDER ? VM_HUGETLB_1G
                                               : 0);
}

// Private memory: there are no pools for shared memory.
static int hugetlb_check(const struct vm_mmap_args *a)
{
    if (!hugetlb_flags(a))
        return -EINVAL;
    // There are no objects of other sizes.
    return (a->flags & MAP_TYPE) != MAP_PRIVATE && hugetlb_flags(a) != VM_HUGETLB ? -ENOMEM : 0;
}

// Kind, rights and object. 0 or -errno; *flags becomes VM_*.
static int mmap_region_flags(const struct vm_mmap_args *a, unsigned int *flags)
{
    unsigned int type = a->flags & MAP_TYPE, may = a->may;
    bool anonymous = a->flags & MAP_ANONYMOUS;

    if (may == 0)
        may = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
    if (type == MAP_SHARED_VALIDATE) {
        if (anonymous)
            return -EINVAL;
        if (a->flags & ~(unsigned int)MMAP_KNOWN_FLAGS)
            return -EOPNOTSUPP;
    } else if (type != MAP_SHARED && type != MAP_PRIVATE) {
        return -EINVAL;
    }
    if (type == MAP_PRIVATE && a->object && !a->object->ops->device_page)
        may |= VM_MAYWRITE; // the copy is ours
    if ((may / VM_MAYREAD & a->prot) != a->prot)
        return -EACCES;
    if ((a->flags & MAP_GROWSDOWN) && (type != MAP_PRIVATE || a->object))
        return -EINVAL;
    if ((a->flags & MAP_HUGETLB) && !(a->object && a->object->huge)) {
        int err = anonymous ? hugetlb_check(a) : -EINVAL;
        if (err != 0)
            return err;
    }
    *flags = a->prot | may | (type == MAP_PRIVATE ? 0 : VM_SHARED) |
             (a->flags & MAP_GROWSDOWN ? VM_GROWSDOWN : 0) |
             (a->flags & MAP_NORESERVE ? VM_NORESERVE : 0) |
             (a->flags & MAP_LOCKED ? VM_LOCKED : 0) | hugetlb_flags(a) |
             // Threads' stacks are large and hardly used.
             (a->flags & MAP_STACK ? VM_NOHUGEPAGE : 0);
    return 0;
}

// Where it goes, or -errno.
static long mmap_place(const struct vm_map *m, const struct vm_mmap_args *a, size_t size)
{
    const size_t align = vm_region_page_size(hugetlb_flags(a));

    if (size > USER_END - USER_BASE)
        return -ENOMEM;
    if (a->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if (a->addr > USER_END - size)
            return -ENOMEM;
        if (a->addr % align != 0)
            return -EINVAL;
        if (a->addr < USER_BASE)
            return -EPERM;
        if ((a->flags & MAP_FIXED_NOREPLACE) && vm_region_pages_in(m, a->addr, a->addr + size) > 0)
            return -EEXIST;
        return (long)a->addr;
    }
    vaddr_t hint =
        a->flags & MAP_HUGETLB ? ALIGN_UP(a->addr, align) : ALIGN_DOWN(a->addr, PAGE_SIZE);
    if (hint != 0) {
        hint = MAX(hint, USER_BASE);
        if (hint <= USER_END - size && vm_region_is_free(m, hint, hint + size))
            return (long)hint;
    }
    // Where 2 MiB pages would fill it.
    bool huge = !a->object && size % PT_SIZE(1) == 0 && !(a->flags & MAP_STACK);
    size_t border = MAX(align, huge ? PT_SIZE(1) : PAGE_SIZE);
    vaddr_t found = border > PAGE_SIZE ? vm_region_find_aligned_gap(m, size, border)
                                       : vm_region_find_gap(m, size);
    if (found % align != 0)
        return -ENOMEM;
    return found ? (long)found : -ENOMEM;
}

static bool mmap_may_expand(const struct vm_map *m, unsigned int flags, vaddr_t start, size_t size)
{
    uint64_t pages = size >> PAGE_SHIFT;
    if (vm_map_may_expand(m, flags, pages))
        return true;
    // What a fixed mapping replaces doesn't count twice.
    uint64_t replaced = vm_region_pages_in(m, start, start + size);
    return replaced > 0 && vm_map_may_expand(m, flags, pages - replaced);
}

// A neighbour that can simply grow saves a region.
static bool mmap_extend_neighbour(struct vm_map *m, const struct vm_region *like, vaddr_t start,
                                  vaddr_t end)
{
    struct vm_region *prev = start > 0 ? vm_region_find(m, start - 1) : NULL;
    if (like->object || like->file || !prev || prev->end != start || prev->flags != like->flags ||
        prev->object || prev->file || prev->name != like->name)
        return false;
    vm_region_resize(prev, prev->start, end);
    vm_region_merge(prev);
    return true;
}

// Pages of the pool for [start, end), or the promise of them. 0 or -ENOMEM (nothing is mapped).
static int mmap_take_pool(struct vm_map *m, const struct vm_region *like, vaddr_t start,
                          vaddr_t end)
{
    if ((like->flags & (VM_HUGETLB | VM_NORESERVE)) != VM_HUGETLB)
        return 0;
    if (like->object)
        return like->flags & VM_SHARED ? vm_object_promise(like->object, like->offset + end - start)
                                       : 0;
    int err = vm_hugetlb_populate(m, start, end, like->flags);
    if (err != 0)
        (void)vm_map_unmap_pages(m, start, end);
    return err;
}

static long mmap_locked(struct vm_map *m, const struct vm_mmap_args *a, unsigned int flags,
                        size_t size)
{
    struct vm_region like = {.flags = flags,
                             .object = a->object,
                             .offset = a->object ? a->offset : 0,
                             .file = a->file,
                             .file_ops = a->file_ops,
                             .name = a->name};
    long start = mmap_place(m, a, size);
    if (start < 0)
        return start;
    vaddr_t end = (vaddr_t)start + size;
    if ((flags & VM_LOCKED) && !vm_map_may_lock(m, size >> PAGE_SHIFT))
        return port_memlock_limit() == 0 ? -EPERM : -EAGAIN;
    if (m->nr_regions >= atomic_load(&vm_regions_max) ||
        !mmap_may_expand(m, flags, (vaddr_t)start, size) ||
        !vm_map_may_commit(flags, size >> PAGE_SHIFT))
        return -ENOMEM;
    // Have everything that can fail before something that exists is unmapped.
    struct vm_region *r = vm_region_create(&like, (vaddr_t)start, end);
    if (!r)
        return -ENOMEM;
    int err = vm_map_unmap_locked(m, (vaddr_t)start, end);
    if (err == 0)
        err = mmap_take_pool(m, &like, (vaddr_t)start, end);
    if (err == 0 && !mmap_extend_neighbour(m, &like, (vaddr_t)start, end)) {
        vm_region_insert(m, r);
        vm_region_merge(r);
        return start;
    }
    vm_region_destroy(r);
    return err != 0 ? err : start;
}

long vm_map_mmap(struct vm_map *m, const struct vm_mmap_args *args)
{
    struct vm_mmap_args a = *args;
    struct vm_object *own = NULL;
    unsigned int flags = 0;

    if (a.size == 0 || a.offset % PAGE_SIZE != 0)
        return -EINVAL;
    if (a.object && a.object->huge)
        a.flags |= MAP_HUGETLB;
    const size_t page_size = vm_region_page_size(hugetlb_flags(&a));
    size_t size = ALIGN_UP(a.size, page_size);
    if (size < a.size)
        return -ENOMEM;
    if (a.object && a.offset % page_size != 0)
        return -EINVAL;
    if (a.object && a.offset + size < a.offset)
        return -EOVERFLOW;
    int err = mmap_region_flags(&a, &flags);
    if (err != 0)
        return err;
    if (vm_map_refuses_exec(m, flags, flags))
        return -EACCES;
    if ((flags & VM_SHARED) && !a.object) {
        if (size > USER_END)
            return -ENOMEM;
        a.object = own = vm_object_create_shared(size);
        a.offset = 0;
        if (!own)
            return -ENOMEM;
        if (a.flags & MAP_HUGETLB)
            vm_object_make_huge(own);
        else if ((!(a.flags & MAP_NORESERVE) || vm_overcommit_mode() == VM_OVERCOMMIT_NEVER) &&
                 vm_object_commit(own) != 0) {
            vm_object_put(own);
            return -ENOMEM;
        }
    }
    rwlock_write_lock(&m->lock);
    flags |= m->lock_flags;
    long addr = mmap_locked(m, &a, flags, size);
    rwlock_write_unlock(&m->lock);
    vm_object_put(own);
    if (addr > 0)
        vm_map_await_unmapped(m, (vaddr_t)addr, (vaddr_t)addr + size);
    if (addr > 0 && ((flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED ||
                     (a.flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE))
        vm_map_populate(m, (vaddr_t)addr, (vaddr_t)addr + size,
                        (flags & (VM_WRITE | VM_SHARED)) == VM_WRITE ? VM_ACCESS_WRITE
                                                                     : VM_ACCESS_READ);
    return addr;
}

int vm_map_unmap_pages(struct vm_map *m, vaddr_t start, vaddr_t end)
{
    struct vm_cursor c;
    vm_cursor_open(&c, &m->space, start, end);
    int err = vm_cursor_own(&c, end - start, VM_OWN_EDGES);
    if (err == 0)
        vm_cursor_unmap(&c, end - start);
    vm_cursor_close(&c);
    return err;
}

static void unmap_regions(struct vm_map *m, vaddr_t start, vaddr_t end, struct list_node *gone)
{
    for (struct vm_region *next, *r = vm_region_find(m, start); r && r->start < end; r = next) {
        next = vm_region_next(r);
        vm_region_detach(r);
        list_add_tail(gone, &r->object_node);
    }
}

static bool unmap_is_anonymous(const struct vm_map *m, vaddr_t start, vaddr_t end)
{
    const struct vm_region *r = vm_region_find(m, start);
    while (r && r->start < end && !r->object)
        r = vm_region_next(r);
    return !r || r->start >= end;
}

static void unmap_end(struct vm_cursor *c)
{
    vm_cursor_unmap(c, c->end - c->start);
    vm_cursor_close(c);
}

// All of an unmapping that needs the map or may fail: the regions are in `gone`. *rest: the cursor
// is open for unmap_end(), which needs neither. Or -errno, and nothing has changed.
static int unmap_begin(struct vm_map *m, vaddr_t start, vaddr_t end, struct vm_cursor *c,
                       bool *rest, struct list_node *gone)
{
    *rest = false;
    int err = vm_region_isolate(m, start, end);
    if (err != 0)
        return err;
    vm_cursor_open(c, &m->space, start, end);
    err = vm_cursor_own(c, end - start, VM_OWN_EDGES);
    if (err != 0) {
        vm_cursor_close(c);
        vm_region_merge_range(m, start, end);
        return err;
    }
    // An object finds its pages by its regions, to truncate and to notice writes: no hart may have
    // one that it doesn't know of.
    *rest = unmap_is_anonymous(m, start, end);
    if (*rest)
        vm_cursor_hold(c);
    else
        unmap_end(c);
    unmap_regions(m, start, end, gone);
    return 0;
}

// Objects and files, a device's memory among them, are let go when no hart can use them any more.
static void unmap_let_go(struct list_node *gone)
{
    while (!list_is_empty(gone)) {
        struct vm_region *r = list_first_entry(gone, struct vm_region, object_node);
        list_remove(&r->object_node);
        vm_region_destroy(r);
    }
}

int vm_map_unmap_locked(struct vm_map *m, vaddr_t start, vaddr_t end)
{
    struct list_node gone = LIST_INIT(gone);
    struct vm_cursor c;
    bool rest;
    const struct vm_region *r = vm_region_find(m, start);

    if (!r || r->start >= end)
        return 0;
    int err = unmap_begin(m, start, end, &c, &rest, &gone);
    if (rest)
        unmap_end(&c);
    unmap_let_go(&gone);
    return err;
}

// Pages of private memory are unmapped, fenced and freed without the map, which others map and
// fault in meanwhile: whoever comes to have this range waits for the cursor.
int vm_map_munmap(struct vm_map *m, vaddr_t addr, size_t size)
{
    struct list_node gone = LIST_INIT(gone);
    struct vm_cursor c;
    bool rest;

    if (addr % PAGE_SIZE != 0 || addr > USER_END || size > USER_END - addr)
        return -EINVAL;
    size = ALIGN_UP(size, PAGE_SIZE);
    if (size == 0)
        return -EINVAL;
    rwlock_write_lock(&m->lock);
    int err = unmap_begin(m, addr, addr + size, &c, &rest, &gone);
    if (rest)
        atomic_add_relaxed(&m->nr_unmapping, 1U); // others look with or after the lock
    rwlock_write_unlock(&m->lock);
    if (rest) {
        unmap_end(&c);
        atomic_sub_fetch(&m->nr_unmapping, 1U);
    }
    unmap_let_go(&gone);
    return err;
}

void vm_map_await_cursors(struct vm_map *m, vaddr_t start, vaddr_t end)
{
    struct vm_cursor c;
    vm_cursor_open(&c, &m->space, start, end);
    vm_cursor_hold(&c);
    vm_cursor_close(&c);
}

void vm_map_await_unmapped(struct vm_map *m, vaddr_t start, vaddr_t end)
{
    if (unlikely(atomic_load(&m->nr_unmapping) != 0))
        vm_map_await_cursors(m, start, end);
}
