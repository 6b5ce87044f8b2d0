// SPDX-License-Identifier: BSD-2-Clause
// What the parts of the VFS share: the dentry tree lock, the walk of a path, and what a change of
// names needs.
//
// The tree lock is a big-reader lock: a reader takes its own hart's spinlock, a writer all of them.
// So walks on different harts share nothing, and hold it for a whole path without taking
// references; it is never held over anything that sleeps.
#pragma once

#include <fs/file.h>
#include <fs/path.h>

unsigned int dentry_tree_read_lock(void); // the slot, for the unlock
void dentry_tree_read_unlock(unsigned int slot);
void dentry_tree_write_lock(void);
void dentry_tree_write_unlock(void);

#define DENTRY_HASH_START 0x811c9dc5u
static inline uint32_t dentry_hash_add(uint32_t hash, unsigned char c)
{
    return (hash ^ c) * 0x01000193u; // FNV-1a
}
uint32_t dentry_hash_name(const char *name, size_t length);
// Under the tree lock: the child, without a reference.
struct dentry *dentry_find_hashed(const struct dentry *parent, const char *name, size_t length,
                                  uint32_t hash);
// Give `from` the place and the name of `to`; `to` leaves the tree (its name's reference must then
// be dropped if it had one) or, with `exchange`, gets the place of `from`. Both parents' locks
// held.
void dentry_move(struct dentry *from, struct dentry *to, bool exchange);
// The next child in directory order after position `cookie` (newest first), with a reference.
bool dentry_is_ancestor(const struct dentry *ancestor, const struct dentry *d);
// Free a tree that nobody uses any more, but for the caller's reference on `root`, which goes, too.
void dentry_destroy_tree(struct dentry *root);
void dentry_init(void);
void inode_init(void);
void file_init(void);
void tmpfs_init(void);
void mount_init(void);
extern const struct inode_ops tmpfs_inode_ops;
struct inode *tmpfs_create_inode(struct super_block *sb, mode_t mode, const struct cred *cred);
struct inode *hugetlbfs_create_inode(mode_t mode, const struct cred *cred); // NULL: no memory

enum last_kind { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

// Where a walk ended. `last` points into the caller's name or into `buffer`.
struct walk_result {
    struct path parent; // WALK_PARENT: the directory of the last component, with references
    struct path child;  // what it names, with references, mounts crossed; dentry NULL: nothing
    const char *last;
    size_t last_length;
    enum last_kind kind;
    bool trailing_slash;
    char *buffer;
};

#define WALK_PARENT BIT(16) // stop before the last component
#define WALK_CHILD  BIT(17) // and also look it up
// PATH_FOLLOW with WALK_PARENT: a symbolic link there is followed (open with O_CREAT).

int path_walk(const struct path_walk *w, const char *name, unsigned int flags,
              struct walk_result *result);
void path_walk_release(struct walk_result *result);

// Child `name` of a directory whose lock is held: asks the file system if it isn't in the tree.
// 0 with a reference, -ENOENT, or the file system's error.
int path_lookup_locked(struct dentry *dir, const char *name, size_t length, struct dentry **child);
// Is the file system, or this mount of it, read-only?
static inline bool path_is_read_only(const struct path *p)
{
    return (p->mount->flags | p->mount->sb->flags) & 1; // MS_RDONLY
}
// Right to add a name to a directory: -ENOENT (removed), -EACCES. Its lock is held.
int path_may_create(const struct dentry *dir, const struct cred *cred);
// Right to remove `child`: -EACCES, -EPERM (sticky), -ENOTDIR/-EISDIR by `directory`, -EBUSY,
// -ENOENT.
int path_may_delete(const struct dentry *dir, const struct dentry *child, bool directory,
                    const struct cred *cred);
// The last part of creating: dir->lock held, checks done. mode complete (umask applied).
int path_create_locked(struct dentry *dir, const char *name, size_t length, mode_t mode, dev_t rdev,
                       const struct cred *cred, struct dentry **child);
mode_t fs_context_umask(struct fs_context *c);
// Is something mounted on this dentry, in whatever mount?
static inline bool dentry_is_mountpoint(const struct dentry *d)
{
    return __atomic_load_n(&d->mounted, __ATOMIC_RELAXED) != NULL;
}
// What is mounted at (mount, d), without a reference, or NULL. Tree lock.
static inline struct mount *mount_at(const struct mount *mount, const struct dentry *d)
{
    struct mount *m = d->mounted;
    while (m && m->parent != mount)
        m = m->next_here;
    return m;
}
void mount_get(struct mount *m);
void mount_put(struct mount *m);
extern struct mount *anonymous_mount; // of files without a place in the tree (pipes)
// A mount of `type`, not yet attached. 0, or -errno of the file system.
// `device` is the block device it is on, 0 for types that need none.
int mount_create(const struct file_system *type, const char *source, dev_t device,
                 unsigned long flags, const char *options, struct mount **mount);
// Set-user-id and set-group-id bits go when somebody without CAP_FSETID changes the content.
void inode_drop_privileges(struct inode *inode, const struct cred *cred);
bool inode_is_owner(const struct inode *inode, const struct cred *cred); // or CAP_FOWNER
// lseek(2) over inode->size: the new position, or -EINVAL, -ENXIO (SEEK_DATA), -EOVERFLOW.
int64_t file_seek_regular(const struct file *f, int64_t offset, int whence);
