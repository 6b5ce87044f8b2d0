// SPDX-License-Identifier: BSD-2-Clause
// Life and change of credentials; set*id(2), setgroups(2), capset(2). A change copies, edits and
// replaces; nobody ever sees a half-changed cred.
#include <arch/uaccess.h>
#include <core/process.h>
#include <errno.h>
#include <linux/capability.h>
#include <mm/slab.h>
#include <string.h>

#include "syscalls_priv.h"

#define KEEP ((uint32_t)-1) // an id that stays

// What root may do by way of the file-system uid.
#define CAPS_OF_FSUID                                                                              \
    (BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) |         \
     BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_MKNOD) | BIT(CAP_MAC_OVERRIDE))

struct cred *kernel_process_cred(void)
{
    static struct cred root = {
        .refs = {1},
        .cap_effective = CRED_CAPS_ALL,
        .cap_permitted = CRED_CAPS_ALL,
    };
    return &root;
}

void cred_put(struct cred *c)
{
    if (refcount_put(&c->refs))
        kfree(c);
}

struct cred *cred_copy(const struct cred *from)
{
    struct cred *c = kmalloc(sizeof(*c));
    if (!c)
        return NULL;
    *c = *from;
    refcount_init(&c->refs);
    return c;
}

void cred_replace_self(struct cred *new)
{
    struct thread *t = thread_self();
    spin_lock(&t->process->lock);
    struct cred *old = t->cred;
    t->cred = new;
    t->process->uid = new->uid;
    spin_unlock(&t->process->lock);
    cred_put(old);
}

// capabilities(7), "Effect of user ID changes on capabilities".
static void fix_caps(struct cred *new, const struct cred *old)
{
    bool was_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
    bool is_root = new->uid == 0 || new->euid == 0 || new->suid == 0;
    if (was_root && !is_root && !new->keep_caps)
        new->cap_permitted = new->cap_effective = 0;
    if (old->euid == 0 && new->euid != 0)
        new->cap_effective = 0;
    if (old->euid != 0 && new->euid == 0)
        new->cap_effective = new->cap_permitted;
}

// Finish a change of ids: `new` is dropped on failure.
static long finish(struct cred *new, bool allowed)
{
    if (!allowed) {
        cred_put(new);
        return -EPERM;
    }
    fix_caps(new, thread_self()->cred);
    cred_replace_self(new);
    return 0;
}

static struct cred *begin(void)
{
    return cred_copy(thread_self()->cred);
}

static bool may_set_uid(void)
{
    return cred_has_cap(thread_self()->cred, CAP_SETUID);
}

static bool may_set_gid(void)
{
    return cred_has_cap(thread_self()->cred, CAP_SETGID);
}

static bool is_one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
    return id == KEEP || id == a || id == b || id == c;
}

long sys_setuid(uid_t uid)
{
    struct cred *new = begin();
    if (uid == KEEP || !new) {
        if (new)
            cred_put(new);
        return new ? -EINVAL : -ENOMEM;
    }
    bool allowed = true;
    if (may_set_uid())
        new->uid = new->suid = uid;
    else
        allowed = uid == new->uid || uid == new->suid;
    new->euid = new->fsuid = uid;
    return finish(new, allowed);
}

long sys_setgid(gid_t gid)
{
    struct cred *new = begin();
    if (gid == KEEP || !new) {
        if (new)
            cred_put(new);
        return new ? -EINVAL : -ENOMEM;
    }
    bool allowed = true;
    if (may_set_gid())
        new->gid = new->sgid = gid;
    else
        allowed = gid == new->gid || gid == new->sgid;
    new->egid = new->fsgid = gid;
    return finish(new, allowed);
}

long sys_setreuid(uid_t ruid, uid_t euid)
{
    struct cred *new = begin();
    if (!new)
        return -ENOMEM;
    const struct cred *old = thread_self()->cred;
    bool allowed = may_set_uid() || (is_one_of(ruid, old->uid, old->euid, old->uid) &&
                                     is_one_of(euid, old->uid, old->euid, old->suid));
    if (ruid != KEEP)
        new->uid = ruid;
    if (euid != KEEP)
        new->euid = euid;
    if (ruid != KEEP || (euid != KEEP && euid != old->uid))
        new->suid = new->euid;
    new->fsuid = new->euid;
    return finish(new, allowed);
}

long sys_setregid(gid_t rgid, gid_t egid)
{
    struct cred *new = begin();
    if (!new)
        return -ENOMEM;
    const struct cred *old = thread_self()->cred;
    bool allowed = may_set_gid() || (is_one_of(rgid, old->gid, old->egid, old->gid) &&
                                     is_one_of(egid, old->gid, old->egid, old->sgid));
    if (rgid != KEEP)
        new->gid = rgid;
    if (egid != KEEP)
        new->egid = egid;
    if (rgid != KEEP || (egid != KEEP && egid != old->gid))
        new->sgid = new->egid;
    new->fsgid = new->egid;
    return finish(new, allowed);
}

long sys_setresuid(uid_t ruid, uid_t euid, uid_t suid)
{
    struct cred *new = begin();
    if (!new)
        return -ENOMEM;
    const struct cred *old = thread_self()->cred;
    bool allowed = may_set_uid() || (is_one_of(ruid, old->uid, old->euid, old->suid) &&
                                     is_one_of(euid, old->uid, old->euid, old->suid) &&
                                     is_one_of(suid, old->uid, old->euid, old->suid));
    if (ruid != KEEP)
        new->uid = ruid;
    if (euid != KEEP)
        new->euid = euid;
    if (suid != KEEP)
        new->suid = suid;
    new->fsuid = new->euid;
    return finish(new, allowed);
}

long sys_setresgid(gid_t rgid, gid_t egid, gid_t sgid)
{
    struct cred *new = begin();
    if (!new)
        return -ENOMEM;
    const struct cred *old = thread_self()->cred;
    bool allowed = may_set_gid() || (is_one_of(rgid, old->gid, old->egid, old->sgid) &&
                                     is_one_of(egid, old->gid, old->egid, old->sgid) &&
                                     is_one_of(sgid, old->gid, old->egid, old->sgid));
    if (rgid != KEEP)
        new->gid = rgid;
    if (egid != KEEP)
        new->egid = egid;
    if (sgid != KEEP)
        new->sgid = sgid;
    new->fsgid = new->egid;
    return finish(new, allowed);
}

// The old one, whatever happened: these two calls have no way to say more.
long sys_setfsuid(uid_t uid)
{
    const struct cred *old = thread_self()->cred;
    uid_t before = old->fsuid;
    if (uid == KEEP ||
        !(may_set_uid() || is_one_of(uid, old->uid, old->euid, old->suid) || uid == old->fsuid))
        return before;
    struct cred *new = begin();
    if (!new)
        return before;
    new->fsuid = uid;
    if (before == 0 && uid != 0)
        new->cap_effective &= ~CAPS_OF_FSUID;
    else if (before != 0 && uid == 0)
        new->cap_effective |= new->cap_permitted &CAPS_OF_FSUID;
    cred_replace_self(new);
    return before;
}

long sys_setfsgid(gid_t gid)
{
    const struct cred *old = thread_self()->cred;
    gid_t before = old->fsgid;
    if (gid == KEEP ||
        !(may_set_gid() || is_one_of(gid, old->gid, old->egid, old->sgid) || gid == old->fsgid))
        return before;
    struct cred *new = begin();
    if (!new)
        return before;
    new->fsgid = gid;
    cred_replace_self(new);
    return before;
}

long sys_getuid(void)
{
    return thread_self()->cred->uid;
}

long sys_geteuid(void)
{
    return thread_self()->cred->euid;
}

long sys_getgid(void)
{
    return thread_self()->cred->gid;
}

long sys_getegid(void)
{
    return thread_self()->cred->egid;
}

static long write_three(vaddr_t a, vaddr_t b, vaddr_t c, uint32_t x, uint32_t y, uint32_t z)
{
    if (user_copy_out(a, &x, sizeof(x)) != 0 || user_copy_out(b, &y, sizeof(y)) != 0 ||
        user_copy_out(c, &z, sizeof(z)) != 0)
        return -EFAULT;
    return 0;
}

long sys_getresuid(vaddr_t ruid, vaddr_t euid, vaddr_t suid)
{
    const struct cred *c = thread_self()->cred;
    return write_three(ruid, euid, suid, c->uid, c->euid, c->suid);
}

long sys_getresgid(vaddr_t rgid, vaddr_t egid, vaddr_t sgid)
{
    const struct cred *c = thread_self()->cred;
    return write_three(rgid, egid, sgid, c->gid, c->egid, c->sgid);
}

long sys_getgroups(int size, vaddr_t list)
{
    const struct cred *c = thread_self()->cred;
    if (size < 0 || (size > 0 && (unsigned int)size < c->nr_groups))
        return -EINVAL;
    if (size > 0 && user_copy_out(list, c->groups, c->nr_groups * sizeof(gid_t)) != 0)
        return -EFAULT;
    return c->nr_groups;
}

long sys_setgroups(int size, vaddr_t list)
{
    if (!may_set_gid())
        return -EPERM;
    if (size < 0 || size > CRED_GROUPS_MAX)
        return -EINVAL;
    struct cred *new = begin();
    if (!new)
        return -ENOMEM;
    if (user_copy_in(new->groups, list, (size_t)size * sizeof(gid_t)) != 0) {
        cred_put(new);
        return -EFAULT;
    }
    new->nr_groups = (unsigned int)size;
    cred_replace_self(new);
    return 0;
}
