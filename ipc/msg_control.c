// SPDX-License-Identifier: BSD-2-Clause
// msgctl(2): what queues tell of themselves, and how they are changed and removed.
#include "msg_priv.h"

#include <errno.h>
#include <lib/atomic.h>
#include <linux/capability.h>
#include <mm/slab.h>
#include <string.h>

static void fill(const struct msg_queue *q, struct msqid64_ds *ds)
{
    memset(ds, 0, sizeof(*ds));
    ipc_fill_perm(&q->ipc, &ds->msg_perm);
    ds->msg_stime = q->stime;
    ds->msg_rtime = q->rtime;
    ds->msg_ctime = q->ctime;
    ds->msg_cbytes = q->nr_bytes;
    ds->msg_qnum = q->nr_messages;
    ds->msg_qbytes = q->max_bytes;
    ds->msg_lspid = q->sent_by;
    ds->msg_lrpid = q->received_by;
}

int msg_stat(const struct ipc_caller *c, int id, int command, struct msqid64_ds *ds)
{
    struct ipc_object *o =
        command == IPC_STAT ? ipc_lock_id(&msg_ids, id) : ipc_lock_index(&msg_ids, id);
    if (!o)
        return -EINVAL;
    int result = command == IPC_STAT ? 0 : o->id;
    if (command != MSG_STAT_ANY && !ipc_permits(o, c->cred, IPC_READ))
        result = -EACCES;
    else
        fill(msg_queue_of(o), ds);
    ipc_unlock(o);
    return result;
}

// Sleepers may be excluded by stricter permissions, senders may find room in a larger queue.
static void review_sleepers(struct msg_queue *q)
{
    struct msg_waiter *w, *next;
    list_for_each_entry_safe (w, next, &q->receivers, node)
        if (!ipc_permits(&q->ipc, w->caller->cred, IPC_READ))
            msg_finish(w, -EACCES);
    list_for_each_entry_safe (w, next, &q->senders, node)
        if (!ipc_permits(&q->ipc, w->caller->cred, IPC_WRITE))
            msg_finish(w, -EACCES);
    msg_admit_senders(q);
}

int msg_set(const struct ipc_caller *c, int id, const struct msqid64_ds *ds)
{
    struct ipc_object *o = ipc_lock_id(&msg_ids, id);
    if (!o)
        return -EINVAL;
    struct msg_queue *q = msg_queue_of(o);
    int err = ipc_may_change(o, c->cred);
    if (err == 0 && ds->msg_qbytes > ipc_limit(IPC_MSGMNB) &&
        !cred_has_cap(c->cred, CAP_SYS_RESOURCE))
        err = -EPERM;
    if (err == 0)
        err = ipc_set_perm(o, &ds->msg_perm);
    if (err == 0) {
        q->max_bytes = ds->msg_qbytes;
        q->ctime = ipc_now();
        review_sleepers(q);
    }
    ipc_unlock(o);
    return err;
}

int msg_remove(const struct ipc_caller *c, int id)
{
    struct msg_waiter *w, *next;
    spin_lock(&msg_ids.lock);
    struct ipc_object *o = ipc_lock_id_locked(&msg_ids, id);
    int err = o ? ipc_may_change(o, c->cred) : -EINVAL;
    if (err != 0) {
        if (o)
            ipc_unlock(o);
        spin_unlock(&msg_ids.lock);
        return err;
    }
    struct msg_queue *q = msg_queue_of(o);
    struct ipc_slot *slot = o->slot;
    list_for_each_entry_safe (w, next, &q->receivers, node)
        msg_finish(w, -EIDRM);
    list_for_each_entry_safe (w, next, &q->senders, node)
        msg_finish(w, -EIDRM);
    msg_drop_all(q);
    ipc_remove_locked(&msg_ids, o);
    spin_unlock(&slot->lock);
    spin_unlock(&msg_ids.lock);
    kfree(q);
    return 0;
}

int msg_info(struct msginfo *info, bool usage)
{
    memset(info, 0, sizeof(*info));
    info->msgmni = (int)ipc_limit(IPC_MSGMNI);
    info->msgmax = (int)ipc_limit(IPC_MSGMAX);
    info->msgmnb = (int)ipc_limit(IPC_MSGMNB);
    info->msgssz = MSGSSZ;
    info->msgseg = MSGSEG;
    info->msgpool = MSGPOOL;
    info->msgmap = MSGMAP;
    info->msgtql = MSGTQL;
    if (usage) {
        info->msgpool = (int)atomic_load(&msg_ids.nr_used);
        info->msgmap = (int)atomic_load(&msg_total_messages);
        info->msgtql = (int)atomic_load(&msg_total_bytes);
    }
    return ipc_highest_index(&msg_ids);
}

bool msg_next(unsigned int *index, int *id, struct msqid64_ds *ds)
{
    struct ipc_object *o = ipc_lock_next(&msg_ids, index);
    if (!o)
        return false;
    fill(msg_queue_of(o), ds);
    *id = o->id;
    ipc_unlock(o);
    return true;
}
