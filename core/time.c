// SPDX-License-Identifier: BSD-2-Clause
// Conversions between nanoseconds and the ABI's structures, and the wall clock found at boot.
// Stateless.
#include <arch/clock.h>
#include <arch/uaccess.h>
#include <core/time.h>
#include <errno.h>

#define US_PER_SEC 1000000

void time_set_from_rtc(uint64_t realtime_ns)
{
    clock_set_realtime(realtime_ns);
}

static uint64_t time_from_parts(int64_t seconds, uint64_t ns)
{
    if ((uint64_t)seconds >= TIME_NEVER / NS_PER_SEC)
        return TIME_NEVER;
    return (uint64_t)seconds * NS_PER_SEC + ns;
}

int time_read_timespec(vaddr_t addr, uint64_t *ns)
{
    struct __kernel_timespec ts;
    int err = user_copy_in(&ts, addr, sizeof(ts));
    if (err != 0)
        return err;
    if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (long long)NS_PER_SEC)
        return -EINVAL;
    *ns = time_from_parts(ts.tv_sec, (uint64_t)ts.tv_nsec);
    return 0;
}

struct __kernel_timespec time_to_timespec(uint64_t ns)
{
    return (struct __kernel_timespec){.tv_sec = (__kernel_time64_t)(ns / NS_PER_SEC),
                                      .tv_nsec = (long long)(ns % NS_PER_SEC)};
}

int time_write_timespec(vaddr_t addr, uint64_t ns)
{
    struct __kernel_timespec ts = time_to_timespec(ns);
    return user_copy_out(addr, &ts, sizeof(ts));
}

int time_read_timeval(vaddr_t addr, uint64_t *ns)
{
    struct __kernel_old_timeval tv;
    int err = user_copy_in(&tv, addr, sizeof(tv));
    if (err != 0)
        return err;
    if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec >= US_PER_SEC)
        return -EINVAL;
    *ns = time_from_parts(tv.tv_sec, (uint64_t)tv.tv_usec * NS_PER_US);
    return 0;
}

int time_write_timeval(vaddr_t addr, uint64_t ns)
{
    struct __kernel_old_timeval tv = {.tv_sec = (__kernel_long_t)(ns / NS_PER_SEC),
                                      .tv_usec = (__kernel_long_t)(ns % NS_PER_SEC / NS_PER_US)};
    return user_copy_out(addr, &tv, sizeof(tv));
}

uint64_t time_deadline(uint64_t timeout_ns)
{
    uint64_t now = clock_monotonic_ns();
    return timeout_ns >= TIME_NEVER - now ? TIME_NEVER : now + timeout_ns;
}
