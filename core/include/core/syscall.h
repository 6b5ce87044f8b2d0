// SPDX-License-Identifier: BSD-2-Clause
// System calls: one table, numbers and types from Linux's uapi headers (asm-generic, riscv64).
//
// Every call is `long sys_name(args...)`, returns a value or -errno, and stands in a core/sys_*.c
// by family. Its row stands in core/syscalls/<family>.h as SYSCALLn(number, function, types...),
// which the table in core/syscall.c includes: once for prototypes and wrappers, once for the table.
// User addresses are vaddr_t. A number with no row is ENOSYS.
#pragma once

#include <lib/types.h>

struct trap_frame;
// Name of a call for messages, or NULL.
const char *syscall_name(unsigned long number);
