// SPDX-License-Identifier: BSD-2-Clause
// Another process's memory: process_vm_readv(2), process_vm_writev(2), and /proc/PID/mem. Who may
// look: the process itself, root, and the same user where the program is dumpable (ptrace(2),
// access mode ATTACH_REALCREDS).

#include "proc_priv.h"
#include "process_priv.h"
#include "syscalls_priv.h"

#include <arch/uaccess.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/uio.h>
#include <mm/slab.h>
#include <mm/uio.h>
#include <mm/vm_map.h>

bool process_may_access(struct process *p)
{
    const struct cred *self = thread_self()->cred;
    bool same = false;

    if (p == process_self() || cred_has_cap(self, CAP_SYS_PTRACE))
        return true;
    spin_lock(&p->lock);
    if (p->dumpable && !list_is_empty(&p->threads)) {
        const struct cred *c = list_first_entry(&p->threads, struct thread, process_node)->cred;
        same = self->uid == c->euid && self->uid == c->uid && self->uid == c->suid &&
               self->gid == c->egid && self->gid == c->gid && self->gid == c->sgid;
    }
    spin_unlock(&p->lock);
    return same;
}

// A page at a time between `uio` and [addr, addr + size) of the map. Bytes, or -errno if none.
static ssize_t transfer(struct vm_map *m, struct uio *uio, vaddr_t addr, size_t size, bool write,
                        bool force)
{
    char *page = kmalloc(PAGE_SIZE);
    size_t done = 0;
    ssize_t result = 0;

    if (!page)
        return -ENOMEM;
    while (done < size && uio->left > 0) {
        size_t part = MIN(MIN(size - done, uio->left), PAGE_SIZE - (addr + done) % PAGE_SIZE);
        if (write && uio_copy_in(uio, page, part) != part) {
            result = -EFAULT;
            break;
        }
        result = vm_map_access(m, addr + done, page, part, write, force);
        if (result <= 0)
            break;
        done += (size_t)result;
        if (!write && uio_copy_out(uio, page, (size_t)result) != (size_t)result) {
            result = -EFAULT;
            break;
        }
    }
    kfree(page);
    return done > 0 ? (ssize_t)done : result;
}

// Copy a list of segments in; *segments is the caller's to free. 0 or -errno. Local ones must be
// user memory, remote ones are looked at when they are used.
static int import_segments(vaddr_t vector, size_t nr, bool local, struct uio_segment **segments)
{
    *segments = NULL;
    if (nr > UIO_MAXIOV)
        return -EINVAL;
    if (nr == 0)
        return 0;
    struct uio_segment *copy = kmalloc(nr * sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    *segments = copy;
    if (user_copy_in(copy, vector, nr * sizeof(*copy)) != 0)
        return -EFAULT;
    for (size_t i = 0; i < nr; i++) {
        if ((ssize_t)copy[i].size < 0)
            return -EINVAL;
        if (local && (copy[i].size > USER_END || copy[i].base > USER_END - copy[i].size))
            return -EFAULT;
    }
    return 0;
}

static ssize_t transfer_remote(struct vm_map *m, struct uio *uio, const struct uio_segment *remote,
                               size_t nr, bool write)
{
    ssize_t total = 0;
    for (size_t i = 0; i < nr && uio->left > 0; i++) {
        size_t part = MIN(remote[i].size, uio->left);
        ssize_t n = transfer(m, uio, remote[i].base, part, write, false);
        if (n < 0)
            return total > 0 ? total : n;
        total += n;
        if ((size_t)n < part)
            break;
    }
    return total;
}

static ssize_t transfer_process(pid_t pid, struct uio *uio, const struct uio_segment *remote,
                                size_t nr, bool write)
{
    struct process *p = process_find(pid);
    if (!p)
        return -ESRCH;
    bool allowed = process_may_access(p);
    struct vm_map *m = allowed ? process_map_get(p) : NULL;
    process_put(p);
    if (!m)
        return allowed ? -ESRCH : -EPERM;
    ssize_t n = transfer_remote(m, uio, remote, nr, write);
    vm_map_put(m);
    return n;
}

static long process_vm(pid_t pid, vaddr_t local, size_t nr_local, vaddr_t remote, size_t nr_remote,
                       unsigned long flags, bool write)
{
    struct uio_segment *here = NULL, *there = NULL;
    struct uio uio;

    if (flags != 0)
        return -EINVAL;
    ssize_t n = import_segments(local, nr_local, true, &here);
    if (n == 0) {
        uio_init_user(&uio, here, (unsigned int)nr_local);
        if (uio.left > 0)
            n = import_segments(remote, nr_remote, false, &there);
    }
    if (n == 0 && uio.left > 0 && nr_remote > 0)
        n = transfer_process(pid, &uio, there, nr_remote, write);
    kfree(here);
    kfree(there);
    return n;
}

long sys_process_vm_readv(pid_t pid, vaddr_t local, size_t nr_local, vaddr_t remote,
                          size_t nr_remote, unsigned long flags)
{
    return process_vm(pid, local, nr_local, remote, nr_remote, flags, false);
}

long sys_process_vm_writev(pid_t pid, vaddr_t local, size_t nr_local, vaddr_t remote,
                           size_t nr_remote, unsigned long flags)
{
    return process_vm(pid, local, nr_local, remote, nr_remote, flags, true);
}

int proc_may_look(uint64_t key)
{
    struct process *p = proc_process(key);
    if (!p)
        return -ESRCH;
    bool allowed = process_may_access(p);
    process_put(p);
    return allowed ? 0 : -EACCES;
}

uint64_t proc_map_version(uint64_t key)
{
    struct process *p = proc_process(key);
    struct vm_map *m = p ? process_map_get(p) : NULL;
    uint64_t version = m ? m->id : 0;
    if (m)
        vm_map_put(m);
    if (p)
        process_put(p);
    return version;
}

// Whoever opened it could look into the program that ran then. It is none of his business what
// the process executes later (CVE-2012-0056).
ssize_t proc_access_mem(uint64_t key, uint64_t version, uint64_t offset, struct uio *uio,
                        bool write)
{
    struct process *p = proc_process(key);
    if (!p)
        return 0;
    struct vm_map *m = process_map_get(p);
    process_put(p);
    if (!m)
        return 0;
    ssize_t n = m->id == version ? transfer(m, uio, offset, uio->left, write, true) : 0;
    vm_map_put(m);
    return n == -EFAULT ? -EIO : n;
}
