// SPDX-License-Identifier: BSD-2-Clause
// System calls of the address space: arguments of the ABI turned into calls of vm_map. mmap(2),
// munmap(2), mprotect(2), mremap(2), madvise(2), msync(2), mincore(2), mlock(2), brk(2).

#include "syscalls_priv.h"

#include <arch/uaccess.h>
#include <core/process.h>
#include <errno.h>
#include <fs/file.h>
#include <lib/atomic.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <mm/vm_map.h>

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

static unsigned int prot_to_vm(unsigned int prot)
{
    return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) |
           (prot & PROT_EXEC ? VM_EXEC : 0);
}

// What may be done through a mapping of `f`; 0 or -errno as mmap(2).
static int file_rights(const struct file *f, unsigned int prot, unsigned int flags,
                       unsigned int *may)
{
    unsigned int mode = f->flags & O_ACCMODE;
    bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;

    if (mode == O_WRONLY || (f->flags & O_PATH))
        return f->flags & O_PATH ? -EBADF : -EACCES;
    if (shared && (prot & PROT_WRITE) && mode != O_RDWR)
        return -EACCES;
    *may = VM_MAYREAD | VM_MAYEXEC;
    if (!shared || mode == O_RDWR)
        *may |= VM_MAYWRITE;
    if (f->path.mount && (f->path.mount->flags & MS_NOEXEC)) {
        if (prot & PROT_EXEC)
            return -EPERM;
        *may &= ~(unsigned int)VM_MAYEXEC;
    }
    return f->ops->mmap ? 0 : -ENODEV;
}

static long map_file(int fd, struct vm_mmap_args *args, unsigned int prot)
{
    struct file *f = fd_get(process_self()->fds, fd);

    if (!f)
        return -EBADF;
    bool shared = (args->flags & MAP_TYPE) != MAP_PRIVATE;
    long result = file_rights(f, prot, args->flags, &args->may);
    if (result == 0)
        result = f->ops->mmap(f, &args->offset, args->size, &args->object);
    if (result == 0 && shared)
        result = file_begin_shared_mapping(f, (prot & PROT_WRITE) != 0, &args->may);
    if (result == 0) {
        args->file = f;
        args->file_ops = &file_vm_ops;
        result = vm_map_mmap(process_self()->map, args);
        if (shared)
            file_end_shared_mapping(f);
        if (result > 0 && (prot & PROT_WRITE) && f->ops->reach)
            f->ops->reach(f, args->offset + args->size);
    }
    file_put(f);
    return result;
}

long sys_mmap(vaddr_t addr, size_t size, unsigned int prot, unsigned int flags, int fd,
              size_t offset)
{
    struct vm_mmap_args args = {
        .addr = addr,
        .size = size,
        .prot = prot_to_vm(prot),
        .flags = flags,
        .offset = offset,
    };

    if (!IS_ALIGNED(offset, PAGE_SIZE))
        return -EINVAL;
    if (flags & MAP_ANONYMOUS) {
        args.offset = 0;
        return vm_map_mmap(process_self()->map, &args);
    }
    if (size == 0)
        return -EINVAL;
    if (offset + size < offset)
        return -EOVERFLOW;
    return map_file(fd, &args, prot);
}

long sys_munmap(vaddr_t addr, size_t size)
{
    return vm_map_munmap(process_self()->map, addr, size);
}

long sys_mprotect(vaddr_t addr, size_t size, unsigned int prot)
{
    const unsigned int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);

    if ((prot & ~(unsigned int)(PROT_ALL | grows)) || grows == (PROT_GROWSDOWN | PROT_GROWSUP))
        return -EINVAL;
    // Nothing grows up here.
    if ((grows & PROT_GROWSUP) && IS_ALIGNED(addr, PAGE_SIZE) && size != 0)
        return -EINVAL;
    return vm_map_mprotect(process_self()->map, addr, size,
                           prot_to_vm(prot) | (grows & PROT_GROWSDOWN ? VM_GROWSDOWN : 0));
}

long sys_mremap(vaddr_t old, size_t old_size, size_t new_size, unsigned int flags, vaddr_t new_addr)
{
    return vm_map_mremap(process_self()->map, old, old_size, new_size, flags, new_addr);
}

long sys_madvise(vaddr_t addr, size_t size, int advice)
{
    return vm_map_madvise(process_self()->map, addr, size, advice);
}

long sys_msync(vaddr_t addr, size_t size, int flags)
{
    return vm_map_msync(process_self()->map, addr, size, flags);
}

long sys_mincore(vaddr_t addr, size_t size, vaddr_t vec)
{
    uint8_t batch[256];

    if (!IS_ALIGNED(addr, PAGE_SIZE))
        return -EINVAL;
    if (size > USER_END || addr > USER_END - size)
        return -ENOMEM;
    for (size_t left = DIV_ROUND_UP(size, PAGE_SIZE); left > 0;) {
        size_t n = MIN(left, sizeof(batch));
        int err = vm_map_mincore(process_self()->map, addr, n * PAGE_SIZE, batch);
        if (!err)
            err = user_copy_out(vec, batch, n);
        if (err)
            return err;
        addr += n * PAGE_SIZE;
        vec += n;
        left -= n;
    }
    return 0;
}

long sys_mlock(vaddr_t addr, size_t size)
{
    return vm_map_mlock(process_self()->map, addr, size, VM_LOCKED);
}

long sys_mlock2(vaddr_t addr, size_t size, unsigned int flags)
{
    if (flags & ~(unsigned int)MLOCK_ONFAULT)
        return -EINVAL;
    return vm_map_mlock(process_self()->map, addr, size,
                        flags ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED);
}

long sys_munlock(vaddr_t addr, size_t size)
{
    return vm_map_mlock(process_self()->map, addr, size, 0);
}

long sys_mlockall(int flags)
{
    struct vm_map *m = process_self()->map;
    unsigned int lock = flags & MCL_ONFAULT ? VM_LOCKED | VM_LOCKONFAULT : VM_LOCKED;

    if (flags == 0 || flags == MCL_ONFAULT || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)))
        return -EINVAL;
    if (port_memlock_limit() == 0)
        return -EPERM;
    return vm_map_mlockall(m, flags & MCL_CURRENT ? lock : 0, flags & MCL_FUTURE ? lock : 0);
}

long sys_munlockall(void)
{
    vm_map_munlockall(process_self()->map);
    return 0;
}

long sys_brk(vaddr_t addr)
{
    return (long)vm_map_brk(process_self()->map, addr);
}
