// SPDX-License-Identifier: BSD-2-Clause
// Names of the machine, as uname(2) and /proc/sys/kernel tell and sethostname(2) sets them.
#pragma once

#include <stddef.h>

#define SYSTEM_NAME_SIZE 65 // with its NUL

void system_host_name(char name[SYSTEM_NAME_SIZE]);
void system_domain_name(char name[SYSTEM_NAME_SIZE]);

// Replace them by `n` bytes. Need CAP_SYS_ADMIN of the caller: -EPERM; -EINVAL: longer than 64.
int system_set_host_name(const char *text, size_t n);
int system_set_domain_name(const char *text, size_t n);
