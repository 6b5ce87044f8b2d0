// SPDX-License-Identifier: BSD-2-Clause
// Steps of devices_init(): each part of fs that needs a device node or a super block of its own.
#pragma once

void pipe_init(void); // pipe.c
void eventfd_init(void);
void netlink_init(void);
void hugetlbfs_init(void);
void file_object_init(void); // eventfd.c
void epoll_init(void);       // epoll.c
void kmsg_init(void);        // kmsg.c
void tty_init(void);         // tty.c: /dev/tty, /dev/console
void pty_init(void);         // pty.c: /dev/ptmx, devpts
