// SPDX-License-Identifier: BSD-2-Clause
// Path walk (path_resolution(7)), mounts, and the operations on names. All take the caller's
// context and credentials; nothing here knows "current". Paths are kernel strings.
#pragma once

#include <fs/inode.h>
#include <sync/rwlock.h>

// One reference is the mount table's, each path to a file inside holds one, children hold one on
// their parent. fs->unmount runs with the last.
struct mount {
    struct refcount refs;
    struct super_block *sb;
    struct dentry *root;
    unsigned long flags; // MS_* of this mount; MS_RDONLY may stand in sb->flags, too
    uint32_t nr_writers; // atomic: regular files open for writing, which forbid MS_RDONLY
    char source[64];
    // mount_lock; and the dentry tree lock, for writing, to change the first three
    struct mount *parent; // NULL: the root, or detached
    struct dentry *mountpoint;
    struct mount *next_here; // others on the same mountpoint dentry
    struct list_node node;   // in the mount table
};

// root, cwd and umask of a process; shared with CLONE_FS.
struct fs_context {
    struct refcount refs;
    struct rwlock lock; // guards the rest. Path walks read root and cwd under the dentry tree lock
                        // instead, so they change with both: by fs_context_set_*
    struct path root, cwd;
    mode_t umask;
};

struct fs_context *fs_context_create(struct path root); // NULL: no memory
struct fs_context *fs_context_copy(struct fs_context *from);
void fs_context_get(struct fs_context *c);
void fs_context_put(struct fs_context *c);
void fs_context_set_cwd(struct fs_context *c, const struct path *path); // takes its own references
void fs_context_set_root(struct fs_context *c, const struct path *path);
struct path fs_context_cwd(struct fs_context *c); // with references
struct path fs_context_root(struct fs_context *c);
// getcwd(2): text at the end of buf; its length with NUL, or -ENOENT (unlinked), -ENAMETOOLONG.
ssize_t fs_context_getcwd(struct fs_context *c, char *buf, size_t size, char **text);

// What a walk starts from: `at` (a directory; its dentry NULL means cwd) and who asks.
struct path_walk {
    struct fs_context *context;
    const struct cred *cred;
    struct path at;
};

#define PATH_FOLLOW        BIT(0) // follow a symbolic link in the last component
#define PATH_DIRECTORY     BIT(1) // ENOTDIR unless it is one
#define PATH_EMPTY         BIT(2) // "" means `at` itself (AT_EMPTY_PATH)
#define PATH_NO_XDEV       BIT(3) // openat2(2): -EXDEV at a mount point
#define PATH_NO_MAGICLINKS BIT(4) // -ELOOP at a link that leads to an object
#define PATH_NO_SYMLINKS   BIT(5) // -ELOOP at any symbolic link
#define PATH_BENEATH       BIT(6) // -EXDEV when it would leave `at`
#define PATH_IN_ROOT       BIT(7) // `at` is the root

void path_get(const struct path *p);
void path_put(struct path *p);
// Find an existing file. 0 with references in *path, or -errno (ENOENT, ENOTDIR, ELOOP, EACCES,
// ENAMETOOLONG).
int path_lookup(const struct path_walk *w, const char *name, unsigned int flags, struct path *path);
// Text of a path as seen from `root` (NULL: the global root), " (deleted)" appended for unlinked
// ones, as in /proc and getcwd(2). Returns a pointer into buf, or NULL: too long.
char *path_text(const struct path *path, const struct path *root, char *buf, size_t size);

// access(2) on a path: inode_permission, -EROFS, -EACCES for executing on a noexec mount.
int path_permission(const struct path *path, unsigned int mask, const struct cred *cred);

int path_mknod(const struct path_walk *w, const char *name, mode_t mode, dev_t rdev);
int path_mkdir(const struct path_walk *w, const char *name, mode_t mode);
int path_symlink(const struct path_walk *w, const char *target, const char *name);
int path_link(const struct path *old, const struct path_walk *w, const char *name);
int path_unlink(const struct path_walk *w, const char *name, bool directory);
int path_rename(const struct path_walk *from, const char *from_name, const struct path_walk *to,
                const char *to_name, unsigned int flags); // RENAME_*
// truncate(2): with checks of kind and rights. fallocate(2) is on open files (file.h).
int path_truncate(const struct path *path, uint64_t size, const struct cred *cred);
int path_chmod(const struct path *path, mode_t mode, const struct cred *cred);
int path_chown(const struct path *path, uid_t uid, gid_t gid, const struct cred *cred); // -1: keep
// NULL: leave. `now`: both are the present time, for which the right to write is enough.
int path_utimens(const struct path *path, const struct timestamp *atime,
                 const struct timestamp *mtime, bool now, const struct cred *cred);

void vfs_init(void);        // caches, the root tmpfs
void fat_init(void);        // the types vfat and msdos
struct path vfs_root(void); // of the initial mount, with references
int path_mount(const struct path_walk *w, const char *source, const char *target, const char *type,
               unsigned long flags, const char *options, const struct cred *cred);
int path_umount(const struct path_walk *w, const char *target, int flags, const struct cred *cred);
struct statfs;
int path_statfs(const struct path *path, struct statfs *out);
// Write what is dirty on the device of the path's file system: syncfs(2). 0 or -errno.
int path_sync(const struct path *path);
// For /proc/mounts: each mount visible below `root`, in mount order.
int mount_for_each(int (*fn)(void *ctx, const struct mount *m), void *ctx);
