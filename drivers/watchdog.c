// SPDX-License-Identifier: BSD-2-Clause
// The watchdog: restarts a machine whose kernel hangs. From boot on a kernel thread feeds it, so
// that it bites when threads are scheduled no more, and after a panic. Whoever opens /dev/watchdog
// (Linux Documentation/watchdog/watchdog-api.rst) takes that over: by any write, or
// WDIOC_KEEPALIVE; the last byte 'V' before close gives it back to the kernel, and without that it
// will bite.
//
// watchdog_lock guards all state. It may be held while sleeping, never while an interrupt waits.

#include "watchdog_priv.h"

#include <arch/clock.h>
#include <arch/log.h>
#include <arch/uaccess.h>
#include <core/thread.h>
#include <errno.h>
#include <fs/chrdev.h>
#include <linux/major.h>
#include <linux/watchdog.h>
#include <string.h>
#include <sync/mutex.h>

#define DEFAULT_SECONDS 30U
#define FEED_SECONDS    5U
#define WATCHDOG_MINOR  130 // of MISC_MAJOR
#define MAGIC           'V'

static struct mutex watchdog_lock = MUTEX_INIT(watchdog_lock);
static struct watchdog_device *device; // set once
static unsigned int timeout_seconds = DEFAULT_SECONDS;
static bool is_open; // by a program
static bool kernel_feeds = true;
static bool may_close;  // the magic byte came
static bool is_stopped; // by WDIOC_SETOPTIONS

static void watchdog_feed_locked(void)
{
    if (!is_stopped)
        device->start(device, timeout_seconds);
}

static void watchdog_thread(void *unused)
{
    for (;;) {
        mutex_lock(&watchdog_lock);
        if (kernel_feeds)
            watchdog_feed_locked();
        mutex_unlock(&watchdog_lock);
        (void)port_park(PARK_UNINTERRUPTIBLE, clock_monotonic_ns() + FEED_SECONDS * NS_PER_SEC);
    }
}

static int watchdog_open(struct file *file)
{
    mutex_lock(&watchdog_lock);
    bool busy = is_open;
    if (!busy) {
        is_open = true;
        kernel_feeds = may_close = is_stopped = false;
        watchdog_feed_locked();
    }
    mutex_unlock(&watchdog_lock);
    return busy ? -EBUSY : 0;
}

static void watchdog_release(struct file *file)
{
    mutex_lock(&watchdog_lock);
    is_open = false;
    if (may_close || is_stopped) {
        kernel_feeds = true;
        is_stopped = false;
        timeout_seconds = DEFAULT_SECONDS;
        watchdog_feed_locked();
    } else {
        log_err("watchdog: closed without being stopped: the machine restarts in %u s",
                device->left(device));
    }
    mutex_unlock(&watchdog_lock);
}

static ssize_t watchdog_write(struct file *file, struct uio *uio, uint64_t *offset)
{
    size_t done = 0;
    bool magic = false;

    while (uio->left > 0) {
        char bytes[64];
        size_t n = MIN(uio->left, sizeof(bytes));
        if (uio_copy_in(uio, bytes, n) != n)
            return -EFAULT;
        magic = magic || memchr(bytes, MAGIC, n);
        done += n;
    }
    mutex_lock(&watchdog_lock);
    may_close = magic;
    if (done > 0)
        watchdog_feed_locked();
    mutex_unlock(&watchdog_lock);
    return (ssize_t)done;
}

static long watchdog_set_timeout(unsigned long arg)
{
    int seconds;

    if (user_copy_in(&seconds, arg, sizeof(seconds)) != 0)
        return -EFAULT;
    if (seconds < 1 || (unsigned int)seconds > device->max_seconds)
        return -EINVAL;
    timeout_seconds = (unsigned int)seconds;
    watchdog_feed_locked();
    return user_copy_out(arg, &seconds, sizeof(seconds));
}

static long watchdog_set_options(unsigned long arg)
{
    int options;

    if (user_copy_in(&options, arg, sizeof(options)) != 0)
        return -EFAULT;
    if (!(options & (WDIOS_DISABLECARD | WDIOS_ENABLECARD)))
        return -EINVAL;
    is_stopped = options & WDIOS_DISABLECARD;
    if (is_stopped)
        device->stop(device);
    else
        watchdog_feed_locked();
    return 0;
}

static long watchdog_support(unsigned long arg)
{
    struct watchdog_info info = {.options =
                                     WDIOF_SETTIMEOUT | WDIOF_MAGICCLOSE | WDIOF_KEEPALIVEPING};

    strlcpy((char *)info.identity, device->name, sizeof(info.identity));
    return user_copy_out(arg, &info, sizeof(info));
}

static long watchdog_ioctl_locked(unsigned int request, unsigned long arg)
{
    unsigned int left = device->left(device);

    switch (request) {
    case WDIOC_GETSUPPORT:
        return watchdog_support(arg);
    case WDIOC_GETSTATUS:
    case WDIOC_GETBOOTSTATUS:
        return user_copy_out(arg, &(int){0}, sizeof(int));
    case WDIOC_SETOPTIONS:
        return watchdog_set_options(arg);
    case WDIOC_KEEPALIVE:
        watchdog_feed_locked();
        return 0;
    case WDIOC_SETTIMEOUT:
        return watchdog_set_timeout(arg);
    case WDIOC_GETTIMEOUT:
        return user_copy_out(arg, &timeout_seconds, sizeof(timeout_seconds));
    case WDIOC_GETTIMELEFT:
        return user_copy_out(arg, &left, sizeof(left));
    default:
        return -ENOTTY;
    }
}

static long watchdog_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
    mutex_lock(&watchdog_lock);
    long result = watchdog_ioctl_locked(request, arg);
    mutex_unlock(&watchdog_lock);
    return result;
}

static const struct file_ops watchdog_ops = {
    .open = watchdog_open,
    .write = watchdog_write,
    .ioctl = watchdog_ioctl,
    .release = watchdog_release,
    .stream = true,
};

int watchdog_register(struct watchdog_device *w)
{
    if (device)
        return -EBUSY;
    device = w;
    if (!thread_create_kernel("watchdog", watchdog_thread, NULL))
        return -ENOMEM;
    log_info("watchdog: %s, %u s", w->name, timeout_seconds);
    return chrdev_register("watchdog", DEV_MAKE(MISC_MAJOR, WATCHDOG_MINOR), 0600, &watchdog_ops,
                           NULL);
}
