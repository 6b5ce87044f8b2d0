// SPDX-License-Identifier: BSD-2-Clause
// The calls on process groups and sessions: numbers or -errno as setpgid(2), getsid(2), setsid(2).
#pragma once

#include <lib/types.h>

int process_setpgid(pid_t pid, pid_t group);
pid_t process_getpgid(pid_t pid);
pid_t process_getsid(pid_t pid);
pid_t process_setsid(void);
