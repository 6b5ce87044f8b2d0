// SPDX-License-Identifier: BSD-2-Clause
// How the table of devices makes nodes appear in /dev.
#pragma once

#include <lib/types.h>

// Add the node `name` ("null", "input/mice") with S_IFCHR or S_IFBLK in mode. Before
// devtmpfs_init() it is remembered. 0, -EEXIST or -ENOMEM. May sleep.
int devtmpfs_add(const char *name, mode_t mode, dev_t dev);
