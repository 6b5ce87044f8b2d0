// SPDX-License-Identifier: BSD-2-Clause
// epoll(7): interest in many files that is registered once.
#pragma once

#include <fs/file.h>

struct epoll_event;

int epoll_create(struct cred *cred, struct file **file); // 0 or -errno
// epoll_ctl(2) with the event in kernel memory. 0, -EINVAL, -EPERM (can't be polled), -EEXIST,
// -ENOENT, -ELOOP, -ENOMEM.
int epoll_control(struct file *epoll, int op, int fd, struct file *target,
                  const struct epoll_event *event);
// epoll_wait(2) into a kernel array. How many, 0 at the deadline, -EINTR, -EINVAL (not an epoll).
int epoll_wait(struct file *epoll, struct epoll_event *events, int max, uint64_t deadline_ns);

// The last reference on a file with watchers goes, before its release op.
void epoll_file_released(struct file *file);
