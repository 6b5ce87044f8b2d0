// SPDX-License-Identifier: BSD-2-Clause
// What a signal does for signalfds.
#pragma once

struct process;

void signalfd_init(void);
// A signal was queued to p: whoever waits for a signalfd in it looks. Any context.
void signalfd_wake(struct process *p);
