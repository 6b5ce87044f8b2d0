// SPDX-License-Identifier: BSD-2-Clause
// Memory devices (null(4), random(4)): /dev/{null,zero,full,random,urandom,kmsg}; registered by
// devices_init with the random source from core.
#pragma once

#include <lib/types.h>

struct device_random { // what core offers; may sleep
    ssize_t (*read)(void *buf, size_t n);
    void (*add)(const void *buf, size_t n);
};

// Also registers /dev/tty, /dev/console and /dev/ptmx, the types devtmpfs and devpts. After
// vfs_init.
void devices_init(const struct device_random *random);

// Sleep until the kernel log has a record of this number or beyond it. 0 or -EINTR.
int kmsg_wait(uint64_t seq);
