// SPDX-License-Identifier: BSD-2-Clause
// Interval timers of a process: getitimer(2), setitimer(2). ITIMER_REAL is a timer of the kernel.
// ITIMER_VIRTUAL and ITIMER_PROF count the process's CPU time: they are compared at each tick of a
// thread of the process and are as exact as the tick.
//
// process->lock serialises setting; firing happens in interrupt context without it. What both touch
// is atomic, and timer_cancel() waits until the real timer's firing is over.
#include <arch/clock.h>
#include <arch/uaccess.h>
#include <core/process.h>
#include <core/time.h>
#include <errno.h>
#include <lib/atomic.h>
#include <linux/time.h>

#include "period_priv.h"
#include "posix_timer_priv.h"
#include "sched_priv.h"
#include "syscalls_priv.h"

static void itimer_real_fire(struct timer *timer)
{
    struct process *p = container_of(timer, struct process, real_timer.timer);
    uint64_t interval = p->real_timer.interval_ns;
    signal_send_process(p, SIGALRM, NULL);
    if (interval == 0) {
        p->real_timer.deadline_ns = 0;
        return;
    }
    // Periods that passed meanwhile are lost, as a second SIGALRM would be.
    uint64_t now = clock_monotonic_ns(), deadline = p->real_timer.deadline_ns;
    period_forward(&deadline, interval, now);
    p->real_timer.deadline_ns = MAX(deadline, now + PERIOD_MIN_NS);
    timer_start(timer, p->real_timer.deadline_ns);
}

void itimer_init(struct process *p)
{
    timer_init(&p->real_timer.timer, itimer_real_fire);
}

void itimer_exit(struct process *p)
{
    timer_cancel(&p->real_timer.timer);
}

// CPU time left, [0], and interval, [1], of ITIMER_VIRTUAL or ITIMER_PROF.
static void itimer_count(struct process *p, uint64_t timer[2], uint64_t delta, int signal)
{
    uint64_t left = atomic_load(&timer[0]);
    if (left == 0)
        return;
    if (left > delta) {
        atomic_store(&timer[0], left - delta);
        return;
    }
    atomic_store(&timer[0], atomic_load(&timer[1]));
    signal_send_process(p, signal, NULL);
}

// getrlimit(2): SIGXCPU at the soft limit and every second from there, SIGKILL at the hard one. The
// soft limit counts on as Linux's does.
static void itimer_check_limit(struct process *p, uint64_t cpu_ns)
{
    struct rlimit64 *limit = &p->limits[RLIMIT_CPU];
    uint64_t soft = atomic_load(&limit->rlim_cur), seconds = cpu_ns / NS_PER_SEC;
    if (likely(soft == RLIM64_INFINITY) || seconds < soft)
        return;
    if (seconds >= atomic_load(&limit->rlim_max)) {
        signal_send_process(p, SIGKILL, NULL);
        return;
    }
    atomic_store(&limit->rlim_cur, seconds + 1);
    signal_send_process(p, SIGXCPU, NULL);
}

void itimer_tick(struct process *p, uint64_t user_ns, uint64_t system_ns)
{
    itimer_check_limit(p, atomic_add_fetch(&p->cpu_ns, user_ns + system_ns));
    itimer_count(p, p->itimer_virtual, user_ns, SIGVTALRM);
    itimer_count(p, p->itimer_prof, user_ns + system_ns, SIGPROF);
    posix_timers_tick(p);
}

static uint64_t *itimer_cpu(struct process *p, int which)
{
    return which == ITIMER_VIRTUAL ? p->itimer_virtual : p->itimer_prof;
}

struct itimer_value {
    uint64_t interval_ns, left_ns;
};

static struct itimer_value itimer_get_locked(struct process *p, int which)
{
    if (which != ITIMER_REAL) {
        uint64_t *timer = itimer_cpu(p, which);
        return (struct itimer_value){atomic_load(&timer[1]), atomic_load(&timer[0])};
    }
    uint64_t now = clock_monotonic_ns(), deadline = p->real_timer.deadline_ns;
    struct itimer_value v = {.interval_ns = p->real_timer.interval_ns};
    if (deadline != 0) // due but not yet fired: never 0, which means disarmed
        v.left_ns = deadline > now ? deadline - now : NS_PER_US;
    return v;
}

static void itimer_set_locked(struct process *p, int which, struct itimer_value v)
{
    if (which != ITIMER_REAL) {
        uint64_t *timer = itimer_cpu(p, which);
        atomic_store(&timer[1], v.interval_ns);
        atomic_store(&timer[0], v.left_ns);
        return;
    }
    p->real_timer.interval_ns = v.interval_ns;
    p->real_timer.deadline_ns = v.left_ns == 0 ? 0 : time_deadline(v.left_ns);
    if (v.left_ns != 0)
        timer_start(&p->real_timer.timer, p->real_timer.deadline_ns);
}

static bool itimer_exists(int which)
{
    return which == ITIMER_REAL || which == ITIMER_VIRTUAL || which == ITIMER_PROF;
}

static int itimer_write(vaddr_t addr, struct itimer_value v)
{
    int err = time_write_timeval(addr, v.interval_ns);
    return err != 0 ? err
                    : time_write_timeval(addr + sizeof(struct __kernel_old_timeval), v.left_ns);
}

long sys_getitimer(int which, vaddr_t addr)
{
    struct process *p = process_self();
    if (!itimer_exists(which))
        return -EINVAL;
    spin_lock(&p->lock);
    struct itimer_value v = itimer_get_locked(p, which);
    spin_unlock(&p->lock);
    return itimer_write(addr, v);
}

long sys_setitimer(int which, vaddr_t addr, vaddr_t old_addr)
{
    struct process *p = process_self();
    struct itimer_value new = {0, 0};
    int err = 0;
    if (!itimer_exists(which))
        return -EINVAL;
    if (addr != 0) // NULL disarms, as Linux has it
        err = time_read_timeval(addr, &new.interval_ns);
    if (err == 0 && addr != 0)
        err = time_read_timeval(addr + sizeof(struct __kernel_old_timeval), &new.left_ns);
    if (err != 0)
        return err;
    spin_lock(&p->lock);
    if (which == ITIMER_REAL)
        timer_cancel(&p->real_timer.timer);
    struct itimer_value old = itimer_get_locked(p, which);
    itimer_set_locked(p, which, new);
    spin_unlock(&p->lock);
    return old_addr != 0 ? itimer_write(old_addr, old) : 0;
}
