// SPDX-License-Identifier: BSD-2-Clause
// Fill the root from newc cpio archives, plain or gzip, one after another (Linux
// Documentation/driver-api/early-userspace/buffer-format).
#pragma once

#include <lib/types.h>

// 0, or -errno after one clear line in the log; what was unpacked until then stays.
int initramfs_unpack(const void *archive, size_t size);
