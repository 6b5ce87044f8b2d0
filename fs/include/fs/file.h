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
    // The new position, which the caller stores. NULL: regular rules over inode->size; -ESPIPE
    // where there is none. Called with the position locked.
    int64_t (*seek)(struct file *file, int64_t offset, int whence);
    // `arg` is a user address or a number, as the request says. -ENOTTY: unknown.
    long (*ioctl)(struct file *file, unsigned int request, unsigned long arg);
    // EPOLL*-style bits that hold now (POLLIN ...); with a table, also poll_add() its wait queues.
    unsigned int (*poll)(struct file *file, struct poll_table *table);
    // Object to map, without a new reference; *offset may be moved. NULL op: -ENODEV.
    int (*mmap)(struct file *file, uint64_t *offset, size_t size, struct vm_object **object);
    // These bytes will be read soon: bring them into memory. NULL: they are there. May sleep.
    void (*read_ahead)(struct file *file, uint64_t offset, size_t size);
    // A writable mapping was made up to byte `end`. NULL: nothing to do.
    void (*reach)(struct file *file, uint64_t end);
    int (*sync)(struct file *file, bool data_only);       // NULL: nothing to write
    void (*closed)(struct file *file, const void *table); // one of its descriptors in `table`
    void (*release)(struct file *file);                   // last reference
    bool stream; // no position: lseek and pread give -ESPIPE
};

struct file {
    struct refcount refs;
    const struct file_ops *ops;
    struct path path;
    struct inode *inode;        // path.dentry's inode
    struct mutex position_lock; // serialises read/write/seek that use `offset`
    uint64_t offset;
    uint32_t flags;              // O_* that fcntl(F_GETFL) shows; changed atomically
    bool can_read, can_write;    // as opened; neither with O_PATH
    bool counts_as_writer;       // in mount.nr_writers
    bool has_locks;              // POSIX, OFD or flock locks may have been taken through it
    struct epoll_item *watchers; // epolls that watch it; see epoll.c
    pid_t owner;                 // F_SETOWN
    bool random_access;          // POSIX_FADV_RANDOM: reads bring in nothing but what they ask for
    struct cred *cred;           // of the opener
    void *private;
};

// A file on `path` (references taken), not yet in any table. Runs ops->open. No check of rights.
// 0 or -errno.
int file_open_path(const struct path *path, int flags, struct cred *cred, struct file **file);
// open(2) without the descriptor: walk, create, truncate, permission. 0 or -errno.
int file_open(const struct path_walk *w, const char *name, int flags, mode_t mode,
              struct file **file);
// The same with PATH_NO_XDEV and its like: openat2(2).
int file_open_scoped(const struct path_walk *w, const char *name, int flags, mode_t mode,
                     unsigned int scope, struct file **file);
// A file with no name in the tree (pipe:[ino], anon_inode:x). The inode's reference is taken
// over, also on failure.
int file_create_anonymous(struct inode *inode, const struct file_ops *ops, int flags,
                          struct cred *cred, struct file **file);
// The same for an object of the kernel: `private` is the file's, `name` ("anon_inode:[timerfd]") is
// constant and what /proc/PID/fd says.
int file_create_object(const char *name, const struct file_ops *ops, void *private, int flags,
                       struct cred *cred, struct file **file);
void file_get(struct file *f);
void file_put(struct file *f);

// read(2) and write(2) with checks of mode; offset NULL: the file's own position.
ssize_t file_read(struct file *f, struct uio *uio, uint64_t *offset);
ssize_t file_write(struct file *f, struct uio *uio, uint64_t *offset);
int64_t file_seek(struct file *f, int64_t offset, int whence);
#define POLL_ALWAYS 0x145u // POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM: files that never wait
static inline unsigned int file_poll(struct file *f, struct poll_table *table)
{
    return likely(f->ops->poll != NULL) ? f->ops->poll(f, table) : POLL_ALWAYS;
}
// For exec and kernel users: n bytes at offset into a kernel buffer. Bytes read or -errno.
ssize_t file_read_kernel(struct file *f, void *buf, size_t n, uint64_t offset);
ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, uint64_t *offset);

// Entries of a directory from the file's position on; see inode_ops.readdir. 0, -ENOTDIR, -ENOENT
// (removed), or -errno of the file system.
typedef bool (*file_fill_fn)(void *ctx, const char *name, size_t length, ino_t ino,
                             unsigned int type, uint64_t next);
int file_readdir(struct file *f, file_fill_fn fill, void *ctx);
int file_truncate(struct file *f, uint64_t size);                            // ftruncate(2)
int file_allocate(struct file *f, int mode, uint64_t offset, uint64_t size); // fallocate(2)
int file_sync(struct file *f, bool data_only);
// Advice: bring these bytes into memory, at most 2 MiB of them. What goes wrong is left out.
void file_read_ahead(struct file *f, uint64_t offset, uint64_t size);
// An unlinked tmpfs file of its own with these seals, for memfd_create(2); `huge`: one of 2 MiB
// pages.
int file_create_memory(const char *name, int flags, mode_t mode, uint32_t seals, bool huge,
                       struct cred *cred, struct file **file);
// fcntl(2) F_ADD_SEALS: 0, -EPERM (not for writing, or sealed), -EINVAL (unknown seals, or a file
// that has none), -EBUSY (F_SEAL_WRITE while it is mapped shared and writable).
int file_add_seals(struct file *f, unsigned int seals);
int file_get_seals(struct file *f); // -EINVAL: a file that has none
// A shared mapping comes to be between these: no seal is set meanwhile. begin takes VM_MAYWRITE out
// of *may if a seal says so: 0, or -EPERM if the mapping is to be written.
int file_begin_shared_mapping(struct file *f, bool writable, unsigned int *may);
void file_end_shared_mapping(struct file *f);

// Files of an ordinary file system: what tmpfs uses, for others with a page cache.
extern const struct file_ops directory_file_ops;
// A new reference on `c`, and its end: a cred comes from kmalloc.
void file_cred_put(struct cred *c);

// fcntl(2) F_SETLK and so on. `owner` tells POSIX owners apart (the fd table) or is the file (OFD).
struct file_lock_request {
    int type;            // F_RDLCK, F_WRLCK, F_UNLCK
    uint64_t start, end; // half-open; end UINT64_MAX: to the end of the file
    const void *owner;
    pid_t pid; // as F_GETLK shows: -1 for OFD locks
};
// 0, -EAGAIN (held by others and not `wait`), -EINTR, -EDEADLK, -ENOLCK (no memory).
int file_lock_set(struct file *f, const struct file_lock_request *request, bool wait);
// The first conflicting lock into *request; type F_UNLCK if there is none.
void file_lock_test(struct file *f, struct file_lock_request *request);
// flock(2): type F_RDLCK, F_WRLCK or F_UNLCK.
int file_lock_flock(struct file *f, int type, bool wait);
// A descriptor is closed: POSIX locks of `owner` on its inode go.
void file_lock_closed(struct file *f, const void *owner);

// How mm describes a mapped struct file (vm_map.h).
extern const struct vm_file_ops file_vm_ops;

// pipe(2): two files. 0 or -errno.
int pipe_create(int flags, struct cred *cred, struct file **read_end, struct file **write_end);
