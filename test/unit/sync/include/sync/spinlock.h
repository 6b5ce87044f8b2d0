// SPDX-License-Identifier: BSD-2-Clause
// The kernel's own spinlock, not the one of the single-threaded host tests.
#include "../../../../../sync/include/sync/spinlock.h"
