// SPDX-License-Identifier: BSD-2-Clause
// What the host tests of fs stand on: locks that check their use, sleeping that a test plays out,
// pages and memory from the C library (so that ASan sees leaks), files without a name space.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fs/file.h>

// What happens while the code under test sleeps: return what port_park returns. NULL: sleeping
// fails the test.
extern int (*host_park)(uint64_t deadline_ns);
extern int host_nr_pages;   // pages in use
extern int host_locks_held; // mutexes and spinlocks
extern uint64_t host_now_ns;
extern int host_nr_wakes; // waiters woken

// An open file as the VFS makes it, and its end through ops->release.
struct file *host_file(const struct file_ops *ops, struct inode *inode, unsigned int flags);
ssize_t host_write(struct file *f, const void *data, size_t n);
ssize_t host_read(struct file *f, void *buf, size_t n);
