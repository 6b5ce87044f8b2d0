// SPDX-License-Identifier: BSD-2-Clause
// The content of /proc: what its source files share. Mechanism: fs/procfs.h.
//
// A key names a process or a thread: the pid in the upper half, in the lower half 0 for the process
// as a whole, a tid below /proc/PID/task, or a descriptor + 1 below /proc/PID/fd.
#pragma once

#include <core/process.h>
#include <fs/procfs.h>
#include <mm/uio.h>

#define PROC_PAGES_TO_KIB(pages) ((unsigned long)(pages) * (PAGE_SIZE / 1024))
#define PROC_HZ                  100U // USER_HZ: what times in /proc count in
#define PROC_TICKS(ns)           ((unsigned long)((ns) / (NS_PER_SEC / PROC_HZ)))

static inline uint64_t proc_key(pid_t pid, uint32_t low)
{
    return (uint64_t)(uint32_t)pid << 32 | low;
}

static inline pid_t proc_key_pid(uint64_t key)
{
    return (pid_t)(key >> 32);
}

static inline uint32_t proc_key_low(uint64_t key)
{
    return (uint32_t)key;
}

// The process of a key, with a reference, or NULL when it is gone.
struct process *proc_process(uint64_t key);
// The process whose directory /proc/PID `file` is, with a reference; NULL: it is no such directory,
// or (*is_gone) the process is gone.
struct process *proc_process_of_file(const struct file *file, bool *is_gone);
// The thread that a key names, or the oldest of the process, with a reference; NULL when gone.
struct thread *proc_thread(struct process *p, uint64_t key);

int proc_show_stat(struct text *t, uint64_t key); // proc_stat.c
int proc_show_statm(struct text *t, uint64_t key);
int proc_show_status(struct text *t, uint64_t key);
int proc_show_limits(struct text *t, uint64_t key);
int proc_show_cmdline(struct text *t, uint64_t key); // proc_memory.c
int proc_show_environ(struct text *t, uint64_t key);
int proc_show_auxv(struct text *t, uint64_t key);
int proc_show_maps(struct text *t, uint64_t key);
int proc_show_smaps(struct text *t, uint64_t key);
int proc_show_smaps_rollup(struct text *t, uint64_t key);
// sys_process_vm.c: may the caller look into the process of the key (-EACCES, -ESRCH)? Which map
// it runs on. What it holds.
int proc_may_look(uint64_t key);
uint64_t proc_map_version(uint64_t key);
ssize_t proc_access_pagemap(uint64_t key, uint64_t version, uint64_t offset, struct uio *uio,
                            bool write);
ssize_t proc_access_mem(uint64_t key, uint64_t version, uint64_t offset, struct uio *uio,
                        bool write);
int proc_show_mounts(struct text *t, uint64_t key); // proc_links.c
extern const struct proc_file proc_fd_entry;
int64_t proc_fd_next(uint64_t key, int64_t from);
uint64_t proc_fd_key(uint64_t key, int64_t fd);
ssize_t proc_readlink_exe(uint64_t key, char *buf, size_t size);
int proc_follow_exe(uint64_t key, struct path *path);
ssize_t proc_readlink_cwd(uint64_t key, char *buf, size_t size);
int proc_follow_cwd(uint64_t key, struct path *path);
ssize_t proc_readlink_root(uint64_t key, char *buf, size_t size);
int proc_follow_root(uint64_t key, struct path *path);

// proc_ipc.c: limits of System V IPC, among the files of /proc/sys/kernel.
#define PROC_IPC_LIMITS(each)                                                                      \
    each(shmmax) each(shmall) each(shmmni) each(shm_rmid_forced) each(msgmax) each(msgmnb)         \
        each(msgmni) each(sem) each(shm_next_id) each(sem_next_id) each(msg_next_id)
#define PROC_IPC_LIMIT_DECLARE(limit)                                                              \
    int proc_show_##limit(struct text *t, uint64_t key);                                           \
    ssize_t proc_store_##limit(uint64_t key, const char *data, size_t n);
#define PROC_IPC_LIMIT_FILE(limit)                                                                 \
    {.name = #limit,                                                                               \
     .mode = S_IFREG | 0644,                                                                       \
     .show = proc_show_##limit,                                                                    \
     .store = proc_store_##limit},
PROC_IPC_LIMITS(PROC_IPC_LIMIT_DECLARE)
PROC_IPC_LIMIT_DECLARE(hugetlb_shm_group)

extern const struct proc_file proc_ipc_files[];    // proc_ipc.c
extern const struct proc_file proc_mqueue_files[]; // proc_mqueue.c
extern const struct proc_file proc_system_files[]; // proc_system.c
extern const struct proc_file proc_sys_files[];    // proc_sys.c
extern const struct proc_file proc_sysrq_files[];  // proc_sysrq.c
extern const struct proc_file proc_vm_files[];     // proc_vm.c
int proc_show_meminfo(struct text *t, uint64_t key);
int proc_show_slabinfo(struct text *t, uint64_t key);
int proc_show_vmstat(struct text *t, uint64_t key);
