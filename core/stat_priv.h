// SPDX-License-Identifier: BSD-2-Clause
// An inode's attributes in the forms of stat(2) and statx(2).
#pragma once

#include <fs/path.h>

struct stat;
struct statx;

void stat_fill(struct inode *inode, struct stat *st);
void stat_fill_statx(const struct path *path, struct statx *stx);
