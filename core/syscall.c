// SPDX-License-Identifier: BSD-2-Clause
// The system call table. One wrapper for each row takes the arguments from the frame (a 32-bit type
// loads the low half only: callers may leave anything in the upper one), and one table maps numbers
// to wrappers. Numbers without a row map to syscall_none, so that dispatch is a bound check, a load
// and a call. Constant data, no locking.
#include <arch/port.h>
#include <asm/unistd.h>
#include <core/syscall.h>
#include <errno.h>

#include "syscalls_priv.h"

// Programs are newer than the build machine's headers (__NR_syscalls).
#define TABLE_SIZE 464

typedef long syscall_fn(const struct trap_frame *frame);

static long syscall_none(const struct trap_frame *frame)
{
    return -ENOSYS;
}

#define WRAPPER(function, ...)                                                                     \
    static long wrap_##function(const struct trap_frame *r)                                        \
    {                                                                                              \
        return function(__VA_ARGS__);                                                              \
    }
#define SYSCALL0(number, function)          WRAPPER(function, )
#define SYSCALL1(number, function, a)       WRAPPER(function, (a)r->a0)
#define SYSCALL2(number, function, a, b)    WRAPPER(function, (a)r->a0, (b)r->a1)
#define SYSCALL3(number, function, a, b, c) WRAPPER(function, (a)r->a0, (b)r->a1, (c)r->a2)
#define SYSCALL4(number, function, a, b, c, d)                                                     \
    WRAPPER(function, (a)r->a0, (b)r->a1, (c)r->a2, (d)r->a3)
#define SYSCALL5(number, function, a, b, c, d, e)                                                  \
    WRAPPER(function, (a)r->a0, (b)r->a1, (c)r->a2, (d)r->a3, (e)r->a4)
#define SYSCALL6(number, function, a, b, c, d, e, f)                                               \
    WRAPPER(function, (a)r->a0, (b)r->a1, (c)r->a2, (d)r->a3, (e)r->a4, (f)r->a5)

#include "syscalls/all.h"

#undef SYSCALL0
#undef SYSCALL1
#undef SYSCALL2
#undef SYSCALL3
#undef SYSCALL4
#undef SYSCALL5
#undef SYSCALL6

// Every slot is filled with syscall_none first, then the rows replace theirs: that is meant.
#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif
#define SYSCALL0(number, function, ...) [number] = wrap_##function,
#define SYSCALL1                        SYSCALL0
#define SYSCALL2                        SYSCALL0
#define SYSCALL3                        SYSCALL0
#define SYSCALL4                        SYSCALL0
#define SYSCALL5                        SYSCALL0
#define SYSCALL6                        SYSCALL0
static syscall_fn *const syscall_table[TABLE_SIZE] = {
    [0 ... TABLE_SIZE - 1] = syscall_none,
#include "syscalls/all.h"
};
#undef SYSCALL0
#pragma GCC diagnostic pop

#define SYSCALL0(number, function, ...) [number] = #function,
static const char *const syscall_names[TABLE_SIZE] = {
#include "syscalls/all.h"
};

void port_syscall(struct trap_frame *frame)
{
    unsigned long number = frame->a7;
    if (unlikely(number >= TABLE_SIZE)) {
        frame->a0 = (uint64_t)-ENOSYS;
        return;
    }
    frame->a0 = (uint64_t)syscall_table[number](frame);
}

const char *syscall_name(unsigned long number)
{
    if (number >= TABLE_SIZE || syscall_names[number] == NULL)
        return NULL;
    return syscall_names[number] + sizeof("sys_") - 1;
}
