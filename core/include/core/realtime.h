// SPDX-License-Identifier: BSD-2-Clause
// The wall clock as something to wait for: port_park_realtime() (sync/port.h), and setting it.
#pragma once

#include <sync/port.h>

// clock_settime(2). Whoever sleeps until a time of the wall clock looks at it again.
void realtime_set(uint64_t ns);
