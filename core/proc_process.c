// SPDX-License-Identifier: BSD-2-Clause
// /proc/PID, /proc/PID/task/TID, self and thread-self: which files there are. proc(5).

#include "proc_priv.h"

#include <asm/stat.h>
#include <errno.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>

#define R_ALL   (S_IFREG | 0444)
#define R_OWNER (S_IFREG | 0400)
#define LINK    (S_IFLNK | 0777)

struct process *proc_process(uint64_t key)
{
    return process_find(proc_key_pid(key));
}

struct thread *proc_thread(struct process *p, uint64_t key)
{
    struct thread *t = NULL;

    if (proc_key_low(key) != 0) {
        t = thread_find((pid_t)proc_key_low(key));
        if (t && t->process != p) {
            thread_put(t);
            t = NULL;
        }
        return t;
    }
    spin_lock(&p->lock);
    if (!list_is_empty(&p->threads)) {
        t = list_first_entry(&p->threads, struct thread, process_node);
        thread_get(t);
    }
    spin_unlock(&p->lock);
    return t;
}

static void owner_of(uint64_t key, uid_t *uid, gid_t *gid)
{
    struct process *p = proc_process(key);

    *uid = 0;
    *gid = 0;
    if (!p)
        return;
    spin_lock(&p->lock);
    if (!list_is_empty(&p->threads)) {
        const struct thread *t = list_first_entry(&p->threads, struct thread, process_node);
        *uid = t->cred->euid;
        *gid = t->cred->egid;
    }
    spin_unlock(&p->lock);
    process_put(p);
}

static int show_comm(struct text *t, uint64_t key)
{
    struct process *p = proc_process(key);

    if (!p)
        return -ESRCH;
    struct thread *thread = proc_thread(p, key);
    text_printf(t, "%s\n", thread ? thread->name : p->name);
    if (thread)
        thread_put(thread);
    process_put(p);
    return 0;
}

// Only a thread's own process may rename it.
static ssize_t store_comm(uint64_t key, const char *data, size_t n)
{
    struct process *p = proc_process(key);
    ssize_t result = -ESRCH;

    if (!p)
        return -ESRCH;
    struct thread *t = proc_thread(p, key);
    if (t && p != process_self())
        result = -EINVAL;
    if (t && p == process_self()) {
        size_t length = MIN(n, sizeof(t->name) - 1);
        if (length > 0 && data[length - 1] == '\n')
            length--;
        char name[THREAD_NAME_SIZE] = "";
        memcpy(name, data, length);
        memcpy(t->name, name, sizeof(t->name));
        result = (ssize_t)n;
    }
    if (t)
        thread_put(t);
    process_put(p);
    return result;
}

static int64_t next_tid(uint64_t key, int64_t from)
{
    struct process *p = proc_process(key);
    int64_t best = -1;

    if (!p)
        return -1;
    spin_lock(&p->lock);
    struct thread *t;
    list_for_each_entry (t, &p->threads, process_node)
        if (t->tid >= from && (best < 0 || t->tid < best))
            best = t->tid;
    spin_unlock(&p->lock);
    process_put(p);
    return best;
}

static uint64_t task_key(uint64_t key, int64_t tid)
{
    return proc_key(proc_key_pid(key), (uint32_t)tid);
}

static int64_t next_pid(uint64_t key, int64_t from)
{
    struct process *p = process_next((pid_t)MAX(from, 1));

    if (!p)
        return -1;
    int64_t pid = p->pid;
    process_put(p);
    return pid;
}

static uint64_t pid_key(uint64_t key, int64_t pid)
{
    return proc_key((pid_t)pid, 0);
}

// They tell of the memory that the process had when they were opened, to whom may look into it.
#define OF_MAP .may_open = proc_may_look, .version = proc_map_version

#define COMMON_FILES                                                                               \
    {.name = "stat", .mode = R_ALL, .show = proc_show_stat, .owner = owner_of},                    \
        {.name = "statm", .mode = R_ALL, .show = proc_show_statm, .owner = owner_of},              \
        {.name = "status", .mode = R_ALL, .show = proc_show_status, .owner = owner_of},            \
        {.name = "comm",                                                                           \
         .mode = R_ALL | 0200,                                                                     \
         .show = show_comm,                                                                        \
         .store = store_comm,                                                                      \
         .owner = owner_of},                                                                       \
        {.name = "cmdline", .mode = R_ALL, .show = proc_show_cmdline, .owner = owner_of},          \
        {.name = "environ",                                                                        \
         .mode = R_OWNER,                                                                          \
         .show = proc_show_environ,                                                                \
         OF_MAP,                                                                                   \
         .owner = owner_of},                                                                       \
        {.name = "auxv", .mode = R_OWNER, .show = proc_show_auxv, OF_MAP, .owner = owner_of},      \
        {.name = "maps", .mode = R_ALL, .show = proc_show_maps, OF_MAP, .owner = owner_of},        \
        {.name = "smaps", .mode = R_ALL, .show = proc_show_smaps, OF_MAP, .owner = owner_of},      \
        {.name = "smaps_rollup",                                                                   \
         .mode = R_ALL,                                                                            \
         .show = proc_show_smaps_rollup,                                                           \
         OF_MAP,                                                                                   \
         .owner = owner_of},                                                                       \
        {.name = "mem",                                                                            \
         .mode = R_OWNER | 0200,                                                                   \
         .access = proc_access_mem,                                                                \
         OF_MAP,                                                                                   \
         .owner = owner_of},                                                                       \
        {.name = "pagemap",                                                                        \
         .mode = R_OWNER,                                                                          \
         .access = proc_access_pagemap,                                                            \
         OF_MAP,                                                                                   \
         .owner = owner_of},                                                                       \
        {.name = "limits", .mode = R_ALL, .show = proc_show_limits, .owner = owner_of},            \
        {.name = "mounts", .mode = R_ALL, .show = proc_show_mounts, .owner = owner_of},            \
        {.name = "exe",                                                                            \
         .mode = LINK,                                                                             \
         .readlink = proc_readlink_exe,                                                            \
         .follow = proc_follow_exe,                                                                \
         .owner = owner_of},                                                                       \
        {.name = "cwd",                                                                            \
         .mode = LINK,                                                                             \
         .readlink = proc_readlink_cwd,                                                            \
         .follow = proc_follow_cwd,                                                                \
         .owner = owner_of},                                                                       \
        {.name = "root",                                                                           \
         .mode = LINK,                                                                             \
         .readlink = proc_readlink_root,                                                           \
         .follow = proc_follow_root,                                                               \
         .owner = owner_of},                                                                       \
    {                                                                                              \
        .name = "fd", .mode = S_IFDIR | 0500, .next = proc_fd_next, .entry = &proc_fd_entry,       \
        .make_key = proc_fd_key, .owner = owner_of                                                 \
    }

static const struct proc_file task_files[] = {COMMON_FILES, {.name = NULL}};
static const struct proc_file task_entry = {
    .name = "", .mode = S_IFDIR | 0555, .children = task_files, .owner = owner_of};

static bool process_is_gone(uint64_t key)
{
    struct process *p = process_find(proc_key_pid(key));
    if (p)
        process_put(p);
    return !p;
}

static const struct proc_file process_files[] = {
    COMMON_FILES,
    {.name = "task",
     .mode = S_IFDIR | 0555,
     .next = next_tid,
     .entry = &task_entry,
     .make_key = task_key,
     .owner = owner_of},
    {.name = NULL},
};
static const struct proc_file process_entry = {.name = "",
                                               .mode = S_IFDIR | 0555,
                                               .children = process_files,
                                               .is_gone = process_is_gone,
                                               .owner = owner_of};

struct process *proc_process_of_file(const struct file *file, bool *is_gone)
{
    uint64_t key, since_ns;
    *is_gone = false;
    if (!procfs_identify(file->inode, &process_entry, &key, &since_ns))
        return NULL;
    struct process *p = proc_process(key);
    if (p && p->start_ns > since_ns) { // another one with that number
        process_put(p);
        p = NULL;
    }
    *is_gone = p == NULL;
    return p;
}

static ssize_t readlink_self(uint64_t key, char *buf, size_t size)
{
    return snprintf(buf, size, "%d", process_self()->pid);
}

static ssize_t readlink_thread_self(uint64_t key, char *buf, size_t size)
{
    return snprintf(buf, size, "%d/task/%d", process_self()->pid, thread_self()->tid);
}

static ssize_t readlink_mounts(uint64_t key, char *buf, size_t size)
{
    return snprintf(buf, size, "self/mounts");
}

static const struct proc_file top_files[] = {
    {.name = "self", .mode = LINK, .readlink = readlink_self},
    {.name = "thread-self", .mode = LINK, .readlink = readlink_thread_self},
    {.name = "mounts", .mode = LINK, .readlink = readlink_mounts},
    {.name = "",
     .mode = S_IFDIR | 0555,
     .next = next_pid,
     .entry = &process_entry,
     .make_key = pid_key},
    {.name = NULL},
};

// Only with FAULTS=1.
void proc_faults_init(void);
#pragma weak proc_faults_init

void proc_files_init(void)
{
    procfs_register(top_files);
    procfs_register(proc_system_files);
    procfs_register(proc_sys_files);
    procfs_register(proc_sysrq_files);
    procfs_register(proc_ipc_files);
    if (proc_faults_init)
        proc_faults_init();
}
