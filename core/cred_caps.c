// SPDX-License-Identifier: BSD-2-Clause
// capget(2) and capset(2).
#include <arch/uaccess.h>
#include <core/process.h>
#include <errno.h>
#include <linux/capability.h>

#include "syscalls_priv.h"

// How many 32-bit words a set has in the caller's version; 0: unknown, and ours was told to him.
static int read_header(vaddr_t user, struct __user_cap_header_struct *h, unsigned int *words)
{
    if (user_copy_in(h, user, sizeof(*h)) != 0)
        return -EFAULT;
    switch (h->version) {
    case _LINUX_CAPABILITY_VERSION_1:
        *words = 1;
        return 0;
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3:
        *words = 2;
        return 0;
    default:
        *words = 0;
        h->version = _LINUX_CAPABILITY_VERSION_3;
        return user_copy_out(user, &h->version, sizeof(h->version));
    }
}

long sys_capget(vaddr_t header, vaddr_t data)
{
    struct __user_cap_header_struct h;
    struct __user_cap_data_struct d[2];
    unsigned int words;
    int err = read_header(header, &h, &words);
    if (err != 0)
        return err;
    if (words == 0)
        return data ? -EINVAL : 0;
    if (h.pid < 0)
        return -EINVAL;
    struct thread *t = h.pid == 0 ? thread_self() : thread_find(h.pid);
    if (!t)
        return -ESRCH;
    spin_lock(&t->process->lock);
    const struct cred *c = t->cred;
    for (unsigned int i = 0; i < 2; i++) {
        d[i].effective = (uint32_t)(c->cap_effective >> 32 * i);
        d[i].permitted = (uint32_t)(c->cap_permitted >> 32 * i);
        d[i].inheritable = (uint32_t)(c->cap_inheritable >> 32 * i);
    }
    spin_unlock(&t->process->lock);
    if (h.pid != 0)
        thread_put(t);
    return data ? user_copy_out(data, d, words * sizeof(d[0])) : 0;
}

long sys_capset(vaddr_t header, vaddr_t data)
{
    struct __user_cap_header_struct h;
    struct __user_cap_data_struct d[2] = {{0}};
    const struct cred *old = thread_self()->cred;
    unsigned int words;
    int err = read_header(header, &h, &words);
    if (err != 0)
        return err;
    if (words == 0)
        return -EINVAL;
    if (h.pid != 0 && h.pid != thread_self()->tid)
        return -EPERM;
    if (user_copy_in(d, data, words * sizeof(d[0])) != 0)
        return -EFAULT;
    uint64_t effective = (uint64_t)d[1].effective << 32 | d[0].effective;
    uint64_t permitted = (uint64_t)d[1].permitted << 32 | d[0].permitted;
    uint64_t inheritable = (uint64_t)d[1].inheritable << 32 | d[0].inheritable;
    effective &= CRED_CAPS_ALL;
    permitted &= CRED_CAPS_ALL;
    inheritable &= CRED_CAPS_ALL;
    uint64_t may_inherit = old->cap_inheritable |
                           (cred_has_cap(old, CAP_SETPCAP) ? CRED_CAPS_ALL : old->cap_permitted);
    if ((permitted & ~old->cap_permitted) || (effective & ~permitted) ||
        (inheritable & ~may_inherit))
        return -EPERM;
    struct cred *new = cred_copy(old);
    if (!new)
        return -ENOMEM;
    new->cap_effective = effective;
    new->cap_permitted = permitted;
    new->cap_inheritable = inheritable;
    cred_replace_self(new);
    return 0;
}
