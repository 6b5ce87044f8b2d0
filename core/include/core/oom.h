// SPDX-License-Identifier: BSD-2-Clause
// Out of memory: one process ends so that the others can go on.
#pragma once

// The calling thread's user access found no memory. Ends the process that holds most of it (the
// caller's perhaps), says so in the log, and waits until its memory is back. Sleeps; no spinlock.
// On return the access can be tried again, unless a fatal signal is pending by then.
void oom_end_one(void);
