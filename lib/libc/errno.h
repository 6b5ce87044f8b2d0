// SPDX-License-Identifier: BSD-2-Clause
// The kernel's <errno.h>: Linux's numbers, from its uapi headers. Functions return -E..., there is
// no errno variable.
#pragma once
#include <asm/errno.h>
// Never seen by user space: the signal code turns them into a restart or EINTR (signal(7)).
#define ERESTARTSYS           512 // restart if SA_RESTART
#define ERESTARTNOINTR        513 // always restart
#define ERESTARTNOHAND        514 // restart only if no handler runs
#define ERESTART_RESTARTBLOCK 516 // restart through restart_syscall(2)
