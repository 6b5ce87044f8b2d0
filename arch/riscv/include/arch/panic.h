// SPDX-License-Identifier: BSD-2-Clause
// The command line's panic=: what happens after panic() (lib/assert.h) has told its story.
#pragma once

// 0: stop for ever (the default); n > 0: reboot after n seconds; n < 0: reboot at once.
void panic_set_timeout(int seconds);
