// SPDX-License-Identifier: BSD-2-Clause
// Threads of the host under ThreadSanitizer that make, find, attach, fork, detach and remove the
// same segments at once while a switch forces removal: no segment goes while somebody has it, each
// goes with its last attach, and nothing is left. The address spaces are lists of attaches: what mm
// tells of regions, it tells here, without mm's locks.
#include "../sync/sync_host.h"

#include <arch/clock.h>
#include <errno.h>
#include <ipc/shm.h>
#include <mm/slab.h>
#include <mm/vm_object.h>
#include <stdlib.h>

#define THREADS 4
#define ROUNDS  4000
#define KEY     77
#define REGIONS 8

static struct cred root = {.refs = {1}, .cap_effective = ~0ULL};
static uint64_t nr_memory; // atomic: blocks in use

uint64_t clock_realtime_ns(void)
{
    return 1700000000ULL * NS_PER_SEC;
}

static void *counted(void *p)
{
    if (p)
        atomic_add_relaxed(&nr_memory, 1);
    return p;
}

void *kmalloc(size_t size)
{
    return counted(malloc(size));
}

void *kzalloc(size_t size)
{
    return counted(calloc(1, size));
}

void kfree(void *p)
{
    if (p)
        atomic_add_relaxed(&nr_memory, -1UL);
    free(p);
}

void page_stats(struct page_stats *stats)
{
    *stats = (struct page_stats){.total = 1000};
}

void vm_object_init(struct vm_object *o, const struct vm_object_ops *ops, uint64_t size_bytes)
{
    refcount_init(&o->refs);
    o->ops = ops;
    o->size_bytes = size_bytes;
}

void vm_object_get(struct vm_object *o)
{
    refcount_get(&o->refs);
}

void vm_object_put(struct vm_object *o)
{
    if (refcount_put(&o->refs))
        o->ops->release(o);
}

void vm_object_make_huge(struct vm_object *o)
{
}

int vm_object_commit(struct vm_object *o)
{
    return 0;
}

unsigned int vm_overcommit_mode(void)
{
    return VM_OVERCOMMIT_GUESS;
}

bool vm_hugetlb_exists(unsigned int order)
{
    return true;
}

int vm_object_promise(struct vm_object *o, uint64_t end_bytes)
{
    return 0;
}

// A process: its map, and the regions in it.
struct space {
    struct vm_map map; // first
    struct vm_region *regions[REGIONS];
};

static long add_region(struct space *s, struct vm_object *o, void *file,
                       const struct vm_file_ops *ops)
{
    for (long i = 0; i < REGIONS; i++) {
        if (s->regions[i])
            continue;
        struct vm_region *r = calloc(1, sizeof(*r));
        *r = (struct vm_region){.map = &s->map, .object = o, .file = file, .file_ops = ops};
        vm_object_get(o);
        ops->get(file);
        s->regions[i] = r;
        o->ops->mapped(o, r);
        return (i + 1) * (long)PAGE_SIZE;
    }
    return -ENOMEM;
}

static void drop_region(struct space *s, unsigned int i)
{
    struct vm_region *r = s->regions[i];
    s->regions[i] = NULL;
    r->object->ops->unmapped(r->object, r);
    r->file_ops->put(r->file);
    vm_object_put(r->object);
    free(r);
}

long vm_map_mmap(struct vm_map *m, const struct vm_mmap_args *args)
{
    return add_region((struct space *)m, args->object, args->file, args->file_ops);
}

int vm_map_unmap_mapping(struct vm_map *m, vaddr_t addr, const struct vm_file_ops *ops)
{
    struct space *s = (struct space *)m;
    unsigned int i = (unsigned int)(addr / PAGE_SIZE) - 1;
    if (i >= REGIONS || !s->regions[i])
        return -EINVAL;
    drop_region(s, i);
    return 0;
}

static void end_space(struct space *s)
{
    for (unsigned int i = 0; i < REGIONS; i++)
        if (s->regions[i])
            drop_region(s, i);
}

// What fork does: the child's regions are told of while the parent's are there.
static void fork_and_exit(const struct space *s)
{
    struct space child = {.map.owner = s->map.owner + 100};
    for (unsigned int i = 0; i < REGIONS; i++)
        if (s->regions[i])
            (void)add_region(&child, s->regions[i]->object, s->regions[i]->file,
                             s->regions[i]->file_ops);
    end_space(&child);
}

// The segment that all make, use and remove.
static void use_key(const struct ipc_caller *c, struct space *s, unsigned int i)
{
    struct shmid64_ds ds;
    int id = shm_get(c, KEY, 3 * PAGE_SIZE, IPC_CREAT | 0600);
    assert_true(id > 0);
    long at = shm_attach(c, &s->map, id, 0, i % 2 ? SHM_RDONLY : 0);
    assert_true(at > 0 || at == -EINVAL);
    if (at > 0) {
        // It can't go before we do, whoever removes it.
        assert_int_equal(shm_stat(c, id, IPC_STAT, &ds), 0);
        assert_true(ds.shm_nattch >= 1 && ds.shm_nattch <= 8 * THREADS);
        assert_true(ds.shm_segsz == 3 * PAGE_SIZE);
        if (i % 4 == 0)
            fork_and_exit(s);
    }
    if (i % 3 == 0) {
        int err = shm_remove(c, id);
        assert_true(err == 0 || err == -EINVAL);
    }
    if (at > 0)
        assert_int_equal(shm_detach(&s->map, (vaddr_t)at), 0);
}

// An own segment is never touched by others, and counted exactly.
static void use_own(const struct ipc_caller *c, struct space *s)
{
    struct shmid64_ds ds;
    int id = shm_get(c, IPC_PRIVATE, (size_t)c->pid, 0600);
    assert_true(id > 0);
    long one = shm_attach(c, &s->map, id, 0, 0), two = shm_attach(c, &s->map, id, 0, 0);
    assert_true(one > 0 && two > 0);
    assert_int_equal(shm_stat(c, id, IPC_STAT, &ds), 0);
    assert_int_equal(ds.shm_nattch, 2);
    assert_int_equal(ds.shm_segsz, c->pid);
    assert_int_equal(shm_remove(c, id), 0);
    assert_int_equal(shm_detach(&s->map, (vaddr_t)one), 0);
    assert_int_equal(shm_stat(c, id, IPC_STAT, &ds), 0);
    assert_int_equal(shm_detach(&s->map, (vaddr_t)two), 0);
    assert_int_equal(shm_stat(c, id, IPC_STAT, &ds), -EINVAL);
}

static void look(unsigned int i)
{
    struct shm_info info;
    struct shmid64_ds ds;
    uint64_t rss;
    int id;
    assert_true(shm_info_usage(&info) >= 0);
    for (unsigned int index = 0; shm_next(&index, &id, &ds, &rss); index++)
        assert_true(id > 0 && ds.shm_segsz > 0);
    if (i % 64 == 0)
        assert_int_equal(ipc_limit_set(IPC_SHM_RMID_FORCED, i / 64 % 2), 0);
}

static void *thread_main(void *arg)
{
    const struct ipc_caller c = {&root, 100 + (pid_t)(uintptr_t)arg};
    struct space s = {.map.owner = c.pid};
    for (unsigned int i = 0; i < ROUNDS; i++) {
        use_key(&c, &s, i);
        use_own(&c, &s);
        if (i % 8 == 0)
            look(i);
        if (i % 50 == 0) { // it ends, and another begins
            (void)shm_get(&c, IPC_PRIVATE, 1, 0600);
            end_space(&s);
            shm_exit(c.pid);
        }
    }
    end_space(&s);
    return NULL;
}

static void *set_up(void *arg)
{
    ipc_init(32768, 1 << 20);
    return NULL;
}

static void *remove_all(void *arg)
{
    const struct ipc_caller self = {&root, 1};
    struct shm_info info;
    struct shmid64_ds ds;
    uint64_t rss;
    int id;
    for (unsigned int index = 0; shm_next(&index, &id, &ds, &rss); index++) {
        assert_int_equal(ds.shm_nattch, 0);
        assert_int_equal(shm_remove(&self, id), 0);
    }
    assert_true(shm_info_usage(&info) >= 0);
    assert_int_equal(info.used_ids, 0);
    assert_int_equal(info.shm_tot, 0);
    return NULL;
}

static void calls_at_once(void **state)
{
    host_run_threads(1, set_up);
    host_run_threads(THREADS, thread_main);
    host_run_threads(1, remove_all);
    assert_true(nr_memory <= 4); // the slots, in blocks
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
