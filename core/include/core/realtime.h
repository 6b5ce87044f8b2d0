// SPDX-License-Identifier: BSD-2-Clause
// The wall clock as something to wait for: port_park_realtime() (sync/port.h), being told when it
// is set, and setting it.
#pragma once

#include <lib/list.h>
#include <sync/port.h>

struct realtime_watch {
    struct list_node node;
    void (*changed)(struct realtime_watch *w); // realtime_lock held: must not sleep
};

// Whoever reads the clock's offset after adding himself misses no change. No lock of the kind that
// `changed` takes may be held. When the second returns `changed` isn't running.
void realtime_watch_add(struct realtime_watch *w, void (*changed)(struct realtime_watch *w));
void realtime_watch_remove(struct realtime_watch *w);

// clock_settime(2).
void realtime_set(uint64_t ns);
