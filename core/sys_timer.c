// SPDX-License-Identifier: BSD-2-Clause
// System calls on POSIX timers: timer_create(2), timer_settime(2), timer_getoverrun(2),
// timer_delete(2). The timers are posix_timer.c's.
#include <arch/uaccess.h>
#include <core/time.h>
#include <errno.h>
#include <linux/time.h>

#include "posix_timer_priv.h"
#include "syscalls_priv.h"

static int read_setting(vaddr_t addr, struct posix_timer_set *set)
{
    int err = time_read_timespec(addr, &set->interval_ns);
    return err != 0 ? err
                    : time_read_timespec(addr + sizeof(struct __kernel_timespec), &set->left_ns);
}

static int write_setting(vaddr_t addr, const struct posix_timer_set *set)
{
    int err = time_write_timespec(addr, set->interval_ns);
    return err != 0 ? err
                    : time_write_timespec(addr + sizeof(struct __kernel_timespec), set->left_ns);
}

long sys_timer_create(int clock, vaddr_t user_event, vaddr_t user_id)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    int id;
    if (user_event != 0 && user_copy_in(&event, user_event, sizeof(event)) != 0)
        return -EFAULT;
    int err = posix_timer_create(clock, event.sigev_notify, event.sigev_signo,
                                 event.sigev_notify_thread_id,
                                 user_event != 0 ? &event.sigev_value : NULL, &id);
    if (err != 0)
        return err;
    err = user_copy_out(user_id, &id, sizeof(id));
    if (err != 0)
        posix_timer_delete(id);
    return err;
}

long sys_timer_settime(int id, int flags, vaddr_t new, vaddr_t old)
{
    struct posix_timer_set set, before;
    if (new == 0)
        return -EINVAL;
    int err = read_setting(new, &set);
    if (err == 0)
        err = posix_timer_set(id, flags & TIMER_ABSTIME, &set, &before);
    return err == 0 && old != 0 ? write_setting(old, &before) : err;
}

long sys_timer_gettime(int id, vaddr_t addr)
{
    struct posix_timer_set set;
    int err = posix_timer_get(id, &set);
    return err != 0 ? err : write_setting(addr, &set);
}

long sys_timer_getoverrun(int id)
{
    return posix_timer_overrun(id);
}

long sys_timer_delete(int id)
{
    return posix_timer_delete(id);
}
