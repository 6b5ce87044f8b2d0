// SPDX-License-Identifier: BSD-2-Clause
// Who may do what with a System V object, and its ownership as IPC_STAT and IPC_SET show it.
// sysvipc(7). The object's slot is locked throughout.
#include "ids_priv.h"

#include <arch/clock.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#define MODE_BITS 0777U

void ipc_object_init(struct ipc_object *o, const struct ipc_caller *c, int key, int flags)
{
    o->key = key;
    o->uid = o->cuid = c->cred->euid;
    o->gid = o->cgid = c->cred->egid;
    o->mode = (unsigned int)flags & MODE_BITS;
}

bool ipc_permits(const struct ipc_object *o, const struct cred *cred, unsigned int want)
{
    unsigned int granted = o->mode, wanted = want >> 6 | want >> 3 | want;
    ipc_assert_locked(o);
    if (cred->euid == o->uid || cred->euid == o->cuid)
        granted >>= 6;
    else if (cred_in_group(cred, o->gid) || cred_in_group(cred, o->cgid))
        granted >>= 3;
    return (wanted & ~granted & 7) == 0 || cred_has_cap(cred, CAP_IPC_OWNER);
}

int ipc_may_change(const struct ipc_object *o, const struct cred *cred)
{
    ipc_assert_locked(o);
    if (cred->euid == o->uid || cred->euid == o->cuid || cred_has_cap(cred, CAP_SYS_ADMIN))
        return 0;
    return -EPERM;
}

void ipc_fill_perm(const struct ipc_object *o, struct ipc64_perm *perm)
{
    ipc_assert_locked(o);
    memset(perm, 0, sizeof(*perm));
    perm->key = o->key;
    perm->uid = o->uid;
    perm->gid = o->gid;
    perm->cuid = o->cuid;
    perm->cgid = o->cgid;
    perm->mode = o->mode;
    perm->seq = (unsigned short)((unsigned int)o->id >> IPC_INDEX_BITS);
}

int ipc_set_perm(struct ipc_object *o, const struct ipc64_perm *perm)
{
    ipc_assert_locked(o);
    if (perm->uid == (uid_t)-1 || perm->gid == (gid_t)-1)
        return -EINVAL;
    o->uid = perm->uid;
    o->gid = perm->gid;
    o->mode = (o->mode & ~MODE_BITS) | (perm->mode & MODE_BITS);
    return 0;
}

int64_t ipc_now(void)
{
    return (int64_t)(clock_realtime_ns() / NS_PER_SEC);
}
