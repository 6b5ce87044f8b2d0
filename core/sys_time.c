// SPDX-License-Identifier: BSD-2-Clause
// Clocks and sleeping: clock_gettime(2), clock_nanosleep(2), gettimeofday(2). The wall clock is the
// monotonic one plus an offset; the coarse clocks are as fine as the others.
#include <arch/clock.h>
#include <arch/uaccess.h>
#include <core/process.h>
#include <core/realtime.h>
#include <core/time.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/time.h>
#include <sync/port.h>

#include "syscalls_priv.h"

static int clock_read_cpu(pid_t pid, bool of_thread, uint64_t *ns)
{
    struct process_usage usage;
    if (of_thread) {
        struct thread *t = pid == 0 ? thread_self() : thread_find(pid);
        if (!t)
            return -EINVAL;
        bool ours = t->process == process_self();
        if (ours)
            process_usage_of_thread(t, &usage);
        if (pid != 0)
            thread_put(t);
        if (!ours)
            return -EINVAL;
    } else {
        struct process *p = pid == 0 ? process_self() : process_find(pid);
        if (!p)
            return -EINVAL;
        process_usage_sum(p, &usage);
        if (pid != 0)
            process_put(p);
    }
    *ns = usage.user_ns + usage.system_ns;
    return 0;
}

static int clock_read(int id, uint64_t *ns)
{
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        *ns = clock_realtime_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ns = clock_monotonic_ns();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        return clock_read_cpu(0, false, ns);
    case CLOCK_THREAD_CPUTIME_ID:
        return clock_read_cpu(0, true, ns);
    default:
        return id < 0 ? clock_read_cpu(CPUCLOCK_PID(id), CPUCLOCK_IS_THREAD(id), ns) : -EINVAL;
    }
}

long sys_clock_gettime(int id, vaddr_t addr)
{
    uint64_t ns;
    int err = clock_read(id, &ns);
    return err != 0 ? err : time_write_timespec(addr, ns);
}

long sys_clock_getres(int id, vaddr_t addr)
{
    uint64_t ns;
    int err = clock_read(id, &ns);
    if (err != 0 || addr == 0)
        return err;
    return time_write_timespec(addr, 1);
}

// As Linux: 30 years of uptime must still be left before 64 signed bits of nanoseconds are full.
#define TIME_SET_MAX_NS ((uint64_t)INT64_MAX - 30UL * 365 * 24 * 3600 * NS_PER_SEC)

static int time_set(uint64_t ns)
{
    if (ns >= TIME_SET_MAX_NS)
        return -EINVAL;
    if (!cred_has_cap(thread_self()->cred, CAP_SYS_TIME))
        return -EPERM;
    if (ns < clock_monotonic_ns())
        return -EINVAL; // as Linux: the machine wasn't on before 1970
    realtime_set(ns);
    return 0;
}

long sys_clock_settime(int id, vaddr_t addr)
{
    uint64_t ns;
    if (id != CLOCK_REALTIME)
        return -EINVAL;
    int err = time_read_timespec(addr, &ns);
    return err != 0 ? err : time_set(ns);
}

long sys_gettimeofday(vaddr_t tv, vaddr_t tz)
{
    if (tv != 0) {
        int err = time_write_timeval(tv, clock_realtime_ns());
        if (err != 0)
            return err;
    }
    const struct timezone utc = {0, 0};
    return tz != 0 ? user_copy_out(tz, &utc, sizeof(utc)) : 0;
}

long sys_settimeofday(vaddr_t tv, vaddr_t tz)
{
    struct timezone zone;
    uint64_t ns;
    int err = 0;
    if (tz != 0) // read for its errors alone: the kernel keeps UTC
        err = user_copy_in(&zone, tz, sizeof(zone));
    if (err == 0 && tv != 0)
        err = time_read_timeval(tv, &ns);
    if (err != 0)
        return err;
    if (tv != 0)
        return time_set(ns);
    return cred_has_cap(thread_self()->cred, CAP_SYS_TIME) ? 0 : -EPERM;
}

// Until the deadline: 0, or -EINTR.
static int sleep_until(uint64_t deadline_ns, bool realtime)
{
    int err;
    do
        err = realtime ? port_park_realtime(PARK_INTERRUPTIBLE, deadline_ns)
                       : port_park(PARK_INTERRUPTIBLE, deadline_ns);
    while (err == 0);
    return err == -ETIMEDOUT ? 0 : err;
}

// args[0]: where to write the time that was left, or 0.
static long sleep_restart(struct restart *r)
{
    if (sleep_until(r->deadline_ns, false) == 0)
        return 0;
    uint64_t now = clock_monotonic_ns();
    if (r->args[0] != 0) {
        int err = time_write_timespec(r->args[0], now < r->deadline_ns ? r->deadline_ns - now : 0);
        if (err != 0)
            return err;
    }
    return -ERESTART_RESTARTBLOCK;
}

static long sleep_relative(uint64_t ns, vaddr_t left)
{
    struct restart *r = &thread_self()->restart;
    *r = (struct restart){.call = sleep_restart, .deadline_ns = time_deadline(ns), .args = {left}};
    return sleep_restart(r);
}

long sys_nanosleep(vaddr_t addr, vaddr_t left)
{
    uint64_t ns;
    int err = time_read_timespec(addr, &ns);
    return err != 0 ? err : sleep_relative(ns, left);
}

long sys_clock_nanosleep(int id, int flags, vaddr_t addr, vaddr_t left)
{
    uint64_t ns;
    bool realtime = id == CLOCK_REALTIME || id == CLOCK_TAI || id == CLOCK_REALTIME_ALARM;
    if (!realtime && id != CLOCK_MONOTONIC && id != CLOCK_BOOTTIME && id != CLOCK_BOOTTIME_ALARM)
        return id >= 0 && id <= CLOCK_TAI && id != CLOCK_THREAD_CPUTIME_ID ? -EOPNOTSUPP : -EINVAL;
    int err = time_read_timespec(addr, &ns);
    if (err != 0)
        return err;
    if (!(flags & TIMER_ABSTIME))
        return sleep_relative(ns, left);
    return sleep_until(ns, realtime) == 0 ? 0 : -ERESTARTNOHAND;
}
