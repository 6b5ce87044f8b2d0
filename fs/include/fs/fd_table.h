// SPDX-License-Identifier: BSD-2-Clause
// File descriptors of a process; shared with CLONE_FILES.
#pragma once

#include <fs/file.h>
#include <sync/spinlock.h>

#define FD_MAX    65536 // hard limit of RLIMIT_NOFILE
#define FD_INLINE 64

struct fd_table {
    struct refcount refs;
    bool threads;         // set before a second thread of the process begins, cleared by exec
    struct spinlock lock; // guards the rest. Its only user (fd_table_is_private) may read without
    unsigned int size;    // slots allocated, a multiple of 64
    struct file **files;
    uint64_t *open_bits, *cloexec_bits;
    unsigned int first_free; // no free slot below it
    struct file *inline_files[FD_INLINE];
    uint64_t inline_open, inline_cloexec;
};

struct fd_table *fd_table_create(void); // NULL: no memory
struct fd_table *fd_table_copy(struct fd_table *from);
void fd_table_get(struct fd_table *t);
void fd_table_put(struct fd_table *t); // the last one closes all
void fd_table_close_on_exec(struct fd_table *t);

// Only one thread uses it: nobody can close what it looks at.
static inline bool fd_table_is_private(const struct fd_table *t)
{
    return atomic_load_acquire(&t->refs.count) == 1 && !atomic_load(&t->threads);
}

// Install at the lowest free descriptor >= min, below `limit` (RLIMIT_NOFILE). Takes over the
// reference on success. The descriptor, or -EMFILE/-ENOMEM.
int fd_install(struct fd_table *t, struct file *f, unsigned int min, uint64_t limit, bool cloexec);
// dup2/dup3: replace what is at fd. 0, -EBADF (over limit), -ENOMEM.
int fd_replace(struct fd_table *t, int fd, struct file *f, uint64_t limit, bool cloexec);
// The file with a reference, or NULL. Also files opened with O_PATH.
struct file *fd_get(struct fd_table *t, int fd);

// For the length of one system call of a thread that uses table `t` as its own: without touching
// the file's count when nobody shares the table, so that nobody can close it meanwhile. `file` is
// NULL when there is none.
struct fd_ref {
    struct file *file;
    bool counted;
};
static inline struct fd_ref fd_borrow(struct fd_table *t, int fd)
{
    if (unlikely(!fd_table_is_private(t))) {
        struct file *f = fd_get(t, fd);
        return (struct fd_ref){f, f != NULL};
    }
    return (struct fd_ref){likely((unsigned int)fd < t->size) ? t->files[fd] : NULL, false};
}
static inline void fd_return(struct fd_ref r)
{
    if (r.counted)
        file_put(r.file);
}
int fd_close(struct fd_table *t, int fd); // 0 or -EBADF
int fd_close_range(struct fd_table *t, unsigned int first, unsigned int last, bool cloexec_only);
int fd_get_cloexec(struct fd_table *t, int fd); // 0, 1 or -EBADF
int fd_set_cloexec(struct fd_table *t, int fd, bool on);
// The lowest open descriptor >= fd, or -1. For /proc/PID/fd.
int fd_next_open(struct fd_table *t, int fd);
