// SPDX-License-Identifier: BSD-2-Clause
// Open files: what a file descriptor refers to, and the operations of each kind of file.
#pragma once

#include <fs/path.h>
#include <mm/uio.h>
#include <mm/vm_map.h>

struct poll_table;

struct file_ops {
    // Second half of open(2), file->path and flags set. NULL: nothing to do.
    int (*open)(struct file *file);
    // *offset is advanced by the op. Bytes done, 0 at the end, -errno if none.
    ssize_t (*read)(struct file *file, struct uio *uio, uint64_t *offset);
    ssize_t (*write)(struct file *file, struct uio *uio, uint64_t *offset);
    // NULL: regular rules over inode->size; -ESPIPE where there is no position.
    int64_t (*seek)(struct file *file, int64_t offset, int whence);
    // `arg` is a user address or a number, as the request says. -ENOTTY: unknown.
    long (*ioctl)(struct file *file, unsigned int request, unsigned long arg);
    // EPOLL*-style bits that hold now (POLLIN ...); with a table, also poll_add() its wait queues.
    unsigned int (*poll)(struct file *file, struct poll_table *table);
    // Object to map, without a new reference; *offset may be moved. NULL op: -ENODEV.
    int (*mmap)(struct file *file, uint64_t *offset, size_t size, struct vm_object **object);
    int (*sync)(struct file *file, bool data_only); // NULL: nothing to write
    void (*release)(struct file *file); // last reference
    bool stream; // no position: lseek and pread give -ESPIPE
};

struct file {
    struct refcount refs;
    const struct file_ops *ops;
    struct path path;
    struct inode *inode; // path.dentry's inode
    struct mutex position_lock; // serialises read/write/seek that use `offset`
    uint64_t offset;
    uint32_t flags; // O_* that fcntl(F_GETFL) shows; changed atomically
    pid_t owner;    // F_SETOWN
    struct cred *cred; // of the opener
    void *private;
};

// A file on `path` (references taken), not yet in any table. Runs ops->open. 0 or -errno.
int file_open_path(const struct path *path, int flags, struct cred *cred, struct file **file);
// open(2) without the descriptor: walk, create, truncate, permission. 0 or -errno.
int file_open(const struct path_walk *w, const char *name, int flags, mode_t mode, struct file **file);
// A file with no name in the tree (pipe:[ino], anon_inode:x). The inode's reference is taken over.
int file_create_anonymous(struct inode *inode, const struct file_ops *ops, int flags, struct cred *cred,
                          struct file **file);
void file_get(struct file *f);
void file_put(struct file *f);

// read(2) and write(2) with checks of mode; offset NULL: the file's own position.
ssize_t file_read(struct file *f, struct uio *uio, uint64_t *offset);
ssize_t file_write(struct file *f, struct uio *uio, uint64_t *offset);
int64_t file_seek(struct file *f, int64_t offset, int whence);
unsigned int file_poll(struct file *f, struct poll_table *table);
// For exec and kernel users: n bytes at offset into a kernel buffer. Bytes read or -errno.
ssize_t file_read_kernel(struct file *f, void *buf, size_t n, uint64_t offset);
ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, uint64_t *offset);

// How mm describes a mapped struct file (vm_map.h).
extern const struct vm_file_ops file_vm_ops;

// pipe(2): two files. 0 or -errno.
int pipe_create(int flags, struct cred *cred, struct file **read_end, struct file **write_end);
