// SPDX-License-Identifier: BSD-2-Clause
// Making and ending files (file.c) for those who open them (file_open.c), reading of directories
// (file_directory.c), locks that end with the file (file_lock.c).
#pragma once

#include <fs/file.h>

// A file on `path`, with references of its own, without ops yet. NULL: no memory.
struct file *file_create(const struct path *path, int flags, struct cred *cred);
void file_destroy(struct file *f); // one that wasn't opened, or was released
int directory_read(struct file *f, file_fill_fn fill, void *ctx); // position locked
void file_lock_released(struct file *f);
