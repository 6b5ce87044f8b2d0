// SPDX-License-Identifier: BSD-2-Clause
// Files that stand for a process: core/pidfd.c.
#pragma once

struct process;

// A new descriptor of the caller's, close-on-exec, for p; flags: 0 or O_NONBLOCK. Or -errno.
int pidfd_install(struct process *p, int flags);
// The process that descriptor `fd` stands for, with a reference, and the file's O_* flags; NULL: it
// is no such file.
struct process *pidfd_find(int fd, unsigned int *flags);
// The same, or the one whose directory of /proc it is, into *p: 0, -EBADF, -ESRCH (it is gone).
int pidfd_find_to_signal(int fd, struct process **p);
