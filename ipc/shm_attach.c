// SPDX-License-Identifier: BSD-2-Clause
// Attaching and detaching: shmop(2). Each shmat() makes a `struct shm_attach`, which its regions
// carry as their file: that tells them from other attaches of the same segment, whatever munmap and
// mremap did to them.
#include "shm_priv.h"

#include <errno.h>
#include <linux/mman.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <stdio.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define SHM_LBA PAGE_SIZE // SHMLBA of riscv

struct shm_attach {
    struct refcount refs;              // regions, and the shmat() under way
    const struct shm_segment *segment; // a region holds it, too
};

static void attach_get(void *file)
{
    struct shm_attach *a = file;
    refcount_get(&a->refs);
}

static void attach_put(void *file)
{
    struct shm_attach *a = file;
    if (refcount_put(&a->refs))
        kfree(a);
}

// As /proc/PID/maps of Linux names a segment: a file without a name, its inode the id.
static void attach_describe(void *file, char *buf, size_t size, dev_t *dev, ino_t *ino)
{
    const struct shm_attach *a = file;
    snprintf(buf, size, "/SYSV%08x (deleted)", (unsigned int)a->segment->name_key);
    *dev = 1;
    *ino = (ino_t)a->segment->ipc.id;
}

static const struct vm_file_ops attach_ops = {
    .get = attach_get, .put = attach_put, .describe = attach_describe};

// Where and how, from shmat()'s arguments. 0 or -EINVAL.
static int place(struct vm_mmap_args *args, vaddr_t addr, int flags)
{
    bool remap = flags & SHM_REMAP;
    args->flags = MAP_SHARED;
    if (addr == 0)
        return remap ? -EINVAL : 0;
    if (addr % SHM_LBA != 0 && !(flags & SHM_RND))
        return -EINVAL;
    args->addr = ALIGN_DOWN(addr, SHM_LBA);
    if (args->addr == 0 && remap)
        return -EINVAL;
    args->flags |= remap ? MAP_FIXED : MAP_FIXED_NOREPLACE;
    return 0;
}

// The segment with a pin, which keeps it from removal, and a reference. 0 or -errno.
static int pin(const struct ipc_caller *c, int id, unsigned int want, struct shm_segment **pinned)
{
    struct ipc_object *o = ipc_lock_id(&shm_ids, id);
    if (!o)
        return -EINVAL;
    bool permitted = ipc_permits(o, c->cred, want);
    if (permitted) {
        struct shm_segment *s = shm_segment_of(o);
        s->nr_pins++;
        vm_object_get(&s->object);
        *pinned = s;
    }
    ipc_unlock(o);
    return permitted ? 0 : -EACCES;
}

static void unpin(struct shm_segment *s, pid_t attached_by)
{
    spin_lock(&s->ipc.slot->lock);
    s->nr_pins--;
    if (attached_by != 0)
        s->last_pid = attached_by;
    bool due = shm_is_due(s);
    ipc_unlock(&s->ipc);
    if (due)
        shm_remove_if_unused(s);
    vm_object_put(&s->object);
}

static long attach(struct shm_segment *s, struct vm_map *map, struct vm_mmap_args *args)
{
    if ((args->flags & MAP_FIXED_NOREPLACE) && args->addr + s->size < args->addr)
        return -EINVAL; // as Linux; beyond the address space is -ENOMEM
    struct shm_attach *a = kmalloc(sizeof(*a));
    if (!a)
        return -ENOMEM;
    refcount_init(&a->refs);
    a->segment = s;
    args->size = s->size;
    if (s->object.huge) // the pool keeps what shmget() asked it for, no more
        args->flags |= MAP_NORESERVE;
    args->object = &s->object;
    args->file = a;
    args->file_ops = &attach_ops;
    long addr = vm_map_mmap(map, args);
    attach_put(a);
    return addr == -EEXIST ? -EINVAL : addr;
}

long shm_attach(const struct ipc_caller *c, struct vm_map *map, int id, vaddr_t addr, int flags)
{
    struct vm_mmap_args args = {.prot = VM_READ, .may = VM_MAYREAD | VM_MAYEXEC};
    unsigned int want = IPC_READ;
    struct shm_segment *s;

    int err = id < 0 ? -EINVAL : place(&args, addr, flags);
    if (err != 0)
        return err;
    if (!(flags & SHM_RDONLY)) {
        args.prot |= VM_WRITE;
        args.may |= VM_MAYWRITE;
        want |= IPC_WRITE;
    }
    if (flags & SHM_EXEC) {
        args.prot |= VM_EXEC;
        want |= IPC_EXEC;
    }
    err = pin(c, id, want, &s);
    if (err != 0)
        return err;
    long at = attach(s, map, &args);
    unpin(s, at > 0 ? c->pid : 0);
    return at;
}

int shm_detach(struct vm_map *map, vaddr_t addr)
{
    if (addr % PAGE_SIZE != 0)
        return -EINVAL;
    return vm_map_unmap_mapping(map, addr, &attach_ops);
}
