// SPDX-License-Identifier: BSD-2-Clause
// The walk of random_test.c over a window of several 2 MiB spans: huge pages are mapped, split,
// copied and taken over, and full page tables are shared by fork and unshared.
#define WINDOW 1600

#include "random_test.c"
