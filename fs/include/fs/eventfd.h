// SPDX-License-Identifier: BSD-2-Clause
// eventfd(2): a counter to wait for.
#pragma once

#include <fs/file.h>
#include <linux/fcntl.h>

// Linux's values; Debian 12's uapi headers have no <linux/eventfd.h> yet.
#define EFD_SEMAPHORE 1
#define EFD_CLOEXEC   O_CLOEXEC
#define EFD_NONBLOCK  O_NONBLOCK

// flags: EFD_SEMAPHORE, EFD_NONBLOCK (EFD_CLOEXEC is the descriptor's). 0 or -errno.
int eventfd_create(unsigned int count, int flags, struct cred *cred, struct file **file);
