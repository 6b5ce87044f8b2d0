// SPDX-License-Identifier: BSD-2-Clause
// Prototypes of every system call, made from the rows of core/syscalls/<family>.h, so that a row
// and its function can't differ. Every core/sys_*.c includes this.
#pragma once

#include <core/syscall.h>

#define SYSCALL0(number, function)                   long function(void);
#define SYSCALL1(number, function, a)                long function(a);
#define SYSCALL2(number, function, a, b)             long function(a, b);
#define SYSCALL3(number, function, a, b, c)          long function(a, b, c);
#define SYSCALL4(number, function, a, b, c, d)       long function(a, b, c, d);
#define SYSCALL5(number, function, a, b, c, d, e)    long function(a, b, c, d, e);
#define SYSCALL6(number, function, a, b, c, d, e, f) long function(a, b, c, d, e, f);

#include "syscalls/all.h"

#undef SYSCALL0
#undef SYSCALL1
#undef SYSCALL2
#undef SYSCALL3
#undef SYSCALL4
#undef SYSCALL5
#undef SYSCALL6
