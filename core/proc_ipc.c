// SPDX-License-Identifier: BSD-2-Clause
// /proc/sysvipc, and the limits of System V IPC in /proc/sys/kernel. proc(5), sysvipc(7).
#include "proc_priv.h"

#include <asm/stat.h>
#include <errno.h>
#include <ipc/msg.h>
#include <ipc/sem.h>
#include <ipc/shm.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>

#define R_ALL (S_IFREG | 0444)
#define DIR   (S_IFDIR | 0555)

static int show_shm(struct text *t, uint64_t key)
{
    struct shmid64_ds ds;
    uint64_t rss;
    int id;
    text_printf(t,
                "       key      shmid perms                  size  cpid  lpid nattch   uid   gid"
                "  cuid  cgid      atime      dtime      ctime                   rss"
                "                  swap\n");
    for (unsigned int i = 0; shm_next(&i, &id, &ds, &rss); i++)
        text_printf(t,
                    "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu "
                    "%21lu\n",
                    ds.shm_perm.key, id, ds.shm_perm.mode, (unsigned long)ds.shm_segsz,
                    (unsigned int)ds.shm_cpid, (unsigned int)ds.shm_lpid, ds.shm_nattch,
                    ds.shm_perm.uid, ds.shm_perm.gid, ds.shm_perm.cuid, ds.shm_perm.cgid,
                    (unsigned long)ds.shm_atime, (unsigned long)ds.shm_dtime,
                    (unsigned long)ds.shm_ctime, (unsigned long)rss, 0UL);
    return 0;
}

static int show_sem(struct text *t, uint64_t key)
{
    struct semid64_ds ds;
    int id;
    text_printf(t, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime"
                   "      ctime\n");
    for (unsigned int i = 0; sem_next(&i, &id, &ds); i++)
        text_printf(t, "%10d %10d  %4o %10lu %5u %5u %5u %5u %10lu %10lu\n", ds.sem_perm.key, id,
                    ds.sem_perm.mode, (unsigned long)ds.sem_nsems, ds.sem_perm.uid, ds.sem_perm.gid,
                    ds.sem_perm.cuid, ds.sem_perm.cgid, (unsigned long)ds.sem_otime,
                    (unsigned long)ds.sem_ctime);
    return 0;
}

static int show_msg(struct text *t, uint64_t key)
{
    struct msqid64_ds ds;
    int id;
    text_printf(t, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid"
                   "  cuid  cgid      stime      rtime      ctime\n");
    for (unsigned int i = 0; msg_next(&i, &id, &ds); i++)
        text_printf(t, "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10lu %10lu %10lu\n",
                    ds.msg_perm.key, id, ds.msg_perm.mode, (unsigned long)ds.msg_cbytes,
                    (unsigned long)ds.msg_qnum, (unsigned int)ds.msg_lspid,
                    (unsigned int)ds.msg_lrpid, ds.msg_perm.uid, ds.msg_perm.gid, ds.msg_perm.cuid,
                    ds.msg_perm.cgid, (unsigned long)ds.msg_stime, (unsigned long)ds.msg_rtime,
                    (unsigned long)ds.msg_ctime);
    return 0;
}

// Up to nr limits, from numbers between blanks, as C writes them; what isn't given stays. How much
// of `data` that took, or -EINVAL and the like.
static ssize_t store_limits(const char *data, size_t n, const enum ipc_limit *which,
                            unsigned int nr)
{
    char text[128];
    const char *at = text;
    if (n >= sizeof(text))
        return -EINVAL;
    memcpy(text, data, n);
    text[n] = 0;
    for (unsigned int i = 0; i < nr; i++) {
        char *end;
        while (*at != 0 && strchr(" \t\n", *at))
            at++;
        if (*at == 0)
            return i == 0 && n != 0 ? -EINVAL : (ssize_t)n;
        if (*at == '-' || *at == '+')
            return -EINVAL;
        uint64_t value = strtoul(at, &end, 0);
        if (end == at || (*end != 0 && !strchr(" \t\n", *end)))
            return -EINVAL;
        int err = ipc_limit_set(which[i], value);
        if (err != 0)
            return err;
        at = end;
    }
    while (*at != 0 && strchr(" \t\n", *at))
        at++;
    return at - text;
}

#define LIMIT_FILE(name, limit, format)                                                            \
    int proc_show_##name(struct text *t, uint64_t key)                                             \
    {                                                                                              \
        text_printf(t, format "\n", (unsigned long)ipc_limit(limit));                              \
        return 0;                                                                                  \
    }                                                                                              \
    ssize_t proc_store_##name(uint64_t key, const char *data, size_t n)                            \
    {                                                                                              \
        const enum ipc_limit which = limit;                                                        \
        return store_limits(data, n, &which, 1);                                                   \
    }

LIMIT_FILE(shmmax, IPC_SHMMAX, "%lu")
LIMIT_FILE(shmall, IPC_SHMALL, "%lu")
LIMIT_FILE(shmmni, IPC_SHMMNI, "%lu")
LIMIT_FILE(shm_rmid_forced, IPC_SHM_RMID_FORCED, "%lu")
LIMIT_FILE(msgmax, IPC_MSGMAX, "%lu")
LIMIT_FILE(msgmnb, IPC_MSGMNB, "%lu")
LIMIT_FILE(msgmni, IPC_MSGMNI, "%lu")
LIMIT_FILE(hugetlb_shm_group, IPC_HUGETLB_SHM_GROUP, "%lu") // of /proc/sys/vm
// -1: any. sysctl/kernel.rst of Linux's documentation; who restores processes sets them.
LIMIT_FILE(shm_next_id, IPC_SHM_NEXT_ID, "%ld")
LIMIT_FILE(sem_next_id, IPC_SEM_NEXT_ID, "%ld")
LIMIT_FILE(msg_next_id, IPC_MSG_NEXT_ID, "%ld")

static const enum ipc_limit sem_limits[] = {IPC_SEMMSL, IPC_SEMMNS, IPC_SEMOPM, IPC_SEMMNI};

int proc_show_sem(struct text *t, uint64_t key)
{
    for (size_t i = 0; i < ARRAY_SIZE(sem_limits); i++)
        text_printf(t, "%s%lu", i == 0 ? "" : "\t", (unsigned long)ipc_limit(sem_limits[i]));
    text_printf(t, "\n");
    return 0;
}

ssize_t proc_store_sem(uint64_t key, const char *data, size_t n)
{
    return store_limits(data, n, sem_limits, ARRAY_SIZE(sem_limits));
}

static const struct proc_file sysvipc_files[] = {
    {.name = "shm", .mode = R_ALL, .show = show_shm},
    {.name = "sem", .mode = R_ALL, .show = show_sem},
    {.name = "msg", .mode = R_ALL, .show = show_msg},
    {.name = NULL},
};

const struct proc_file proc_ipc_files[] = {
    {.name = "sysvipc", .mode = DIR, .children = sysvipc_files},
    {.name = NULL},
};
