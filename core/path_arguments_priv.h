// SPDX-License-Identifier: BSD-2-Clause
// The (dirfd, path) pair that most calls on names begin with, fetched from the caller's memory.
#pragma once

#include <core/process.h>
#include <fs/fd_table.h>
#include <fs/path.h>
#include <linux/fcntl.h>

struct path_argument {
    struct path_walk walk;
    struct fd_ref directory; // what walk.at stands on
    char *text;              // the path
};

// The caller's context and credentials, starting at the current directory.
static inline struct path_walk path_walk_self(void)
{
    return (struct path_walk){.context = process_self()->fs, .cred = thread_self()->cred};
}

// Copy the string at `addr` and look dirfd up if the path needs it. flags: PATH_EMPTY allows "" to
// mean dirfd itself. 0, or -EFAULT, -ENAMETOOLONG, -ENOENT (empty), -EBADF, -ENOTDIR, -ENOMEM.
int path_argument_get(struct path_argument *a, int dirfd, vaddr_t addr, unsigned int flags);
void path_argument_put(struct path_argument *a);

// get, look up (PATH_* flags) and put: the file with references in *path. A NULL `addr` with
// PATH_EMPTY is the empty path, as statx and utimensat take it.
int path_argument_lookup(int dirfd, vaddr_t addr, unsigned int flags, struct path *path);
// PATH_* of AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW and AT_EMPTY_PATH. `follow`: the call's default.
unsigned int path_flags_of_at(int at_flags, bool follow);
