// SPDX-License-Identifier: BSD-2-Clause
// Changes of the mount tree, for mount(2) and umount(2) (path_mount.c). All hold mount_lock.
#pragma once

#include <fs/path.h>
#include <linux/mount.h>

// Flags that a mount keeps and /proc/mounts shows.
#define MOUNT_FLAGS                                                                                \
    (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOSYMFOLLOW | MS_NOATIME | MS_NODIRATIME |  \
     MS_RELATIME | MS_STRICTATIME)

extern struct mutex mount_lock;
extern const struct file_system rootfs_type, anonymous_type; // tmpfs.c

// Put `m` at `place`: 0, -ENOTDIR, -ENOENT (removed), -EBUSY (it is there already).
int mount_attach(struct mount *m, const struct path *place);
int mount_move(struct mount *m, const struct path *place); // also -ELOOP
// A second mount of the tree from `path` on. NULL: no memory.
struct mount *mount_clone(const struct path *path);
// Take `m` out if it has no more than so many references. 0 or -EBUSY.
int mount_detach_idle(struct mount *m, unsigned int expected_references);
// Take `top` and all that is mounted below it out; it ends with its last user.
void mount_detach_tree(struct mount *top);
