// SPDX-License-Identifier: BSD-2-Clause
// Inodes, dentries and file systems: the namespace side of the VFS.
//
// The name space is a tree of dentries. In memory file systems (tmpfs, devtmpfs: inode_ops.lookup
// is NULL) dentries *are* the directories: each holds a reference for its name until it is
// unlinked. File systems that make names up as they go (procfs, sysfs) are asked by lookup and
// their dentries live as long as they are used.
//
// Lock order: mount_lock > rename_lock > inode.lock (parent before child, then by address) > dentry
// tree lock (dentry.c). file_put, dentry_put and inode_put take no inode.lock, so that they may run
// under vm_map.lock, while a read or write may fault with an inode.lock held.
#pragma once

#include <lib/cred.h>
#include <lib/list.h>
#include <lib/refcount.h>
#include <mm/vm_object.h>
#include <sync/mutex.h>

struct block_device;
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

#ifndef F_SEAL_EXEC // headers before Linux 6.3
#define F_SEAL_EXEC 0x20
#endif

struct timestamp { // wall clock
    int64_t seconds;
    uint32_t nanoseconds;
};

struct inode_ops {
    // Directories. `dentry` is the new, negative child; on success the op attaches the inode with
    // dentry_attach(). Caller holds dir->lock, has checked permission, names and existence.
    int (*lookup)(struct inode *dir, struct dentry *dentry); // 0 or -ENOENT; NULL: only the tree
    // Where several names mean one file (case): the one it is stored under, into `stored`
    // (NAME_MAX_LEN bytes, no NUL), by which lookup is asked. Its length, or -ENOENT. NULL: no.
    ssize_t (*stored_name)(struct inode *dir, const char *name, size_t length, char *stored);
    int (*create)(struct inode *dir, struct dentry *dentry, mode_t mode, dev_t rdev,
                  const struct cred *cred); // regular, device, fifo and socket nodes, directories
    int (*symlink)(struct inode *dir, struct dentry *dentry, const char *target,
                   const struct cred *cred);
    int (*link)(struct inode *dir, struct dentry *dentry, struct inode *inode);
    int (*unlink)(struct inode *dir, struct dentry *dentry); // also rmdir, once empty
    // `to` may be positive: replaced, or with RENAME_EXCHANGE swapped. The VFS moves the dentries.
    int (*rename)(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
                  struct dentry *to, unsigned int flags);
    // A directory made up as one goes: is what it stood for gone, though its dentry is still in
    // use? Then the name leads nowhere. Must not sleep. NULL: never.
    bool (*is_gone)(const struct inode *inode);
    // Symbolic links. Text into buf (no NUL); its length or -errno.
    ssize_t (*readlink)(struct inode *inode, char *buf, size_t size);
    // Links of procfs that lead to an object and not to a text (/proc/PID/fd/N, exe, cwd): the
    // place, with references. NULL: follow the text.
    int (*follow)(struct inode *inode, struct path *path);
    // Directories whose content isn't the dentry tree: entries from *position on; `next` is the
    // position after the entry; the first is 0. "." and ".." are made by the VFS. fill returns
    // false when its buffer is full. Caller holds dir->lock.
    int (*readdir)(struct inode *dir, uint64_t *position,
                   bool (*fill)(void *ctx, const char *name, size_t length, ino_t ino,
                                unsigned int type, uint64_t next),
                   void *ctx);
    // Regular files; the caller holds inode->lock and has checked rights. NULL: -EINVAL. Changes
    // inode->size (which must agree with the object's).
    int (*truncate)(struct inode *inode, uint64_t size);
    // fallocate(2), same rules; `mode` is FALLOC_FL_*. NULL: -EOPNOTSUPP.
    int (*allocate)(struct inode *inode, int mode, uint64_t offset, uint64_t size);
    // After chmod, chown or utimens changed the fields, inode->lock held. NULL: nothing to do.
    int (*set_attributes)(struct inode *inode);
    // A new inode of no name (O_TMPFILE), mode complete. NULL: -EOPNOTSUPP.
    struct inode *(*create_unnamed)(struct inode *dir, mode_t mode, const struct cred *cred);
    // 512-byte sectors that it takes. NULL: what its object has in memory.
    uint64_t (*nr_sectors)(const struct inode *inode);
    // Last reference gone: free what the file system keeps for it.
    void (*release)(struct inode *inode);
};

struct inode {
    struct refcount refs;
    struct super_block *sb;
    const struct inode_ops *ops;
    const struct file_ops *file_ops; // of files opened on it
    ino_t ino;
    dev_t rdev;               // of device nodes, encoded as in struct stat
    int32_t writers;          // files open for writing; negative: programs that run from it. Atomic
    bool linkable;            // made by O_TMPFILE: linkat may give it a name while nlink is 0
    struct file_locks *locks; // flock, POSIX and OFD locks, made at the first one (file_lock.c)
    // Guards the rest and, for directories, the children. stat(2) and permission checks read single
    // fields without it.
    struct mutex lock;
    mode_t mode; // S_IF* and permission bits
    uid_t uid;
    gid_t gid;
    uint32_t nlink;
    uint64_t size;
    uint32_t seals; // F_SEAL_*: what can't be done any more. Never cleared
    bool has_seals; // the content is memory: F_ADD_SEALS and F_GET_SEALS are for it
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
    bool nodev;       // needs no block device
    // Make the root, sb->root, with a reference. `source` and `options` as in mount(2), either may
    // be NULL.
    int (*mount)(struct super_block *sb, const char *source, const char *options);
    // Drop sb->root and all else. NULL: dentry_put(sb->root).
    void (*unmount)(struct super_block *sb);
    // mount(2) with MS_REMOUNT and options. NULL: nothing but flags can change.
    int (*remount)(struct super_block *sb, unsigned long flags, const char *options);
    // Options beyond the flags as /proc/mounts shows them, ",size=4k"; fits or is cut. NULL: none.
    void (*show_options)(struct super_block *sb, char *buf, size_t size);
    int (*statfs)(struct super_block *sb, uint64_t *blocks, uint64_t *blocks_free, uint64_t *files,
                  uint64_t *files_free);
    long magic; // f_type
};

struct super_block {
    struct refcount refs;
    const struct file_system *fs;
    dev_t dev;                   // anonymous device number, unique
    unsigned long flags;         // MS_RDONLY ...
    struct block_device *device; // what it is on, held; NULL: none
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
struct inode *inode_create(struct super_block *sb, const struct inode_ops *ops, mode_t mode,
                           uid_t uid, gid_t gid);
// As inode_create for a file made in `dir` by `cred`: owner, group and set-group-id bit as in
// inode(7). `mode` is complete but for that.
struct inode *inode_create_in(struct inode *dir, const struct inode_ops *ops, mode_t mode,
                              const struct cred *cred);
void inode_get(struct inode *inode);
void inode_put(struct inode *inode);
// A file is either open for writing or run as a program: -ETXTBSY for whoever comes second. The
// user of a program may take it again for another one (fork).
int inode_write_begin(struct inode *inode);
void inode_write_end(struct inode *inode);
int inode_run_begin(struct inode *inode);
void inode_run_end(struct inode *inode);
struct timestamp timestamp_now(void);
// MAY bits: 4 read, 2 write, 1 execute/search, as in access(2). 0 or -EACCES. Capabilities
// honoured.
int inode_permission(const struct inode *inode, unsigned int mask, const struct cred *cred);

// Set the times of TOUCH_* to now. Caller holds inode->lock (or nobody else knows the inode yet).
#define TOUCH_ATIME BIT(0)
#define TOUCH_MTIME BIT(1)
#define TOUCH_CTIME BIT(2)
void inode_touch(struct inode *inode, unsigned int which);
// The inode was read through `path`: set atime as the mount's flags say (relatime by default).
// Takes inode->lock if there is something to write.
void inode_accessed(const struct path *path);

#define DENTRY_INLINE_NAME 32

struct dentry {
    struct refcount refs; // becomes zero only with the tree lock held for writing, or unhashed
    uint32_t hash;        // of the name alone
    // Tree lock. A change also needs the parent inode's lock, but in file systems with a lookup op.
    struct dentry *parent;                 // itself for a root; holds a reference
    struct inode *inode;                   // NULL: negative. Set once.
    struct mount *mounted;                 // chain (mount.next_here) of what is mounted here
    struct dentry *hash_next, **hash_link; // hash_link NULL: not in the tree
    struct list_node siblings, children;   // newest first; trees without a lookup op only
    uint64_t cookie;                       // position in the directory: grows with every link
    char *name;                            // NUL-terminated, inline_name or from kmalloc
    uint8_t name_length;
    bool unlinked;
    char inline_name[DENTRY_INLINE_NAME];
};

// A negative dentry outside the tree, with a reference on `parent`; parent NULL: a root. The name
// has at most NAME_MAX_LEN bytes. NULL: no memory.
struct dentry *dentry_create(struct dentry *parent, const char *name, size_t length);
void dentry_get(struct dentry *d);
void dentry_put(struct dentry *d); // NULL is fine
// Make `d` positive, taking over the inode's reference, and put it into the tree: lookups find it.
// Without a lookup op in the parent, the name now holds one more reference on `d`.
void dentry_attach(struct dentry *d, struct inode *inode);
// Take a name out of the tree (unlink) and drop the name's reference.
void dentry_detach(struct dentry *d);
// Child of `parent` in the tree, with a reference, or NULL.
struct dentry *dentry_find(struct dentry *parent, const char *name, size_t length);
