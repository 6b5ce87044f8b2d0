// SPDX-License-Identifier: BSD-2-Clause
// Host tests of the VFS: all of mm under it (host.h, allocations fail on demand), a walk from the
// root as root, and short forms of the calls.
#pragma once

#include <fs/path.h>
#include <fs/file.h>

extern struct cred vfs_root_cred, vfs_user_cred; // user 1000
extern struct fs_context *vfs_context;
extern struct path_walk vfs_walk; // as root; change .cred to ask as another

void vfs_start(void); // once in a program
void vfs_make_file(const char *name, const char *content);
int vfs_lookup(const char *name, unsigned int flags); // 0 or -errno; the reference is dropped
void vfs_remove_all(void);                            // everything below "/"
