// SPDX-License-Identifier: BSD-2-Clause
// A watchdog's hardware, as watchdog.c uses it. One in a machine.
#pragma once

#include <lib/types.h>

struct watchdog_device {
    const char *name;
    unsigned int max_seconds;
    // Count from `seconds` on; the machine restarts when they are over. Also what feeds it.
    void (*start)(struct watchdog_device *w, unsigned int seconds);
    void (*stop)(struct watchdog_device *w);
    unsigned int (*left)(struct watchdog_device *w); // seconds
};

// Start it, have the kernel feed it, and make /dev/watchdog. 0, -EBUSY: there is one, -errno.
int watchdog_register(struct watchdog_device *w);
