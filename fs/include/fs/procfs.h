// SPDX-License-Identifier: BSD-2-Clause
// procfs and sysfs as mechanisms: directories of generated files. What stands in them is registered
// by those who know (core: processes; mm, drivers by way of core).
//
// All descriptions are constant and stay for ever. Callbacks run in the calling process's context
// with no lock of fs held but, in lookup and readdir, the directory's; they may sleep.
#pragma once

#include <fs/inode.h>

// Text under construction; grows by itself, remembers lack of memory. Starts as all zeroes.
struct text {
    char *data;
    size_t length, capacity;
    bool failed;
};
void text_printf(struct text *t, const char *fmt, ...) __printf(2, 3);
void text_append(struct text *t, const void *data, size_t n);
void text_free(struct text *t);

// A file of procfs. `key` is what its directory was made for (a pid for /proc/PID, else 0).
struct proc_file {
    const char *name;
    mode_t mode; // S_IFREG|0444 ...; S_IFLNK for links; S_IFDIR for a directory of `children`
    // Regular: the whole content, made when a read begins at offset 0, or -errno (ESRCH: the
    // process is gone).
    int (*show)(struct text *t, uint64_t key);
    // Writable files: a whole write. NULL: -EIO.
    ssize_t (*store)(uint64_t key, const char *data, size_t n);
    // Instead of both: read into, or write from, `uio` what stands at `offset`. Bytes or -errno.
    ssize_t (*access)(uint64_t key, uint64_t version, uint64_t offset, struct uio *uio, bool write);
    // May the caller open it? 0 or -errno. NULL: the mode says all.
    int (*may_open)(uint64_t key);
    // Which one of the things that the key names, one after the other, it tells of now. It is noted
    // at open: a file tells nothing of later ones (a process that executed another program).
    uint64_t (*version)(uint64_t key);
    dev_t (*device)(uint64_t key); // device nodes: st_rdev
    // Links: text, and optionally the place itself.
    ssize_t (*readlink)(uint64_t key, char *buf, size_t size);
    int (*follow)(uint64_t key, struct path *path);
    // Directories with fixed content...
    const struct proc_file *children; // ended by name NULL
    // ... and with entries made on the fly: next entry number >= `from` or -1 (each named by its
    // decimal number, e.g. pids, tids, fds), whose files are `entry` (a directory of its children,
    // or a link) with key = make_key(key, number).
    int64_t (*next)(uint64_t key, int64_t from);
    const struct proc_file *entry;
    uint64_t (*make_key)(uint64_t key, int64_t number); // NULL: the number is the key
    // A name that isn't the number, for `next`. NULL: decimal.
    void (*name_entry)(uint64_t key, int64_t number, char *buf, size_t size);
    // Entries: does what the key names exist no more? Must not sleep. NULL: it always exists.
    bool (*is_gone)(uint64_t key);
    // Owner of the inode, NULL: root.
    void (*owner)(uint64_t key, uid_t *uid, gid_t *gid);
};

// Add top-level files of /proc (or, sysfs_register: of /sys); an array ended by name NULL. An
// element with the empty name "" describes by `next`, `entry` and `make_key` the entries that the
// top level itself makes on the fly (/proc/PID). Boot only.
void procfs_register(const struct proc_file *files);
void sysfs_register(const struct proc_file *files);
// Is `inode` a directory that `file` describes? Then its key, and when the inode was made, by the
// monotonic clock: what the key names now may be younger.
bool procfs_identify(const struct inode *inode, const struct proc_file *file, uint64_t *key,
                     uint64_t *since_ns);
// Register the types "proc" and "sysfs", and what fs itself knows of /sys. After vfs_init.
void procfs_init(void);
