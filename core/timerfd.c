// SPDX-License-Identifier: BSD-2-Clause
// timerfd_create(2): a timer as a file to read and poll.
//
// A timer that repeats fires once and then stands still until somebody reads: the reader counts the
// periods that passed and starts it again, so that the shortest period costs no interrupts that
// nobody sees. Lives as long as its file; release waits for `fire` and the watch of the wall clock.
#include <arch/clock.h>
#include <arch/uaccess.h>
#include <asm/poll.h>
#include <core/process.h>
#include <errno.h>
#include <fs/poll.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include <mm/slab.h>

#include "alarm_priv.h"
#include "syscalls_priv.h"

struct timerfd {
    int clock;            // constant
    struct spinlock lock; // with interrupts off; guards all but readers
    struct alarm alarm;
    bool armed;
    bool expired;        // fired, and not read since
    uint64_t nr_expired; // for the reader
    bool cancels;        // TFD_TIMER_CANCEL_ON_SET
    int64_t offset;      // of the wall clock, as of the last -ECANCELED
    struct realtime_watch watch;
    struct wait_queue readers;
};

static const struct file_ops timerfd_ops;

static void timerfd_fire(struct timer *timer)
{
    struct timerfd *t = container_of(timer, struct timerfd, alarm.timer);
    irq_flags_t flags = spin_lock_irqsave(&t->lock);
    if (t->armed && !t->expired) {
        if (alarm_now(&t->alarm) < t->alarm.deadline_ns) {
            alarm_start(&t->alarm);
        } else {
            t->expired = true;
            t->nr_expired++;
            wait_queue_wake_all(&t->readers);
        }
    }
    spin_unlock_irqrestore(&t->lock, flags);
}

static void timerfd_clock_set(struct realtime_watch *w)
{
    struct timerfd *t = container_of(w, struct timerfd, watch);
    irq_flags_t flags = spin_lock_irqsave(&t->lock);
    if (t->armed && !t->expired)
        alarm_start(&t->alarm);
    if (t->cancels && t->offset != clock_realtime_offset()) {
        t->offset = INT64_MIN; // also if it is set back
        t->nr_expired++;       // whoever polls shall read
        wait_queue_wake_all(&t->readers);
    }
    spin_unlock_irqrestore(&t->lock, flags);
}

// Was the wall clock set since this was asked last?
static bool is_cancelled_locked(struct timerfd *t)
{
    int64_t offset = clock_realtime_offset();
    if (!t->cancels || t->offset == offset)
        return false;
    t->offset = offset;
    return true;
}

// Periods that passed since it fired; it goes on.
static void catch_up_locked(struct timerfd *t)
{
    spin_assert_held(&t->lock);
    if (!t->expired || t->alarm.interval_ns == 0)
        return;
    uint64_t passed = alarm_forward(&t->alarm);
    t->nr_expired += passed != 0 ? passed - 1 : 0; // it was counted once when it fired
    t->expired = false;
    alarm_start(&t->alarm);
}

// The count since the last read, -ECANCELED, or 0: nothing yet.
static bool timerfd_take(struct timerfd *t, uint64_t *nr, int *err)
{
    irq_flags_t flags = spin_lock_irqsave(&t->lock);
    bool ready = t->nr_expired != 0;
    *err = 0;
    if (is_cancelled_locked(t)) {
        *err = -ECANCELED;
        ready = true;
        t->armed = t->armed && !t->expired; // what is still to come stays
        t->expired = false;
    } else if (ready) {
        catch_up_locked(t);
        t->armed = !t->expired;
        t->expired = false;
    }
    *nr = t->nr_expired;
    t->nr_expired = 0;
    spin_unlock_irqrestore(&t->lock, flags);
    return ready;
}

static ssize_t timerfd_read(struct file *file, struct uio *uio, uint64_t *offset)
{
    struct timerfd *t = file->private;
    uint64_t nr;
    int err;
    if (uio->left < sizeof(nr))
        return -EINVAL;
    if (file->flags & O_NONBLOCK) {
        if (!timerfd_take(t, &nr, &err))
            return -EAGAIN;
    } else if (wait_event(&t->readers, timerfd_take(t, &nr, &err), PARK_INTERRUPTIBLE,
                          TIME_NEVER) != 0) {
        return -ERESTARTSYS;
    }
    if (err != 0)
        return err;
    return uio_copy_out(uio, &nr, sizeof(nr)) == sizeof(nr) ? (ssize_t)sizeof(nr) : -EFAULT;
}

static unsigned int timerfd_poll(struct file *file, struct poll_table *table)
{
    struct timerfd *t = file->private;
    poll_add(table, &t->readers);
    return atomic_load(&t->nr_expired) != 0 ? POLLIN : 0;
}

static void timerfd_release(struct file *file)
{
    struct timerfd *t = file->private;
    if (alarm_clock_can_be_set(t->clock))
        realtime_watch_remove(&t->watch);
    irq_flags_t flags = spin_lock_irqsave(&t->lock);
    t->armed = false;
    spin_unlock_irqrestore(&t->lock, flags);
    timer_cancel(&t->alarm.timer);
    kfree(t);
}

static const struct file_ops timerfd_ops = {
    .read = timerfd_read,
    .poll = timerfd_poll,
    .release = timerfd_release,
    .stream = true,
};

static bool wakes_machine(int clock)
{
    return clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
}

static int timerfd_create(int clock, int flags, struct file **file)
{
    struct cred *cred = thread_self()->cred;
    if ((flags & ~(TFD_CLOEXEC | TFD_NONBLOCK)) || !alarm_has_clock(clock))
        return -EINVAL;
    if (wakes_machine(clock) && !cred_has_cap(cred, CAP_WAKE_ALARM))
        return -EPERM;
    struct timerfd *t = kzalloc(sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->clock = clock;
    spin_init(&t->lock);
    alarm_init(&t->alarm, timerfd_fire);
    wait_queue_init(&t->readers);
    t->offset = clock_realtime_offset();
    int err = file_create_object("anon_inode:[timerfd]", &timerfd_ops, t,
                                 O_RDWR | (flags & TFD_NONBLOCK), cred, file);
    if (err != 0) {
        kfree(t);
        return err;
    }
    if (alarm_clock_can_be_set(clock))
        realtime_watch_add(&t->watch, timerfd_clock_set);
    return 0;
}

long sys_timerfd_create(int clock, int flags)
{
    struct process *p = process_self();
    struct file *file;
    int err = timerfd_create(clock, flags, &file);
    if (err != 0)
        return err;
    int fd = fd_install(p->fds, file, 0, process_limit(p, RLIMIT_NOFILE), flags & TFD_CLOEXEC);
    if (fd < 0)
        file_put(file);
    return fd;
}

struct setting {
    struct __kernel_timespec interval, value;
};

static struct setting timerfd_get_locked(const struct timerfd *t)
{
    uint64_t left = 0;
    if (t->armed && (!t->expired || t->alarm.interval_ns != 0)) {
        left = alarm_left(&t->alarm);
        left = MAX(left, 1UL); // due but not over: never 0, which means disarmed
    }
    return (struct setting){time_to_timespec(t->alarm.interval_ns), time_to_timespec(left)};
}

// 0, or -ECANCELED: set, but the wall clock was set, too.
static int timerfd_set_locked(struct timerfd *t, int flags, uint64_t value, uint64_t interval)
{
    bool absolute = flags & TFD_TIMER_ABSTIME;
    spin_assert_held(&t->lock);
    t->cancels = absolute && (flags & TFD_TIMER_CANCEL_ON_SET) && alarm_clock_can_be_set(t->clock);
    t->expired = false;
    t->nr_expired = 0;
    t->armed = value != 0;
    alarm_set(&t->alarm, t->clock, absolute, value, interval);
    if (t->armed)
        alarm_start(&t->alarm);
    else
        alarm_stop(&t->alarm);
    return t->armed && is_cancelled_locked(t) ? -ECANCELED : 0;
}

// The timer behind a descriptor. 0, -EBADF, -EINVAL; with fd_return(*ref) to come if 0.
static int timerfd_find(int fd, struct fd_ref *ref, struct timerfd **t)
{
    *ref = fd_borrow(process_self()->fds, fd);
    if (!ref->file)
        return -EBADF;
    if (ref->file->ops != &timerfd_ops) {
        int err = ref->file->flags & O_PATH ? -EBADF : -EINVAL;
        fd_return(*ref);
        return err;
    }
    *t = ref->file->private;
    return 0;
}

long sys_timerfd_settime(int fd, int flags, vaddr_t new, vaddr_t old)
{
    uint64_t interval, value;
    struct fd_ref ref;
    struct timerfd *t;
    int err = time_read_timespec(new, &interval);
    if (err == 0)
        err = time_read_timespec(new + sizeof(struct __kernel_timespec), &value);
    if (err == 0 && (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)))
        err = -EINVAL;
    if (err == 0)
        err = timerfd_find(fd, &ref, &t);
    if (err != 0)
        return err;
    if (wakes_machine(t->clock) && !cred_has_cap(thread_self()->cred, CAP_WAKE_ALARM)) {
        fd_return(ref);
        return -EPERM;
    }
    irq_flags_t irq_flags = spin_lock_irqsave(&t->lock);
    struct setting before = timerfd_get_locked(t);
    err = timerfd_set_locked(t, flags, value, interval);
    spin_unlock_irqrestore(&t->lock, irq_flags);
    fd_return(ref);
    if (err == 0 && old != 0)
        err = user_copy_out(old, &before, sizeof(before));
    return err;
}

long sys_timerfd_gettime(int fd, vaddr_t addr)
{
    struct fd_ref ref;
    struct timerfd *t;
    int err = timerfd_find(fd, &ref, &t);
    if (err != 0)
        return err;
    irq_flags_t flags = spin_lock_irqsave(&t->lock);
    catch_up_locked(t);
    struct setting now = timerfd_get_locked(t);
    spin_unlock_irqrestore(&t->lock, flags);
    fd_return(ref);
    return user_copy_out(addr, &now, sizeof(now));
}
