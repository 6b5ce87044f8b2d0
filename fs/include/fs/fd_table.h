// SPDX-License-Identifier: BSD-2-Clause
// File descriptors of a process; shared with CLONE_FILES.
#pragma once

#include <fs/file.h>
#include <sync/spinlock.h>

#define FD_MAX 65536 // hard limit of RLIMIT_NOFILE

struct fd_table {
    struct refcount refs;
    struct spinlock lock; // guards the rest
    unsigned int size;    // slots allocated
    struct file **files;
    uint64_t *open_bits, *cloexec_bits;
    unsigned int first_free; // no free slot below it
};

struct fd_table *fd_table_create(void); // NULL: no memory
struct fd_table *fd_table_copy(struct fd_table *from);
void fd_table_get(struct fd_table *t);
void fd_table_put(struct fd_table *t); // the last one closes all
void fd_table_close_on_exec(struct fd_table *t);

// Install at the lowest free descriptor >= min, below `limit` (RLIMIT_NOFILE). Takes over the
// reference on success. The descriptor, or -EMFILE/-ENOMEM.
int fd_install(struct fd_table *t, struct file *f, unsigned int min, uint64_t limit, bool cloexec);
// dup2/dup3: replace what is at fd. 0, -EBADF (over limit), -ENOMEM.
int fd_replace(struct fd_table *t, int fd, struct file *f, uint64_t limit, bool cloexec);
// The file with a reference, or NULL.
struct file *fd_get(struct fd_table *t, int fd);
int fd_close(struct fd_table *t, int fd); // 0 or -EBADF
int fd_close_range(struct fd_table *t, unsigned int first, unsigned int last, bool cloexec_only);
int fd_get_cloexec(struct fd_table *t, int fd); // 0, 1 or -EBADF
int fd_set_cloexec(struct fd_table *t, int fd, bool on);
// The lowest open descriptor >= fd, or -1. For /proc/PID/fd.
int fd_next_open(struct fd_table *t, int fd);
