// SPDX-License-Identifier: BSD-2-Clause
// What the calls that wait for many files share (sys_poll.c, sys_epoll.c).
#pragma once

#include <lib/types.h>

// A relative timespec of the caller as a deadline: 0 for "don't wait", TIME_NEVER for no timespec.
int poll_read_deadline(vaddr_t timeout, uint64_t *deadline_ns);
// The signal mask of a p-call (0: none given) until it returns. 0, -EINVAL, -EFAULT.
int poll_set_mask(vaddr_t mask, size_t size);
