// SPDX-License-Identifier: BSD-2-Clause
// Names of the machine, as uname(2) and /proc/sys/kernel tell and sethostname(2) sets them.
#pragma once

#define SYSTEM_NAME_SIZE 65 // with its NUL

void system_host_name(char name[SYSTEM_NAME_SIZE]);
void system_domain_name(char name[SYSTEM_NAME_SIZE]);
