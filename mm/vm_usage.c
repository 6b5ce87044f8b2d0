// SPDX-License-Identifier: BSD-2-Clause
// How much of memory is used and promised: what is resident of a region (/proc/PID/smaps), and the
// sum of private writable memory that overcommit_memory judges.
#include <errno.h>
#include <lib/atomic.h>

#include "vm_map_priv.h"
#include "vm_object_priv.h"

static unsigned int overcommit_mode = VM_OVERCOMMIT_GUESS, overcommit_ratio = 50; // atomic
static unsigned int huge_mode = VM_HUGE_ALWAYS;                                   // atomic
static uint64_t overcommit_pages; // instead of the ratio, unless 0; atomic
static uint64_t committed_pages;  // atomic

unsigned int vm_huge_mode(void)
{
    return atomic_load(&huge_mode);
}

void vm_huge_set_mode(unsigned int mode)
{
    atomic_store(&huge_mode, mode);
}

unsigned int vm_overcommit_mode(void)
{
    return atomic_load(&overcommit_mode);
}

void vm_overcommit_get(unsigned int *mode, unsigned int *ratio)
{
    *mode = atomic_load(&overcommit_mode);
    *ratio = atomic_load(&overcommit_ratio);
}

int vm_overcommit_set_mode(unsigned int mode)
{
    if (mode > VM_OVERCOMMIT_NEVER)
        return -EINVAL;
    atomic_store(&overcommit_mode, mode);
    return 0;
}

// The later one of ratio and amount counts.
void vm_overcommit_set_ratio(unsigned int percent)
{
    atomic_store(&overcommit_ratio, percent);
    atomic_store(&overcommit_pages, 0UL);
}

void vm_overcommit_set_pages(uint64_t pages)
{
    atomic_store(&overcommit_pages, pages);
    atomic_store(&overcommit_ratio, 0U);
}

uint64_t vm_overcommit_pages(void)
{
    return atomic_load(&overcommit_pages);
}

uint64_t vm_committed_pages(void)
{
    return atomic_load(&committed_pages);
}

uint64_t vm_commit_limit_pages(void)
{
    struct page_stats stats;
    page_stats(&stats);
    uint64_t pages = atomic_load(&overcommit_pages);
    return pages ? pages : stats.total * atomic_load(&overcommit_ratio) / 100;
}

void vm_commit(unsigned int flags, int64_t pages)
{
    if ((flags & (VM_WRITE | VM_SHARED | VM_NORESERVE | VM_HUGETLB)) == VM_WRITE)
        atomic_add_relaxed(&committed_pages, (uint64_t)pages);
}

bool vm_map_may_commit(unsigned int flags, uint64_t nr_pages)
{
    unsigned int mode = atomic_load(&overcommit_mode);
    struct page_stats stats;

    if (mode == VM_OVERCOMMIT_ALWAYS || (flags & (VM_WRITE | VM_SHARED | VM_HUGETLB)) != VM_WRITE)
        return true;
    if (mode == VM_OVERCOMMIT_NEVER)
        return vm_committed_pages() + nr_pages <= vm_commit_limit_pages();
    if (flags & VM_NORESERVE)
        return true;
    page_stats(&stats);
    return nr_pages <= stats.total;
}

// Of pages of the pool, `nr` in small ones.
static void count_pool(struct vm_usage *u, const struct vm_region *r, const struct vm_mapping *now,
                       uint64_t nr)
{
    const uint32_t own = now->order == NAPOT_ORDER ? 1U << NAPOT_ORDER : 1;
    uint32_t owners = __atomic_load_n(&now->page->refs, __ATOMIC_RELAXED);
    bool shared = owners > own + (r->object && now->page->object == r->object);
    *(shared ? &u->shared_pool : &u->private_pool) += nr;
}

static void count_pages(struct vm_usage *u, const struct vm_region *r, const struct vm_mapping *now,
                        uint64_t nr)
{
    bool shared = !page_has_one_owner(now->page) && !now->huge;
    bool file = !now->huge && now->page->object != NULL;
    // A page of an object counts the object as an owner.
    if (file)
        shared = __atomic_load_n(&now->page->refs, __ATOMIC_RELAXED) > 2;
    bool dirty = !file || (now->page->flags & PAGE_DIRTY) || (r->flags & VM_SHARED && now->dirty);
    u->resident += nr;
    *(shared  ? dirty ? &u->shared_dirty : &u->shared_clean
      : dirty ? &u->private_dirty
              : &u->private_clean) += nr;
    u->anonymous += file ? 0 : nr;
    u->huge += now->order == HUGE_ORDER && !(r->flags & VM_HUGETLB) ? nr : 0;
    u->referenced += now->accessed ? nr : 0;
}

void vm_region_usage(const struct vm_region *r, struct vm_usage *u)
{
    struct vm_mapping now;
    struct vm_cursor c;

    *u = (struct vm_usage){0};
    vm_cursor_open(&c, &r->map->space, r->start, r->end);
    while (vm_cursor_find(&c)) {
        vm_cursor_query(&c, &now);
        const size_t size = PAGE_SIZE << now.order;
        vaddr_t next = MIN(ALIGN_DOWN(c.pos, size) + size, r->end);
        if (unlikely(r->flags & VM_HUGETLB))
            count_pool(u, r, &now, (next - c.pos) >> PAGE_SHIFT);
        else if (now.page)
            count_pages(u, r, &now, (next - c.pos) >> PAGE_SHIFT);
        vm_cursor_seek(&c, next);
    }
    vm_cursor_close(&c);
}

static uint64_t object_pages(const struct vm_region *r)
{
    struct vm_mapping now;
    struct vm_cursor c;
    uint64_t nr = 0;

    vm_cursor_open(&c, &r->map->space, r->start, r->end);
    while (vm_cursor_find(&c)) {
        vm_cursor_query(&c, &now);
        nr += now.page && now.page->object;
        vm_cursor_seek(&c, c.pos + PAGE_SIZE);
    }
    vm_cursor_close(&c);
    return nr;
}

void vm_map_resident_locked(const struct vm_map *m, struct vm_resident *resident)
{
    const struct vm_region *r;

    *resident = (struct vm_resident){0, 0};
    rb_for_each_entry (r, &m->regions, node)
        if (r->object && !r->object->ops->device_page && !r->object->huge)
            *(vm_object_is_memory(r->object) ? &resident->shmem : &resident->file) +=
                object_pages(r);
}

#define PAGEMAP_EXCLUSIVE BIT(56)
#define PAGEMAP_FILE      BIT(61) // or shared anonymous
#define PAGEMAP_PRESENT   BIT(63)

static uint64_t pagemap_entry(const struct vm_mapping *now, bool with_frames)
{
    uint64_t entry = PAGEMAP_PRESENT | (with_frames ? now->pa >> PAGE_SHIFT : 0);
    if (!now->page)
        return entry;
    bool file = !now->huge && now->page->object != NULL;
    uint32_t owners = __atomic_load_n(&now->page->refs, __ATOMIC_RELAXED) - file;
    bool exclusive = now->huge ? !now->cow : owners == 1;
    return entry | (file ? PAGEMAP_FILE : 0) | (exclusive ? PAGEMAP_EXCLUSIVE : 0);
}

void vm_map_pagemap(struct vm_map *m, vaddr_t start, size_t nr, bool with_frames, uint64_t *entries)
{
    struct vm_mapping now;
    struct vm_cursor c;

    vm_cursor_open(&c, &m->space, start, start + nr * PAGE_SIZE);
    for (size_t i = 0; i < nr; i++) {
        vm_cursor_seek(&c, start + i * PAGE_SIZE);
        vm_cursor_query(&c, &now);
        entries[i] = now.present ? pagemap_entry(&now, with_frames) : 0;
    }
    vm_cursor_close(&c);
}
