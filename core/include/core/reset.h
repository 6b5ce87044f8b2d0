// SPDX-License-Identifier: BSD-2-Clause
// Power off and reboot: syscon or SBI, whichever the board's tree offers. reboot(2).
#pragma once

#include <lib/types.h>

enum reset_kind { RESET_POWEROFF, RESET_REBOOT };
// Drivers offer a way, tried before SBI SRST.
void reset_register(enum reset_kind kind, void (*fn)(void *arg), void *arg);
// Sync, stop the harts, and go. Returns only if nothing worked: then the hart halts.
__noreturn void reset_machine(enum reset_kind kind);
