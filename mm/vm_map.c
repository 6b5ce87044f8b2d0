// SPDX-License-Identifier: BSD-2-Clause
// A process's map: its life, fork, the limits and walks. Editing is in vm_mmap.c, vm_brk.c,
// vm_mprotect.c, vm_mremap.c, vm_madvise.c; faults in vm_fault.c.
//
// Life: made by exec or fork with one reference; whoever drops the last one frees regions and
// pages. No hart runs the space any more then (core switches away before it puts).
#include <errno.h>
#include <lib/assert.h>
#include <lib/atomic.h>
#include <linux/prctl.h>
#include <mm/slab.h>
#include <string.h>

#include "radix_priv.h"
#include "slab_priv.h"
#include "vm_map_priv.h"
#include "vm_space_priv.h"

#ifndef PR_MDWE_NO_INHERIT
#define PR_MDWE_NO_INHERIT 2
#endif

// Room above mmap_base for a stack of the largest usual size, beyond its random offset.
#define STACK_ROOM (1UL << 30)

static struct slab_cache *vm_maps;

void vm_caches_init(void)
{
    vm_maps = slab_cache_create("vm_map", sizeof(struct vm_map), 64);
    vm_region_init();
    radix_init();
    vm_table_init();
}

// All zero but for what each map has of its own; or NULL.
static struct vm_map *map_alloc(void)
{
    static uint64_t last_id;
    struct vm_map *m = slab_zalloc(vm_maps);
    if (!m)
        return NULL;
    if (vm_space_init(&m->space) != 0) {
        slab_free(vm_maps, m);
        return NULL;
    }
    refcount_init(&m->refs);
    m->id = atomic_add_fetch(&last_id, 1UL);
    rwlock_init(&m->lock);
    return m;
}

struct vm_map *vm_map_create(const uint64_t random[3])
{
    struct vm_map *m = map_alloc();
    if (!m)
        return NULL;
    m->stack_top = ALIGN_DOWN(USER_END - PAGE_SIZE - random[0] % LAYOUT_STACK_RANDOM, PAGE_SIZE);
    m->mmap_base = ALIGN_DOWN(
        USER_END - LAYOUT_STACK_RANDOM - STACK_ROOM - random[1] % LAYOUT_MMAP_RANDOM, PAGE_SIZE);
    m->brk_random = ALIGN_DOWN(random[2] % LAYOUT_BRK_RANDOM, PAGE_SIZE);
    m->limits =
        (struct vm_limits){.as = UINT64_MAX, .data = UINT64_MAX, .stack = LAYOUT_STACK_DEFAULT};
    return m;
}

void vm_map_get(struct vm_map *m)
{
    refcount_get(&m->refs);
}

// Everything but the space. Regions leave the objects' lists first, so that no truncate looks for
// the space any more.
static void map_free_regions(struct vm_map *m)
{
    struct rb_node *n;
    while ((n = m->regions.node) != NULL)
        vm_region_remove(rb_entry(n, struct vm_region, node));
}

void vm_map_put(struct vm_map *m)
{
    if (!m || !refcount_put(&m->refs))
        return;
    map_free_regions(m);
    vm_space_destroy(&m->space);
    if (m->exe)
        m->exe_ops->put(m->exe);
    slab_free(vm_maps, m);
}

unsigned int vm_map_inherited_mdwe(const struct vm_map *m)
{
    unsigned int mdwe = atomic_load(&m->mdwe);
    return mdwe & PR_MDWE_NO_INHERIT ? 0 : mdwe;
}

bool vm_map_refuses_exec(const struct vm_map *m, unsigned int from, unsigned int to)
{
    if (likely(atomic_load(&m->mdwe) == 0) || !(to & VM_EXEC))
        return false;
    return (to & VM_WRITE) || !(from & VM_EXEC);
}

// What a child inherits beside regions and pages. Its lock, space and tree are its own.
static void fork_copy_fields(struct vm_map *child, const struct vm_map *m)
{
    child->mmap_base = m->mmap_base;
    child->brk_start = m->brk_start;
    child->brk_end = m->brk_end;
    child->brk_random = m->brk_random;
    child->stack_top = m->stack_top;
    child->vdso = m->vdso;
    child->arg_start = m->arg_start;
    child->arg_end = m->arg_end;
    child->env_start = m->env_start;
    child->env_end = m->env_end;
    child->code_start = m->code_start;
    child->code_end = m->code_end;
    child->data_start = m->data_start;
    child->data_end = m->data_end;
    memcpy(child->auxv, m->auxv, sizeof(child->auxv));
    child->nr_auxv = m->nr_auxv;
    child->limits = m->limits;
    child->mdwe = vm_map_inherited_mdwe(m);
    child->owner = m->owner; // until core knows the child's
    child->exe = m->exe;
    child->exe_ops = m->exe_ops;
    if (child->exe)
        child->exe_ops->get(child->exe);
}

static int fork_regions(struct vm_map *child, const struct vm_map *m)
{
    const struct vm_region *r;
    rb_for_each_entry (r, &m->regions, node) {
        if (r->flags & VM_DONTFORK)
            continue;
        struct vm_region *copy = vm_region_create(r, r->start, r->end);
        if (!copy)
            return -ENOMEM;
        copy->flags &= ~(unsigned int)(VM_LOCKED | VM_LOCKONFAULT);
        vm_region_insert(child, copy);
    }
    return 0;
}

static enum vm_clone fork_how(const struct vm_region *r)
{
    if (r->flags & VM_SHARED)
        return VM_CLONE_SHARE;
    // Truncate visits tables with pages of objects: those it must find.
    return r->object ? VM_CLONE_COPY : VM_CLONE_LAZY;
}

// All pages under one cursor, so with one flush. The child is locked as well: its regions are in
// their objects' lists by now, and truncate may visit it.
static int fork_pages(struct vm_map *child, struct vm_map *m)
{
    const struct vm_region *r;
    struct vm_cursor from, to;
    int err = 0;

    vm_cursor_open(&from, &m->space, 0, USER_END);
    vm_cursor_open(&to, &child->space, 0, USER_END);
    rb_for_each_entry (r, &child->regions, node) {
        if (r->flags & VM_WIPEONFORK)
            continue;
        // A leaf of 2 MiB is given on by faults, which cost less than what they share.
        if ((r->flags & VM_HUGETLB) && (r->flags & VM_SHARED))
            continue;
        vm_cursor_seek(&from, r->start);
        err = vm_cursor_clone(&from, &to, r->end - r->start, fork_how(r));
        if (err != 0)
            break;
    }
    vm_cursor_close(&to);
    vm_cursor_close(&from);
    return err;
}

struct vm_map *vm_map_fork(struct vm_map *m)
{
    struct vm_map *child = map_alloc();
    if (!child)
        return NULL;
    rwlock_read_lock(&m->lock);
    fork_copy_fields(child, m);
    int err = vm_map_may_commit(VM_WRITE | VM_NORESERVE, m->data_pages) ? 0 : -ENOMEM;
    if (err == 0)
        err = fork_regions(child, m);
    if (err == 0)
        err = fork_pages(child, m);
    rwlock_read_unlock(&m->lock);
    if (err != 0) {
        vm_map_put(child);
        return NULL;
    }
    return child;
}

bool vm_map_may_expand(const struct vm_map *m, unsigned int flags, uint64_t nr_pages)
{
    if (m->total_pages + nr_pages > m->limits.as >> PAGE_SHIFT)
        return false;
    if ((flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE)
        return m->data_pages + nr_pages <= m->limits.data >> PAGE_SHIFT;
    return true;
}

bool vm_map_may_lock(const struct vm_map *m, uint64_t nr_pages)
{
    return m->locked_pages + nr_pages <= port_memlock_limit() >> PAGE_SHIFT;
}

int vm_map_for_each(struct vm_map *m, vaddr_t addr, int (*fn)(void *ctx, const struct vm_region *r),
                    void *ctx)
{
    int result = 0;
    rwlock_read_lock(&m->lock);
    for (const struct vm_region *r = vm_region_find(m, addr); r && result == 0;
         r = vm_region_next(r))
        result = fn(ctx, r);
    rwlock_read_unlock(&m->lock);
    return result;
}
