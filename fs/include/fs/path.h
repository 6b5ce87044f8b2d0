// SPDX-License-Identifier: BSD-2-Clause
// Path walk (path_resolution(7)), mounts, and the operations on names. All take the caller's
// context and credentials; nothing here knows "current". Paths are kernel strings.
#pragma once

#include <fs/inode.h>
#include <sync/rwlock.h>

struct mount {
    struct refcount refs;
    struct super_block *sb;
    struct mount *parent; // NULL for the root
    struct dentry *mountpoint;
    struct dentry *root;
    unsigned long flags;
    struct list_node node; // in the mount table
    char source[64];
};

// root, cwd and umask of a process; shared with CLONE_FS.
struct fs_context {
    struct refcount refs;
    struct rwlock lock; // guards the rest
    struct path root, cwd;
    mode_t umask;
};

struct fs_context *fs_context_create(struct path root); // NULL: no memory
struct fs_context *fs_context_copy(struct fs_context *from);
void fs_context_get(struct fs_context *c);
void fs_context_put(struct fs_context *c);

// What a walk starts from: `at` (a directory; its dentry NULL means cwd) and who asks.
struct path_walk {
    struct fs_context *context;
    const struct cred *cred;
    struct path at;
};

#define PATH_FOLLOW    BIT(0) // follow a symbolic link in the last component
#define PATH_DIRECTORY BIT(1) // ENOTDIR unless it is one
#define PATH_EMPTY     BIT(2) // "" means `at` itself (AT_EMPTY_PATH)

void path_get(const struct path *p);
void path_put(struct path *p);
// Find an existing file. 0 with references in *path, or -errno (ENOENT, ENOTDIR, ELOOP, EACCES,
// ENAMETOOLONG).
int path_lookup(const struct path_walk *w, const char *name, unsigned int flags, struct path *path);
// Text of a path as seen from `root` (NULL: the global root), " (deleted)" appended for unlinked ones,
// as in /proc and getcwd(2). Returns a pointer into buf, or NULL: too long.
char *path_text(const struct path *path, const struct path *root, char *buf, size_t size);

int path_mknod(const struct path_walk *w, const char *name, mode_t mode, dev_t rdev);
int path_mkdir(const struct path_walk *w, const char *name, mode_t mode);
int path_symlink(const struct path_walk *w, const char *target, const char *name);
int path_link(const struct path *old, const struct path_walk *w, const char *name);
int path_unlink(const struct path_walk *w, const char *name, bool directory);
int path_rename(const struct path_walk *from, const char *from_name, const struct path_walk *to,
                const char *to_name, unsigned int flags); // RENAME_*
int path_truncate(const struct path *path, uint64_t size, const struct cred *cred);
int path_chmod(const struct path *path, mode_t mode, const struct cred *cred);
int path_chown(const struct path *path, uid_t uid, gid_t gid, const struct cred *cred); // -1: keep
// NULL: leave; both NULL with `now`: both to the present time.
int path_utimens(const struct path *path, const struct timestamp *atime, const struct timestamp *mtime,
                 bool now, const struct cred *cred);

void vfs_init(void);       // caches, the root tmpfs
struct path vfs_root(void); // of the initial mount, with references
int path_mount(const struct path_walk *w, const char *source, const char *target, const char *type,
               unsigned long flags, const char *options, const struct cred *cred);
int path_umount(const struct path_walk *w, const char *target, int flags, const struct cred *cred);
// For /proc/mounts: each mount visible below `root`, in mount order.
int mount_for_each(int (*fn)(void *ctx, const struct mount *m), void *ctx);
