// SPDX-License-Identifier: BSD-2-Clause
// The end of an inode's locks, for inode.c.
#pragma once

struct file_locks;
void file_locks_free(struct file_locks *locks); // nobody holds one any more
