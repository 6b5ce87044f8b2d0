// SPDX-License-Identifier: BSD-2-Clause
// For panic: from now on the calling hart prints without waiting for locks that a stopped hart may
// hold, and everything goes to the console.
#pragma once

void log_enter_panic(void);
