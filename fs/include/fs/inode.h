// SPDX-License-Identifier: BSD-2-Clause
// Inodes, dentries and file systems: the namespace side of the VFS.
//
// The name space is a tree of dentries. In memory file systems (tmpfs, devtmpfs) dentries *are* the
// directories: each holds a reference for its name until it is unlinked. File systems that make names
// up as they go (procfs, sysfs) are asked by lookup and their dentries live as long as they are used.
//
// Lock order: rename_lock > inode.lock (parent before child, then by address) > dentry tree lock.
#pragma once

#include <lib/cred.h>
#include <lib/list.h>
#include <lib/refcount.h>
#include <mm/vm_object.h>
#include <sync/mutex.h>

struct dentry;
struct file;
struct file_ops;
struct file_system;
struct inode;
struct mount;
struct path;
struct super_block;

#define NAME_MAX_LEN 255
#define PATH_MAX_LEN 4096

struct timestamp { // wall clock
    int64_t seconds;
    uint32_t nanoseconds;
};

struct inode_ops {
    // Directories. `dentry` is the new, negative child; on success the op attaches the inode with
    // dentry_attach(). Caller holds dir->lock, has checked permission, names and existence.
    int (*lookup)(struct inode *dir, struct dentry *dentry); // 0 or -ENOENT; NULL: only the tree
    int (*create)(struct inode *dir, struct dentry *dentry, mode_t mode, dev_t rdev,
                  const struct cred *cred); // regular, device, fifo and socket nodes, directories
    int (*symlink)(struct inode *dir, struct dentry *dentry, const char *target,
                   const struct cred *cred);
    int (*link)(struct inode *dir, struct dentry *dentry, struct inode *inode);
    int (*unlink)(struct inode *dir, struct dentry *dentry); // also rmdir, once empty
    int (*rename)(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
                  struct dentry *to); // `to` may be positive: replaced
    // Symbolic links. Text into buf (no NUL); its length or -errno.
    ssize_t (*readlink)(struct inode *inode, char *buf, size_t size);
    // Links of procfs that lead to an object and not to a text (/proc/PID/fd/N, exe, cwd): the
    // place, with references. NULL: follow the text.
    int (*follow)(struct inode *inode, struct path *path);
    // Directories whose content isn't the dentry tree: entries from *position on. fill returns
    // false when its buffer is full.
    int (*readdir)(struct inode *dir, uint64_t *position,
                   bool (*fill)(void *ctx, const char *name, size_t length, ino_t ino,
                                unsigned int type, uint64_t next),
                   void *ctx);
    int (*truncate)(struct inode *inode, uint64_t size);
    int (*set_attributes)(struct inode *inode); // after chmod/chown/utimens changed the fields
    // Last reference gone: free what the file system keeps for it.
    void (*release)(struct inode *inode);
};

struct inode {
    struct refcount refs;
    struct super_block *sb;
    const struct inode_ops *ops;
    const struct file_ops *file_ops; // of files opened on it
    ino_t ino;
    dev_t rdev; // of device nodes, encoded as in struct stat
    struct mutex lock; // guards the rest and, for directories, the children
    mode_t mode; // S_IF* and permission bits
    uid_t uid;
    gid_t gid;
    uint32_t nlink;
    uint64_t size;
    struct timestamp atime, mtime, ctime, btime;
    struct vm_object *object; // page cache of a regular file (object->size_bytes == size), or NULL
    void *private;
};

struct path {
    struct mount *mount;
    struct dentry *dentry;
};

struct file_system {
    const char *name; // "tmpfs"
    bool nodev;
    // Make the root. `source` and `options` as in mount(2), either may be NULL.
    int (*mount)(struct super_block *sb, const char *source, const char *options);
    void (*unmount)(struct super_block *sb);
    int (*statfs)(struct super_block *sb, uint64_t *blocks, uint64_t *blocks_free, uint64_t *files,
                  uint64_t *files_free);
    long magic; // f_type
};

struct super_block {
    struct refcount refs;
    const struct file_system *fs;
    dev_t dev; // anonymous device number, unique
    unsigned long flags; // MS_RDONLY ...
    struct dentry *root;
    uint64_t next_ino;
    void *private;
};

// Register a type for mount(2) and /proc/filesystems. Boot only.
void file_system_register(const struct file_system *fs);
const struct file_system *file_system_find(const char *name);
// index-th registered type, NULL past the end.
const struct file_system *file_system_at(unsigned int index);

// A new inode with one reference, times set to now; NULL: no memory.
struct inode *inode_create(struct super_block *sb, const struct inode_ops *ops, mode_t mode, uid_t uid,
                           gid_t gid);
void inode_get(struct inode *inode);
void inode_put(struct inode *inode);
struct timestamp timestamp_now(void);
// MAY bits: 4 read, 2 write, 1 execute/search, as in access(2). 0 or -EACCES. Capabilities honoured.
int inode_permission(const struct inode *inode, unsigned int mask, const struct cred *cred);

struct dentry {
    struct refcount refs;
    struct dentry *parent; // itself for a root
    struct inode *inode;   // NULL: negative
    struct mount *mounted; // what is mounted here, or NULL
    bool unlinked;
    struct list_node siblings, children; // under the parent inode's lock
    struct list_node hash_node;
    uint32_t hash;
    uint16_t name_length;
    char name[]; // NUL-terminated
};

struct dentry *dentry_create(struct dentry *parent, const char *name, size_t length);
void dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
void dentry_attach(struct dentry *d, struct inode *inode); // takes the inode's reference
